"""Values of activations, and the sizes of the terms that make them up."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.problem import Activation
from flowscape.problem.functions import FUNCTIONS

__all__ = ["activation_sizes", "activation_values"]

Floats = NDArray[np.float64]

_STEP = 1e-4  # of the difference that measures the third derivative


def activation_values(activation: Activation, z: ArrayLike) -> Floats:
    """Return value, first and second derivative, stacked: (3, ...) for z of shape (...)."""
    return np.stack(activation.values(z, 2))


def activation_sizes(activation: Activation, z: ArrayLike, spread: ArrayLike = 0.0) -> Floats:
    r"""Return the sums of absolute terms behind `activation_values`.

    Parameters
    ----------
    activation : Activation
    z : (...) array_like
        Arguments.
    spread : (...) array_like
        Sum of the absolute terms of each z. What rounding them changes is a term too:
        :math:`|\sigma'| \cdot spread` in the value, and so on. 0: the arguments are exact.

    Returns
    -------
    (3, ...) ndarray
        For value, first and second derivative:
        :math:`\sum_j |c_j s_j^k|\, size_k(s_j z + h_j)`, where size_k sums the absolute terms of
        the closed form of the named function's k-th derivative.
    """
    points = np.asarray(z, dtype=np.float64)
    sizes = np.zeros((3, *points.shape))
    for term in activation.terms:
        size = _SIZES.get(term.name) or _absolute_values(term.name)
        arguments = (term.s * points + term.h).ravel().tolist()
        parts = np.array([size(t, term.coefficients) for t in arguments]).T
        factors = abs(term.c) * abs(term.s) ** np.arange(3)
        sizes += (factors[:, None] * parts).reshape(sizes.shape)
    shift = np.asarray(spread, dtype=np.float64)
    if shift.any():
        _, first, second = np.abs(activation_values(activation, points))
        above = activation_values(activation, points + _STEP)[2]
        below = activation_values(activation, points - _STEP)[2]
        sizes += shift * np.stack([first, second, np.abs(above - below) / (2 * _STEP)])
    return sizes


Sizes = tuple[float, float, float]
SizeFunction = Callable[[float, tuple[float, ...]], Sizes]


def _absolute_values(name: str) -> SizeFunction:
    """Sizes of a function whose closed forms are products: the absolute values themselves."""
    jet = FUNCTIONS[name]

    def size(t: float, _: tuple[float, ...]) -> Sizes:
        f, f1, f2 = jet(t)
        return abs(f), abs(f1), abs(f2)

    return size


def _gauss(t: float, _: tuple[float, ...]) -> Sizes:
    e = math.exp(-t * t)
    return e, 2 * abs(t) * e, (4 * t * t + 2) * e


def _rational(t: float, _: tuple[float, ...]) -> Sizes:
    q = 1 / (1 + t * t)
    return abs(t) * q, q, 2 * abs(t) * (t * t + 3) * q**3


def _silu(t: float, _: tuple[float, ...]) -> Sizes:
    value, slope, _second = FUNCTIONS["sigmoid"](t)
    other = FUNCTIONS["sigmoid"](-t)[0]
    return (
        abs(t) * value,
        value * (1 + abs(t) * other),
        slope * (2 + abs(t) * math.tanh(0.5 * abs(t))),
    )


def _gelu(t: float, _: tuple[float, ...]) -> Sizes:
    cdf, density, _second = FUNCTIONS["Phi"](t)
    return abs(t) * cdf, cdf + abs(t) * density, density * (2 + t * t)


def _polynomial(t: float, coefficients: tuple[float, ...]) -> Sizes:
    size = np.polynomial.Polynomial(np.abs(coefficients))
    return float(size(abs(t))), float(size.deriv(1)(abs(t))), float(size.deriv(2)(abs(t)))


def _const(t: float, _: tuple[float, ...]) -> Sizes:
    return 1.0, 0.0, 0.0


_SIZES: dict[str, SizeFunction] = {
    "gauss": _gauss,
    "rational": _rational,
    "silu": _silu,
    "gelu": _gelu,
    "polynomial": _polynomial,
    "const": _const,
}
