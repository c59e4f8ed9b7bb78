"""What curved branches share: linear equations, and one for the constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.groups import squared_norm
from flowscape.branches.intersections.around import Around, sizes
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.location.least_distance import nearest
from flowscape.branches.setting import Setting
from flowscape.errors import InternalError, check_positive, float_array

__all__ = ["CurvedSubspace"]

Floats = NDArray[np.float64]

_TRIES = 1000
_LEAST = 1e-3  # squared slope of a member that is sampled
_ON = 1e-9


@dataclass(frozen=True)
class CurvedSubspace:
    """The points that several curved branches share.

    They obey linear equations and c + sum a_k sigma(b_k) + sum f_j a_j = constant, k the neurons
    with zero input weight, j the others, f_j = level or given by `others`.

    Attributes
    ----------
    setting : Setting
        The student.
    linear : AffineSubspace
        The linear equations.
    flat : tuple of int
        k.
    constant : (O,) ndarray
        The right side.
    dim : int
        Exact, from the groups.
    intervals : tuple of (int, float, float)
        Neurons whose bias is between two zeros of sigma.
    parts : tuple of AffineSubspace or CurvedSubspace
        Its irreducible pieces where it has several, or an affine one; else empty.
    others : tuple of float
        For every neuron what stands in the equation in place of `level`; empty: `level`.
    """

    setting: Setting
    linear: AffineSubspace
    flat: tuple[int, ...]
    constant: Floats
    dim: int
    intervals: tuple[tuple[int, float, float], ...] = ()
    parts: tuple[AffineSubspace | CurvedSubspace, ...] = ()
    others: tuple[float, ...] = ()

    @property
    def pieces(self) -> tuple[AffineSubspace | CurvedSubspace, ...]:
        """Irreducible pieces, all of this dimension, whose union it is.

        Several only where the equation is a g(b) = C with one bias: for C = 0 it is a = 0 or a zero
        of g, else b is between two zeros (``docs/intersections.md``).
        """
        return self.parts or (self,)

    @property
    def codim(self) -> int:
        """Number of independent equations."""
        return self.setting.n_params - self.dim

    @property
    def n_weights(self) -> None:
        """None, as neurons of a constant group take part; see `AffineSubspace`."""
        return

    def equations(self, theta: ArrayLike) -> Floats:
        """Return left minus right sides of all equations, redundant linear ones included."""
        p = self.setting.n_params
        rows = float_array("theta", theta, (p,), ("B", p))
        many = np.atleast_2d(rows)
        linear = many @ self.linear.matrix.T - self.linear.right
        result = np.concatenate([linear, self.level(many)[0]], axis=1)
        return result if rows.ndim == 2 else result[0]

    def project(self, theta: ArrayLike) -> Floats:
        """Return the points that a local search finds, NaN where it finds none.

        Members, and the nearest ones if `theta` is near the set.
        """
        p = self.setting.n_params
        rows = float_array("theta", theta, (p,), ("B", p))
        many = np.atleast_2d(rows)
        start = self._inside(self.linear.project(many))
        around = Around(self, start, sizes(many))
        z = nearest(around, np.zeros((len(many), self.linear.dim)))
        found = self._members(start + z @ self.linear.basis.T)
        return found if rows.ndim == 2 else np.asarray(found[0])

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the distance to `project`, an upper bound; infinity where that finds none."""
        rows = float_array("theta", theta)
        gap = np.atleast_2d(self.project(rows) - rows)
        found = np.sqrt(squared_norm(gap))
        found = np.where(np.isnan(found), np.inf, found)
        return np.asarray(found if rows.ndim == 2 else found[0])

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,)."""
        for _ in range(_TRIES):
            row = self._inside(self.linear.sample(rng)[None])
            step = self._outgoing_step(row)
            if step is not None:
                return np.asarray((row + step)[0])
        raise InternalError("no member of an intersection was found")

    def _outgoing_step(self, row: Floats) -> Floats | None:
        """Return the shortest step (1, P) of (a, c) to the set at fixed vectors, if it is moderate.

        The equation is linear in (a, c), and no linear one mixes these with incoming vectors.
        """
        s, basis = self.setting, self.linear.basis
        values, slopes = self.level(row)
        rows = slopes[0].copy()
        for k in range(s.width):
            rows[:, s.v_index(k, 0) : s.v_index(k, 0) + s.incoming] = 0.0
        along = rows @ basis @ basis.T
        gram = along @ along.T
        if np.linalg.eigvalsh(gram)[0] < _LEAST:
            return None
        return np.asarray(-np.linalg.solve(gram, values[0]) @ along)[None]

    def _members(self, rows: Floats) -> Floats:
        """Return rows, NaN where they are not on the set."""
        good = np.abs(self.level(rows)[0]).max(axis=1) <= _ON * sizes(rows) ** 2
        for k, low, high in self.intervals:
            b = rows[:, self.setting.v_index(k, self.setting.inputs)]
            good &= (b > low) & (b < high)
        return np.where(good[:, None], rows, np.nan)

    def _inside(self, rows: Floats) -> Floats:
        """Return points of the linear set with their biases in the intervals."""
        rows = rows.copy()
        for k, low, high in self.intervals:
            place = self.setting.v_index(k, self.setting.inputs)
            row = self.linear.basis[place]
            b, width = rows[:, place], min(1.0, high - low)
            wanted = np.where(
                b <= low, low + 0.5 * width, np.where(b >= high, high - 0.5 * width, b)
            )
            if row.any():
                rows += np.outer(wanted - b, row / (row @ row)) @ self.linear.basis.T
        return rows

    def level(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the equation of the constant (B, O) and its derivative (B, O, P)."""
        s = self.setting
        outgoing, incoming, constant = s.split(rows)
        values, slopes = s.sigma(incoming[:, :, -1] + s.centre)
        flat = np.isin(np.arange(s.width), self.flat)
        others = np.array(self.others) if self.others else np.full(s.width, s.level)
        factors = np.where(flat, values, others)
        total = np.einsum("bko,bk->bo", outgoing, factors) + constant - self.constant
        derivative = np.zeros((len(rows), s.outputs, s.n_params))
        for o in range(s.outputs):
            for k in range(s.width):
                derivative[:, o, s.a_index(k, o)] = factors[:, k]
                if flat[k]:
                    slope = outgoing[:, k, o] * slopes[:, k]
                    derivative[:, o, s.v_index(k, s.inputs)] = slope
            if s.output_bias:
                derivative[:, o, s.c_index(o)] = 1.0
        return total, derivative
