"""Nearest points of small sets {z : F(z) = 0}, for batches, by Gauss-Newton steps.

Local searches: what they return obeys the equations to round-off, and is nearest if the start is
near the set. No row depends on the others; rows that have arrived are taken out of the batch.
"""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.groups import add_up, squared_norm

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_STEPS = 60
_STILL = 1e-10  # of a step; the squared distance is then right to its square
_TINY = 1e-290
_SHORTEST = 1e-6
_ROUND_OFF = 1e-13
_CUT = 1e-14  # added to J J^T, relative to its trace, in case it is singular


class Equations(Protocol):
    """F, for a batch of rows with data of their own."""

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return F (B, k) and its derivative (B, k, n) at z (B, n)."""
        ...

    def take(self, index: Ints, /) -> Self:
        """Return the equations of some rows."""
        ...


def nearest(equations: Equations, start: Floats, scale: Floats) -> Floats:
    """Return the points of the set nearest to z = 0, found from `start` (B, n).

    Every step goes to the nearest point of the linearized set; the result is no farther than the
    point that Newton's method finds from `start`. `scale` (B,) is the size of the numbers in F.
    """
    first = restore(equations, start, scale)
    lost = np.flatnonzero(~is_exact(equations, first, scale))
    if len(lost):  # the derivative vanishes at the start, or nearly
        wave = np.cos(1.0 + np.arange(start.shape[1]))
        again = start[lost] + scale[lost, None] * wave
        first[lost] = restore(equations.take(lost), again, scale[lost])
    last = restore(equations, _descend(equations, first), scale)
    better = is_exact(equations, last, scale) & (squared_norm(last) < squared_norm(first))
    return np.where(better[:, None], last, first)


def is_exact(equations: Equations, z: Floats, scale: Floats) -> Bools:
    """Return whether z obeys the equations to round-off: (B,)."""
    return _exact(equations(z)[0], z, scale)


def restore(equations: Equations, start: Floats, scale: Floats) -> Floats:
    """Return points (B, n) of the set near `start`, by Newton's method with shortened steps."""
    found = start.copy()
    rows, local, z, size = np.arange(len(start)), equations, start.copy(), scale
    length = np.ones(len(start))
    values, jacobian = local(z)
    for _ in range(_STEPS):
        before = _square(values)
        trial = z - length[:, None] * shortest(jacobian, values)
        new, slope = local(trial)
        after = _square(new)
        active = ~(_exact(values, z, size) & (after > 0.25 * before))
        better = active & (after < before)
        _put(better, (z, trial), (values, new), (jacobian, slope))
        length = np.where(better, np.minimum(1.0, 2.0 * length), 0.25 * length)
        active &= (length > _SHORTEST) & (np.where(better, after, before) > 0.0)
        if not active.all():
            found[rows[~active]] = z[~active]
            left = np.flatnonzero(active)
            if len(left) == 0:
                return found
            rows, local, z, size = rows[left], local.take(left), z[left], size[left]
            length, values, jacobian = length[left], values[left], jacobian[left]
    found[rows] = z
    return found


def _descend(equations: Equations, start: Floats) -> Floats:
    """Return where repeated steps to the nearest point of the linearized set lead."""
    found = start.copy()
    rows, local, z = np.arange(len(start)), equations, start.copy()
    for _ in range(_STEPS):
        values, jacobian = local(z)
        ahead = add_up(np.swapaxes(jacobian, 1, 2) * z[:, :, None]) - values
        trial = shortest(jacobian, ahead)
        moving = np.isfinite(trial).all(axis=1)
        moving &= _largest(trial - z) > _STILL * (1.0 + _largest(z))
        left = np.flatnonzero(moving)
        if len(left) == 0:
            break
        found[rows[left]] = trial[left]
        if len(left) == len(rows):
            z = trial
        else:
            rows, local, z = rows[left], local.take(left), trial[left]
    return found


def shortest(jacobian: Floats, right: Floats) -> Floats:
    """Return the shortest x (B, n) with J x = right (B, k); damped where J is singular."""
    count = jacobian.shape[1]
    if count == 0:
        return np.zeros((len(jacobian), jacobian.shape[2]))
    if count > 2:
        transposed = np.swapaxes(jacobian, 1, 2)
        gram = jacobian @ transposed
        diagonal = np.einsum("bkk->bk", gram)
        diagonal += _CUT * add_up(diagonal)[:, None] + _TINY
        found: Floats = (transposed @ np.linalg.solve(gram, right[:, :, None]))[:, :, 0]
        return found
    norms = [squared_norm(jacobian[:, i]) for i in range(count)]
    damping = _CUT * sum(norms, np.zeros(len(right))) + _TINY
    if count == 1:
        return np.asarray(jacobian[:, 0] * (right[:, 0] / (norms[0] + damping))[:, None])
    cross = add_up(jacobian[:, 0] * jacobian[:, 1])
    one, two = norms[0] + damping, norms[1] + damping
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # elimination with the larger row as pivot
        swap = two > one
        pivot, other = np.where(swap, two, one), np.where(swap, one, two)
        head = np.where(swap, right[:, 1], right[:, 0])
        tail = np.where(swap, right[:, 0], right[:, 1])
        ratio = cross / pivot
        last = (tail - ratio * head) / (other - ratio * cross)
        first = (head - cross * last) / pivot
    x, y = np.where(swap, last, first), np.where(swap, first, last)
    return np.asarray(jacobian[:, 0] * x[:, None] + jacobian[:, 1] * y[:, None])


def _put(better: Bools, *pairs: tuple[Floats, Floats]) -> None:
    """Overwrite the rows of each pair's first array that are better."""
    every = bool(better.all())
    for old, new in pairs:
        if every:
            old[...] = new
        else:
            old[better] = new[better]


def _largest(values: Floats) -> Floats:
    return np.abs(values).max(axis=1, initial=0.0)


def _square(values: Floats) -> Floats:
    """Return sums of squares (B,), infinity for rows that are not finite."""
    return np.where(np.isfinite(values).all(axis=1), squared_norm(values), np.inf)


def _exact(values: Floats, z: Floats, scale: Floats) -> Bools:
    return _largest(values) <= _ROUND_OFF * (scale + _largest(z)) ** 2
