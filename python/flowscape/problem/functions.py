"""The named functions, one scalar at a time: an independent slow reference.

Each function maps a finite float to (value, first derivative, second derivative), accurate to
a few units in the last place of the largest term of its formula. Speed does not matter here:
the compiled core does the work; this decides symmetries and checks the core.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["FUNCTIONS", "KINKED", "NAMES", "Jet"]

Jet = tuple[float, float, float]

_SQRT_HALF = math.sqrt(0.5)
_LEAKY_SLOPE = 0.01


def _exponential(z: float) -> float:
    try:
        return math.exp(z)
    except OverflowError:
        return math.inf


def _logistic(z: float) -> Jet:
    e = math.exp(-abs(z))
    value = (1.0 if z >= 0 else e) / (1.0 + e)
    first = e / (1.0 + e) ** 2
    return value, first, -first * math.tanh(0.5 * z)


def _normal_density(z: float) -> float:
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _tanh(z: float) -> Jet:
    value = math.tanh(z)
    first = 4.0 * _logistic(2.0 * z)[1]
    return value, first, -2.0 * value * first


def _softplus(z: float) -> Jet:
    value = max(z, 0.0) + math.log1p(math.exp(-abs(z)))
    first, second, _ = _logistic(z)
    return value, first, second


def _erf(z: float) -> Jet:
    first = 2.0 / math.sqrt(math.pi) * math.exp(-z * z)
    return math.erf(z), first, -2.0 * z * first


def _normal_cdf(z: float) -> Jet:
    first = _normal_density(z)
    return 0.5 * math.erfc(-z * _SQRT_HALF), first, -z * first


def _exp(z: float) -> Jet:
    value = _exponential(z)
    return value, value, value


def _gauss(z: float) -> Jet:
    value = math.exp(-z * z)
    return value, -2.0 * z * value, (4.0 * z * z - 2.0) * value if value else 0.0


def _rational(z: float) -> Jet:
    # with w = 1/z for |z| > 1, so that no power of z overflows
    if abs(z) <= 1.0:
        base = 1.0 + z * z
        first = (1.0 - z) * (1.0 + z) / base**2
        return z / base, first, 2.0 * z * (z * z - 3.0) / base**3
    w = 1.0 / z
    base = 1.0 + w * w
    first = w * w * (w - 1.0) * (w + 1.0) / base**2
    return w / base, first, 2.0 * w**3 * (1.0 - 3.0 * w * w) / base**3


def _silu(z: float) -> Jet:
    s, s1, s2 = _logistic(z)
    return z * s, s + z * s1, 2.0 * s1 + z * s2


def _gelu(z: float) -> Jet:
    cdf, density, _ = _normal_cdf(z)
    return z * cdf, cdf + z * density, density * (2.0 - z * z) if density else 0.0


def _sin(z: float) -> Jet:
    return math.sin(z), math.cos(z), -math.sin(z)


def _cos(z: float) -> Jet:
    return math.cos(z), -math.sin(z), -math.cos(z)


def _arctan(z: float) -> Jet:
    first = 1.0 / (1.0 + z * z)
    return math.atan(z), first, -2.0 * z * first * first


def _sinh(z: float) -> Jet:
    try:
        return math.sinh(z), math.cosh(z), math.sinh(z)
    except OverflowError:
        infinity = math.copysign(math.inf, z)
        return infinity, math.inf, infinity


def _relu(z: float) -> Jet:
    return (z, 1.0, 0.0) if z > 0 else (0.0, 0.0, 0.0)


def _leaky_relu(z: float) -> Jet:
    return (z, 1.0, 0.0) if z > 0 else (_LEAKY_SLOPE * z, _LEAKY_SLOPE, 0.0)


FUNCTIONS: dict[str, Callable[[float], Jet]] = {
    "tanh": _tanh,
    "sigmoid": _logistic,
    "softplus": _softplus,
    "erf": _erf,
    "Phi": _normal_cdf,
    "exp": _exp,
    "gauss": _gauss,
    "rational": _rational,
    "silu": _silu,
    "gelu": _gelu,
    "sin": _sin,
    "cos": _cos,
    "arctan": _arctan,
    "sinh": _sinh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
}
"""Value and two derivatives by name. At a kink relu'(0) = 0, leaky_relu'(0) = 0.01."""

NAMES: tuple[str, ...] = (*FUNCTIONS, "polynomial", "const")
"""Every name a term may have; `polynomial` has coefficients, `const` only a factor."""

KINKED: frozenset[str] = frozenset({"relu", "leaky_relu"})
"""Names of the functions with a kink at 0."""
