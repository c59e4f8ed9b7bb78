"""What closures of even plus linear branches share where pairs of neurons make linear functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.intersections.around import Around, sizes
from flowscape.branches.intersections.cut import Members
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.intersections.union import distance_to
from flowscape.branches.location.least_distance import nearest
from flowscape.branches.setting import Setting
from flowscape.errors import InternalError, check_positive, float_array

__all__ = ["BilinearSubspace"]

Floats = NDArray[np.float64]

_ON = 1e-9
_TRIES = 1000
_LEAST = 0.3
"""Least |q| of a member that is sampled, so that incoming vectors stay moderate."""


@dataclass(frozen=True)
class BilinearSubspace:
    """The points of a linear space with sum a_k v_k = L, and the closure of those with q != 0.

    q are the sums of eps_k a_k over the classes of neurons whose vectors are free.

    Attributes
    ----------
    setting : Setting
        The student; one output.
    linear : AffineSubspace
        The linear equations.
    flat : tuple of int
        The neurons with zero input weight.
    right : (D,) ndarray
        The target's linear part and, with hidden biases, its constant over lambda.
    pairs : tuple of tuple of (int, int)
        The classes: neurons and signs.
    span : (D, w) ndarray
        Orthonormal basis of what else can make linear functions.
    ranked : bool
        Whether only solutions whose vectors of `pairs` are dependent modulo `span` are limits.
    dim : int
        Exact.
    """

    setting: Setting
    linear: AffineSubspace
    flat: tuple[int, ...]
    right: Floats
    pairs: tuple[Members, ...]
    span: Floats
    ranked: bool
    dim: int

    @property
    def pieces(self) -> tuple[BilinearSubspace, ...]:
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

    def level(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the equation of the linear function (B, D) and its derivative (B, D, P)."""
        s = self.setting
        outgoing, incoming, constant = s.split(rows)
        a, flat = outgoing[:, :, 0], np.isin(np.arange(s.width), self.flat)
        values = (a * ~flat)[:, None] @ incoming
        total = values[:, 0] - self.right
        derivative = np.zeros((len(rows), s.incoming, s.n_params))
        for k in np.flatnonzero(~flat).tolist():
            for j in range(s.incoming):
                derivative[:, j, s.a_index(k, 0)] = incoming[:, k, j]
                derivative[:, j, s.v_index(k, j)] = a[:, k]
        if s.bias:
            total[:, -1] *= s.slope
            derivative[:, -1] *= s.slope
            sigma, slopes = s.sigma(incoming[:, :, -1] + s.centre)
            total[:, -1] += (a * sigma)[:, flat].sum(axis=1) + constant[:, 0]
            for k in np.flatnonzero(flat).tolist():
                derivative[:, -1, s.a_index(k, 0)] = sigma[:, k]
                derivative[:, -1, s.v_index(k, s.inputs)] = a[:, k] * slopes[:, k]
            if s.output_bias:
                derivative[:, -1, s.c_index(0)] = 1.0
        return total, derivative

    def project(self, theta: ArrayLike) -> Floats:
        """Return the points that a local search finds, NaN where it finds none.

        Members, and the nearest ones if `theta` is near the set.
        """
        p = self.setting.n_params
        rows = float_array("theta", theta, (p,), ("B", p))
        many = np.atleast_2d(rows)
        start = np.atleast_2d(self.linear.project(many))
        around = Around(self, start, sizes(many))
        z = nearest(around, np.zeros((len(many), self.linear.dim)))
        found = start + z @ self.linear.basis.T
        found = np.where(self._are_members(found)[:, None], found, np.nan)
        return np.asarray(found if rows.ndim == 2 else found[0])

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the distance to `project`, an upper bound; infinity where that finds none."""
        return distance_to(self.project(theta), theta)

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,): the vectors of the largest |q| solve the equation."""
        s = self.setting
        for _ in range(_TRIES):
            theta = self.linear.sample(rng)
            a = s.split(theta[None])[0][0, :, 0]
            sums = [sum(sign * a[k] for k, sign in members) for members in self.pairs]
            chosen = int(np.argmax(np.abs(sums)))
            if abs(sums[chosen]) < _LEAST:
                continue
            for _ in range(2):  # again for round-off
                rest = self.level(theta[None])[0][0]
                if s.bias:
                    rest[-1] /= s.slope
                for k, sign in self.pairs[chosen]:
                    at = s.v_index(k, 0)
                    theta[at : at + s.incoming] -= sign * rest / sums[chosen]
            return theta
        raise InternalError("no member of an intersection was found")

    def _are_members(self, rows: Floats) -> NDArray[np.bool_]:
        size = sizes(rows)
        good = np.abs(self.level(rows)[0]).max(axis=1) <= _ON * size**2
        if self.ranked:
            incoming = self.setting.split(rows)[1]
            incoming = np.where(np.isfinite(incoming), incoming, 0.0)
            u = np.stack([sign * incoming[:, k] for (k, sign), *_ in self.pairs], axis=2)
            off = u - self.span @ (self.span.T @ u)
            good &= np.linalg.svd(off, compute_uv=False)[:, -1] <= _ON * size
        return np.asarray(good)
