r"""The symmetry class of a pair (activation, bias), computed for the sum.

The class says which networks compute the same function (Local Recovery of Two-layer Neural
Networks at Overparameterization, Assumption 2.1, Corollary 3.1, Remark 3.1). With a bias the
symmetry may be about any centre, because the bias absorbs a shift: tanh(z + 1) is odd about -1.

How it is decided: a centre of symmetry maps the features of the terms onto each other, so it is a
term's own centre -h/s, the midpoint of two, or, for exponentials and oscillations, the centre of
their sum. Each candidate is tested at the offsets `traits.OFFSETS` around every term; a defect
up to `traits.TOLERANCE` times `Activation.scale` counts as round-off. Polynomial terms are
split off first and treated by their coefficients.
"""

from __future__ import annotations

import cmath
import enum
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flowscape.problem.activation import Activation
from flowscape.problem.term import Term
from flowscape.problem.traits import (
    OFFSETS,
    TOLERANCE,
    exponentials,
    oscillations,
    polynomial_at,
    split,
    traits,
)

__all__ = ["Symmetry", "SymmetryClass", "symmetry"]


class SymmetryClass(enum.StrEnum):
    """Symmetry of sigma about a centre z0, with u = z - z0."""

    GENERIC = "generic"
    ODD = "odd"
    EVEN = "even"
    ODD_PLUS_CONSTANT = "odd + constant"
    EVEN_PLUS_LINEAR = "even + linear"
    ODD_PLUS_POLYNOMIAL = "odd + polynomial"
    EVEN_PLUS_POLYNOMIAL = "even + polynomial"
    HOMOGENEOUS = "positively homogeneous"
    POLYNOMIAL = "polynomial"


@dataclass(frozen=True)
class Symmetry:
    """A symmetry class with its numbers.

    Attributes
    ----------
    kind : SymmetryClass
        GENERIC: none of the others. ODD_PLUS_POLYNOMIAL and EVEN_PLUS_POLYNOMIAL need a
        polynomial of degree >= 2: not generic in the sense of the paper either.
    centre : float
        z0; 0 without a bias and for GENERIC and POLYNOMIAL.
    constant : float
        For ODD_PLUS_CONSTANT: sigma(z0 + u) + sigma(z0 - u) = 2 constant. Else 0.
    slope : float
        For EVEN_PLUS_LINEAR and HOMOGENEOUS: sigma(z0 + u) - sigma(z0 - u) = 2 slope u. Else 0.
    """

    kind: SymmetryClass
    centre: float = 0.0
    constant: float = 0.0
    slope: float = 0.0


@functools.lru_cache(maxsize=256)
def symmetry(activation: Activation, bias: bool) -> Symmetry:
    """Return the symmetry class of an activation in neurons with or without a bias.

    Parameters
    ----------
    activation : Activation
        Any sum.
    bias : bool
        Whether the neurons have a bias, so that any centre counts. Without, only 0 does.

    Returns
    -------
    Symmetry
        With several centres (sin, cos) the one nearest to 0.
    """
    if traits(activation).is_polynomial:
        return Symmetry(SymmetryClass.POLYNOMIAL)
    centres = _candidates(activation) if bias else [0.0]
    for centre in centres:
        slope = _homogeneous(activation, centre)
        if slope is not None:
            return Symmetry(SymmetryClass.HOMOGENEOUS, centre, slope=slope)
    for centre in centres:
        found = _odd(activation, centre) or _even(activation, centre)
        if found is not None:
            return found
    return Symmetry(SymmetryClass.GENERIC)


def _curved(activation: Activation) -> tuple[Term, ...]:
    return tuple(t for t in activation.terms if t.name not in ("polynomial", "const"))


def _offsets(terms: Sequence[Term], centre: float) -> Iterator[float]:
    """Yield distances u > 0 from `centre` at which every term shows its features."""
    for t in terms:
        distance = abs(-t.h / t.s - centre)
        for v in OFFSETS:
            yield distance + v / abs(t.s)
            yield abs(distance - v / abs(t.s))


def _mirrored(
    terms: Sequence[Term], centre: float, sign: float
) -> Iterator[tuple[float, float, float]]:
    """Yield (u, sigma(centre + u) + sign * sigma(centre - u), round-off of it)."""
    for u in _offsets(terms, centre):
        if u == 0.0:
            continue
        value = math.nan
        right = [t.jet(centre + u)[0] for t in terms]
        left = [t.jet(centre - u)[0] for t in terms]
        if all(map(math.isfinite, right)) and all(map(math.isfinite, left)):
            value = math.fsum(right) + sign * math.fsum(left)
        bound = TOLERANCE * sum(t.scale(centre + u) + t.scale(centre - u) for t in terms)
        if math.isfinite(value) and math.isfinite(bound):
            yield u, value, bound


def _odd(activation: Activation, centre: float) -> Symmetry | None:
    curved = _curved(activation)
    level = math.fsum(t.jet(centre)[0] for t in curved)
    blur = TOLERANCE * sum(t.scale(centre) for t in curved)
    if not (math.isfinite(level) and math.isfinite(blur)):
        return None
    for _, total, bound in _mirrored(curved, centre, 1.0):
        if abs(total - 2.0 * level) > bound + 2.0 * blur:
            return None
    polynomial = polynomial_at(activation.terms, centre)
    if any(polynomial[2::2]):
        return Symmetry(SymmetryClass.ODD_PLUS_POLYNOMIAL, centre)
    constant = _tidy(level + polynomial[0], blur + TOLERANCE * abs(polynomial[0]))
    kind = SymmetryClass.ODD if constant == 0.0 else SymmetryClass.ODD_PLUS_CONSTANT
    return Symmetry(kind, centre, constant=constant)


def _even(activation: Activation, centre: float) -> Symmetry | None:
    points = list(_mirrored(_curved(activation), centre, -1.0))
    if not points:  # every value overflows
        return None
    # the sharpest estimate of the slope, so that its error stays below the bound elsewhere
    u, rise, blur = min(points, key=lambda point: point[2] / point[0])
    slope = _tidy(0.5 * rise / u, 0.5 * blur / u)
    for v, total, bound in points:
        if abs(total - 2.0 * slope * v) > bound + blur * (v / u):
            return None
    polynomial = [*polynomial_at(activation.terms, centre), 0.0]
    if any(polynomial[3::2]):
        return Symmetry(SymmetryClass.EVEN_PLUS_POLYNOMIAL, centre)
    linear = polynomial[1]
    slope = _tidy(slope + linear, 0.5 * blur / u + TOLERANCE * abs(linear))
    kind = SymmetryClass.EVEN if slope == 0.0 else SymmetryClass.EVEN_PLUS_LINEAR
    return Symmetry(kind, centre, slope=slope)


def _homogeneous(activation: Activation, centre: float) -> float | None:
    """Return the slope of the linear part if sigma(z0 + tu) = t sigma(z0 + u) for t > 0."""
    if abs(activation.jet(centre)[0]) > TOLERANCE * activation.scale(centre):
        return None
    unit = 1.0 / max(abs(t.s) for t in activation.terms)
    ends = [activation.jet(centre + side * unit)[0] / unit for side in (-1.0, 1.0)]
    blur = [TOLERANCE * activation.scale(centre + side * unit) / unit for side in (-1.0, 1.0)]
    for u in _offsets(activation.terms, centre):
        for side, end, error in zip((-1.0, 1.0), ends, blur, strict=True):
            z = centre + side * u
            defect = abs(activation.jet(z)[0] - u * end)
            if not defect <= TOLERANCE * activation.scale(z) + u * error:  # NaN fails
                return None
    return _tidy(0.5 * (ends[1] - ends[0]), 0.5 * sum(blur))


def _candidates(activation: Activation) -> list[float]:
    """Return possible centres, nearest to 0 first."""
    own = {-t.h / t.s + 0.0 for t in _curved(activation)}
    found = {0.0, *own, *(0.5 * (p + q) for p, q in itertools.combinations(own, 2))}
    elementary, _ = split(activation)
    rates = exponentials(elementary)
    for rate, factor in rates.items():
        opposite = rates.get(-rate, math.nan)
        sizes = (abs(opposite), abs(factor))
        if rate > 0 and all(0.0 < size < math.inf for size in sizes):
            found.add(0.5 * (math.log(sizes[0]) - math.log(sizes[1])) / rate)
    for frequency, phasor in oscillations(elementary).items():
        # quarter periods: the phase of cos(kz + phase) runs over the multiples of pi/2
        for quarter in range(-4, 5):
            found.add((0.5 * math.pi * quarter - cmath.phase(phasor)) / frequency + 0.0)
    return sorted(found, key=lambda z: (abs(z), z))


def _tidy(value: float, error: float) -> float:
    """Return a short decimal within the error of a value, e.g. 0.5 for 0.5 + 1e-16, or itself."""
    if abs(value) <= error:
        return 0.0
    for digits in range(1, 7):
        rounded = float(f"{value:.{digits}g}")
        if abs(rounded - value) <= error:
            return rounded
    return value
