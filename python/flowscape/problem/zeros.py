"""The real zeros of an activation.

With a bias, a neuron without input weight is the constant a * sigma(b): silent for every a exactly
if b is a zero of the activation.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flowscape.problem.activation import Activation
from flowscape.problem.traits import TOLERANCE, differences_vanish, traits

__all__ = ["Zeros", "zeros"]

_PIECEWISE_LINEAR = ("relu", "leaky_relu", "polynomial", "const")
_FINE_REACH, _FINE_STEP = 40.0, 0.05
_WIDE_REACH = 1e8


@dataclass(frozen=True)
class Zeros:
    """Where an activation vanishes.

    Attributes
    ----------
    points : tuple of float
        Isolated zeros with a sign change, increasing, exact to the last places.
    touching : tuple of float
        Extrema where |sigma| is within round-off of 0: a double zero or a near miss, float64
        cannot tell.
    intervals : tuple of (float, float)
        Intervals on which sigma is 0 (relu: from -inf to 0); their ends are not in `points`.
    complete : bool
        False if there may be more (sin and cos never end) or `touching` is not empty.
    note : str
        Why the list is not complete; empty if it is.
    """

    points: tuple[float, ...]
    touching: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    complete: bool
    note: str

    def __bool__(self) -> bool:
        return bool(self.points or self.touching or self.intervals)


@functools.lru_cache(maxsize=256)
def zeros(activation: Activation) -> Zeros:
    """Return the real zeros of an activation.

    Sums of relu, leaky_relu and straight lines are solved piece by piece. All others are
    scanned in steps of 0.05 / |s_j| up to 40 / |s_j| around every term, then in growing steps
    to 1e8 / |s_j| (not with a sine or cosine in the sum). A value counts as having a sign if it
    exceeds `traits.TOLERANCE` times `Activation.scale`. Each sign change is bisected to
    neighbouring floats, and each dip between two equal signs is followed to its extremum.

    Not covered: pairs of zeros within one step without a single dip, zeros beyond the range, and
    tails that fall below round-off (tanh(z) + 1 for z < -18), which are taken as non-zero.

    Parameters
    ----------
    activation : Activation
        Any sum.

    Returns
    -------
    Zeros
        With a sine or cosine in the sum never `complete`.
    """
    if traits(activation).is_polynomial and _vanishes(activation):
        return Zeros((), (), ((-math.inf, math.inf),), complete=True, note="")
    if all(
        t.name in _PIECEWISE_LINEAR and (t.name != "polynomial" or len(t.coefficients) <= 2)
        for t in activation.terms
    ):
        return _piecewise(activation)
    points, touching = _scan(activation)
    notes = []
    if _oscillates(activation):
        notes.append("sine and cosine never end: only zeros in a bounded range are listed")
    if touching:
        notes.append("at an extremum the value is within round-off of 0")
    return Zeros(tuple(points), tuple(touching), (), complete=not notes, note="; ".join(notes))


def _oscillates(activation: Activation) -> bool:
    return any(t.name in ("sin", "cos") for t in activation.terms)


def _vanishes(activation: Activation) -> bool:
    elementary = ("exp", "sinh", "sin", "cos")  # they cancel in a polynomial sum
    rest = [t for t in activation.terms if t.name not in elementary]
    return differences_vanish(rest, 0)


def _piecewise(activation: Activation) -> Zeros:
    breaks = [-math.inf, *traits(activation).kinks, math.inf]
    points: set[float] = set()
    intervals: list[tuple[float, float]] = []
    for low, high in itertools.pairwise(breaks):
        inside = _inside(low, high)
        value, slope, _ = activation.jet(inside)
        bound = TOLERANCE * activation.scale(inside)
        steep = sum(abs(t.jet(inside)[1]) for t in activation.terms)
        if abs(slope) > TOLERANCE * steep:
            root = inside - value / slope
            slack = TOLERANCE * (abs(root) + abs(inside))
            if low - slack <= root <= high + slack:
                points.add(min(max(root, low), high) + 0.0)
        elif abs(value) <= bound:
            joined = intervals and intervals[-1][1] == low
            intervals.append((intervals.pop()[0] if joined else low, high))
    isolated = sorted(z for z in points if not any(p <= z <= q for p, q in intervals))
    return Zeros(tuple(isolated), (), tuple(intervals), complete=True, note="")


def _inside(low: float, high: float) -> float:
    if math.isinf(low):
        return 0.0 if math.isinf(high) else high - 1.0
    return low + 1.0 if math.isinf(high) else 0.5 * (low + high)


def _scan(activation: Activation) -> tuple[list[float], list[float]]:
    grid = _grid(activation)
    signs = [_sign(activation, z) for z in grid]
    decided = [i for i, sign in enumerate(signs) if sign != 0]
    points: list[float] = []
    touching: list[float] = []

    def value(z: float) -> float:
        return activation.jet(z)[0]

    def slope(z: float) -> float:
        return activation.jet(z)[1]

    for i, j in itertools.pairwise(decided):
        low, high, sign = grid[i], grid[j], signs[i]
        if signs[j] != sign:
            points.append(_bisect(value, low, high))
        elif sign * slope(low) < 0 < sign * slope(high):
            dip = _bisect(slope, low, high)
            depth = _sign(activation, dip)
            if depth == -sign:
                points += [_bisect(value, low, dip), _bisect(value, dip, high)]
            elif depth == 0 and not _underflows(activation, dip):
                touching.append(dip)
    return points, touching


def _grid(activation: Activation) -> list[float]:
    steps = round(_FINE_REACH / _FINE_STEP)
    fine = _FINE_STEP * np.arange(-steps, steps + 1)
    wide = np.geomspace(_FINE_REACH, _WIDE_REACH, 128)[1:]
    # growing steps would pick some zeros of an oscillation and miss most
    offsets = fine if _oscillates(activation) else np.concatenate([-wide[::-1], fine, wide])
    parts = [-t.h / t.s + offsets / abs(t.s) for t in activation.terms if t.name != "const"]
    found: list[float] = np.unique(np.concatenate(parts)).tolist()
    return found


def _sign(activation: Activation, z: float) -> int:
    value = activation.jet(z)[0]
    bound = TOLERANCE * activation.scale(z)
    if math.isinf(value):
        return 1 if value > 0 else -1
    return 0 if not abs(value) > bound else 1 if value > 0 else -1  # NaN has no sign


def _underflows(activation: Activation, z: float) -> bool:
    # far between two bumps every term underflows, which is no zero
    if any(t.name in ("polynomial", "const") for t in activation.terms):
        return False
    return activation.scale(z) == 0.0 and activation.jet(z)[2] == 0.0


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return a zero between two points of opposite sign: exact, or the better neighbour."""
    rising = function(high) > 0
    while True:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            return min((low, high), key=lambda z: abs(function(z)))
        value = function(middle)
        if value == 0.0:
            return middle + 0.0
        if (value > 0) == rising:
            high = middle
        else:
            low = middle
