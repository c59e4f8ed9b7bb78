"""Intersections of several pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.groups import squared_norm
from flowscape.errors import check_positive, float_array

__all__ = ["Piece", "UnionOfPieces", "distance_to"]

Floats = NDArray[np.float64]


class Piece(Protocol):
    """What every piece of an intersection can do; see `AffineSubspace`."""

    @property
    def dim(self) -> int:  # noqa: D102
        ...

    @property
    def codim(self) -> int:  # noqa: D102
        ...

    def project(self, theta: ArrayLike) -> Floats:  # noqa: D102
        ...

    def distance(self, theta: ArrayLike) -> Floats:  # noqa: D102
        ...

    def sample(self, rng: np.random.Generator) -> Floats:  # noqa: D102
        ...


@dataclass(frozen=True)
class UnionOfPieces:
    """An intersection that is reducible: the union of its pieces.

    Attributes
    ----------
    pieces : tuple
        Irreducible; none is inside another. By falling dimension.
    """

    pieces: tuple[Piece, ...]

    @property
    def dim(self) -> int:
        """The largest dimension of a piece."""
        return max(piece.dim for piece in self.pieces)

    @property
    def codim(self) -> int:
        """The least codimension of a piece."""
        return min(piece.codim for piece in self.pieces)

    @property
    def n_weights(self) -> None:
        """Not stated; see `AffineSubspace`."""
        return

    def project(self, theta: ArrayLike) -> Floats:
        """Return the nearest of the points that the pieces find, NaN where none does."""
        rows = float_array("theta", theta)
        found = np.stack([np.atleast_2d(piece.project(rows)) for piece in self.pieces])
        away = np.stack([np.atleast_1d(distance_to(one, np.atleast_2d(rows))) for one in found])
        best = found[np.argmin(away, axis=0), np.arange(found.shape[1])]
        return np.asarray(best.reshape(rows.shape))

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the distance to `project`; exact if it is for the pieces."""
        return distance_to(self.project(theta), theta)

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,) of a piece of the largest dimension."""
        return self.pieces[0].sample(rng)


def distance_to(found: Floats, theta: ArrayLike) -> Floats:
    """Return the distances of points (P,) or (B, P) to others; infinity where these are NaN."""
    gap = np.atleast_2d(found - np.asarray(theta, dtype=np.float64))
    away = np.sqrt(squared_norm(gap))
    away = np.where(np.isnan(away), np.inf, away)
    return np.asarray(away if np.ndim(theta) == 2 else away[0])
