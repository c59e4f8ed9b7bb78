"""Equations on an affine subspace, seen from points of it: what searches on curved sets solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.location.least_distance import OfOneSize

__all__ = ["Around", "sizes"]

Floats = NDArray[np.float64]


class _Curved(Protocol):
    @property
    def linear(self) -> AffineSubspace: ...
    def level(self, rows: Floats, /) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True)
class Around(OfOneSize):
    """The equations `level` of a set in coordinates of its `linear` space.

    Attributes
    ----------
    subspace : CurvedSubspace or BilinearSubspace
    start : (B, P) ndarray
        Points of the linear space, where the coordinates are 0.
    scale : (B,) ndarray
        Sizes of the numbers at these points.
    """

    subspace: _Curved
    start: Floats
    scale: Floats

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return the equations (B, k) and their derivative (B, k, n)."""
        basis = self.subspace.linear.basis
        values, slopes = self.subspace.level(self.start + z @ basis.T)
        return values, slopes @ basis

    def take(self, index: NDArray[np.int64]) -> Around:
        """Return some of the points."""
        return Around(self.subspace, self.start[index], self.scale[index])


def sizes(rows: Floats) -> Floats:
    """Return 1 plus the largest parameter of every point, (B,)."""
    return np.asarray(1.0 + np.abs(rows).max(axis=1))
