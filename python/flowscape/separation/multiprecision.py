"""Jacobians and their ranks with fifty digits, for gaps that doubles cannot see. Needs mpmath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import ProblemError
from flowscape.problem.activation import Activation
from flowscape.problem.network import TwoLayer

__all__ = ["exact_jacobian", "rank_by_elimination"]

Floats = NDArray[np.float64]
Matrix = list[list[Any]]


def _mpmath() -> Any:
    try:
        import mpmath
    except ImportError:
        raise ProblemError(
            "digits > 16 needs mpmath, which is not installed; install it, or leave digits out"
        ) from None
    return mpmath


def _functions(mp: Any) -> dict[str, Callable[[Any], Any]]:
    one = mp.mpf(1)
    return {
        "tanh": mp.tanh,
        "sigmoid": lambda z: one / (1 + mp.exp(-z)),
        "softplus": lambda z: mp.log1p(mp.exp(-abs(z))) + max(z, mp.mpf(0)),
        "erf": mp.erf,
        "Phi": mp.ncdf,
        "exp": mp.exp,
        "gauss": lambda z: mp.exp(-z * z),
        "rational": lambda z: z / (1 + z * z),
        "silu": lambda z: z / (1 + mp.exp(-z)),
        "gelu": lambda z: z * mp.ncdf(z),
        "sin": mp.sin,
        "cos": mp.cos,
        "arctan": mp.atan,
        "sinh": mp.sinh,
    }


def _sigma(mp: Any, activation: Activation, z: Any) -> tuple[Any, Any]:
    """Return sigma(z) and sigma'(z); the slope by mpmath's own differentiation."""
    table = _functions(mp)
    value = slope = mp.mpf(0)
    for term in activation.terms:
        c, s, h = mp.mpf(term.c), mp.mpf(term.s), mp.mpf(term.h)
        if term.name == "const":
            value += c
            continue
        if term.name == "polynomial":
            f = f1 = mp.mpf(0)
            for coefficient in reversed(term.coefficients):
                f1 = f1 * (s * z + h) + f
                f = f * (s * z + h) + coefficient
        elif term.name in table:
            f = table[term.name](s * z + h)
            f1 = mp.diff(table[term.name], s * z + h)
        else:
            raise ProblemError(
                f"activation term {term.name!r} has a kink and no multiprecision form; leave "
                "digits out"
            )
        value += c * f
        slope += c * s * f1
    return value, slope


def exact_jacobian(net: TwoLayer, theta: Floats, x: Floats, digits: int) -> Matrix:
    """Return the Jacobian (n O rows, P columns), computed with `digits` digits.

    The inputs count as they are: binary fractions, without error.
    """
    mp = _mpmath()
    parts = net.unpack(theta)
    rows = []
    with mp.workdps(digits):
        weights = [[mp.mpf(w) for w in row] for row in parts.w.tolist()]
        outgoing = [[mp.mpf(a) for a in row] for row in parts.a.reshape(net.width, -1).tolist()]
        unit = [[mp.mpf(int(o == p)) for p in range(net.outputs)] for o in range(net.outputs)]
        for sample in x.tolist():
            inputs = [mp.mpf(t) for t in sample] + [mp.mpf(1)] * net.bias
            jets = []
            for k in range(net.width):
                z = mp.fsum(w * t for w, t in zip(weights[k], inputs, strict=False))
                z += mp.mpf(float(parts.b[k])) if parts.b is not None else 0
                jets.append(_sigma(mp, net.activation, z))
            for o in range(net.outputs):
                row = []
                for k, (value, slope) in enumerate(jets):
                    row += [value * one for one in unit[o]]
                    row += [outgoing[k][o] * slope * t for t in inputs]
                rows.append(row + unit[o] * net.output_bias)
    return rows


def rank_by_elimination(matrix: Matrix, digits: int) -> tuple[int, float]:
    """Return (rank, gap) by elimination with full pivoting.

    A pivot counts if it exceeds 10^(10 - digits) times the first. The gap is the ratio of the last
    pivot that counts to the first that does not (at most 10^digits; infinity where none is
    left): about 10^digits for a true rank, and moderate where the rank is unclear.
    """
    mp = _mpmath()
    with mp.workdps(digits):
        rows = [list(row) for row in matrix]
        pivots: list[Any] = []
        for step in range(min(len(rows), len(rows[0]))):
            size, i, j = max(
                (abs(rows[i][j]), i, j)
                for i in range(step, len(rows))
                for j in range(step, len(rows[0]))
            )
            pivots.append(size)
            if size == 0:
                break
            rows[step], rows[i] = rows[i], rows[step]
            for row in rows:
                row[step], row[j] = row[j], row[step]
            for row in rows[step + 1 :]:
                factor = row[step] / rows[step][step]
                for c in range(step, len(row)):
                    row[c] -= factor * rows[step][c]
        floor = pivots[0] * mp.mpf(10) ** (10 - digits)
        rank = sum(p > floor for p in pivots)
        if rank in (0, len(pivots)):
            return int(rank), float("inf")
        rest = max(pivots[rank], pivots[0] * mp.mpf(10) ** -digits)
        return int(rank), float(min(pivots[rank - 1] / rest, mp.mpf(10) ** digits))
