"""The branches of an exponential student with biases, in the order of those without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from flowscape.branches.branch import Branch
from flowscape.branches.exponential.branch import ExponentialBranch
from flowscape.branches.exponential.chart import ExponentialChart, without_bias
from flowscape.branches.exponential.groups import ExponentialSearch
from flowscape.branches.family import Branches
from flowscape.branches.location.locate import Family, Location, locate
from flowscape.branches.reduce import Reduced
from flowscape.branches.shapes import Shape
from flowscape.problem.network import TwoLayer
from flowscape.problem.teacher import Teacher

__all__ = ["ExponentialBranches"]


class ExponentialBranches(Branches):
    """All branches of a target, for an exponential student with biases; see `Branches`.

    Attributes
    ----------
    image : Branches
        Those of the student without biases, in the same order.
    chart : ExponentialChart
        The map to its parameters.
    """

    def __init__(self, net: TwoLayer, teacher: Teacher) -> None:
        self.net, self.teacher = net, teacher
        self.chart = ExponentialChart(net)
        self.image = Branches(self.chart.plain_net, without_bias(teacher))
        self.setting = self.chart.setting
        self.target = _with_bias(self.image.target)
        self.message = self.image.message

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The orbits, without their sets."""
        return self.image.shapes

    @property
    def ends(self) -> tuple[int, ...]:
        """Cumulative numbers of sets of the orbits."""
        return self.image.ends

    def count(self, r: int | None = None, l: int | None = None) -> int:  # noqa: E741
        """Return the exact number of branches; see `Branches.count`."""
        return self.image.count(r, l)

    def __iter__(self) -> Iterator[Branch]:
        return map(self._pull_back, self.image)

    @property
    def optimistic_size(self) -> int:
        """Smallest sample size at which a network of the target's own width is determined.

        (d + 1) m0 for one output, and one more for an output bias: a e^{kb} is one parameter.
        """
        return self.image.optimistic_size

    def locate(
        self, theta: ArrayLike, tol: float = 1e-6, *, margin: float = 0.1, near_only: bool = False
    ) -> Location:
        """Return the branch that each point is on, as `Branches.locate`.

        Distances are those to the curved sets in the student's own parameters: upper bounds, exact
        near a set. Where closures meet the answer is `ambiguous`.
        """
        self._check_search()
        family = Family(self.setting, self.target, self.shapes, self.ends, ExponentialSearch)
        return locate(family, theta, tol, margin=margin, near_only=near_only)

    def _branch(self, orbit: int, rank: int) -> Branch:
        return self._pull_back(self.image._branch(orbit, rank))

    def _pull_back(self, image: Branch) -> Branch:
        return ExponentialBranch(
            setting=self.setting,
            target=self.target,
            shape=image.shape,
            blocks=image.blocks,
            signs=image.signs,
            variant=image.variant,
            orbit=image.orbit,
            index=image.index,
            image=image,
            chart=self.chart,
        )


def _with_bias(target: Reduced) -> Reduced:
    """Return a reduced target with bias 0 appended to every incoming vector."""
    return replace(
        target,
        incoming=np.pad(target.incoming, ((0, 0), (0, 1))),
        vectors=np.pad(target.vectors, ((0, 0), (0, 1))),
    )
