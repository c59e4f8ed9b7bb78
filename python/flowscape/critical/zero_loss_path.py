"""A path in the set of perfect networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.brief import Brief
from flowscape.critical.curves import Curve, Reversed, arc_lengths
from flowscape.errors import check_count

__all__ = ["ZeroLossPath", "joined"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class ZeroLossPath(Brief):
    """A path in Q*: every point of every side is the target.

    Attributes
    ----------
    vertices : (V, P) ndarray
        From theta_a to theta_b; at least two.
    notes : tuple of str
        What each side does, in words; one fewer than vertices.
    curves : mapping of int to Curve
        The sides that are not straight, by position.
    """

    vertices: Floats
    notes: tuple[str, ...]
    curves: Mapping[int, Curve] = field(default_factory=dict)

    @cached_property
    def _places(self) -> list[tuple[Floats, Floats]]:
        """Return for every side places t and the lengths up to there."""
        ends = np.array([0.0, 1.0])
        return [
            arc_lengths(self.curves[side])
            if side in self.curves
            else (ends, ends * float(np.linalg.norm(step)))
            for side, step in enumerate(np.diff(self.vertices, axis=0))
        ]

    @property
    def is_polygon(self) -> bool:
        """Whether all sides are straight."""
        return not self.curves

    @property
    def length(self) -> float:
        """Euclidean length."""
        return float(sum(lengths[-1] for _, lengths in self._places))

    @property
    def straight_length(self) -> float:
        """Distance of the ends."""
        return float(np.linalg.norm(self.vertices[-1] - self.vertices[0]))

    def points(self, number: int) -> Floats:
        """Return `number` >= 2 points (number, P), evenly spaced in arc length.

        On curved sides they are on the path exactly, and evenly spaced nearly.
        """
        number = check_count("number", number, minimum=2)
        sizes = np.array([lengths[-1] for _, lengths in self._places])
        starts = np.concatenate([[0.0], np.cumsum(sizes)])
        wanted = np.linspace(0.0, starts[-1], number)
        side = np.clip(np.searchsorted(starts, wanted, side="right") - 1, 0, len(sizes) - 1)
        found = np.empty((number, self.vertices.shape[1]))
        for i in np.unique(side):
            rows = side == i
            t = np.interp(wanted[rows] - starts[i], self._places[i][1], self._places[i][0])
            if i in self.curves:
                found[rows] = self.curves[i].at(t)
            else:
                step = self.vertices[i + 1] - self.vertices[i]
                found[rows] = self.vertices[i] + t[:, None] * step
        found[0], found[-1] = self.vertices[0], self.vertices[-1]
        return found

    def reversed(self) -> ZeroLossPath:
        """Return the path from theta_b to theta_a."""
        last = len(self.notes) - 1
        curves = {last - side: Reversed(curve) for side, curve in self.curves.items()}
        notes = tuple(f"back: {note}" for note in reversed(self.notes))
        return ZeroLossPath(np.ascontiguousarray(self.vertices[::-1]), notes, curves)


def joined(paths: Sequence[ZeroLossPath]) -> ZeroLossPath:
    """Return paths one after the other, sides of length 0 left out.

    Every path starts where the one before it ends, up to round-off, which goes into the side
    that follows.
    """
    vertices = [paths[0].vertices[0]]
    notes: list[str] = []
    curves: dict[int, Curve] = {}
    for path in paths:
        for side, note in enumerate(path.notes):
            end = path.vertices[side + 1]
            if np.array_equal(end, vertices[-1]):
                continue
            if side in path.curves:
                curves[len(notes)] = path.curves[side]
            notes.append(note)
            vertices.append(end)
    if not notes:
        return ZeroLossPath(np.stack([vertices[0]] * 2), ("nothing to do",))
    return ZeroLossPath(np.stack(vertices), tuple(notes), curves)
