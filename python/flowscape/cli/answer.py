"""What a command hands back to be printed, and the types of its arguments."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Answer:
    """Result of a command.

    Attributes
    ----------
    text : str
        For a reader.
    data : Mapping
        The same for a program; printed as JSON with --json.
    code : int
        Exit code.
    """

    text: str
    data: Mapping[str, Any]
    code: int = 0

    def json(self) -> str:
        """Return the data as one JSON document; numbers that are not finite become null."""
        return json.dumps(_plain(self.data), indent=2, allow_nan=False)


def count(text: str) -> int:
    """Read a command-line integer >= 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer >= 1")
    return value


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Declare --n-threads."""
    parser.add_argument(
        "--n-threads", type=count, metavar="N", help="threads; results do not depend on it"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
