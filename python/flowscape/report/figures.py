"""All figures of a recovery study, as files."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowscape.report import fractions, geometry, style, waterfall
from flowscape.sweep import RecoverResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIGURES: dict[str, Callable[[RecoverResult], Figure]] = {
    "geometry": geometry.figure,
    "fractions": fractions.figure,
    "waterfall": waterfall.figure,
}


def names(result: RecoverResult) -> list[str]:
    """Return the figures that this study has; no geometry without distances to branches."""
    known = bool(result.branches) and bool(np.isfinite(result.runs["branch_distance"]).any())
    return [name for name in _FIGURES if name != "geometry" or known]


def available() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(result: RecoverResult, name: str) -> Figure:
    """Return one figure by name."""
    with style.context():
        return _FIGURES[name](result)


def save(result: RecoverResult, name: str, path: Path) -> None:
    """Draw one figure into a PNG file."""
    with style.context():
        draw(result, name).savefig(path)
