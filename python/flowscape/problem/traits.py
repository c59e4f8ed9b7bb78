"""What kind of function an activation is, decided for the sum and not for its names.

A sum is split into exponentials C e^{kz}, oscillations Re(C e^{ikz}), a polynomial, and the rest.
The named functions of the rest grow at most linearly, so if the rest is a polynomial at all, its
degree is at most 1 and its second differences vanish. Equalities are decided up to
`TOLERANCE` times the size of the terms that enter (`Activation.scale`).
"""

from __future__ import annotations

import cmath
import functools
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from flowscape.problem.activation import Activation
from flowscape.problem.functions import FUNCTIONS, KINKED
from flowscape.problem.term import Term

__all__ = [
    "OFFSETS",
    "TOLERANCE",
    "Traits",
    "differences_vanish",
    "exponentials",
    "oscillations",
    "polynomial_at",
    "split",
    "traits",
]

TOLERANCE: float = 64 * sys.float_info.epsilon
"""Relative bound of an equality. A defect below it cannot be told from round-off."""

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
OFFSETS: tuple[float, ...] = (
    0.25,
    1.0,
    *(10.0 * ((k * _GOLDEN) % 1.0) for k in range(1, 27)),
    30.0,
)
"""Test points of a function in units of 1/|s_j| from the centre -h_j/s_j of a term."""

_EXPONENTIAL = ("exp", "sinh")
_OSCILLATING = ("sin", "cos")
_POLYNOMIAL = ("polynomial", "const")


@dataclass(frozen=True)
class Traits:
    """Properties of an activation that decide which theory applies.

    Attributes
    ----------
    is_polynomial : bool
        A polynomial on the whole line, constants included.
    is_exponential : bool
        C e^{kz} with one k: with a bias, a e^b is a single parameter.
    is_periodic : bool
        A sum of sines and cosines, perhaps plus a constant (quasi-periodic if their frequencies
        are incommensurable).
    has_finite_shift_span : bool
        The shifts z -> sigma(z + b), over all b, span a finite-dimensional space: sums of
        polynomials, exponentials (sinh too), sines and cosines. With a bias such an activation has
        more relations between neurons than its symmetry class says.
    kinks : tuple of float
        Where the derivative jumps, in increasing order.
    value_at_zero, slope_at_zero : float
        sigma(0) and sigma'(0), exactly 0.0 if within round-off of 0. At a kink the convention of
        the compiled core: relu'(0) = 0, leaky_relu'(0) = 0.01.
    """

    is_polynomial: bool
    is_exponential: bool
    is_periodic: bool
    has_finite_shift_span: bool
    kinks: tuple[float, ...]
    value_at_zero: float
    slope_at_zero: float

    @property
    def has_kink(self) -> bool:
        """Whether the derivative jumps anywhere."""
        return len(self.kinks) > 0


@functools.lru_cache(maxsize=256)
def traits(activation: Activation) -> Traits:
    """Return the traits of an activation; see the module for how equality is decided."""
    elementary, rest = split(activation)
    straight = differences_vanish(rest, 2)
    rates = exponentials(elementary)
    frequencies = oscillations(elementary)
    slanted = [t for t in activation.terms if t.name in _POLYNOMIAL] + list(rest)
    flat = straight and _max_degree(slanted) <= 1 and differences_vanish(slanted, 1)
    absent = flat and differences_vanish(slanted, 0)
    value, slope = _at_zero(activation)
    return Traits(
        is_polynomial=straight and not rates and not frequencies,
        is_exponential=absent and len(rates) == 1 and not frequencies,
        is_periodic=flat and len(frequencies) > 0 and not rates,
        has_finite_shift_span=straight,
        kinks=_kinks(activation),
        value_at_zero=value,
        slope_at_zero=slope,
    )


def split(activation: Activation) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Return the exponential and oscillating terms, and the other ones without polynomials."""
    elementary = tuple(t for t in activation.terms if t.name in _EXPONENTIAL + _OSCILLATING)
    known = _EXPONENTIAL + _OSCILLATING + _POLYNOMIAL
    return elementary, tuple(t for t in activation.terms if t.name not in known)


def exponentials(terms: Iterable[Term]) -> dict[float, float]:
    """Return {k: C} of the sum of C e^{kz} that the exp and sinh terms make."""
    parts: dict[float, list[float]] = {}
    for t in terms:
        if t.name == "exp":
            parts.setdefault(t.s, []).append(t.c * _exp(t.h))
        elif t.name == "sinh":
            parts.setdefault(t.s, []).append(0.5 * t.c * _exp(t.h))
            parts.setdefault(-t.s, []).append(-0.5 * t.c * _exp(-t.h))
    return {k: sum(cs) for k, cs in sorted(parts.items()) if not _cancels(cs)}


def oscillations(terms: Iterable[Term]) -> dict[float, complex]:
    """Return {k: C} of the sum of Re(C e^{ikz}), k > 0, that the sin and cos terms make."""
    parts: dict[float, list[complex]] = {}
    for t in terms:
        if t.name in _OSCILLATING:
            sign = math.copysign(1.0, t.s)
            factor = t.c if t.name == "cos" else -1j * sign * t.c
            parts.setdefault(abs(t.s), []).append(factor * cmath.exp(1j * sign * t.h))
    return {k: sum(cs) for k, cs in sorted(parts.items()) if not _cancels(cs)}


def polynomial_at(terms: Iterable[Term], centre: float) -> list[float]:
    """Return the coefficients in u of the polynomial terms at z = centre + u.

    Returns
    -------
    list of float
        Coefficient i belongs to u^i; those within round-off of 0 are exactly 0.
    """
    from numpy.polynomial import Polynomial

    total, size = Polynomial([0.0]), Polynomial([0.0])
    for t in terms:
        if t.name not in _POLYNOMIAL:
            continue
        coefficients = (1.0,) if t.name == "const" else t.coefficients
        argument = Polynomial([t.s * centre + t.h, t.s])
        bound = Polynomial([abs(t.s * centre) + abs(t.h), abs(t.s)])
        total = total + t.c * Polynomial(coefficients)(argument)
        size = size + abs(t.c) * Polynomial(np.abs(coefficients))(bound)
    pairs = zip(total.coef.tolist(), size.coef.tolist(), strict=True)
    return [value if abs(value) > TOLERANCE * bound else 0.0 for value, bound in pairs]


def differences_vanish(terms: Sequence[Term], order: int) -> bool:
    """Return whether the differences of the sum of terms vanish at the test points.

    Parameters
    ----------
    terms : sequence of Term
        No exponential or oscillating ones.
    order : int
        0: the sum is 0; 1: it is constant; 2: it is a straight line.
    """
    if not terms:
        return True
    weights = [(-1) ** k * math.comb(order, k) for k in range(order + 1)]
    for t in terms:
        centre = -t.h / t.s
        for offset in (0.0, *OFFSETS, *(-v for v in OFFSETS)):
            start = centre + (offset - 0.35 * order) / abs(t.s)
            defect = bound = 0.0
            for k, weight in enumerate(weights):
                z = start + 0.7 * k / abs(t.s)
                defect += weight * math.fsum(term.jet(z)[0] for term in terms)
                bound += abs(weight) * _scale(terms, z)
            if abs(defect) > TOLERANCE * bound:
                return False
    return True


def _scale(terms: Iterable[Term], z: float) -> float:
    return sum(term.scale(z) for term in terms)


def _max_degree(terms: Iterable[Term]) -> int:
    coefficients = polynomial_at(terms, 0.0)
    return max((i for i, value in enumerate(coefficients) if value != 0.0), default=0)


def _kinks(activation: Activation) -> tuple[float, ...]:
    jumps: dict[float, list[float]] = {}
    for t in activation.terms:
        if t.name in KINKED:
            jump = t.c * abs(t.s) * (1.0 - FUNCTIONS[t.name](-1.0)[1])
            jumps.setdefault(-t.h / t.s + 0.0, []).append(jump)
    return tuple(sorted(z for z, parts in jumps.items() if not _cancels(parts)))


def _at_zero(activation: Activation) -> tuple[float, float]:
    value, slope, _ = activation.jet(0.0)
    slopes = sum(abs(t.jet(0.0)[1]) + abs(t.h * t.jet(0.0)[2]) for t in activation.terms)
    if abs(value) <= TOLERANCE * activation.scale(0.0):
        value = 0.0
    return value, slope if abs(slope) > TOLERANCE * slopes else 0.0


def _cancels(parts: Sequence[complex]) -> bool:
    size = sum(abs(part) for part in parts)
    # a factor that overflows or underflows says nothing about cancellation
    return 0.0 < size < math.inf and abs(sum(parts)) <= TOLERANCE * size


def _exp(h: float) -> float:
    return FUNCTIONS["exp"](h)[0]
