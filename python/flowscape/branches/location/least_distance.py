"""Nearest points of small curved sets {z : F(z) = 0}, for batches, by Gauss-Newton steps.

Local searches: what they return obeys the equations to round-off, and is nearest if the start is
near the set. No row depends on the others; rows that have arrived are taken out of the batch.
Nothing depends on units: every equation is solved relative to the size of its own terms.
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
_FEW = 8
_CONTRACTION = 0.25  # of steps that surely lead to the nearest point
_STILL = 1e-9  # of a step; the squared distance is then right to its square
_ROUNDING = 1e-15
_SHORTEST = 1e-6
_ROUND_OFF = 1e-13
_CUT = 1e-14  # added to J J^T, whose diagonal is 1, in case it is singular


class Equations(Protocol):
    """F, for a batch of rows with data of their own."""

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return F (B, k) and its derivative (B, k, n) at z (B, n)."""
        ...

    def take(self, index: Ints, /) -> Self:
        """Return the equations of some rows."""
        ...

    @property
    def sizes(self) -> Floats:
        """Sizes (B, n) or (B, 1) of the numbers that z is added to."""
        ...

    def terms(self, z: Floats, jacobian: Floats, /) -> Floats:
        """Return the sizes (B, k) or (B, 1) of the terms that F is the sum of."""
        ...


class OfOneSize:
    """What `Equations` of the second degree ask for where all numbers have the size `scale`."""

    scale: Floats

    @property
    def sizes(self) -> Floats:
        """See `Equations`: (B, 1)."""
        return self.scale[:, None]

    def terms(self, z: Floats, jacobian: Floats, /) -> Floats:
        """See `Equations`: (B, 1)."""
        del jacobian
        return np.asarray((self.sizes + _largest(z)[:, None]) ** 2)


def nearest(equations: Equations, start: Floats) -> Floats:
    """Return the points of the set nearest to z = 0, found from `start` (B, n).

    Every step goes to the nearest point of the linearized set. Where the steps do not contract the
    result is no farther than the point that Newton's method finds from `start`.
    """
    found, arrived = _attracted(equations, start)
    rows = np.flatnonzero(~arrived)
    if len(rows):
        found[rows] = _searched(equations.take(rows), start[rows])
    return found


def _attracted(equations: Equations, start: Floats) -> tuple[Floats, Bools]:
    """Return where few contracting steps lead, and for which rows that is a nearest point."""
    found, arrived = start.copy(), np.zeros(len(start), dtype=np.bool_)
    rows, local, z, before = np.arange(len(start)), equations, start, np.full(len(start), np.inf)
    sizes = equations.sizes
    for _ in range(_FEW):
        values, jacobian = local(z)
        trial = _step(values, jacobian, z)
        move = np.abs(trial - z)
        step = move.max(axis=1, initial=0.0)
        still = (move <= _STILL * _largest(z)[:, None] + _ROUNDING * sizes).all(axis=1)
        exact = _exact(local, values, jacobian, z)
        if (there := still & exact).any():
            # the damping of `shortest` is relative to all of z: what is left of F goes in a step
            correction = shortest(jacobian[there], values[there])
            found[rows[there]], arrived[rows[there]] = z[there] - correction, True
        # a step of round-off need not contract
        going = np.isfinite(step) & ~there & ((step <= _CONTRACTION * before) | still)
        left = np.flatnonzero(going)
        if len(left) == 0:
            break
        z, before = trial, step
        if len(left) < len(rows):
            rows, local, sizes = rows[left], local.take(left), sizes[left]
            z, before = z[left], before[left]
    return found, arrived


def _searched(equations: Equations, start: Floats) -> Floats:
    first = restore(equations, start)
    lost = np.flatnonzero(~is_exact(equations, first))
    if len(lost):  # the derivative vanishes at the start, or nearly
        wave = np.cos(1.0 + np.arange(start.shape[1]))
        local = equations.take(lost)
        terms = local.terms(start[lost], local(start[lost])[1])
        size = np.maximum(_largest(local.sizes), np.sqrt(_largest(terms)))
        first[lost] = restore(local, start[lost] + size[:, None] * wave)
    last = restore(equations, _descend(equations, first))
    better = is_exact(equations, last) & (squared_norm(last) < squared_norm(first))
    return np.where(better[:, None], last, first)


def is_exact(equations: Equations, z: Floats) -> Bools:
    """Return whether z obeys the equations to round-off: (B,)."""
    return _exact(equations, *equations(z), z)


def restore(equations: Equations, start: Floats) -> Floats:
    """Return points (B, n) of the set near `start`, by Newton's method with shortened steps."""
    found = start.copy()
    rows, local, z = np.arange(len(start)), equations, start.copy()
    length = np.ones(len(start))
    values, jacobian = local(z)
    for _ in range(_STEPS):
        weights = _weights(jacobian)
        before = _square(weights * values)
        trial = z - length[:, None] * shortest(jacobian, values)
        new, slope = local(trial)
        after = _square(weights * new)
        active = ~(_exact(local, values, jacobian, z) & (after > 0.25 * before))
        better = active & (after < before)
        _put(better, (z, trial), (values, new), (jacobian, slope))
        length = np.where(better, np.minimum(1.0, 2.0 * length), 0.25 * length)
        active &= (length > _SHORTEST) & (np.where(better, after, before) > 0.0)
        if not active.all():
            found[rows[~active]] = z[~active]
            left = np.flatnonzero(active)
            if len(left) == 0:
                return found
            rows, local, z = rows[left], local.take(left), z[left]
            length, values, jacobian = length[left], values[left], jacobian[left]
    found[rows] = z
    return found


def _descend(equations: Equations, start: Floats) -> Floats:
    """Return where repeated steps to the nearest point of the linearized set lead."""
    found = start.copy()
    rows, local, z, sizes = np.arange(len(start)), equations, start.copy(), equations.sizes
    for _ in range(_STEPS):
        trial = _step(*local(z), z)
        moving = np.isfinite(trial).all(axis=1)
        least = _STILL * _largest(z)[:, None] + _ROUNDING * sizes
        moving &= (np.abs(trial - z) > least).any(axis=1)
        left = np.flatnonzero(moving)
        if len(left) == 0:
            break
        found[rows[left]] = trial[left]
        if len(left) == len(rows):
            z = trial
        else:
            rows, local, z, sizes = rows[left], local.take(left), trial[left], sizes[left]
    return found


def _step(values: Floats, jacobian: Floats, z: Floats) -> Floats:
    """Return the nearest points to 0 of the sets linearized at z."""
    return shortest(jacobian, (jacobian @ z[:, :, None])[:, :, 0] - values)


def shortest(jacobian: Floats, right: Floats) -> Floats:
    """Return the shortest x (B, n) with J x = right (B, k); damped where J is singular."""
    count = jacobian.shape[1]
    if count == 0:
        return np.zeros((len(jacobian), jacobian.shape[2]))
    weights = _weights(jacobian)
    unit, right = jacobian * weights[:, :, None], right * weights
    if count > 2:
        transposed = np.swapaxes(unit, 1, 2)
        gram = unit @ transposed
        diagonal = np.einsum("bkk->bk", gram)
        diagonal += count * _CUT
        found: Floats = (transposed @ np.linalg.solve(gram, right[:, :, None]))[:, :, 0]
        return found
    if count == 1:
        return np.asarray(unit[:, 0] * right)
    # the inverse of [[1, c], [c, 1]]; 1 - c^2 without cancellation, as |u - v|^2 |u + v|^2 / 4
    one, two = unit[:, 0], unit[:, 1]
    cross = add_up(one * two)
    rest = 0.25 * squared_norm(one - two) * squared_norm(one + two) + _CUT
    rest[(weights == 0.0).any(axis=1)] = 1.0
    x, y = (right[:, 0] - cross * right[:, 1]) / rest, (right[:, 1] - cross * right[:, 0]) / rest
    return np.asarray(one * x[:, None] + two * y[:, None])


def _weights(jacobian: Floats) -> Floats:
    """Return the factors (B, k) that make the gradients unit vectors; 0 where there is none."""
    norms = np.sqrt(np.einsum("bkn,bkn->bk", jacobian, jacobian))
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 1e-290)


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


def _exact(equations: Equations, values: Floats, jacobian: Floats, z: Floats) -> Bools:
    return np.asarray((np.abs(values) <= _ROUND_OFF * equations.terms(z, jacobian)).all(axis=1))
