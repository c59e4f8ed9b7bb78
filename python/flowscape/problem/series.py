"""Taylor coefficients of activations, by recurrences of truncated power series.

With z = point + u every function solves a first-order equation in u whose coefficients follow one
another: tanh' = 1 - tanh^2, (exp(-z^2))' = -2 z exp(-z^2), (1 + z^2) arctan' = 1. The others are
integrals or products of these. The leading coefficients come from `functions.FUNCTIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import ProblemError
from flowscape.problem.functions import FUNCTIONS
from flowscape.problem.term import Term

__all__ = ["taylor_coefficients"]

Floats = NDArray[np.float64]


def taylor_coefficients(terms: Iterable[Term], order: int, point: float) -> Floats:
    """Return the Taylor coefficients of a sum of terms at `point`, orders 0 ... `order`.

    Parameters
    ----------
    terms : iterable of Term
    order : int
        Highest power >= 0.
    point : float
        Where to expand.

    Raises
    ------
    ProblemError
        If a term has a kink at `point`.
    """
    total = np.zeros(order + 1)
    for term in terms:
        total += _term(term, order, point)
    return total


def _term(term: Term, order: int, point: float) -> Floats:
    centre = term.s * point + term.h
    if term.name == "const":
        series = np.zeros(order + 1)
        series[0] = 1.0
    elif term.name == "polynomial":
        series = _shifted_polynomial(term.coefficients, order, centre)
    else:
        series = _SERIES[term.name](order, centre)
    return term.c * series * term.s ** np.arange(order + 1.0)


def _shifted_polynomial(coefficients: tuple[float, ...], order: int, h: float) -> Floats:
    """Coefficients in u of p(h + u), by repeated synthetic division."""
    work = list(coefficients)
    for start in range(len(work)):
        for i in range(len(work) - 2, start - 1, -1):
            work[i] += h * work[i + 1]
    series = np.zeros(order + 1)
    series[: min(len(work), order + 1)] = work[: order + 1]
    return series


def _integral(derivative: Floats, value: float) -> Floats:
    """Series with this value at u = 0 and this derivative; of one order less than it fits."""
    k = np.arange(1.0, len(derivative) + 1.0)
    return np.concatenate([[value], derivative / k])[: len(derivative)]


def _times_argument(series: Floats, h: float) -> Floats:
    """(h + u) times a series."""
    product = h * series
    product[1:] += series[:-1]
    return product


def _tanh(order: int, h: float) -> Floats:
    value, slope, _ = FUNCTIONS["tanh"](h)
    t = np.zeros(order + 2)
    t[:2] = value, slope
    for k in range(1, order + 1):
        t[k + 1] = -(t[: k + 1] @ t[k::-1]) / (k + 1)
    return t[: order + 1]


def _sigmoid(order: int, h: float) -> Floats:
    half = 0.5 * _tanh(order, 0.5 * h) * 0.5 ** np.arange(order + 1.0)
    half[0] = FUNCTIONS["sigmoid"](h)[0]
    return half


def _exp(order: int, h: float) -> Floats:
    value = FUNCTIONS["exp"](h)[0]
    return np.array([value / math.factorial(k) for k in range(order + 1)])


def _cyclic(values: tuple[float, ...], order: int) -> Floats:
    return np.array([values[k % len(values)] / math.factorial(k) for k in range(order + 1)])


def _sin(order: int, h: float) -> Floats:
    s, c = math.sin(h), math.cos(h)
    return _cyclic((s, c, -s, -c), order)


def _cos(order: int, h: float) -> Floats:
    s, c = math.sin(h), math.cos(h)
    return _cyclic((c, -s, -c, s), order)


def _sinh(order: int, h: float) -> Floats:
    return _cyclic(FUNCTIONS["sinh"](h)[:2], order)


def _bell(order: int, h: float, rate: float) -> Floats:
    """exp(-rate z^2 / 2): the derivative is -rate z times the function."""
    g = np.zeros(order + 2)
    g[0] = math.exp(-0.5 * rate * h * h)
    g[1] = -rate * h * g[0]
    for k in range(1, order + 1):
        g[k + 1] = -rate * (h * g[k] + g[k - 1]) / (k + 1)
    return g[: order + 1]


def _gauss(order: int, h: float) -> Floats:
    return _bell(order, h, 2.0)


def _erf(order: int, h: float) -> Floats:
    return _integral(2.0 / math.sqrt(math.pi) * _bell(order, h, 2.0), FUNCTIONS["erf"](h)[0])


def _normal_cdf(order: int, h: float) -> Floats:
    return _integral(_bell(order, h, 1.0) / math.sqrt(2.0 * math.pi), FUNCTIONS["Phi"](h)[0])


def _lorentz(order: int, h: float) -> Floats:
    """1 / (1 + z^2)."""
    base = 1.0 + h * h
    r = np.zeros(order + 2)
    r[0] = 1.0 / base
    r[1] = -2.0 * h * r[0] / base
    for k in range(2, order + 1):
        r[k] = -(2.0 * h * r[k - 1] + r[k - 2]) / base
    return r[: order + 1]


def _arctan(order: int, h: float) -> Floats:
    return _integral(_lorentz(order, h), math.atan(h))


def _ramp(name: str) -> Callable[[int, float], Floats]:
    def series(order: int, h: float) -> Floats:
        if h == 0.0:
            raise ProblemError(
                f"activation {name!r} has no Taylor series at its kink; expand elsewhere or use "
                "an analytic activation"
            )
        coefficients = np.zeros(order + 1)
        coefficients[:2] = FUNCTIONS[name](h)[: min(2, order + 1)]
        return coefficients

    return series


_SERIES: dict[str, Callable[[int, float], Floats]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda order, h: _integral(_sigmoid(order, h), FUNCTIONS["softplus"](h)[0]),
    "erf": _erf,
    "Phi": _normal_cdf,
    "exp": _exp,
    "gauss": _gauss,
    "rational": lambda order, h: _times_argument(_lorentz(order, h), h),
    "silu": lambda order, h: _times_argument(_sigmoid(order, h), h),
    "gelu": lambda order, h: _times_argument(_normal_cdf(order, h), h),
    "sin": _sin,
    "cos": _cos,
    "arctan": _arctan,
    "sinh": _sinh,
    "relu": _ramp("relu"),
    "leaky_relu": _ramp("leaky_relu"),
}
