"""The section of a path in which the side changes, cut again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.basins.path import Path
from flowscape.basins.sides import SideRule

__all__ = ["Search"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_ROUNDS = 80


class Search:
    """Cuts sections until the change of side is bracketed to the last bits.

    Parameters
    ----------
    path : Path
    rule : callable
        Labels of the ends of flows.
    sections : int
        Cuts of a section at once.
    width : float
        Width of the bracket that suffices.
    """

    def __init__(self, path: Path, rule: SideRule, sections: int, width: float = 0.0) -> None:
        self.path, self.rule, self.sections, self.width = path, rule, sections, width
        self.flows = 0

    def labels(self, s: Floats, rtol: float | None, t_max: float) -> Ints:
        """Return the labels of the flows at the places s (K,)."""
        self.flows += len(s)
        return self.rule(self.path.follow(s, rtol=rtol, t_max=t_max))

    def run(
        self, low: float, high: float, rtol: float | None = None, t_max: float = np.inf
    ) -> tuple[tuple[float, float], tuple[int, int], int]:
        """Return bracket, labels of its sides, and the changes seen by the first cut.

        The bracket consists of the last place of the first side and the next one of known label
        that differs. Between them the label may be unknown; then both ends are refined.
        """
        s = np.linspace(low, high, self.sections + 2)
        labels = self.labels(s, rtol, t_max)
        first = int(labels[0])
        known = labels[labels >= 0]
        crossings = int(np.count_nonzero(np.diff(known)))
        s, labels, other = _around(s, labels, first)
        for _ in range(_MOST_ROUNDS):
            cuts = self._cuts(s, labels, first, other)
            if len(cuts) == 0:
                break
            new = self.labels(cuts, rtol, t_max)
            order = np.argsort(np.concatenate([s, cuts]), kind="stable")
            s = np.concatenate([s, cuts])[order]
            labels = np.concatenate([labels, new])[order]
            s, labels, other = _around(s, labels, first)
        return (float(s[0]), float(s[-1])), (first, other), crossings

    def _cuts(self, s: Floats, labels: Ints, first: int, other: int) -> Floats:
        """Return new places in the sections whose two ends differ in their labels."""
        wide = max(self.width, 4.0 * float(np.spacing(max(abs(s[-1]), 2.0**-52))))
        gaps = [(s[k], s[k + 1]) for k in (0, len(s) - 2)]
        parts = [
            np.linspace(a, b, self.sections // (1 + (len(s) > 2)) + 2)[1:-1]
            for a, b in dict.fromkeys(gaps)
            if b - a > wide
        ]
        cuts = np.unique(np.concatenate(parts)) if parts else np.empty(0)
        return np.setdiff1d(cuts, s)

    def shift(self, bracket: tuple[float, float], rtol: float, t_max: float) -> float:
        """Return how far the border moves with another tolerance or end of time."""
        middle = 0.5 * (bracket[0] + bracket[1])
        reach = max(1e3 * self.path.rtol, 4.0 * (bracket[1] - bracket[0]))
        while True:
            low, high = max(middle - reach, 0.0), min(middle + reach, 1.0)
            ends = self.labels(np.array([low, high]), rtol, t_max)
            if ends[0] != ends[1] and (ends >= 0).all():
                break
            if low == 0.0 and high == 1.0:
                return 1.0
            reach *= 10.0
        (low, high), _, _ = self.run(low, high, rtol, t_max)
        return abs(0.5 * (low + high) - middle) + 0.5 * (high - low)


def _around(s: Floats, labels: Ints, first: int) -> tuple[Floats, Ints, int]:
    """Return the places from the last one of the first side to the next known other one."""
    differs = np.flatnonzero((labels >= 0) & (labels != first))
    end = int(differs[0])
    begin = int(np.flatnonzero(labels[:end] == first)[-1])
    return s[begin : end + 1], labels[begin : end + 1], int(labels[end])
