"""A progress bar on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowscape.sweep import Progress


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def total(self, runs: int) -> None:
        self._bar.reset(runs)

    def advance(self, runs: int) -> None:
        self._bar.update(runs)


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress | None]:
    """Give a progress bar if stderr is a terminal, else None; it disappears at the end."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=0, unit=unit, leave=False, file=sys.stderr, unit_scale=True) as bar:
        yield _Bar(bar)
