"""Which strata of a coupled family are components: the conditions, on numbers alone.

A stratum is a partition of the neurons with signs. A group is *mixed* if both signs occur in it:
then its sum of eps_k a_k and its sum of a_k are independent. Proofs: ``docs/families.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_RANK = 1e-12
"""Singular values below this part of the largest one are 0."""


@dataclass(frozen=True)
class Solutions:
    """The affine space {s : matrix @ s = right}.

    Attributes
    ----------
    point : (b,) ndarray
        Its member nearest to 0.
    directions : (b, k) ndarray
        Orthonormal basis.
    rank : int
        Of the matrix, b - k.
    """

    point: Floats
    directions: Floats
    rank: int

    def fixed(self, row: Floats, tol: float) -> float | None:
        """Return the value of row . s if it is the same everywhere, else None."""
        size = max(float(np.linalg.norm(row)), 1e-300)
        if np.linalg.norm(row @ self.directions) > tol * size:
            return None
        return float(row @ self.point)


def solutions(matrix: Floats, right: Floats, tol: float) -> Solutions | None:
    """Return the solutions of matrix (E, b) @ s = right (E,), None if there are none.

    Parameters
    ----------
    matrix, right : ndarray
    tol : float
        Absolute: a right side outside the span by less is inside.
    """
    count = matrix.shape[1]
    left, values, rows = np.linalg.svd(matrix)
    rank = int((values > _RANK * values.max(initial=0.0)).sum())
    along = left[:, :rank].T @ right
    if np.linalg.norm(right - left[:, :rank] @ along) > tol:
        return None
    point = rows[:rank].T @ (along / values[:rank]) if rank else np.zeros(count)
    return Solutions(point, np.ascontiguousarray(rows[rank:].T), rank)


def level_stratum(deficit: Floats, mixed: Floats, others: int, tol: float) -> bool:
    """Return whether a stratum under *one linear equation on the sum of all a_k* is a component.

    Odd activation plus a constant. The equation: what is flexible must add up to `deficit`.

    Parameters
    ----------
    deficit : (O,) ndarray
        What the uniform groups leave to the others.
    mixed : (b, O) ndarray
        The target's weights of the mixed labelled groups.
    others : int
        Number of mixed free groups, plus 1 if there are silent neurons.
    tol : float
        Norms up to this are 0.

    Returns
    -------
    bool
        False where the stratum is empty or lies in the closure of a finer one. Nothing
        flexible: the deficit must be 0. One flexible thing: it must not split into two groups
        that obey the equation by themselves. Several: always a component.
    """
    flexible = len(mixed) + others
    if flexible >= 2:
        return True
    if flexible == 0 or others == 1:
        return bool(np.linalg.norm(deficit) <= tol) == (flexible == 0)
    weight = mixed[0]
    return bool(min(np.linalg.norm(deficit - weight), np.linalg.norm(deficit + weight)) > tol)


def linear_stratum(
    columns: Floats, weights: Floats, free: int, right: Floats, heads: int, tol: float
) -> bool:
    """Return whether a stratum under W s + U q = L' is not empty, hence a component.

    Even activation plus a linear function, one output. The s_t = sum eps_k a_k of the mixed
    labelled groups and the q_j != 0 of the mixed free groups are flexible, as are the incoming
    vectors u_j, the columns of U. (s_t = +-abar_t or q_j = 0 belong to finer strata.)

    Parameters
    ----------
    columns : (E, b) ndarray
        W: the target's incoming vectors of the mixed labelled groups.
    weights : (b,) ndarray
        abar_t of these groups.
    free : int
        J, the number of mixed free groups.
    right : (E,) ndarray
        L'.
    heads : int
        The first `heads` components are input weights, which are not all 0 in a u_j.
    tol : float
        Norms up to this are 0.
    """
    if free >= 2:
        return True
    if free == 1:
        return columns.shape[1] > 0 or bool(np.linalg.norm(right[:heads]) > tol)
    space = solutions(columns, right, tol)
    return space is not None and not pinned(space, weights, tol)


def pinned(space: Solutions, weights: Floats, tol: float) -> bool:
    """Return whether some s_t is +abar_t or -abar_t on all of the space."""
    for unit, weight in zip(np.eye(len(weights)), np.abs(weights), strict=True):
        value = space.fixed(unit, _RANK)
        if value is not None and abs(abs(value) - weight) <= tol:
            return True
    return False


def has_stray_part(columns: Floats, free: int, right: Floats, tol: float) -> bool:
    """Return whether W s + U q = L' with q = 0 has solutions outside the stratum's closure.

    There, with P the projection off the span of W, the closure is where P U has a kernel: all
    of q = 0 only if J + rank W exceeds the number of equations.
    """
    if free == 0:
        return False
    space = solutions(columns, right, tol)
    return space is not None and free + space.rank <= len(right)
