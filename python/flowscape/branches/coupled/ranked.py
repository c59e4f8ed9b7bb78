"""The closure of one component of W s + U q = L': equations and ranks.

With P the projection off the span of W, a component is given by the generic ranks (i, k) of q and
P U (`fibres`), and its closure are the solutions with smaller or equal ranks. For given q of rank
i whose outputs contain those of P L' the other variables solve *linear* equations, and the rank of
P U follows; for given U of rank k likewise. So members are made by cutting one factor to its rank
and solving for the rest, from either side: each reaches most of the points that the other misses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.pair_equations import PairPoint
from flowscape.branches.fibres import Ranks
from flowscape.branches.groups import squared_norm
from flowscape.branches.strata import Split

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

_STEPS = 80
_GAIN = 1e-13  # relative decrease of the squared distance that ends the search
_SHORTEST = 1e-6
_SMALL = 1e-11  # singular values of J below this part of the largest are 0
_NO_RANK = 1e-10  # singular values of a factor, relative to the size of the numbers
_ROUND_OFF = 1e-12


@dataclass(frozen=True)
class RankedClosure:
    """One closure, around a batch of points.

    Attributes
    ----------
    point : PairPoint
    split : Split
        L' along and off the span of W.
    ranks : (int, int)
        i and k.
    codim : int
        Number of independent equations, the level's included.
    """

    point: PairPoint
    split: Split
    ranks: Ranks
    codim: int

    def nearest(self) -> list[Floats]:
        """Return local searches for the least z in the closure, one from each side.

        Rows for which a search has not found a member are infinite.
        """
        zero = np.zeros((len(self.point.s), self.point.n_variables))
        return [self._descend(self._start(zero, side), side) for side in (0, 1)]

    def lift(self, z: Floats, side: int) -> tuple[Floats, Rows]:
        """Return members near z, and for which rows there is one.

        Side 0 keeps q, cut to its rank, side 1 keeps the incoming vectors. The biases of
        constant neurons are kept.
        """
        z = self._cut(z, side)
        _, in_q, in_u, _, in_b, _ = self.point.part
        free = np.ones(z.shape[1], dtype=np.bool_)
        free[in_b] = free[(in_q, in_u)[side]] = False
        values, jacobian = self.point.all_equations(z)
        # linear in what is free, so that the second step is for round-off
        inverse = np.linalg.pinv(jacobian[:, :, free], rcond=_SMALL)
        for _ in range(2):
            z[:, free] -= (inverse @ values[:, :, None])[:, :, 0]
            values = self.point.all_equations(z)[0]
        return z, self._is_member(z, values)

    def _start(self, zero: Floats, side: int) -> Floats:
        """Return members near 0: 0 itself, or from one side, or from a point beside 0."""
        there = self._is_member(zero, self.point.all_equations(zero)[0])
        z, found = self.lift(zero, side)
        z[there], found = 0.0, found | there
        if not found.all():
            wave = np.cos(1.0 + np.arange(zero.shape[1]))
            again, now = self.lift(zero + 0.1 * self.point.scale[:, None] * wave, side)
            z = np.where(found[:, None], z, np.where(now[:, None], again, np.inf))
        return z

    def _cut(self, z: Floats, side: int) -> Floats:
        """Return z with the factor of one side cut to its rank, off what P L' needs."""
        e, (_, in_q, in_u, *_), rank = self.point.equations, self.point.part, self.split.rank
        _, q, u, *_ = self.point.values(z)
        z = z.copy()
        if side == 0:
            turned = (q / e.rooms[1][:, None]) @ self.split.outputs
            cut = _cut(turned[:, :, rank:], self.ranks[0] - rank)
            step = (cut - turned[:, :, rank:]) @ self.split.outputs[:, rank:].T
            z[:, in_q] += step.reshape(len(z), -1)
            return z
        heads = len(e.right)
        turned = (u[:, :, :heads] * e.heads[:, None]) @ self.split.off
        cut = _cut(turned[:, :, rank:], self.ranks[1] - rank)
        step = np.zeros_like(u)
        step[:, :, :heads] = (cut - turned[:, :, rank:]) @ self.split.off[:, rank:].T
        z[:, in_u] += step.reshape(len(z), -1)
        return z

    def _is_member(self, z: Floats, values: Floats) -> Rows:
        """Whether points obey the equations to round-off, with ranks at most (i, k)."""
        scale = self.point.scale + np.abs(z).max(axis=1, initial=0.0)
        good = np.abs(values).max(axis=1, initial=0.0) <= _ROUND_OFF * scale**2
        _, q, u, *_ = self.point.values(z)
        vectors = u[:, :, : len(self.point.equations.right)] @ self.split.off
        for factor, rank in zip((q, vectors), self.ranks, strict=True):
            if rank < min(factor.shape[1:]):
                sizes = np.linalg.svd(factor, compute_uv=False)[:, rank]
                good &= sizes <= _NO_RANK * scale
        return np.asarray(good & np.isfinite(z).all(axis=1))

    def _retract(self, z: Floats, side: int) -> tuple[Floats, Rows]:
        """Return members near z, from one side or, where it makes none, from the other."""
        found, good = self.lift(z, side)
        if not good.all():
            other, works = self.lift(z, 1 - side)
            found, good = np.where(good[:, None], found, other), good | works
        return found, good

    def _descend(self, z: Floats, side: int) -> Floats:
        """Return members that are nearer to 0, by steps in the tangent space and back."""
        length = np.ones(len(z))
        moving = np.asarray(np.isfinite(z).all(axis=1))
        cost = np.full(len(z), np.inf)
        cost[moving] = squared_norm(z[moving])
        for _ in range(_STEPS):
            rows = np.flatnonzero(moving)
            if not len(rows):
                break
            local = RankedClosure(self.point.take(rows), self.split, self.ranks, self.codim)
            step = length[rows, None] * local._tangent_part(z[rows])
            trial, good = local._retract(z[rows] - step, side)
            new = np.where(good, squared_norm(np.where(good[:, None], trial, 0.0)), np.inf)
            better = new < cost[rows]
            small = better & (cost[rows] - new <= _GAIN * cost[rows])
            z[rows[better]], cost[rows[better]] = trial[better], new[better]
            length[rows] = np.where(
                better, np.minimum(1.0, 2.0 * length[rows]), 0.25 * length[rows]
            )
            moving[rows] = ~small & (length[rows] > _SHORTEST)
        return z

    def _tangent_part(self, z: Floats) -> Floats:
        """Return the part of z in the tangent space, whose codimension is known."""
        _, jacobian = self.point.all_equations(z)
        _, values, rows = np.linalg.svd(jacobian, full_matrices=False)
        kept = values > _SMALL * values.max(axis=1, initial=0.0, keepdims=True)
        kept &= np.arange(values.shape[1]) < self.codim
        normal = rows * kept[:, :, None]
        along = (normal @ z[:, :, None])[:, :, 0]
        return z - (np.swapaxes(normal, 1, 2) @ along[:, :, None])[:, :, 0]


def _cut(matrix: Floats, rank: int) -> Floats:
    """Return the nearest matrices (B, n, k) of at most a rank."""
    if rank >= min(matrix.shape[1:]):
        return matrix
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray((left[:, :, :rank] * values[:, None, :rank]) @ right[:, :rank])
