"""Nearest points of small sets {z : F(z) = 0}, for batches, by Gauss-Newton steps.

Local searches: what they return obeys the equations to round-off, and is nearest if the start is
near the set. No row depends on the others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.groups import add_up, squared_norm

Floats = NDArray[np.float64]
Equations = Callable[[Floats], tuple[Floats, Floats]]
"""z (B, n) to F (B, k) and its derivative (B, k, n)."""

_STEPS = 60
_STILL = 1e-10  # of a step; the squared distance is then right to its square
_TINY = 1e-290
_SHORTEST = 1e-6
_ROUND_OFF = 1e-13
_CUT = 1e-14  # added to J J^T, relative to its trace, in case it is singular


def _shortest(jacobian: Floats, right: Floats) -> Floats:
    """Return the shortest x (B, n) with J x = right (B, k); damped where J is singular."""
    transposed = np.swapaxes(jacobian, 1, 2)
    gram = jacobian @ transposed
    diagonal = np.einsum("bkk->bk", gram)
    diagonal += _CUT * add_up(diagonal)[:, None] + _TINY
    found: Floats = (transposed @ np.linalg.solve(gram, right[:, :, None]))[:, :, 0]
    return found


def _largest(values: Floats) -> Floats:
    return np.abs(values).max(axis=1, initial=0.0)


def _square(values: Floats) -> Floats:
    """Return sums of squares (B,), infinity for rows that are not finite."""
    return np.where(np.isfinite(values).all(axis=1), squared_norm(values), np.inf)


def _exact(values: Floats, z: Floats, scale: Floats) -> NDArray[np.bool_]:
    return _largest(values) <= _ROUND_OFF * (scale + _largest(z)) ** 2


def restore(equations: Equations, start: Floats, scale: Floats) -> Floats:
    """Return points (B, n) of the set near `start`, by Newton's method with shortened steps."""
    z, length = start.copy(), np.ones(len(start))
    values, jacobian = equations(z)
    active = np.ones(len(start), dtype=np.bool_)
    for _ in range(_STEPS):
        trial = z - length[:, None] * _shortest(jacobian, values)
        new, slope = equations(trial)
        before, after = _square(values), _square(new)
        active &= ~(_exact(values, z, scale) & (after > 0.25 * before))
        better = active & (after < before)
        z[better], values[better], jacobian[better] = trial[better], new[better], slope[better]
        length = np.where(better, np.minimum(1.0, 2.0 * length), 0.25 * length)
        active &= (length > _SHORTEST) & (_square(values) > 0.0)
        if not active.any():
            break
    return z


def nearest(equations: Equations, start: Floats, scale: Floats) -> Floats:
    """Return the points of the set nearest to z = 0, found from `start` (B, n).

    Every step goes to the nearest point of the linearized set; the result is no farther than the
    point that Newton's method finds from `start`. `scale` (B,) is the size of the numbers in F.
    """
    first = restore(equations, start, scale)
    lost = ~_exact(equations(first)[0], first, scale)
    if lost.any():  # the derivative vanishes at the start, or nearly
        wave = np.cos(1.0 + np.arange(start.shape[1]))
        again = restore(equations, start + scale[:, None] * wave, scale)
        first = np.where(lost[:, None], again, first)
    z, moving = first.copy(), np.ones(len(start), dtype=np.bool_)
    for _ in range(_STEPS):
        values, jacobian = equations(z)
        ahead = add_up(np.swapaxes(jacobian, 1, 2) * z[:, :, None]) - values
        trial = _shortest(jacobian, ahead)
        moving &= np.isfinite(trial).all(axis=1)
        moving &= _largest(trial - z) > _STILL * (1.0 + _largest(z))
        if not moving.any():
            break
        z[moving] = trial[moving]
    last = restore(equations, z, scale)
    better = _exact(equations(last)[0], last, scale) & (squared_norm(last) < squared_norm(first))
    return np.where(better[:, None], last, first)
