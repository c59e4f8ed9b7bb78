"""One branch of the set of perfect networks: dimensions, membership, projection, equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.constant_group import Point
from flowscape.branches.equations import linear_equations
from flowscape.branches.grouping import Grouping
from flowscape.branches.groups import project_free, project_labelled, squared_norm
from flowscape.branches.intersections.affine import intersect
from flowscape.branches.intersections.curved import intersect_curved
from flowscape.branches.intersections.kinds import Intersection
from flowscape.errors import ProblemError, check_positive, describe, float_array
from flowscape.problem.streams import check_generator, generator_or_default

if TYPE_CHECKING:
    from flowscape.separation.result import Separation

Floats = NDArray[np.float64]
Parts = tuple[Floats, Floats, Floats]

_SINGULAR = 1e-7


@dataclass(frozen=True, eq=False, repr=False)
class Branch(Grouping):
    """One component of Q*, as the set of all parameters in its closure.

    Build branches with `branches`. All point arguments are (P,) or (B, P); a result for (P,)
    has no batch axis. A row that is not finite has distance infinity.

    Attributes as in `Grouping`.
    """

    def project(self, theta: ArrayLike) -> Floats:
        """Return the nearest point of the closure.

        Exact for affine branches. For the others the constant group is found by a local
        search: a point of the closure, and the nearest one if `theta` is near it.
        """
        rows, batched = _rows(theta, self.setting.n_params)
        result = np.full_like(rows, np.nan)
        finite = np.isfinite(rows).all(axis=1)
        if finite.any():
            result[finite] = self._project(rows[finite])
        return result if batched else result[0]

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the Euclidean distance to the closure, infinity for rows that are not finite.

        For a branch that is not affine: an upper bound, see `project`.
        """
        rows, batched = _rows(theta, self.setting.n_params)
        finite = np.isfinite(rows).all(axis=1)
        result = np.full(len(rows), np.inf)
        if finite.any():
            with np.errstate(over="ignore"):
                result[finite] = np.sqrt(squared_norm(self._project(rows[finite]) - rows[finite]))
        return result if batched else result[0]

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0 of the closure."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def equations(self, theta: ArrayLike) -> Floats:
        """Return the left sides minus right sides of the `codim` independent equations."""
        rows, batched = _rows(theta, self.setting.n_params)
        matrix, right = self.linear_equations()
        result = rows @ matrix.T - right
        if not self.is_affine:
            result = np.concatenate([result, self._curved(rows)], axis=1)
        return result if batched else result[0]

    def equations_jacobian(self, theta: ArrayLike) -> Floats:
        """Return the derivative (codim, P) of `equations` at one point (P,)."""
        s = self.setting
        row = float_array("theta", theta, (s.n_params,))
        matrix, _ = self.linear_equations()
        if self.is_affine:
            return matrix
        return np.concatenate([matrix, self._curved_jacobian(row)])

    def tangent(self, theta: ArrayLike) -> Floats:
        """Return an orthonormal basis (P, dim) of the tangent space at a point (P,) of it.

        Raises
        ------
        ProblemError
            At a singular point of a curved branch, which has no tangent space.
        """
        jacobian = self.equations_jacobian(theta)
        if jacobian.shape[0] == 0:
            return np.eye(self.setting.n_params)
        _, values, right = np.linalg.svd(jacobian)
        if values[-1] <= _SINGULAR * values[0]:
            msg = (
                f"theta is a singular point of the branch {self.name}: its equations have "
                f"singular value {values[-1]:.1e}; take a generic point, such as sample(rng)"
            )
            raise ProblemError(msg)
        return np.ascontiguousarray(right[len(values) :].T)

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,): standard normal in what is free.

        Raises
        ------
        OptionError
            If `rng` is no Generator.
        """
        s, rng = self.setting, check_generator(rng)
        outgoing = rng.normal(size=(1, s.width, s.outputs))
        incoming = rng.normal(size=(1, s.width, s.incoming))
        constant = np.zeros((1, s.outputs))
        parts = self._sample(self._groups(outgoing, incoming, constant), rng)
        theta: Floats = s.join(*parts)[0]
        return theta

    def intersection(self, *others: Branch) -> Intersection | None:
        """Return what this closure shares with others, None if that is empty.

        Parameters
        ----------
        *others : Branch
            One or more branches of the same family.

        Returns
        -------
        Intersection or None
            Emptiness and dimension are exact: they come from the groups. An `AffineSubspace` if
            all branches are affine, and for some curved ones; else another set with `pieces`, the
            irreducible sets whose union it is, and `dim`, the largest of their dimensions.

        Raises
        ------
        ProblemError
            If a branch belongs to another family; and where the closures of curved branches
            differ by conditions on ranks that are not followed (``docs/intersections.md``).

        Notes
        -----
        Local Recovery, Lemma 3.5, which is wrong as printed; see ``docs/intersections.md``.
        Against elimination over the rationals in ``test_intersection.py``.
        """
        if not others:
            raise ProblemError("others=() must name a branch; give one or more to intersect with")
        for other in others:
            if not isinstance(other, Branch):
                raise ProblemError(
                    f"other={describe(other)} must be a branch; take one from `branches`"
                )
            if other.setting != self.setting or other.target is not self.target:
                raise ProblemError("other belongs to another family; take both from one `branches`")
        return self._meet([self, *others])

    def _meet(self, chosen: Sequence[Branch]) -> Intersection | None:
        """Return the intersection of branches of this family, this one among them."""
        if all(branch.is_affine for branch in chosen):
            return intersect(chosen)
        return intersect_curved(chosen)

    def separation(
        self,
        x: ArrayLike,
        theta: ArrayLike | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> Separation:
        """Return whether the loss has no imperfect zeros near this branch, for given samples.

        Parameters
        ----------
        x : (n, d) or (S, n, d) array_like
            One sample set, or a stack of S of them.
        theta : (P,) array_like, optional
            A generic point of the branch to ask about. By default the verdict is on almost every
            point, and UNDECIDED where it varies along the branch.
        rng : Generator, optional
            Chooses points and starts. They decide what is found, never whether it is true.

        Returns
        -------
        Separation
            Verdict and reason of every sample set. Apart from CODIMENSION, which holds for
            almost all samples, every verdict other than UNDECIDED is certified against rounding.

        Raises
        ------
        ShapeError, ProblemError
            If x or theta has a wrong shape, or theta is not a generic point of the branch.

        Notes
        -----
        Local Recovery, Lemma 4.2, completed between r + (r - l) D and codim by the quadratic
        forms of ``docs/separation.md``, where the case of several outputs is derived too.
        """
        from flowscape.separation.verdict import separation

        rng = generator_or_default(rng)
        return separation(self, x, theta, rng=rng)

    def linear_equations(self) -> tuple[Floats, Floats]:
        """Return the linear equations (matrix, right side); independent rows.

        All `codim` of them if the branch is affine, else all but the curved ones.
        """
        slack = [self._slack_terms(o) for o in range(self.setting.outputs)]
        return linear_equations(
            self.setting, self.target, self.blocks, self.signs, self.constant_group, slack
        )

    def _slack_terms(self, output: int) -> dict[int, float]:
        """Return what takes up a constant, as a linear function of theta."""
        return {self.setting.c_index(output): 1.0} if self.setting.output_bias else {}

    def _slack(self, rows: Floats) -> Floats:
        """Return the value of `_slack_terms`, (B, O)."""
        return self.setting.split(rows)[2]

    def _constant_point(self, rows: Floats) -> Point:
        outgoing, incoming, _ = self.setting.split(rows)
        members = list(self.blocks[0])
        return Point(outgoing[:, members], incoming[:, members], self._slack(rows))

    def _curved(self, rows: Floats) -> Floats:
        """Return the values (B, k) of the equations that are not linear."""
        if self.constant_group.is_affine:
            return np.zeros((len(rows), 0))
        return self.constant_group.residual(self._constant_point(rows))

    def _curved_jacobian(self, row: Floats) -> Floats:
        """Return the derivative (k, P) of `_curved` at one point (P,)."""
        s = self.setting
        if self.constant_group.is_affine:
            return np.zeros((0, s.n_params))
        values, slopes = self.constant_group.residual_jacobian(self._constant_point(row[None]))
        curved = np.zeros((s.outputs, s.n_params))
        for o in range(s.outputs):
            for place, k in enumerate(self.blocks[0]):
                curved[o, s.a_index(k, o)] = values[0, place]
                curved[o, s.v_index(k, s.inputs)] = slopes[0, place, o]
            for place, factor in self._slack_terms(o).items():
                curved[o, place] = factor
        return curved

    def _groups(
        self, outgoing: Floats, incoming: Floats, constant: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Project the labelled and free groups in place."""
        m0 = len(self.shape.labelled)
        eps = np.array(self.signs, dtype=np.float64)
        pull = self.setting.pull(eps)
        for label, block in enumerate(self.blocks[1:]):
            k = list(block)
            if label < m0:
                weight, vector = self.target.outgoing[label], self.target.incoming[label]
                parts = outgoing[:, k], incoming[:, k], eps[k], pull[k]
                new = project_labelled(*parts, weight, vector)
            else:
                new = project_free(outgoing[:, k], incoming[:, k], eps[k], pull[k])
            outgoing[:, k], incoming[:, k] = new
        return outgoing, incoming, constant

    def _project(self, rows: Floats) -> Floats:
        return self.setting.join(*self._complete(self._groups(*self.setting.split(rows))))

    def _complete(self, parts: Parts) -> Parts:
        """Return the nearest points that obey all equations, given those of the groups."""
        outgoing, incoming, constant = parts
        k = list(self.blocks[0])
        point = self.constant_group.project(Point(outgoing[:, k], incoming[:, k], constant))
        outgoing[:, k], incoming[:, k] = point.outgoing, point.incoming
        return outgoing, incoming, point.constant

    def _sample(self, parts: Parts, rng: np.random.Generator) -> Parts:
        """Return a random member, given a point that obeys the equations of the groups."""
        outgoing, incoming, _ = parts
        k = list(self.blocks[0])
        point = self.constant_group.sample(rng, len(k))
        outgoing[:, k], incoming[:, k] = point.outgoing, point.incoming
        return outgoing, incoming, point.constant


def _rows(theta: ArrayLike, n_params: int) -> tuple[Floats, bool]:
    array = float_array("theta", theta, (n_params,), ("B", n_params))
    return np.atleast_2d(array), array.ndim == 2
