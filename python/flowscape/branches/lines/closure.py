r"""Which solutions of the equations of a stratum are limits of its points, for one output.

At a limit some neurons have v_k = 0 ("still"). They can start again only with p_k = a_k |v_k| of
the sign of a_k, so sums that they make alone may be able to move one way only. A solution is a
limit if there is a small move of the s_t of the mixed labelled groups, of the constants and of the
s_j u_j of the mixed free groups that keeps

.. math:: \sum_t s_t \hat w_t + \kappa e + \sum_j s_j u_j

and obeys these signs. If an s_j is not 0, the line u_j can turn, which makes up for every small
move. Proofs: ``docs/families-by-chart.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.groups import LineGroups

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BOTH = 0
"""A sum that can grow and fall; else the sign of its only way."""

_RANK = 1e-6
"""Unit vectors with a smaller singular value are dependent, at the accuracy of a search."""
_ZERO = 1e-9
_NO_PART = 1e-9
"""Vectors a_k v_k below this part of the size of their sum are 0."""
_NOTHING = 1e-12
"""Neurons with a_k |v_k| below this part of all of them make nothing, up to round-off."""


def way(signs: Sequence[float], still: Sequence[bool]) -> int:
    """Return which way a sum of p_k can move: BOTH, or +1 or -1.

    Parameters
    ----------
    signs : sequence of float
        Signs of a_k (times what a constant neuron makes), 0 where a_k is round-off.
    still : sequence of bool
        Whether v_k = 0.
    """
    if not all(still):
        return BOTH
    one = signs[0]
    return int(one) if one and all(sign == one for sign in signs) else BOTH


@dataclass(frozen=True)
class Moves:
    """What can move at a solution of the equations.

    Attributes
    ----------
    columns : (D, n) ndarray
        Unit vectors whose factors can change: lines of mixed groups, and e for constants.
    ways : tuple of int
        How each factor can change.
    free : tuple of bool
        Which columns are lines of mixed free groups with s_j = 0.
    """

    columns: Floats
    ways: tuple[int, ...]
    free: tuple[bool, ...]

    def exist(self) -> bool:
        """Whether all of them can leave their edges together.

        Without free columns every one-way factor must move. With them one free factor must: its
        line can then turn, and the others follow by small amounts.
        """
        _, values, right = np.linalg.svd(self.columns)
        kernel = right[int((values > _RANK).sum()) :].T
        bounded = [i for i, one in enumerate(self.ways) if one != BOTH]
        rows = np.array([self.ways[i] * kernel[i] for i in bounded]).reshape(
            len(bounded), kernel.shape[1]
        )
        if not any(self.free):
            if not bounded:
                return True
            ones = np.ones((len(rows), 1))
            last = np.zeros(kernel.shape[1] + 1)
            last[-1] = 1.0
            return not in_cone(np.concatenate([rows, ones], axis=1), last)
        wanted = [sign * kernel[i] for i, free in enumerate(self.free) if free for sign in (1, -1)]
        return any(np.linalg.norm(g) > _RANK and not in_cone(rows, -g) for g in wanted)


def nothings(weights: Floats, lengths: Floats, size: float) -> tuple[Bools, Bools]:
    """Return which |a_k| and which |v_k| of neurons are 0, up to rounding.

    What a neuron makes does not change if a_k is divided and v_k multiplied by a factor; so both
    are compared with the `size` of the sums over the other one, or over its square root where
    the other one is 0 itself.
    """
    least, middle = _NOTHING * size, np.sqrt(size)
    gone = (weights == 0.0) | (weights * np.maximum(lengths, middle) < least)
    still = (lengths == 0.0) | (lengths * np.maximum(weights, middle) < least)
    return gone, still


class Edge:
    """What the neurons of a stratum can do at a solution of its equations.

    The sums a_k |v_k| have a size, here or `before` the search.
    """

    def __init__(self, system: LineGroups, theta: Floats, before: float = 0.0) -> None:
        s = system.setting
        self.system, self.theta = system, theta
        a = theta[[s.a_index(k, 0) for k in range(s.width)]]
        self.v = np.array([system.v(theta, k) for k in range(s.width)])
        size = max(before, system.size(theta))
        gone, self.still = nothings(np.abs(a), np.linalg.norm(self.v, axis=1), size)
        self.a = np.where(gone, 0.0, a)

    def way(self, block: Sequence[int], factors: Sequence[float] | None = None) -> int:
        """Return which way the sum of p_k, times factors, of a block can move."""
        k = list(block)
        signs = np.sign(self.a[k] * (1.0 if factors is None else np.array(factors)))
        return way(signs.tolist(), self.still[k].tolist())

    def moves(self) -> Moves | None:
        """Return what can move; None if a line can turn, so that anything can."""
        system = self.system
        columns: list[Floats] = []
        ways: list[int] = []
        for line, block in zip(system.target.lines, system.labelled, strict=True):
            if len({system.signs[k] for k in block}) == 2:
                columns.append(line)
                ways.append(self._way_of_sides(block))
        if system.free_level:
            columns.append(np.eye(system.setting.incoming)[-1])
            factors = [system.gain(k) for k in system.constants]
            ways.append(BOTH if system.target.level_free else self.way(system.constants, factors))
        fixed = len(columns)
        for block in system.mixed_free:
            k = list(block)
            if self.still[k].all() or self._has_part(k):
                return None
            columns.append(system.along(self.theta, block))
            ways.append(self._way_of_sides(block))
        free = (False,) * fixed + (True,) * (len(columns) - fixed)
        stack = np.array(columns).reshape(-1, system.setting.incoming).T
        return Moves(stack, tuple(ways), free)

    def _has_part(self, k: list[int]) -> bool:
        """Whether sum a_k v_k of a free group is not 0."""
        parts = self.a[k, None] * self.v[k]
        size = float(np.linalg.norm(parts, axis=1).sum())
        return bool(
            np.linalg.norm(parts.sum(axis=0)) > _NO_PART * max(size, self.system.target.size)
        )

    def _way_of_sides(self, block: Sequence[int]) -> int:
        """Return which way sum eps p can move along the line if sum p is fixed."""
        for sign in (1, -1):
            side = [k for k in block if self.system.signs[k] == sign]
            if one := self.way(side):
                return sign * one * self._direction(block)
        return BOTH

    def _direction(self, block: Sequence[int]) -> int:
        """Return +1 if the neurons with eps = 1 are along the vector that stands for the line."""
        label = [b for b in self.system.labelled if b == block]
        if label:
            return 1
        along = self.system.along(self.theta, block)
        ahead = sum(self.system.signs[k] * float(self.v[k] @ along) for k in block)
        return 1 if ahead >= 0.0 else -1


def in_cone(rows: Floats, vector: Floats) -> bool:
    """Whether a vector is a combination of rows with factors >= 0 (by all independent subsets)."""
    if np.linalg.norm(vector) <= _ZERO:
        return True
    rows = rows[np.linalg.norm(rows, axis=1) > _RANK]
    for size in range(1, min(rows.shape) + 1):
        for chosen in combinations(range(len(rows)), size):
            part = rows[list(chosen)].T
            factors = np.linalg.lstsq(part, vector, rcond=_ZERO)[0]
            if factors.min() >= -_ZERO and np.linalg.norm(part @ factors - vector) <= _RANK:
                return True
    return False
