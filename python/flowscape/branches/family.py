"""The lazy sequence of all branches of a target, and the search for the one a point is on."""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, product
from typing import overload

from numpy.typing import ArrayLike

from flowscape.branches.branch import Branch
from flowscape.branches.location.locate import Family, Location, locate
from flowscape.branches.meeting import member
from flowscape.branches.partitions import Blocks
from flowscape.branches.reduce import Reduced
from flowscape.branches.relations import setting_of
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import Shape, count_sets, shapes
from flowscape.branches.target import target_of
from flowscape.errors import ProblemError, check_count, describe
from flowscape.problem.network import TwoLayer, check_network
from flowscape.problem.teacher import Teacher

__all__ = ["MOST_SETS", "Branches", "Orbit", "check_family"]

MOST_SETS: int = 10**9
"""Largest number of branches that is searched or listed."""


@dataclass(frozen=True)
class Orbit:
    """Branches that permutations of the neurons and sign flips map to each other.

    Attributes
    ----------
    representative : Branch
        The first of them.
    sets : int
        How many there are.
    """

    representative: Branch
    sets: int


class Branches(Sequence[Branch]):
    """All branches of a target, in the order of their orbits.

    Nothing is listed before it is asked for: ``fam[i]`` is computed from i. The length is
    exact in `count`; ``len`` fails beyond the largest machine integer, as for any sequence.

    Attributes
    ----------
    net : TwoLayer
        The student.
    teacher : Teacher
        The target, as given.
    target : Reduced
        The target after reduction: equal neurons merged, dead ones dropped, constants
        absorbed; `Reduced.notes` says what was done.
    setting : Setting
        Dimensions and relations of the student.
    message : str
        Why there is no branch; empty if there are branches.
    """

    branch_type: type[Branch] = Branch

    def __init__(self, net: TwoLayer, teacher: Teacher) -> None:
        self.net = check_network(net)
        self.teacher = teacher
        self.setting: Setting = setting_of(net)
        self.target: Reduced = target_of(self.setting, teacher)
        self.message: str = self._why_empty()

    def _why_empty(self) -> str:
        s, target = self.setting, self.target
        if s.width < self._least_width:
            return (
                f"width={s.width} is less than the {self._least_width} neurons that the target "
                "needs; no network of this width recovers it"
            )
        if target.has_constant and not (s.output_bias or s.bias):
            return (
                "the target has a constant part, and the student has neither bias nor output "
                "bias; no such network recovers it"
            )
        return ""

    @property
    def _least_width(self) -> int:
        s, target = self.setting, self.target
        constant = target.has_constant and s.bias and not s.output_bias
        return target.m0 + int(constant)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The orbits, without their sets."""
        if self.message:
            return ()
        return tuple(shapes(self.setting, self.target.m0, self.target.has_constant))

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Cumulative numbers of sets of the orbits."""
        return tuple(accumulate(shape.n_sets(self.setting.signed) for shape in self.shapes))

    @property
    def analytic(self) -> bool:
        """Whether the activation is analytic, as the theorems on samples and flows ask."""
        return True

    def count(self, r: int | None = None, l: int | None = None) -> int:  # noqa: E741
        """Return the exact number of branches.

        Parameters
        ----------
        r : int, optional
            Count only those with r labelled and free groups.
        l : int, optional
            Count only those with deficient number l.
        """
        if r is not None:
            r = check_count("r", r, "give a number of groups", minimum=0)
        if l is not None:
            l = check_count("l", l, "give a deficient number", minimum=0)  # noqa: E741
        if self.message:
            return 0
        return count_sets(self.setting, self.target.m0, self.target.has_constant, r, l)

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return not self.message

    def __iter__(self) -> Iterator[Branch]:
        for orbit, shape in enumerate(self.shapes):
            index = self.ends[orbit - 1] if orbit else 0
            for blocks in shape.all_blocks():
                for signs in self._sign_rows(shape, blocks):
                    for variant in shape.constant.variants:
                        yield self.branch_type(
                            self.setting, self.target, shape, blocks, signs, variant, orbit, index
                        )
                        index += 1

    def _sign_rows(self, shape: Shape, blocks: Blocks) -> Iterator[tuple[int, ...]]:
        """Yield the signs of the sets of one partition, in the order of their ranks."""
        width = self.setting.width
        if not self.setting.signed:
            yield (1,) * width
            return
        tables = [table.astype(int).tolist() for table in shape.sign_tables(True)]
        places = [k for block in blocks[1:] for k in block]
        for rows in product(*reversed(tables)):
            signs = [1] * width
            for k, sign in zip(places, chain(*reversed(rows)), strict=True):
                signs[k] = sign
            yield tuple(signs)

    @overload
    def __getitem__(self, index: int) -> Branch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Branch]: ...
    def __getitem__(self, index: int | slice) -> Branch | list[Branch]:
        total = self.ends[-1] if self.ends else 0
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(total))]
        wanted = operator.index(index) + (total if index < 0 else 0)
        if not 0 <= wanted < total:
            raise IndexError(f"index={index} must be in [{-total}, {total - 1}]")
        orbit = bisect_right(self.ends, wanted)
        return self._branch(orbit, wanted - (self.ends[orbit - 1] if orbit else 0))

    def orbits(self) -> list[Orbit]:
        """Return one representative per orbit, and the number of sets of the orbit."""
        counts = [shape.n_sets(self.setting.signed) for shape in self.shapes]
        return [Orbit(self._branch(o, 0), count) for o, count in enumerate(counts)]

    @property
    def optimistic_size(self) -> int:
        """Smallest sample size at which a network of the target's own width is determined.

        (D + 1) m0 for one output without constant part; below it nothing recovers.

        Raises
        ------
        ProblemError
            For several outputs, where it is not known in closed form.

        Notes
        -----
        Single-neuron target, section 3.2. One more for the output bias. Without output bias
        a constant part C0 != 0 needs one constant neuron, with d + 1 parameters that count.
        """
        s, target = self.setting, self.target
        if s.outputs > 1:
            raise ProblemError(
                f"outputs={s.outputs} has no known optimistic sample size; use one output"
            )
        size = (s.incoming + 1) * target.m0 + int(s.output_bias)
        if target.has_constant and not s.output_bias:
            size += s.inputs + 1
        return size

    def locate(
        self, theta: ArrayLike, tol: float = 1e-6, *, margin: float = 0.1, near_only: bool = False
    ) -> Location:
        """Return the branch that each point is on.

        Parameters, result and errors as in `branches.location.locate.locate`; in addition a
        ProblemError if there is no branch.
        """
        self._check_search()
        family = Family(self.setting, self.target, self.shapes, self.ends)
        return locate(family, theta, tol, margin=margin, near_only=near_only)

    def _check_search(self) -> None:
        """Refuse a search among no branches or too many."""
        if self.message:
            raise ProblemError(f"there is no branch to locate on: {self.message}")
        if self.count() > MOST_SETS:
            raise ProblemError(
                f"width={self.net.width} gives {self.count()} branches and must give at most "
                f"{MOST_SETS} to search them; use `matching` for one network"
            )

    def _branch(self, orbit: int, rank: int) -> Branch:
        start = self.ends[orbit - 1] if orbit else 0
        shape, blocks, signs, variant = member(self.shapes[orbit], self.setting.signed, rank)
        return self.branch_type(
            setting=self.setting,
            target=self.target,
            shape=shape,
            blocks=blocks,
            signs=signs,
            variant=variant,
            orbit=orbit,
            index=start + rank,
        )


def check_family(family: object) -> None:
    """Refuse what is not the branches of a target."""
    if not isinstance(family, Branches):
        raise ProblemError(
            f"family={describe(family)} must be the branches of a target; use `branches`"
        )
