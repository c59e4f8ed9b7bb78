"""Which closures pass through given points, for many points of few branches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.branch import Branch

__all__ = ["Incidence"]

Floats = NDArray[np.float64]

_ON = 1e-7
"""A member of an intersection is this near to the closures that contain it."""


class Incidence:
    """The branches, with the linear equations of those that have such.

    A point that violates one is on no closure; distances to curved closures are searches, which
    are left to the branches that pass this test.
    """

    def __init__(self, branches: Sequence[Branch]) -> None:
        self.branches = branches
        matrices: list[Floats] = []
        rights: list[Floats] = []
        owners: list[NDArray[np.int64]] = []
        for i, branch in enumerate(branches):
            if not (branch.is_affine or branch.shares_incoming):
                continue
            matrix, right = branch.linear_equations()
            scale = np.maximum(np.linalg.norm(matrix, axis=1), 1e-300)
            matrices.append(matrix / scale[:, None])
            rights.append(right / scale)
            owners.append(np.full(len(right), i))
        p = branches[0].setting.n_params if branches else 0
        self._matrix = np.concatenate([np.zeros((0, p)), *matrices])
        self._right = np.concatenate([np.zeros(0), *rights])
        self._owner = np.concatenate([np.zeros(0, dtype=np.int64), *owners])

    def through(self, points: Sequence[Floats]) -> tuple[int, ...]:
        """Return the numbers of the branches whose closures contain all the points (P,)."""
        found = np.ones(len(self.branches), dtype=np.bool_)
        for theta in points:
            size = 1.0 + float(np.abs(theta).max())
            # the distance to a closure is at least that to each of its hyperplanes
            off = np.abs(self._matrix @ theta - self._right) > _ON * size
            found[self._owner[off]] = False
            for i in np.flatnonzero(found).tolist():
                found[i] = self.branches[i].distance(theta) <= _ON * size
        return tuple(np.flatnonzero(found).tolist())
