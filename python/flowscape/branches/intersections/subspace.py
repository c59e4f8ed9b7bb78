"""An affine subspace of parameters, known by its equations and its exact dimension."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.groups import squared_norm
from flowscape.brief import Brief
from flowscape.errors import check_positive, float_array

__all__ = ["AffineSubspace"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class AffineSubspace(Brief):
    """The points that several affine branches share: {theta : matrix @ theta = right}.

    Attributes
    ----------
    matrix, right : ndarray
        All equations, redundant ones included: (E, P) and (E,).
    dim : int
        Exact, from the groups; not from a numerical rank.
    n_weights : int or None
        Number of different incoming vectors at a generic point (up to sign for odd or even sigma);
        None where neurons of a constant group take part.
    """

    matrix: Floats
    right: Floats
    dim: int
    n_weights: int | None = field(default=None)

    @property
    def pieces(self) -> tuple[AffineSubspace, ...]:
        """Itself: it is irreducible."""
        return (self,)

    @property
    def codim(self) -> int:
        """Rank of the equations."""
        return self.matrix.shape[1] - self.dim

    @cached_property
    def _factors(self) -> tuple[Floats, Floats]:
        """Return a point and an orthonormal basis; the rank is known, so nothing is cut off."""
        if self.codim == 0:
            return np.zeros(self.dim), np.eye(self.dim)
        left, values, right = np.linalg.svd(self.matrix)
        k = self.codim
        point = right[:k].T @ ((left[:, :k].T @ self.right) / values[:k])
        return point, np.ascontiguousarray(right[k:].T)

    @property
    def point(self) -> Floats:
        """The member nearest to the origin, (P,)."""
        return self._factors[0]

    @property
    def basis(self) -> Floats:
        """Orthonormal basis (P, dim) of the directions."""
        return self._factors[1]

    def project(self, theta: ArrayLike) -> Floats:
        """Return the nearest members of points (P,) or (B, P)."""
        p = self.matrix.shape[1]
        rows = float_array("theta", theta, (p,), ("B", p))
        point, basis = self._factors
        return np.asarray(point + ((rows - point) @ basis) @ basis.T)

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the Euclidean distance of points (P,) or (B, P)."""
        p = self.matrix.shape[1]
        rows = float_array("theta", theta, (p,), ("B", p))
        gap = np.atleast_2d(self.project(rows) - rows)
        found: Floats = np.sqrt(squared_norm(gap))
        return found if rows.ndim == 2 else found[0]

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,): standard normal along the basis, around `point`."""
        return np.asarray(self.point + self.basis @ rng.normal(size=self.dim))
