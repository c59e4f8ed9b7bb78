"""The branches of a target, for positively homogeneous students."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate
from typing import Never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.family import Branches, Orbit
from flowscape.branches.lines.branch import LineBranch
from flowscape.branches.lines.counts import count_line_sets
from flowscape.branches.lines.location import LineSearch
from flowscape.branches.lines.sets import LineSets, line_sets
from flowscape.branches.lines.shapes import LineShape, line_shapes
from flowscape.branches.lines.strata import MIXED, is_component, patterns
from flowscape.branches.lines.target import LineTarget, line_target, reduced_lines
from flowscape.branches.location.locate import Location
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError, check_count, check_positive, float_array
from flowscape.problem.network import TwoLayer
from flowscape.problem.symmetry import symmetry
from flowscape.problem.teacher import Teacher

__all__ = ["LineBranches"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_LOCATED: int = 20_000
"""Largest number of branches that is searched."""
# Points at once, and numbers in the tables of a chunk; no result depends on them.
_CHUNK, _TABLE = 8192, 2**22


class LineBranches(Branches):
    """All branches of a target, for sigma(z) = alpha |z| + lambda z; see `Branches`.

    With hidden biases z counts from the kink. Orbits are those of permutations of the neurons.

    Attributes
    ----------
    lines : LineTarget
        The target: lines, weights, linear part.
    """

    def __init__(self, net: TwoLayer, teacher: Teacher) -> None:
        self.net, self.teacher = net, teacher
        self.setting = _setting(net)
        self.lines: LineTarget = line_target(net, teacher)
        self.target = reduced_lines(self.lines)
        self.message = self._why_empty()

    def _why_empty(self) -> str:
        if self.lines.constant.any() and not (self.setting.output_bias or self.setting.bias):
            return (
                "the target has an output bias, and the student has none; no such network "
                "recovers it"
            )
        least = self._least_width
        if self.setting.width < least:
            return (
                f"width={self.setting.width} is less than the {least} neurons that the target "
                "needs; no network of this width recovers it"
            )
        return ""

    @property
    def _least_width(self) -> int:
        """Least number of neurons over the patterns of sides that are components."""
        if self.lines.is_zero:
            return 1
        m0, s = self.lines.m0, self.setting
        pairs = range(min(s.outputs, s.incoming) + 3 if s.incoming > 1 else 1)
        constants = ((0, 0), (1, 0), (0, 1), (1, 1)) if s.bias else ((0, 0),)
        return min(
            m0 + pattern.count(MIXED) + 2 * j + sum(sides)
            for pattern in patterns(self.lines, m0)
            for j in pairs
            for sides in constants
            if is_component(self.lines, pattern, j, self.lines.levels(sides))
        )

    @property
    def analytic(self) -> bool:
        """False: it has a kink."""
        return False

    @cached_property
    def shapes(self) -> tuple[LineShape, ...]:  # type: ignore[override]
        """The orbits, without their sets."""
        return () if self.message else tuple(line_shapes(self.lines, self.setting.width))

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Cumulative numbers of sets of the orbits."""
        return tuple(accumulate(shape.n_sets for shape in self.shapes))

    def count(self, r: int | None = None, l: int | None = None) -> int:  # noqa: E741
        """Return the exact number of branches.

        Parameters
        ----------
        r : int, optional
            Count only those with r lines.
        l : int, optional
            Count only those with deficient number l.
        """
        if r is not None:
            r = check_count("r", r, "give a number of groups", minimum=0)
        if l is not None:
            l = check_count("l", l, "give a deficient number", minimum=0)  # noqa: E741
        return 0 if self.message else count_line_sets(self.lines, self.setting.width, r, l)

    def __iter__(self) -> Iterator[Branch]:
        for orbit, shape in enumerate(self.shapes):
            for rank in range(shape.n_sets):
                yield self._branch(orbit, rank)

    def orbits(self) -> list[Orbit]:
        """Return one representative per orbit, and the number of sets of the orbit."""
        return [Orbit(self._branch(o, 0), shape.n_sets) for o, shape in enumerate(self.shapes)]

    @property
    def optimistic_size(self) -> Never:
        """Not known: always a ProblemError."""
        raise ProblemError(
            f"activation={str(self.net.activation)!r} has a kink, so what samples determine "
            "depends on the sides they are on; there is no optimistic sample size"
        )

    def locate(
        self, theta: ArrayLike, tol: float = 1e-6, *, margin: float = 0.1, near_only: bool = False
    ) -> Location:
        """Return the branch that each point is on, as `Branches.locate`.

        Distances are those of `LineBranch.distance`: upper bounds, exact near generic points of a
        set. Where closures meet the answer is `ambiguous`; `margin` is not used.

        Notes
        -----
        Every set is bounded from below by how far neurons are from sharing lines on their sides,
        and how wrong their sums are; the sets are searched in the order of that bound until it
        exceeds what was found, or the tolerance.
        """
        self._check_search()
        if self.count() > MOST_LOCATED:
            raise ProblemError(
                f"width={self.net.width} gives {self.count()} branches and must give at most "
                f"{MOST_LOCATED} to search them one by one"
            )
        p = self.setting.n_params
        rows = float_array("theta", theta, (p,), ("B", p))
        tol = check_positive("tol", tol)
        check_positive("margin", margin, zero=True)
        batch = np.atleast_2d(rows)
        distances = np.full((len(batch), len(self.shapes)), np.inf)
        indices = np.full(distances.shape, -1, dtype=np.int64)
        finite = np.flatnonzero(np.isfinite(batch).all(axis=1))
        starts, most = np.array([0, *self.ends[:-1]]), tol if near_only else np.inf
        for part, search in self._searches(batch, finite):
            for orbit in range(len(self.shapes)):
                found, rank = search(orbit, most)
                distances[part, orbit] = found
                indices[part, orbit] = np.where(rank >= 0, starts[orbit] + rank, -1)
        located = _decide(distances, indices, tol)
        if near_only:
            located = located.within(tol)
        if rows.ndim == 2:
            return located
        return Location(**{name: value[0] for name, value in vars(located).items()})

    def _searches(
        self, batch: Floats, rows: Ints
    ) -> Iterator[tuple[Ints, Callable[[int, float], tuple[Floats, Ints]]]]:
        """Yield parts of the rows, and the search for the nearest set of an orbit there."""
        largest = max(shape.n_sets for shape in self.shapes)
        chunk = min(_CHUNK, max(1, _TABLE // largest))
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            parts = self.setting, self.lines, self._branch, self._sets
            yield part, LineSearch(*parts, batch[part]).nearest

    @cached_property
    def _sets(self) -> list[LineSets]:
        return [line_sets(self.setting, self.lines, shape) for shape in self.shapes]

    def _branch(self, orbit: int, rank: int) -> Branch:
        shape = self.shapes[orbit]
        blocks, signs = shape.member(rank)
        return LineBranch(
            setting=self.setting,
            target=self.target,
            shape=shape,
            blocks=blocks,
            signs=signs,
            variant=(),
            orbit=orbit,
            index=(self.ends[orbit - 1] if orbit else 0) + rank,
            lines=self.lines,
        )


def _decide(distances: Floats, indices: Ints, tol: float) -> Location:
    rows = np.arange(len(distances))
    nearest = np.argmin(distances, axis=1)
    distance = distances[rows, nearest]
    others = distances.copy()
    others[rows, nearest] = np.inf
    candidates = (distances <= tol).sum(axis=1)
    orbit = np.where(candidates == 1, nearest, -1)
    known = np.isfinite(distance)
    return Location(
        orbit=orbit,
        index=np.where(orbit >= 0, indices[rows, nearest], -1),
        distance=distance,
        nearest_orbit=np.where(known, nearest, -1),
        nearest_index=np.where(known, indices[rows, nearest], -1),
        second=others.min(axis=1),
        candidates=candidates,
        ambiguous=candidates > 1,
        distances=distances,
    )


def _setting(net: TwoLayer) -> Setting:
    return Setting(
        width=net.width,
        inputs=net.inputs,
        outputs=net.outputs,
        bias=net.bias,
        output_bias=net.output_bias,
        signed=False,
        centre=symmetry(net.activation, net.bias).centre,
        silent=True,
        at_zero=0.0,
        zeros=(),
        activation=net.activation,
    )
