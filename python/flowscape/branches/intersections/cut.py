"""A set of points some of whose incoming vectors are dependent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.intersections.curved_subspace import CurvedSubspace
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.intersections.union import distance_to
from flowscape.branches.setting import Setting
from flowscape.errors import check_positive

__all__ = ["Cut", "CutSubspace"]

Floats = NDArray[np.float64]
Members = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Cut:
    """Vectors u of some classes of neurons, v_k = eps_k u, are dependent modulo a space.

    Attributes
    ----------
    classes : tuple of tuple of (int, int)
        The neurons of every class with their signs.
    space : (D, v) ndarray
        Orthonormal basis.
    """

    classes: tuple[Members, ...]
    space: Floats

    def apply(self, incoming: Floats) -> None:
        """Move incoming vectors (B, m, D), equal in the classes, to the nearest such ones."""
        sizes = np.sqrt([len(members) for members in self.classes])
        u = np.stack([sign * incoming[:, k] for (k, sign), *_ in self.classes], axis=2) * sizes
        off = u - self.space @ (self.space.T @ u)
        left, values, right = np.linalg.svd(off, full_matrices=False)
        last = left[:, :, -1:] * values[:, None, -1:] * right[:, -1:]
        moved = (u - last) / sizes
        for c, members in enumerate(self.classes):
            for k, sign in members:
                incoming[:, k] = sign * moved[:, :, c]


@dataclass(frozen=True)
class CutSubspace:
    """The points of a set that obey conditions on ranks.

    Attributes
    ----------
    setting : Setting
        The student.
    base : AffineSubspace or CurvedSubspace
        It leaves the vectors of the cuts free but for what makes them classes.
    cuts : tuple of Cut
        On disjoint classes.
    dim : int
        Exact.
    """

    setting: Setting
    base: AffineSubspace | CurvedSubspace
    cuts: tuple[Cut, ...]
    dim: int

    @property
    def pieces(self) -> tuple[CutSubspace, ...]:
        """Itself: it is irreducible."""
        return (self,)

    @property
    def codim(self) -> int:
        """Number of independent equations."""
        return self.setting.n_params - self.dim

    @property
    def n_weights(self) -> None:
        """Not stated; see `AffineSubspace`."""
        return

    def project(self, theta: ArrayLike) -> Floats:
        """Return the members nearest to points (P,) or (B, P), as `base` and singular values do.

        The conditions and what `base` demands are about different coordinates.
        """
        rows = np.asarray(self.base.project(theta))
        outgoing, incoming, constant = self.setting.split(np.atleast_2d(rows))
        good = np.isfinite(incoming).all(axis=(1, 2))
        part = incoming[good]
        for cut in self.cuts:
            cut.apply(part)
        incoming[good] = part
        return self.setting.join(outgoing, incoming, constant).reshape(rows.shape)

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the distance to `project`, infinity where that finds none."""
        return distance_to(self.project(theta), theta)

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,)."""
        return self.project(self.base.sample(rng))
