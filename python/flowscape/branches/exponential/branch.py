"""One branch of an exponential student with biases: one without bias, pulled back.

Everything exact (counts, dimensions, intersections, separation) is asked of the canonical family,
everything metric is computed with the student's own parameters; ``docs/families-by-chart.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.constant_group import Point
from flowscape.branches.exponential.chart import ExponentialChart
from flowscape.branches.exponential.groups import project_exponential, project_level
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.location.nearest import nearest_zero
from flowscape.errors import ProblemError, check_positive, float_array

if TYPE_CHECKING:
    from flowscape.problem.streams import check_generator
from flowscape.problem.streams import check_generator
from flowscape.separation.result import Separation

__all__ = ["ExponentialBranch", "PulledBackSubspace"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PulledBackSubspace:
    """What branches of one exponential family share: an affine subspace in (A, w), any biases.

    Attributes
    ----------
    image : AffineSubspace
        In canonical parameters.
    chart : ExponentialChart
    """

    image: AffineSubspace
    chart: ExponentialChart

    @property
    def pieces(self) -> tuple[PulledBackSubspace, ...]:
        """Itself: it is irreducible."""
        return (self,)

    @property
    def dim(self) -> int:
        """Exact: one more for every bias."""
        return self.image.dim + self.chart.setting.width

    @property
    def codim(self) -> int:
        """Number of independent equations."""
        return self.image.codim

    @property
    def n_weights(self) -> int | None:
        """Number of different input weights at a generic point; see `AffineSubspace`."""
        return self.image.n_weights

    def project(self, theta: ArrayLike) -> Floats:
        """Return members near points (P,) or (B, P); the nearest ones near the set.

        NaN where the local search finds none.
        """
        p = self.chart.setting.n_params
        rows = float_array("theta", theta, (p,), ("B", p))
        found = [nearest_zero(self._system, row) for row in np.atleast_2d(rows)]
        members = np.array([np.full(p, np.nan) if row is None else row for row in found])
        return members.reshape(rows.shape)

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the distance to `project`: an upper bound, exact near the set."""
        gap = np.atleast_2d(self.project(theta) - np.asarray(theta))
        found = np.linalg.norm(gap, axis=1)
        found[np.isnan(found)] = np.inf
        return found if np.ndim(theta) == 2 else found[0]

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,): random (A, w) and standard normal biases."""
        biases = rng.normal(size=(1, self.chart.setting.width))
        return self.chart.lift(self.image.sample(rng)[None], biases)[0]

    def _system(self, theta: Floats) -> tuple[Floats, Floats]:
        values = self.image.matrix @ self.chart.image(theta[None])[0] - self.image.right
        return values, self.image.matrix @ self.chart.derivative(theta)


@dataclass(frozen=True, eq=False, repr=False)
class ExponentialBranch(Branch):
    """A component of Q* for sigma = C e^{kz} with hidden biases.

    A smooth connected set: the graph of a = A e^{-kb} over an affine branch in (A, w) and all
    biases b. Attributes as in `Branch`; `target` has bias 0, and in addition

    Attributes
    ----------
    image : Branch
        The branch of the student without biases.
    chart : ExponentialChart
        The map to its parameters.
    """

    image: Branch
    chart: ExponentialChart

    @property
    def codim(self) -> int:
        """Number of independent equations: that of the image, r + (m + m0 - r) d for one output."""
        return self.image.codim

    @property
    def shares_incoming(self) -> bool:
        """False: the biases of a group differ."""
        return False

    @property
    def is_affine(self) -> bool:
        """Whether the closure is an affine subspace: only where every neuron has a = 0."""
        return not self.blocks[0] and not self.shape.labelled and self.l == self.r

    @property
    def generic_rank(self) -> int | None:
        """Rank of the Jacobian at generic points: that of the image, r + (r - l) d."""
        return self.image.generic_rank

    def equations(self, theta: ArrayLike) -> Floats:
        """Return the equations of the image at the image of points: `codim` independent ones.

        Those of `linear_equations` if the branch is affine.
        """
        if self.is_affine:
            return super().equations(theta)
        p = self.setting.n_params
        rows = float_array("theta", theta, (p,), ("B", p))
        found = self.image.equations(self.chart.image(np.atleast_2d(rows)))
        return found if rows.ndim == 2 else found[0]

    def equations_jacobian(self, theta: ArrayLike) -> Floats:
        """Return the derivative (codim, P) of `equations` at one point (P,)."""
        row = float_array("theta", theta, (self.setting.n_params,))
        if self.is_affine:
            return self.linear_equations()[0]
        below = self.image.equations_jacobian(self.chart.image(row[None])[0])
        return np.asarray(below @ self.chart.derivative(row))

    def tangent(self, theta: ArrayLike) -> Floats:
        """Return an orthonormal basis (P, dim) of the tangent space; every point has one."""
        jacobian = self.equations_jacobian(theta)
        # equations of one group differ by the factors e^{kb} only
        jacobian = jacobian / np.linalg.norm(jacobian, axis=1, keepdims=True)
        _, values, right = np.linalg.svd(jacobian)
        return np.ascontiguousarray(right[len(values) :].T)

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,): standard normal in what is free of (A, w, b)."""
        biases = check_generator(rng).normal(size=(1, self.setting.width))
        return self.chart.lift(self.image.sample(rng)[None], biases)[0]

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the Euclidean distance to the closure: an upper bound, exact near it.

        Infinity for rows that are not finite, and where e^{kb} overflows.
        """
        found = np.asarray(super().distance(theta))
        return np.where(np.isnan(found), np.inf, found)[()]

    def intersection(self, *others: Branch) -> PulledBackSubspace | None:  # type: ignore[override]
        """Return what this closure shares with others of its family, None if that is empty.

        Emptiness and dimension are exact, those of the images; see `Branch.intersection`.
        """
        images = []
        for other in others:
            if not isinstance(other, ExponentialBranch) or other.target is not self.target:
                raise ProblemError("other belongs to another family; take both from one `branches`")
            images.append(other.image)
        shared = self.image.intersection(*images)
        if shared is None:
            return None
        assert isinstance(shared, AffineSubspace)  # without biases nothing is curved
        return PulledBackSubspace(shared, self.chart)

    def separation(
        self,
        x: ArrayLike,
        theta: ArrayLike | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> Separation:
        """Return whether the loss has no imperfect zeros near this branch, for given samples.

        The verdict on the image: the loss depends on (A, w) only. See `Branch.separation`.
        """
        if theta is None:
            found = self.image.separation(x, rng=rng)
            return replace(found, dim=self.dim, n_params=self.setting.n_params)
        row = float_array("theta", theta, (self.setting.n_params,))
        found = self.image.separation(x, self.chart.image(row[None])[0], rng=rng)
        root: Floats | None = None
        if found.root is not None:
            along = np.linalg.lstsq(self.chart.derivative(row), found.root, rcond=None)[0]
            root = np.asarray(along / np.linalg.norm(along), dtype=np.float64)
        return replace(found, dim=self.dim, n_params=self.setting.n_params, root=root)

    def linear_equations(self) -> tuple[Floats, Floats]:
        """Return the linear equations (matrix, right side): a = 0 where the branch is affine.

        Raises
        ------
        ProblemError
            If the branch is curved.
        """
        self.check_affine()
        # all of them are a = 0 and c = C0, and A = a at bias 0
        matrix, right = self.image.linear_equations()
        return matrix @ self.chart.derivative(np.zeros(self.setting.n_params)), right

    def _project(self, rows: Floats) -> Floats:
        s, m0 = self.setting, len(self.shape.labelled)
        outgoing, incoming, constant = s.split(rows)
        for label, block in enumerate(self.blocks[1:]):
            k, free = list(block), label >= m0
            weight = np.zeros(s.outputs) if free else self.target.outgoing[label]
            vector = None if free else self.target.incoming[label, : s.inputs]
            new = project_exponential(s, outgoing[:, k], incoming[:, k], weight, vector)
            outgoing[:, k], incoming[:, k] = new
        k = list(self.blocks[0])
        point = Point(outgoing[:, k], incoming[:, k], constant)
        if k:
            point = project_level(s, point, self.target.constant)
        else:
            point = self.constant_group.project(point)
        outgoing[:, k], incoming[:, k] = point.outgoing, point.incoming
        return s.join(outgoing, incoming, point.constant)
