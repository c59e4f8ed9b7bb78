"""Ranks with certificates, and left null spaces, of stacks of small matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.separation.features import EPS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SVD = 10.0  # rounding of a computed singular value, in eps max(n, k) |A|_2


@dataclass(frozen=True)
class Rank:
    """Singular values of matrices with known errors; arrays over the stack.

    Attributes
    ----------
    full : ndarray of bool
        Full rank is proven: the smallest singular value exceeds its error bound (Weyl).
    smallest : ndarray
        The smallest singular value.
    bound : ndarray
        Its error bound: Frobenius norm of the errors of the entries plus the rounding of the
        decomposition.
    """

    full: Bools
    smallest: Floats
    bound: Floats


def full_rank(matrix: Floats, error: Floats) -> Rank:
    """Return whether matrices (S, n, k), known up to entrywise errors, have full rank."""
    values = np.asarray(np.linalg.svd(matrix, compute_uv=False), dtype=np.float64)
    if values.shape[-1] == 0:
        none = np.zeros(len(matrix))
        return Rank(np.ones(len(matrix), dtype=np.bool_), none, none)
    rounding = _SVD * EPS * max(matrix.shape[1:]) * values[:, 0]
    bound = np.sqrt((error**2).sum(axis=(1, 2))) + rounding
    return Rank(values[:, -1] > bound, values[:, -1], bound)


def left_null_space(matrix: Floats, error: Floats) -> tuple[Floats, float]:
    """Return an orthonormal basis (s, n) of the left null space of one matrix (n, k), k < n.

    The matrix must have full column rank. The second value bounds the spectral distance of the
    basis to one of the exact matrix's null space.
    """
    left, values, _ = np.linalg.svd(matrix)
    k = matrix.shape[1]
    if k == 0:
        return np.eye(len(matrix)), 0.0
    rounding = _SVD * EPS * len(matrix) * values[0]
    bound = 2.0 * (float(np.sqrt((error**2).sum())) + rounding) / values[-1]
    return np.ascontiguousarray(left[:, k:].T), bound
