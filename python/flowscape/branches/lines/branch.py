"""One component of Q* of a positively homogeneous student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.intersections.kinds import Intersection
from flowscape.branches.lines.equations import LineEquations
from flowscape.branches.lines.intersection import intersect_lines
from flowscape.branches.lines.output_rank import rank_of_outputs
from flowscape.branches.lines.shapes import LineShape
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.strata import solutions
from flowscape.errors import ProblemError, float_array
from flowscape.problem.streams import check_generator

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LineBranch(Branch):
    """The closure of the networks with one way to put neurons on lines, and on their two sides.

    Attributes as in `Branch`: `target` has the unit vectors of the lines as incoming vectors and
    the sums of a_k |w_k| as outgoing weights; a sign -1 marks a neuron with w_k against the line.
    The constant group are the silent neurons. In addition

    Attributes
    ----------
    lines : LineTarget
        The target's lines and its linear part.
    """

    lines: LineTarget

    @cached_property
    def _system(self) -> LineEquations:
        plain = replace(self.setting, centre=0.0)
        silent = self._shape.silent > 0
        ranks = self._shape.ranks
        return LineEquations(plain, self.lines, self.blocks, self.signs, silent, ranks)

    @cached_property
    def _centre(self) -> Floats:
        """Where the biases are counted from, (P,)."""
        s = self.setting
        outgoing = np.zeros((1, s.width, s.outputs))
        constant = np.zeros((1, s.outputs))
        return s.join(outgoing, np.zeros((1, s.width, s.incoming)), constant)[0]

    @property
    def name(self) -> str:
        """As `Branch.name`, and ``ranks 1, 2`` where components of one stratum differ in them."""
        ranks = self._shape.ranks
        return super().name + (f" ranks {ranks[0]}, {ranks[1]}" if ranks else "")

    @property
    def codim(self) -> int:
        """Number of independent equations at a generic point.

        r O + (m + m0 - r)(D - 1), and, if sigma has a linear part, O D more where a free line has
        neurons on both sides, else O times the rank of the target's lines that have; constants
        count as such a line. With several outputs (O - i)(E - k) of the O D follow from others,
        (i, k) the ranks and E = D minus the rank of those lines.
        """
        return self._system.codim()

    @property
    def generic_rank(self) -> int | None:
        """Rank of the derivative of the function at generic points; None where not stated.

        For D >= 2 and one output: r + (r - l)(D - 1), and D more if sigma has a linear part and a
        group has both sides, or a neuron is a constant that is not 0; else 1 more for an output
        bias. For several outputs: from the spans of outgoing weights at a random member. Samples
        see less of it where they are few between kinks.
        """
        s, d = self.setting, self.setting.incoming
        if self._shape.silent or d == 1:
            return None
        if s.outputs > 1:
            return rank_of_outputs(self._system, self.sample(np.random.default_rng(0)))
        mixed = 0 in self._shape.pattern or self._shape.mixed_free > 0
        tilted = (self.lines.linear is not None and mixed) or bool(self._system.constants)
        level = int(s.output_bias and not (tilted and s.bias))
        return self.r + (self.r - self.l) * (d - 1) + d * int(tilted) + level

    @property
    def shares_incoming(self) -> bool:
        """False: a group shares a line."""
        return False

    @property
    def is_affine(self) -> bool:
        """Whether the closure is an affine subspace: all neurons silent, or all with a = 0."""
        if self.blocks[0]:
            return self._shape.silent > 0
        return not self.shape.labelled and self.l == self.r

    @property
    def separation_size(self) -> Never:
        """Not known: always a ProblemError."""
        raise ProblemError(
            f"the branch {self.name} has no separation size: the theorem needs an analytic "
            "activation, and this one has a kink"
        )

    @property
    def multiplicity(self) -> Never:
        """Not defined: always a ProblemError."""
        raise ProblemError(
            f"the branch {self.name} is outside Local Recovery, Definition 3.3, so it has no "
            "multiplicity; take a branch of a generic activation without constant group"
        )

    def equations(self, theta: ArrayLike) -> Floats:
        """Return the left sides minus right sides of the `codim` equations.

        They do not say on which side of its line a neuron is; `distance` and `contains` do.
        """
        p = self.setting.n_params
        rows = float_array("theta", theta, (p,), ("B", p))
        values = [self._system.system(row)[0] for row in np.atleast_2d(rows) - self._centre]
        result = np.array(values).reshape(-1, self.codim)
        return result if rows.ndim == 2 else result[0]

    def equations_jacobian(self, theta: ArrayLike) -> Floats:
        """Return the derivative (codim, P) of `equations` at one point (P,)."""
        row = float_array("theta", theta, (self.setting.n_params,))
        return self._system.system(row - self._centre)[1]

    def linear_equations(self) -> tuple[Floats, Floats]:
        """Return the equations (matrix, right side) of an affine branch.

        Raises
        ------
        ProblemError
            If the branch is curved.
        """
        self.check_affine()
        values, matrix = self._system.system(np.zeros(self.setting.n_params))
        return matrix, matrix @ self._centre - values

    def project(self, theta: ArrayLike) -> Floats:
        """Return the nearest point of the closure that a local search finds.

        A member, and the nearest one if `theta` is near the set; NaN where the search finds none.
        """
        return super().project(theta)

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the distance to `project`: an upper bound, exact near generic points.

        Infinity for rows that are not finite, and where the search finds no member.
        """
        found = np.asarray(super().distance(theta))
        return np.where(np.isnan(found), np.inf, found)[()]

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,): lines, weights and lengths of the v_k are random.

        Silent neurons get a_k of one sign; with both signs they are on other branches, too.
        """
        s, system, rng = self.setting, self._system, check_generator(rng)
        a, v = rng.normal(size=(s.width, s.outputs)), np.zeros((s.width, s.incoming))
        lengths, signs = np.exp(rng.normal(scale=0.5, size=s.width)), np.array(self.signs)
        tilts, vectors, level = self._linear_part(rng)
        for label, block in enumerate(system.labelled):
            line, total = self.lines.lines[label], self.lines.weights[label]
            self._fill(rng, a, v, block, line, total, tilts.get(label), lengths)
        for block in system.free:
            if block in vectors:
                tilt, line = vectors[block]
                if rng.random() < 0.5:
                    line, tilt = -line, -tilt
            else:
                line, tilt = _unit(rng, s.incoming), None
            self._fill(rng, a, v, block, line, np.zeros(s.outputs), tilt, lengths)
        if self._shape.silent:
            a = np.abs(a) if rng.random() < 0.5 else -np.abs(a)  # 0 is no mean of them
        else:
            still = list(self.blocks[0])
            v[still, -1] = lengths[still]
        if system.free_level:
            level = self._fill_constants(a, lengths, level / self.lines.per_constant)
        v *= signs[:, None]
        constant = level if s.output_bias else np.zeros(s.outputs)
        return s.join(a[None], v[None], constant[None])[0]

    def _fill_constants(self, a: Floats, lengths: Floats, level: Floats) -> Floats:
        """Let the constant neurons make `level`, if they must; return what is left of it."""
        block = list(self._system.constants)
        gains = np.array([self._system.gain(k) for k in block])
        values = gains * lengths[block]
        if self.lines.level_free:
            return np.asarray(level - values @ a[block])
        a[block] += np.outer(values / (values @ values), level - values @ a[block])
        return np.zeros_like(level)

    def _linear_part(
        self, rng: np.random.Generator
    ) -> tuple[dict[int, Floats], dict[tuple[int, ...], tuple[Floats, Floats]], Floats]:
        """Return s_t of the mixed labelled groups, (s_j, u_j) of the mixed free ones, the constant.

        They are random as far as the linear condition leaves them free. The constant is in units
        of its last column.
        """
        system, found = self._system, self._system.stratum
        mixed = [t for t, side in enumerate(self._shape.pattern) if side == 0]
        size = max(self.lines.size, 1.0)
        blocks = system.mixed_free
        if found is None:
            return {}, {}, self.lines.constant
        left = found.left
        parts: dict[tuple[int, ...], tuple[Floats, Floats]] = {}
        if blocks:
            tilts, lines = self._random_pairs(rng, size)
            left = left - lines.T @ tilts
            for block, tilt, line in zip(blocks, tilts, lines, strict=True):
                length = float(np.linalg.norm(line))
                parts[block] = tilt * length, line / length
        space = solutions(found.span, left, np.inf)
        assert space is not None
        wild = size * rng.normal(size=(space.directions.shape[1], self.setting.outputs))
        s = space.point + space.directions @ wild
        level = s[-1] if found.free_level else self.lines.constant
        return dict(zip(mixed, s, strict=False)), parts, level

    def _random_pairs(self, rng: np.random.Generator, size: float) -> tuple[Floats, Floats]:
        """Return s_j (J, O) and u_j (J, D), not normed, that solve the condition off the span."""
        system, found = self._system, self._system.stratum
        assert found is not None
        k, free, rest = system.pair_ranks[1], len(system.mixed_free), len(found.off)
        rank, unit = found.off_rank, np.eye(rest)
        more = np.linalg.qr(rng.normal(size=(rest - rank, k - rank)))[0].T @ unit[rank:]
        left, _, right = np.linalg.svd(rng.normal(size=(free, k)), full_matrices=False)
        factors = left * np.exp(rng.normal(scale=0.5, size=k)) @ right  # of moderate inverse
        across = factors @ np.concatenate([unit[:rank], more])
        inverse = np.linalg.pinv(across.T, rcond=1e-9)
        wild = size * rng.normal(size=(free, self.setting.outputs))
        tilts = inverse @ (found.off @ found.left) + wild - inverse @ (across.T @ wild)
        lines = across @ found.off + rng.normal(size=(free, found.rank)) @ found.basis
        return tilts, lines

    @property
    def _shape(self) -> LineShape:
        assert isinstance(self.shape, LineShape)
        return self.shape

    def _fill(
        self,
        rng: np.random.Generator,
        a: Floats,
        v: Floats,
        block: tuple[int, ...],
        line: Floats,
        total: Floats,
        tilt: Floats | None,
        lengths: Floats,
    ) -> None:
        """Put a group on a line, before signs: sum p = total and, if given, sum eps p = tilt."""
        k = np.array(block)
        p = rng.normal(size=(len(k), len(total)))
        side = np.array([self.signs[i] for i in block])
        if tilt is None:
            p += (total - p.sum(axis=0)) / len(k)
        else:
            for sign in (1, -1):
                part = side == sign
                gap = 0.5 * (total + sign * tilt) - p[part].sum(axis=0)
                p[part] += gap / part.sum()
        a[k] = p / lengths[k, None]
        v[k] = lengths[k, None] * line

    def _meet(self, chosen: Sequence[Branch]) -> Intersection | None:
        if self.setting.outputs > 1:
            raise ProblemError(
                f"the intersection of {self.name} with others is not known for "
                f"outputs={self.setting.outputs}: it needs conditions on ranks; use one output, or "
                "`contains` for single points"
            )
        systems = [branch._system for branch in chosen if isinstance(branch, LineBranch)]
        return intersect_lines(chosen, systems, self._centre)

    def _project(self, rows: Floats) -> Floats:
        sizes = np.abs(rows) + np.abs(self._centre)
        pairs = zip(rows - self._centre, sizes, strict=True)
        found = [self._system.nearest(row, size) for row, size in pairs]
        nothing = np.full(self.setting.n_params, np.nan)
        members = [nothing if row is None else row for row in found]
        return np.array(members).reshape(rows.shape) + self._centre


def _unit(rng: np.random.Generator, d: int) -> Floats:
    vector = rng.normal(size=d)
    return np.asarray(vector / np.linalg.norm(vector))
