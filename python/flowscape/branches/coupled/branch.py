"""A branch whose groups are coupled: odd plus a constant, even plus a linear function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.constant_group import ConstantGroup
from flowscape.branches.coupled.coupling import Coupling, LevelCoupling, Member, Parts
from flowscape.branches.coupled.intersection import intersect_linear
from flowscape.branches.coupled.linear import LinearCoupling
from flowscape.branches.equations import linear_equations
from flowscape.branches.intersections.kinds import Intersection
from flowscape.branches.shapes import Shape
from flowscape.errors import ProblemError

Floats = NDArray[np.float64]


def coupling_of(member: Member) -> Coupling:
    """Return what couples the groups of a branch."""
    return LinearCoupling(member) if member.setting.slope else LevelCoupling(member)


@dataclass(frozen=True, eq=False, repr=False)
class CoupledBranch(Branch):
    """One component of Q* of a coupled family; as `Branch`, proofs in ``docs/families.md``.

    A component of an even plus linear family need not be connected: with one mixed free group its
    weight q is positive or negative.
    """

    shape: Shape

    @cached_property
    def coupling(self) -> Coupling:
        """The equations beyond those of the labelled and free groups."""
        return coupling_of(
            Member(self.setting, self.target, self.shape, self.blocks, self.signs, self.variant)
        )

    @property
    def name(self) -> str:
        """As `Branch.name`, and ``ranks 1, 2`` where components of one stratum differ in them."""
        ranks = self.shape.ranks
        return super().name + (f" ranks {ranks[0]}, {ranks[1]}" if ranks else "")

    @property
    def constant_group(self) -> ConstantGroup:
        """The constant group; of no neurons where there is none."""
        return self.coupling.constant_group

    @property
    def codim(self) -> int:
        """Number of independent equations."""
        return self._grouped_codim + self.coupling.codim

    @property
    def is_affine(self) -> bool:
        """Whether the closure is an affine subspace."""
        return self.coupling.is_affine

    @property
    def generic_rank(self) -> int | None:
        """As `Branch.generic_rank`; 1, or all of x and 1, are features of a mixed group."""
        rank = super().generic_rank
        if rank is None or not self.coupling.member.mixed:
            return rank
        return rank + (self.setting.incoming if self.setting.slope else 1)

    def _meet(self, chosen: Sequence[Branch]) -> Intersection | None:
        if not self.setting.slope:
            return super()._meet(chosen)
        if self.setting.outputs > 1:
            raise ProblemError(
                f"the intersection of {self.name} with others is not known for "
                f"outputs={self.setting.outputs}: what pairs of neurons make is a matrix, and "
                "closures differ by ranks; use `contains` for single points"
            )
        couplings = []
        for branch in chosen:
            assert isinstance(branch, CoupledBranch)
            assert isinstance(branch.coupling, LinearCoupling)
            couplings.append(branch.coupling)
        return intersect_linear(chosen, couplings)

    def linear_equations(self) -> tuple[Floats, Floats]:
        """Return the linear equations (matrix, right side); independent rows.

        All `codim` of them if the branch is affine, else all but the curved ones.
        """
        return linear_equations(
            self.setting,
            self.target,
            self.blocks,
            self.signs,
            self.constant_group,
            [self.coupling.slack_terms(o) for o in range(self.setting.outputs)],
            self.coupling.linear_rows(),
        )

    def _curved(self, rows: Floats) -> Floats:
        constant = super()._curved(rows)
        return np.concatenate([constant, self.coupling.residual(self.setting.split(rows))], axis=1)

    def _curved_jacobian(self, row: Floats) -> Floats:
        constant = super()._curved_jacobian(row)
        return np.concatenate([constant, self.coupling.jacobian(self.setting.split(row[None]))])

    def _slack(self, rows: Floats) -> Floats:
        result = np.zeros((len(rows), self.setting.outputs))
        for o in range(self.setting.outputs):
            for place, factor in self._slack_terms(o).items():
                result[:, o] += factor * rows[:, place]
        return result

    def _slack_terms(self, output: int) -> dict[int, float]:
        return dict(self.coupling.slack_terms(output))

    def _complete(self, parts: Parts) -> Parts:
        return self.coupling.project(parts)

    def _sample(self, parts: Parts, rng: np.random.Generator) -> Parts:
        return self.coupling.sample(parts, rng)
