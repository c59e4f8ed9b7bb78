"""Errors of the compiled activation functions against arbitrary precision.

The unit is the last place of the exact result or, where a derivative is a sum whose terms cancel
at its zeros, of the sum of their absolute values. Needs mpmath.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from flowscape import _core

__all__ = ["LARGEST", "NAMES", "REFERENCES", "arguments", "compute", "errors"]

Pairs = list[tuple[mp.mpf, mp.mpf]]  # (exact, scale) of value, first and second derivative

DIGITS = 40
#: Where a derivative is below 2^-1022 times a polynomial in z it may be flushed to zero.
FLUSHED = 2.0**-1010


def _relative(*values: mp.mpf) -> Pairs:
    return [(value, abs(value)) for value in values]


def _tanh(z: mp.mpf) -> Pairs:
    decay = mp.exp(-2 * abs(z))
    slope = 4 * decay / (1 + decay) ** 2
    value = mp.sign(z) * -mp.expm1(-2 * abs(z)) / (1 + decay)
    return _relative(value, slope, -2 * value * slope)


def _logistic(z: mp.mpf) -> tuple[mp.mpf, mp.mpf, mp.mpf, mp.mpf]:
    """Sigmoid, 1 - sigmoid, the first derivative and tanh(|z|/2), none of them by cancellation."""
    decay = mp.exp(-abs(z))
    upper, lower = 1 / (1 + decay), decay / (1 + decay)
    value, other = (upper, lower) if z >= 0 else (lower, upper)
    return value, other, decay / (1 + decay) ** 2, -mp.expm1(-abs(z)) / (1 + decay)


def _sigmoid(z: mp.mpf) -> Pairs:
    value, _, slope, half_tanh = _logistic(z)
    return _relative(value, slope, -mp.sign(z) * slope * half_tanh)


def _softplus(z: mp.mpf) -> Pairs:
    value, _, slope, _ = _logistic(z)
    return _relative(max(z, mp.mpf(0)) + mp.log1p(mp.exp(-abs(z))), value, slope)


def _silu(z: mp.mpf) -> Pairs:
    value, other, slope, half_tanh = _logistic(z)
    return [
        *_relative(z * value),
        (value * (1 + z * other), value * (1 + abs(z) * other)),
        (slope * (2 - abs(z) * half_tanh), slope * (2 + abs(z) * half_tanh)),
    ]


def _erf(z: mp.mpf) -> Pairs:
    slope = 2 / mp.sqrt(mp.pi) * mp.exp(-z * z)
    return _relative(mp.erf(z), slope, -2 * z * slope)


def _normal(z: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
    return mp.erfc(-z / mp.sqrt(2)) / 2, mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def _normal_cdf(z: mp.mpf) -> Pairs:
    value, density = _normal(z)
    return _relative(value, density, -z * density)


def _gelu(z: mp.mpf) -> Pairs:
    cdf, density = _normal(z)
    return [
        *_relative(z * cdf),
        (cdf + z * density, cdf + abs(z) * density),
        (density * (2 - z * z), density * (2 + z * z)),
    ]


def _gauss(z: mp.mpf) -> Pairs:
    value = mp.exp(-z * z)
    return [*_relative(value, -2 * z * value), ((4 * z * z - 2) * value, (4 * z * z + 2) * value)]


def _arctan(z: mp.mpf) -> Pairs:
    slope = 1 / (1 + z * z)
    return _relative(mp.atan(z), slope, -2 * z * slope * slope)


def _rational(z: mp.mpf) -> Pairs:
    q = 1 / (1 + z * z)
    return [
        *_relative(z * q),
        ((1 - z * z) * q * q, q),
        (2 * z * (z * z - 3) * q**3, 2 * abs(z) * (z * z + 3) * q**3),
    ]


def _leaky_relu(z: mp.mpf) -> Pairs:
    slope = mp.mpf(1) if z > 0 else mp.mpf(0.01)
    return _relative(slope * z, slope, mp.mpf(0))


#: Exact value and two derivatives by name, each with the scale of its error.
REFERENCES: dict[str, Callable[[mp.mpf], Pairs]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "silu": _silu,
    "erf": _erf,
    "Phi": _normal_cdf,
    "gelu": _gelu,
    "gauss": _gauss,
    "sin": lambda z: _relative(mp.sin(z), mp.cos(z), -mp.sin(z)),
    "cos": lambda z: _relative(mp.cos(z), -mp.sin(z), -mp.cos(z)),
    "arctan": _arctan,
    "exp": lambda z: _relative(*[mp.exp(z)] * 3),
    "sinh": lambda z: _relative(mp.sinh(z), mp.cosh(z), mp.sinh(z)),
    "rational": _rational,
    "relu": lambda z: _relative(max(z, mp.mpf(0)), mp.mpf(z > 0), mp.mpf(0)),
    "leaky_relu": _leaky_relu,
}
NAMES = sorted(REFERENCES)

#: The largest argument at which results are finite and not yet all at their limits.
LARGEST = dict.fromkeys(NAMES, 1.7e308) | {
    "tanh": 400.0,
    "sigmoid": 760.0,
    "erf": 30.0,
    "Phi": 40.0,
    "gelu": 1e100,
    "gauss": 30.0,
    "sin": 1e300,
    "cos": 1e300,
    "exp": 709.78,
    "sinh": 710.47,
}

# Where methods change, and where results become subnormal.
_EDGES = [0.16, 0.2554, 0.35, 0.6, 1.0, math.tan(math.pi / 8), 1 / math.tan(math.pi / 8),
          math.log(1 + math.sqrt(2)), 1e5, 2.0**510, 26.6, 27.3, 37.5, 37.7, 38.5, 354.2, 354.6,
          372.6, 700.0, 708.39, 708.4, 745.2, 751.9]  # fmt: skip


def arguments(name: str, density: int, seed: int) -> NDArray[np.float64]:
    """Return finite arguments of both signs, `density` of them in each binade around 1.

    All binades are met, down to the subnormal ones; the neighbourhoods of the places where methods
    change and where results become subnormal are denser.
    """
    rng = np.random.default_rng(seed)
    largest = LARGEST[name]

    def binades(first: int, last: int, count: int) -> NDArray[np.float64]:
        exponents = np.repeat(np.arange(first, last), count)
        return np.ldexp(rng.uniform(1.0, 2.0, exponents.size), exponents)

    near = np.repeat(_EDGES, 2 + density // 8)
    tails = [(26.0, 27.4), (37.0, 38.7), (700.0, 752.0)]
    positive = np.concatenate(
        [
            [0.0, 2.0**-1074, 1e-310, 2.0**-1022, largest],
            np.ldexp(rng.uniform(1.0, 2.0, 52), np.arange(-1074, -1022)),
            binades(-1022, 1023, 1)[rng.permutation(2045)[: 8 * density]],
            binades(-30, -8, 1 + density // 8),
            binades(-8, 10, density),
            _EDGES,
            np.nextafter(_EDGES, 0.0),
            np.nextafter(_EDGES, np.inf),
            near * (1 + rng.normal(size=near.size) * 1e-3),
            np.concatenate([rng.uniform(*tail, density) for tail in tails]),
            rng.integers(1, 63661, density) * (math.pi / 2),
        ]
    )
    positive = positive[positive <= largest]
    return np.concatenate([positive, -positive])


def compute(name: str, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return value and two derivatives by the compiled core, shape (3, z.size)."""
    function = _core.Activation([(name, 1.0, 1.0, 0.0, [])])
    return np.array(_core.activation_values(function, z, 2))


def errors(
    name: str, z: NDArray[np.float64], *computed: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return the errors of each result of `compute` in ulp, shapes (3, z.size)."""
    result = [np.zeros((3, z.size)) for _ in computed]
    with mp.workdps(DIGITS):
        for i, argument in enumerate(z.tolist()):
            for order, (exact, scale) in enumerate(REFERENCES[name](mp.mpf(argument))):
                flushed = FLUSHED if order > 0 and abs(argument) > 1.0 else 0.0
                unit = math.ulp(float(scale))
                for values, worst in zip(computed, result, strict=True):
                    error = abs(mp.mpf(float(values[order, i])) - exact)
                    if not error <= flushed:
                        worst[order, i] = float(error / unit)
    return result
