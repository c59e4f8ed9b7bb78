"""Whether the perfect networks of Example 1 are separated from other zeros, by hand.

For the target tanh(x + 1) and two neurons, at a generic point of Q1 (a_1 + a_2 = 1, both incoming
vectors v_0 = (1, 1)) or of Q2 (a_2 = 0, v_2 free). Nothing here uses `flowscape.branches`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["jacobian_rank", "separated_q1", "separated_q2", "separation_size"]

Floats = NDArray[np.float64]

_ZERO = 1e-9


def _columns(x: Floats, w: float, b: float) -> tuple[Floats, Floats, Floats]:
    """Return sigma, sigma' (x, 1) and sigma'' of a neuron at the samples: (n,), (n, 2), (n,)."""
    value = np.tanh(w * x + b)
    slope = 1.0 - value**2
    return value, slope[:, None] * np.stack([x, np.ones_like(x)], 1), -2.0 * value * slope


def jacobian_rank(x: Floats, a: Floats, w: Floats, b: Floats) -> int:
    """Return the rank of the derivative of the values at x in all six parameters."""
    blocks = []
    for k in range(2):
        value, slope, _ = _columns(x, w[k], b[k])
        blocks += [value[:, None], a[k] * slope]
    values = np.linalg.svd(np.hstack(blocks), compute_uv=False)
    return int((values > _ZERO * values[0]).sum())


def separated_q2(x: Floats, w: float, b: float) -> bool:
    """Return whether Q2 is separated at (a_2, w_2, b_2) = (0, w, b).

    The rank is that of [sigma, sigma' (x, 1)] at v_0 and sigma at v_2; it is constant along Q2.
    Where it is the codimension 4 the zeros near are Q2; where it is n < 4 they are more.
    """
    rank = jacobian_rank(x, np.array([1.0, 0.0]), np.array([1.0, w]), np.array([1.0, b]))
    return rank == 4


def separated_q1(x: Floats) -> bool:
    """Return whether Q1 is separated where a_1 a_2 != 0.

    The rank is 3 at most and the codimension 5: the two directions delta in which the incoming
    vectors part (a_2 delta and -a_1 delta) are decided by the second order, the n - 3 quadratic
    forms a_1 a_2 delta' M_k delta, M_k = sum_i c_ki sigma''(v_0.x_i) x_i x_i', c_k a basis of the
    cokernel of [sigma, sigma' (x, 1)]. Q1 is separated if they have no common real root but 0.
    """
    value, slope, bend = _columns(x, 1.0, 1.0)
    rows = np.hstack([value[:, None], slope])
    if len(x) <= 3:
        return False
    cokernel = np.linalg.svd(rows.T)[2][3:]
    inputs = np.stack([x, np.ones_like(x)], 1)
    forms = np.einsum("ki,i,ij,il->kjl", cokernel, bend, inputs, inputs)
    forms /= np.linalg.norm(forms, axis=(1, 2), keepdims=True)
    p, q, r = forms[0, 0, 0], 2.0 * forms[0, 0, 1], forms[0, 1, 1]
    if q * q < 4.0 * p * r:
        return True
    root = np.sqrt(q * q - 4.0 * p * r)
    deltas = np.array([[-q + root, 2.0 * p], [-q - root, 2.0 * p]])
    deltas /= np.linalg.norm(deltas, axis=1, keepdims=True)
    values = np.einsum("dj,kjl,dl->dk", deltas, forms[1:], deltas)
    return bool(len(forms) > 1 and (np.abs(values).max(axis=1) > _ZERO).all())


def separation_size(branch: str, inputs: Floats, rng: np.random.Generator) -> int:
    """Return the least n for which the first n inputs separate the branch "Q1" or "Q2"."""
    w, b = rng.normal(size=2)
    for n in range(1, len(inputs) + 1):
        x = inputs[:n]
        if separated_q1(x) if branch == "Q1" else separated_q2(x, w, b):
            return n
    return len(inputs) + 1
