r"""Which solutions of the equations of a stratum are limits of its points, for several outputs.

Where v_k = 0 ("still") a neuron can start again with p_k = a_k |v_k| near the ray of a_k. So a sum
that still neurons make alone can become any small vector if 0 is a convex combination of their
a_k. Else ("pointed") it must become a vector that is nearly in their cone. Proofs, and where the
rule is only sufficient: ``docs/families-by-chart.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.closure import in_cone, nothings
from flowscape.branches.lines.groups import LineGroups
from flowscape.branches.partitions import Blocks

Floats = NDArray[np.float64]

__all__ = ["Side", "VectorEdge", "can_leave"]

_NO_PART = 1e-9
"""Weights, vectors and singular values below this part of the point's size are 0."""
_ROUNDING = 1e-13
_RANK = 1e-6
"""Unit vectors with a smaller singular value are dependent, at the accuracy of a search."""


@dataclass(frozen=True)
class Side:
    """A pointed sum: the factor of a column changes by sign times a vector of a cone."""

    column: int
    sign: int
    rays: Floats


class VectorEdge:
    """What the neurons of a stratum with several outputs can do at a solution."""

    def __init__(self, system: LineGroups, theta: Floats, before: float = 0.0) -> None:
        s = system.setting
        self.system, self.theta = system, theta
        self.tiny = _NO_PART * (1.0 + float(np.abs(theta).max()))
        self.a = np.array([system.a(theta, k) for k in range(s.width)])
        self.v = np.array([system.v(theta, k) for k in range(s.width)])
        weights, lengths = (np.linalg.norm(part, axis=1) for part in (self.a, self.v))
        gone, self.still = nothings(weights, lengths, max(before, system.size(theta)))
        self.a[gone] = 0.0
        self.still |= lengths <= _ROUNDING * (1.0 + lengths.max())  # of a search from a far point

    def is_limit(self, balanced: Blocks) -> bool:
        """Whether the point is a limit; False where that is not shown.

        Parameters
        ----------
        balanced : tuple of tuple of int
            Neurons whose sums of a_k |v_k| must stay 0.
        """
        if any(self._rays(block) is not None for block in balanced):
            return False
        if not all(self._is_resolved(block) for block in self.system.free if len(block) > 1):
            return False
        if self.system.stratum is None:
            return True
        columns, sides = self._columns()
        if not self.system.mixed_free:
            return can_leave(columns, _no_turns(self.a, columns), sides)
        return self._with_pairs(columns, sides)

    def _is_resolved(self, block: tuple[int, ...]) -> bool:
        """Whether small v_k are on one line, with sum 0: the equations are quadratic in lengths."""
        k = list(block)
        if self.still[k].all():
            return True
        line = self.system.along(self.theta, block)
        along = self.v[k] @ line
        most = float(np.abs(along).max())
        across = np.abs(self.v[k] - along[:, None] * line).max()
        signs = np.array([self.system.signs[i] for i in block])
        gap = np.linalg.norm((signs * along) @ self.a[k])
        weights = _RANK * float(np.linalg.norm(self.a[k], axis=1).max()) + self.tiny
        return bool(across <= _RANK * most and gap <= weights * most)

    def _with_pairs(self, columns: Floats, sides: list[Side]) -> bool:
        """Decide where there are mixed free groups: ranks, then moves at fixed or free lines."""
        system, stratum, outputs = self.system, self.system.stratum, self.a.shape[1]
        assert stratum is not None
        assert system.ranks is not None
        (i, k), free = system.ranks, len(system.mixed_free)
        u = columns[:, columns.shape[1] - free :]
        groups = zip(system.mixed_free, u.T, strict=True)
        q = np.array([self._tilt(block, line) for block, line in groups]).T
        now = self._rank(q), self._rank(stratum.off @ u)
        if now[0] > i or now[1] > k:
            return False
        # at these lines s_j of a larger rank than i may solve the equations
        most = min(outputs, free, free + stratum.off_rank - now[1])
        nothing = _no_turns(self.a, columns)
        if not sides or (most <= i and can_leave(columns, nothing, sides)):
            return True
        if now != (i, k):
            return False
        turns = [
            np.outer(one, across)
            for one, line in zip(q.T, u.T, strict=True)
            for across in np.linalg.svd(line[None])[2][1:]
        ]
        return can_leave(columns, np.array(turns), sides, at_once=True)

    def _columns(self) -> tuple[Floats, list[Side]]:
        """Return lines whose factors can change (D, n), mixed free ones last, and pointed sides."""
        system = self.system
        columns: list[Floats] = []
        sides: list[Side] = []
        for line, block in zip(system.target.lines, system.labelled, strict=True):
            if len({system.signs[k] for k in block}) == 2:
                sides += self._pointed(block, len(columns), 1)
                columns.append(line)
        if system.free_level:
            target, block = system.target, system.constants
            factors = [target.per_constant * system.gain(k) for k in block]
            rays = None if target.level_free else self._rays(block, factors)
            if rays is not None:
                sides.append(Side(len(columns), 1, rays))
            columns.append(np.eye(system.setting.incoming)[-1])
        for block in system.mixed_free:
            if self.still[list(block)].all():
                # any line will do: one that adds nothing to the rank
                line = columns[0] if columns else np.eye(system.setting.incoming)[0]
                ahead = 1.0
            else:
                line = system.along(self.theta, block)
                ahead = sum(system.signs[k] * (self.v[k] @ line) for k in block)
            sides += self._pointed(block, len(columns), 1 if ahead >= 0.0 else -1)
            columns.append(line)
        return np.array(columns).reshape(-1, system.setting.incoming).T, sides

    def _pointed(self, block: tuple[int, ...], column: int, ahead: int) -> list[Side]:
        """Return the pointed sides of a mixed group, on which sum eps p moves."""
        found = []
        for sign in (1, -1):
            rays = self._rays([k for k in block if self.system.signs[k] == sign])
            if rays is not None:
                found.append(Side(column, sign * ahead, rays))
        return found

    def _rays(
        self, block: tuple[int, ...] | list[int], factors: list[float] | None = None
    ) -> Floats | None:
        """Return the rays (n, O) of a pointed sum; None if it can become any small vector."""
        k = list(block)
        if not self.still[k].all():
            return None
        rays = self.a[k] * (1.0 if factors is None else np.array(factors)[:, None])
        lengths = np.linalg.norm(rays, axis=1)
        if not lengths.all():
            return None
        rays = rays / lengths[:, None]
        return None if _has_zero(rays) else rays

    def _tilt(self, block: tuple[int, ...], line: Floats) -> Floats:
        """Return s_j with sum a_k v_k^T = s_j u_j^T."""
        parts = [self.a[k] * (self.v[k] @ line) for k in block]
        return np.asarray(sum(parts))

    def _rank(self, matrix: Floats) -> int:
        scale = max(1.0, self.system.target.size)
        return int((np.linalg.svd(matrix, compute_uv=False) > self.tiny * scale).sum())


def _no_turns(a: Floats, columns: Floats) -> Floats:
    return np.zeros((0, a.shape[1], len(columns)))


def _has_zero(rays: Floats) -> bool:
    """Whether 0 is a convex combination of vectors (n, O)."""
    raised = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
    return in_cone(raised, np.eye(raised.shape[1])[-1])


def can_leave(columns: Floats, turns: Floats, sides: list[Side], *, at_once: bool = False) -> bool:
    """Whether all pointed sums can move such that sum z_c w_c^T + sum y_j M_j = 0.

    z_c are the moves of the factors of the columns w_c, y_j any numbers.

    Parameters
    ----------
    columns : (D, n) ndarray
    turns : (r, O, D) ndarray
        M_j.
    sides : list of Side
    at_once : bool
        Whether all must move in the same order of magnitude. Else those that have moved are free
        to make up for smaller moves of others.
    """
    if not sides:
        return True
    outputs, n = turns.shape[1], columns.shape[1]
    every = np.einsum("po,dc->odcp", np.eye(outputs), columns).reshape(-1, n * outputs)
    free = np.concatenate([every, turns.reshape(-1, len(every)).T], axis=1)
    while sides:
        ties = np.zeros((len(sides), outputs, free.shape[1]))
        for row, side in zip(ties, sides, strict=True):
            row[:, side.column * outputs : (side.column + 1) * outputs] = np.eye(outputs)
        matrix = np.concatenate([free, ties.reshape(-1, free.shape[1])])
        left, values, _ = np.linalg.svd(matrix)
        rows = left[len(free) :, int((values > _RANK).sum()) :].T.reshape(-1, len(sides), outputs)
        seen = [side.sign * side.rays @ rows[:, i].T for i, side in enumerate(sides)]
        kept = [i for i in range(len(sides)) if not _moves(seen, i)]
        if not kept:
            return True
        if at_once or len(kept) == len(sides):
            return False
        sides = [sides[i] for i in kept]
    return True


def _moves(seen: list[Floats], one: int) -> bool:
    """Whether factors >= 0, not all 0 on one side, solve sum of factors times rows = 0."""
    marks = [np.full((len(part), 1), float(i == one)) for i, part in enumerate(seen)]
    rows = np.concatenate([np.concatenate(seen), np.concatenate(marks)], axis=1)
    return in_cone(rows, np.eye(rows.shape[1])[-1])
