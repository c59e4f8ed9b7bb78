"""The sequence of all branches of an odd plus constant or even plus linear activation."""

from __future__ import annotations

from functools import cached_property
from itertools import product

from numpy.typing import ArrayLike

from flowscape.branches.branch import Branch
from flowscape.branches.coupled.branch import CoupledBranch
from flowscape.branches.coupled.rules import Rules, rules_of
from flowscape.branches.coupled.shapes import count_coupled, coupled_shapes
from flowscape.branches.family import Branches
from flowscape.branches.location.locate import Family, Location, locate
from flowscape.branches.shapes import Shape
from flowscape.errors import ProblemError, check_count

__all__ = ["CoupledBranches"]


class CoupledBranches(Branches):
    """All branches of a coupled family; as `Branches`, proofs in ``docs/families.md``.

    Orbits are those of permutations of the neurons. (Odd plus constant with an output bias: of
    sign flips too, with the output bias taking up what they add.)
    """

    branch_type: type[Branch] = CoupledBranch

    @cached_property
    def _rules(self) -> Rules:
        return rules_of(self.setting, self.target)

    def _why_empty(self) -> str:
        s, target = self.setting, self.target
        if s.width < target.m0 or not s.coupled:
            return super()._why_empty()
        hopeless = target.has_constant and not (s.output_bias or s.bias)
        if s.slope and hopeless:
            return super()._why_empty()
        if next(coupled_shapes(self._rules, target.m0), None) is None:
            what = "linear part" if s.slope else "constant part"
            return (
                f"width={s.width} is too small: the {target.m0} neurons that the target needs do "
                f"not make its {what}, with any signs; give the student another neuron"
            )
        return ""

    @property
    def _least_width(self) -> int:
        return self.target.m0

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The orbits, without their sets."""
        if self.message or not self.setting.coupled:
            return super().shapes
        return tuple(coupled_shapes(self._rules, self.target.m0))

    def count(self, r: int | None = None, l: int | None = None) -> int:  # noqa: E741
        """Return the exact number of branches; as `Branches.count`."""
        if self.message or not self.setting.coupled:
            return super().count(r, l)
        if r is not None:
            r = check_count("r", r, "give a number of groups", minimum=0)
        if l is not None:
            l = check_count("l", l, "give a deficient number", minimum=0)  # noqa: E741
        return count_coupled(self._rules, self.target.m0, r, l)

    @property
    def optimistic_size(self) -> int:
        """Smallest sample size at which a network of the target's own width is determined.

        As `Branches.optimistic_size`. Refused where a network of that width is not the target
        without mixed groups: the neurons that make the constant or linear part are a choice.
        """
        s, m0 = self.setting, self.target.m0
        if not s.coupled or s.outputs > 1:
            return super().optimistic_size
        patterns = list(product((1, -1), repeat=m0))
        size = (s.incoming + 1) * m0 + int(s.output_bias)
        if any(self._rules.pieces(pattern, 0, 0) for pattern in patterns):
            return size
        if s.bias and any(self._rules.pieces(pattern, 0, 1) for pattern in patterns):
            return size + s.inputs + 1
        raise ProblemError(
            "the target is not a network of its own width with this student's biases, so its "
            "optimistic sample size is not known"
        )

    def locate(
        self, theta: ArrayLike, tol: float = 1e-6, *, margin: float = 0.1, near_only: bool = False
    ) -> Location:
        """Return the branch that each point is on; as `Branches.locate`.

        Where closures meet that have groups with both signs the answer is `ambiguous`.
        """
        self._check_search()
        parts = self.setting, self.target, self.shapes, self.ends
        family = Family(*parts, branch_at=self._branch)
        return locate(family, theta, tol, margin=margin, near_only=near_only)
