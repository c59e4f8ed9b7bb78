"""Which strata of a coupled family are components: the conditions, on numbers alone.

A stratum is a partition of the neurons with signs. A group is *mixed* if both signs occur in it:
then its sum of eps_k a_k and its sum of a_k are independent. Proofs: ``docs/families.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.fibres import Ranks, fibre_components

Floats = NDArray[np.float64]

_RANK = 1e-12
"""Singular values below this part of the largest one are 0."""


@dataclass(frozen=True)
class Solutions:
    """The affine space {s : matrix @ s = right}.

    Attributes
    ----------
    point : (b,) or (b, O) ndarray
        Its member nearest to 0; a column for each right side.
    directions : (b, k) ndarray
        Orthonormal basis.
    rank : int
        Of the matrix, b - k.
    """

    point: Floats
    directions: Floats
    rank: int

    def fixed(self, row: Floats, tol: float) -> Floats | None:
        """Return the value, () or (O,), of row . s if it is the same everywhere, else None."""
        size = max(float(np.linalg.norm(row)), 1e-300)
        if np.linalg.norm(row @ self.directions) > tol * size:
            return None
        return np.asarray(row @ self.point)


def solutions(matrix: Floats, right: Floats, tol: float) -> Solutions | None:
    """Return the solutions of matrix (E, b) @ s = right (E,) or (E, O), None if there are none.

    Parameters
    ----------
    matrix, right : ndarray
    tol : float
        Absolute: a right side outside the span by less is inside.
    """
    count = matrix.shape[1]
    left, values, rows = np.linalg.svd(matrix)
    rank = _rank(values)
    along = left[:, :rank].T @ right
    if np.linalg.norm(right - left[:, :rank] @ along) > tol:
        return None
    point = np.zeros((count, *right.shape[1:]))
    if rank:
        point = (rows[:rank].T / values[:rank]) @ along
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


@dataclass(frozen=True)
class Split:
    """A right side (E, O) split along the span of some columns (E, b) and off it.

    Attributes
    ----------
    span : (E, w) ndarray
        Orthonormal basis of the columns' span.
    off : (E, E - w) ndarray
        Orthonormal basis of its complement, by falling singular values of what is off.
    outputs : (O, O) ndarray
        Right singular vectors of what is off, as columns.
    rank : int
        Of what is off.
    """

    span: Floats
    off: Floats
    outputs: Floats
    rank: int


def split(columns: Floats, right: Floats, tol: float) -> Split:
    """Return the parts of `right`; singular values up to `tol` off the span are 0."""
    left, values, _ = np.linalg.svd(columns)
    span = _rank(values)
    off = left[:, span:]
    turned, sizes, outputs = np.linalg.svd(off.T @ right)
    return Split(left[:, :span], off @ turned, outputs.T, int((sizes > tol).sum()))


def linear_pieces(
    columns: Floats, weights: Floats, free: int, right: Floats, heads: int, tol: float
) -> tuple[Ranks, ...]:
    """Return the components of a stratum under W s + U q = L', none if it is empty.

    Even activation plus a linear function. The s_t = sum eps_k a_k of the mixed labelled groups
    and the q_j != 0 of the mixed free groups, rows of s (b, O) and q (J, O), are flexible, as are
    the incoming vectors u_j, the columns of U. (s_t = +-abar_t or q_j = 0 belong to finer strata.)

    Parameters
    ----------
    columns : (E, b) ndarray
        W: the target's incoming vectors of the mixed labelled groups.
    weights : (b, O) ndarray
        abar_t of these groups.
    free : int
        J, the number of mixed free groups.
    right : (E, O) ndarray
        L'.
    heads : int
        The first `heads` components are input weights, which are not all 0 in a u_j.
    tol : float
        Norms up to this are 0.

    Returns
    -------
    tuple of (int, int)
        The generic ranks of q and of U off the span of W; (0, 0) for J = 0.
    """
    if free == 0:
        space = solutions(columns, right, tol)
        return () if space is None or pinned(space, weights, tol) else ((0, 0),)
    parts = split(columns, right, tol)
    found = fibre_components(right.shape[1], parts.off.shape[1], free, parts.rank)
    found = tuple(ranks for ranks in found if ranks[0] > 0)
    if parts.span.size:
        return found
    # all u_j lie in a space of dimension k that contains the rows of L'
    still = parts.rank == 1 and bool(np.linalg.norm(right[:heads]) <= tol)
    return tuple(ranks for ranks in found if ranks[1] > int(still))


def pinned(space: Solutions, weights: Floats, tol: float) -> bool:
    """Return whether some s_t is +abar_t or -abar_t, rows of `weights`, on all of the space."""
    for unit, weight in zip(np.eye(len(weights)), weights, strict=True):
        value = space.fixed(unit, _RANK)
        if value is None:
            continue
        if min(np.linalg.norm(value - weight), np.linalg.norm(value + weight)) <= tol:
            return True
    return False


def _rank(values: Floats) -> int:
    return int((values > _RANK * values.max(initial=0.0)).sum())


def has_stray_part(columns: Floats, free: int, right: Floats, tol: float) -> bool:
    """Return whether W s + U q = L' with q = 0 has solutions outside the stratum's closure.

    There, with P the projection off the span of W, the closure is where P U has a kernel: all
    of q = 0 only if J + rank W exceeds the number of equations.
    """
    if free == 0:
        return False
    space = solutions(columns, right, tol)
    return space is not None and free + space.rank <= len(right)
