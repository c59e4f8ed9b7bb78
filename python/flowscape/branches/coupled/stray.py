"""The closure of a stratum of pairs where W s + U q = L' has solutions outside of it.

With P the projection off the span of W, L' inside it and few pairs, P U has no kernel for generic
U. So q = 0 there: that belongs to finer strata and is no limit of q != 0. The closure is where
P U eta = 0 for a direction eta of q = tau eta, and W s + tau U eta = L' within the span
(``docs/families.md``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.coupling import Parts
from flowscape.branches.coupled.pair_equations import PairPoint
from flowscape.branches.groups import add_up

Floats = NDArray[np.float64]

_STEPS = 80
_STILL = 1e-14
_CUT = 1e-12


def nearest_in_closure(point: PairPoint) -> list[Parts]:
    """Return candidates for the nearest points of the closure, each for the whole batch."""
    left = np.linalg.svd(point.equations.matrix)[0]
    rank = int(np.linalg.matrix_rank(point.equations.matrix, tol=1e-12)) if left.size else 0
    problem = _Closure(point, left[:, rank:].T, left[:, :rank].T)
    return [problem.write(problem.search(eta)) for eta in problem.directions()]


@dataclass(frozen=True)
class _Closure:
    """Variables y: those of the `PairPoint` with tau in place of q, then eta."""

    point: PairPoint
    off: Floats
    within: Floats

    @property
    def _pairs(self) -> int:
        return self.point.q.shape[1]

    def directions(self) -> list[Floats]:
        """Return the unit vectors eta (B, J) to start from."""
        q, u = self.point.q, self.point.u[:, :, : self.off.shape[1]]
        if self._pairs == 1:
            return [np.ones_like(q)]
        flat = np.linalg.svd(self._off(u))[2][:, -1]
        length = np.linalg.norm(q, axis=1, keepdims=True)
        along = np.where(length > 0.0, q / np.where(length > 0.0, length, 1.0), flat)
        return [along, flat]

    def _plain(self, y: Floats) -> tuple[Floats, Floats, Floats]:
        """Return z, tau (B, 1) and eta (B, J)."""
        b, pairs = self.point.s.shape[1], self._pairs
        tau, eta = y[:, b : b + 1], y[:, -pairs:]
        moved = (tau * eta - self.point.q) / self._room
        return np.concatenate([y[:, :b], moved, y[:, b + 1 : -pairs]], axis=1), tau, eta

    @property
    def _room(self) -> Floats:
        return np.asarray(np.sqrt([g.room for g in self.point.equations.free]))

    def _off(self, u: Floats) -> Floats:
        """Return P U, (B, E, J)."""
        found = add_up(np.swapaxes(u, 1, 2)[:, :, :, None] * self.off.T[:, None, :])
        return np.swapaxes(found, 1, 2)

    def write(self, y: Floats) -> Parts:
        """Return the points that y stands for."""
        return self.point.write(self._plain(y)[0])

    def _objective(self, y: Floats) -> tuple[Floats, Floats]:
        """Return z, whose square is to be least, and its derivative."""
        z, tau, eta = self._plain(y)
        b, pairs = self.point.s.shape[1], self._pairs
        slope = np.zeros((len(y), z.shape[1], y.shape[1]))
        others = [*range(b), *range(b + pairs, z.shape[1])]
        columns = [*range(b), *range(b + 1, y.shape[1] - pairs)]
        slope[:, others, columns] = 1.0
        for j in range(pairs):
            slope[:, b + j, b] = eta[:, j] / self._room[j]
            slope[:, b + j, y.shape[1] - pairs + j] = tau[:, 0] / self._room[j]
        return z, slope

    def _equations(self, y: Floats, z: Floats, slope: Floats) -> tuple[Floats, Floats]:
        count = self.off.shape[1]
        eta = y[:, -self._pairs :]
        values, jacobian = self.point(z)
        jacobian = jacobian @ slope
        _, _, u, *_ = self.point.values(z)
        vectors = self._off(u[:, :, :count])
        flat = add_up(np.swapaxes(vectors, 1, 2) * eta[:, :, None])
        by_y = np.zeros((len(y), len(self.off), y.shape[1]))
        by_y[:, :, -self._pairs :] = vectors
        start = self.point.s.shape[1] + 1
        width = self.point.u.shape[2]
        for j, g in enumerate(self.point.equations.free):
            part = slice(start + j * width, start + j * width + count)
            by_y[:, :, part] = self.off * (eta[:, j] / np.sqrt(len(g.neurons)))[:, None, None]
        unit = np.zeros((len(y), 1, y.shape[1]))
        unit[:, 0, -self._pairs :] = eta
        length = 0.5 * (add_up(eta**2)[:, None] - 1.0)
        inside = add_up(values[:, :count, None] * self.within.T)
        by_inside = self.within @ jacobian[:, :count]
        return (
            np.concatenate([flat, inside, values[:, count:], length], axis=1),
            np.concatenate([by_y, by_inside, jacobian[:, count:], unit], axis=1),
        )

    def search(self, eta: Floats) -> Floats:
        """Return y near the nearest point of the closure, by steps on the linearized problem."""
        tau = add_up(eta * self.point.q)[:, None]
        b = self.point.s.shape[1]
        rest = self.point.n_variables - b - self._pairs
        size = len(eta)
        y = np.concatenate([np.zeros((size, b)), tau, np.zeros((size, rest)), eta], axis=1)
        moving = np.ones(size, dtype=np.bool_)
        for _ in range(_STEPS):
            z, slope = self._objective(y)
            values, jacobian = self._equations(y, z, slope)
            step = _constrained(z, slope, values, jacobian)
            moving &= np.isfinite(step).all(axis=1)
            moving &= np.abs(step).max(axis=1) > _STILL * (1.0 + np.abs(y).max(axis=1))
            if not moving.any():
                break
            y[moving] += step[moving]
        for _ in range(_STEPS):  # on the set, whatever the search did
            values, jacobian = self._equations(y, *self._objective(y))
            trial = y - (np.linalg.pinv(jacobian, rcond=_CUT) @ values[:, :, None])[:, :, 0]
            new = self._equations(trial, *self._objective(trial))[0]
            better = np.abs(new).max(axis=1) < np.abs(values).max(axis=1)
            if not better.any():
                break
            y[better] = trial[better]
        return y


def _constrained(z: Floats, slope: Floats, values: Floats, jacobian: Floats) -> Floats:
    """Return the step with |z + slope step| least where values + jacobian step = 0."""
    transposed = np.swapaxes(slope, 1, 2)
    n, k = slope.shape[2], jacobian.shape[1]
    matrix = np.zeros((len(z), n + k, n + k))
    matrix[:, :n, :n] = transposed @ slope
    matrix[:, :n, n:] = np.swapaxes(jacobian, 1, 2)
    matrix[:, n:, :n] = jacobian
    right = np.concatenate([(transposed @ z[:, :, None])[:, :, 0], values], axis=1)
    inverse = np.linalg.pinv(matrix, rcond=_CUT, hermitian=True)
    found: Floats = -(inverse @ right[:, :, None])[:, :n, 0]
    return found
