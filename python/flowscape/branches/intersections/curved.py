"""Where closures meet of which some are curved by a constant group; ``docs/intersections.md``.

All neurons with zero input weight together obey one equation for the constant, whichever branches
they come from. So the linear equations and this one are all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.intersections.affine import intersect
from flowscape.branches.intersections.curved_subspace import CurvedSubspace
from flowscape.branches.intersections.group_equations import GroupEquations, eliminate
from flowscape.branches.intersections.signed_union import ZERO, SignedUnion, join_incoming
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.parts import BranchParts
from flowscape.branches.shapes import CURVED, SHEET, ZEROS
from flowscape.errors import ProblemError
from flowscape.problem.activation import Activation
from flowscape.problem.term import Term
from flowscape.problem.zeros import zeros

__all__ = ["bias_intervals", "intersect_curved"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-12


def intersect_curved(branches: Sequence[BranchParts]) -> AffineSubspace | CurvedSubspace | None:
    """Return the intersection of branches of one family with hidden biases, None if it is empty.

    Curved ones may be among them, but not of an activation that is even plus a linear function.
    An affine one makes it affine.

    Raises
    ------
    ProblemError
        Where the solutions of the constant's equation are not known to be limits of every branch:
        several outputs, no output bias, and biases at which it does not fix the outgoing weights.
    """
    weights, biases = join_incoming(branches, bias=False), join_incoming(branches, bias=True)
    if not (weights.consistent and biases.consistent):
        return None
    intervals = bias_intervals(branches, biases)
    if intervals is None:
        return None
    if any(branch.is_affine for branch in branches):
        kinds = {branch.shape.constant.kind for branch in branches}
        if branches[0].setting.outputs > 1 and {ZEROS, CURVED} <= kinds:
            raise _refusal(branches)
        return intersect(branches)
    return _Constant(branches, weights, biases).subspace(intervals)


class _Constant:
    """The equation of the constant beside the linear ones."""

    def __init__(
        self, branches: Sequence[BranchParts], weights: SignedUnion, biases: SignedUnion
    ) -> None:
        self.branches, self.weights, self.biases = branches, weights, biases
        self.setting, self.target = branches[0].setting, branches[0].target
        self.groups = GroupEquations(branches)
        s = self.setting
        self.flat = tuple(k for k in range(s.width) if self._is_flat(k))

    def _is_flat(self, k: int) -> bool:
        return self.weights.value.get(self.weights.find(k)[0]) == ZERO

    def _rows(self) -> list[dict[int, int]]:
        """Return what the equation adds up, for every factor that biases may give it.

        First what is always there: the output bias, and level times all weights. Then, for every
        bias that neurons with w = 0 share, the sum of eps_k a_k.
        """
        s = self.setting
        first = {s.width: 1} if s.output_bias else {}
        if s.level:
            first |= dict.fromkeys(range(s.width), 1)
        classes: dict[int, dict[int, int]] = {}
        for k in self.flat:
            root, sign = self.biases.find(k)
            if self.biases.value.get(root) != ZERO or not self._is_zero_at_centre:
                classes.setdefault(root, {})[k] = int(s.pull(sign))
        return [first, *classes.values()]

    @cached_property
    def _is_zero_at_centre(self) -> bool:
        """Whether a bias that is its own mirror image adds nothing but the level."""
        s = self.setting
        if not s.signed or not s.even:
            return s.signed
        return abs(float(s.sigma(np.array([s.centre]))[0][0])) <= _ROUNDING

    def _depends(self, rows: list[dict[int, int]], beside: list[dict[int, int]]) -> bool:
        """Return whether all rows are combinations of the groups' equations and some others."""
        edges = self.groups.edges
        given = [*self.groups.rows, *beside]
        plain = [[row.get(edge, 0) for edge in range(edges)] for row in given]
        more = [[row.get(edge, 0) for edge in range(edges)] for row in rows]
        before = eliminate([list(row) for row in plain], edges)
        return eliminate([list(row) for row in (*plain, *more)], edges) == before

    def _is_solved(self) -> bool:
        """Return whether the equation, fixed by those of the groups, holds."""
        s = self.setting
        if not s.level:
            return not self.target.has_constant
        self.groups.rows.append(dict.fromkeys(range(s.width), 1))
        self.groups.rights.append((0, "constant"))
        return self.groups.rank() is not None

    def subspace(
        self, intervals: tuple[tuple[int, float, float], ...]
    ) -> AffineSubspace | CurvedSubspace | None:
        s, target = self.setting, self.target
        rank = self.groups.rank()
        if rank is None:
            return None
        edges = s.width + int(s.output_bias)
        dim = s.inputs * self.weights.n_free + self.biases.n_free + s.outputs * (edges - rank)
        pairs = [branch.linear_equations() for branch in self.branches]
        matrix = np.concatenate([matrix for matrix, _ in pairs])
        linear = AffineSubspace(matrix, np.concatenate([right for _, right in pairs]), dim)
        rows = self._rows()
        if self._depends(rows, []):
            return linear if self._is_solved() else None
        fixed = self._depends(rows[:1], rows[1:]) and not (target.has_constant and not s.level)
        if s.outputs > 1 and not s.output_bias and fixed:
            raise _refusal(self.branches)
        whole = CurvedSubspace(s, linear, self.flat, target.constant, dim - s.outputs, intervals)
        return replace(whole, parts=self._pieces(whole, rows))

    def _pieces(
        self, whole: CurvedSubspace, rows: list[dict[int, int]]
    ) -> tuple[AffineSubspace | CurvedSubspace, ...]:
        """Return the pieces if the equation is A g(beta) = C, one A and one free beta."""
        moving = [row for row in rows[1:] if not self._depends([row], [])]
        if len(moving) != 1 or whole.intervals or not self._depends(rows[:1], rows[1:]):
            return ()
        (row,), s = moving, self.setting
        k = next(iter(row))
        root, sign = self.biases.find(k)
        if root in self.biases.value:
            return ()
        factor = self._level_factor(rows[0], row)
        roots = [z - s.centre for z in self._zeros(factor)]
        if self._rest(whole, row, factor):
            ends = (-np.inf, *roots, np.inf)
            found = [sorted((sign * low, sign * high)) for low, high in pairwise(ends)]
            sheets = [((k, low + s.centre, high + s.centre),) for low, high in found]
            return tuple(replace(whole, intervals=sheet) for sheet in sheets) if roots else ()
        linear, p = whole.linear, s.n_params
        nothing, at = np.zeros((s.outputs, p)), np.zeros((1, p))
        for edge, value in row.items():
            nothing[np.arange(s.outputs), [s.a_index(edge, o) for o in range(s.outputs)]] = value
        at[0, s.v_index(k, s.inputs)] = 1.0
        more = [(nothing, np.zeros(s.outputs))]
        more += [(at, np.array([s.centre + sign * z])) for z in roots]
        return tuple(
            AffineSubspace(
                np.concatenate([linear.matrix, matrix]),
                np.concatenate([linear.right, right]),
                whole.dim,
            )
            for matrix, right in more
        )

    def _level_factor(self, first: dict[int, int], row: dict[int, int]) -> float:
        """Return gamma: on the linear set the sum of all weights is gamma A and a constant.

        1 without level, where the equation says A sigma(beta) = C; with it g = tau + gamma kappa.
        """
        if not self.setting.level:
            return 1.0
        edges = self.groups.edges
        every = [*self.groups.rows, row]
        plain = np.array([[one.get(edge, 0) for edge in range(edges)] for one in every])
        wanted = np.array([first.get(edge, 0) for edge in range(edges)])
        gamma = float(np.linalg.lstsq(plain.T, wanted, rcond=None)[0][-1])
        return round(gamma) if abs(gamma - round(gamma)) <= _ROUNDING * len(every) else gamma

    def _zeros(self, factor: float) -> tuple[float, ...]:
        """Return the zeros of g, not centred."""
        s = self.setting
        if factor == 1.0:
            return s.zeros
        shift = Term("const", (factor - 1.0) * s.level)
        found = zeros(Activation((*s.activation.terms, shift)))
        if not found.complete or found.intervals:
            names = ", ".join(branch.name for branch in self.branches)
            raise ProblemError(
                f"the intersection of {names} is a curve A (tau(b) + {factor:.3g} kappa) = C, "
                f"whose pieces are not known: {found.note}; intersect fewer branches"
            )
        return found.points

    def _rest(self, whole: CurvedSubspace, row: dict[int, int], factor: float) -> bool:
        """Return whether C is not 0, for A g(beta) = C."""
        s, target = self.setting, self.target
        if not s.level:
            return target.has_constant
        outgoing = s.split(whole.linear.point[None])[0][0]
        weights = s.level * np.abs(np.concatenate([outgoing, target.outgoing])).sum()
        moved = sum(value * outgoing[edge] for edge, value in row.items())
        rest = target.constant - s.level * (outgoing.sum(axis=0) - factor * moved)
        return bool(np.linalg.norm(rest) > _ROUNDING * (weights + np.abs(target.constant).sum()))


def _refusal(branches: Sequence[BranchParts]) -> ProblemError:
    names = ", ".join(branch.name for branch in branches)
    return ProblemError(
        f"the intersection of {names} with outputs={branches[0].setting.outputs} is not known: "
        "where all sigma(b_k) vanish sum a_k sigma(b_k) does not fix the outgoing weights, and "
        "such points are limits of a branch only by a condition on ranks; use `distance` of each"
    )


def bias_intervals(
    branches: Sequence[BranchParts], biases: SignedUnion
) -> tuple[tuple[int, float, float], ...] | None:
    """Return the intervals of biases, not centred, None if they exclude each other."""
    setting = branches[0].setting
    found: dict[int, tuple[int, int, float, float]] = {}
    for branch in branches:
        if branch.shape.constant.kind != SHEET:
            continue
        (k,) = branch.blocks[0]
        root, sign = biases.find(k)
        low, high = sorted(sign * (end - setting.centre) for end in branch.variant)
        known = found.get(root, (k, sign, -np.inf, np.inf))
        found[root] = (*known[:2], max(low, known[2]), min(high, known[3]))
    result = []
    for root, (k, sign, low, high) in found.items():
        value = biases.value.get(root)
        at = None if value is None else 0.0 if value == ZERO else value[0]
        if low >= high or (at is not None and not low < at < high):
            return None
        ends = sorted(sign * end + setting.centre for end in (low, high))
        result.append((k, ends[0], ends[1]))
    return tuple(result)
