"""The sets of one orbit of a positively homogeneous family, as arrays.

Sets of an orbit differ by the order of the neurons and their sides. With the neurons put in order
and the v_k turned to their sides all obey the same equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.equations import LineEquations
from flowscape.branches.lines.shapes import LineShape
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.partitions import Blocks
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LineSystem:
    """What all pairs of a point and a set of one orbit have in common.

    Attributes
    ----------
    lines, weights : (m0, D) and (m0,) ndarray
        Of the labelled groups.
    labelled, free : tuple of int
        Sizes; free groups of at least two neurons.
    constants : int
        Number of constant neurons.
    mixed : tuple of bool
        Which groups, labelled ones first, add to the linear condition.
    rows : (rho, D) ndarray
        Combinations of the linear condition that are independent.
    left : (D,) ndarray
        Its right side.
    gains : (float, float)
        What a constant neuron with a = |b| = 1 adds to its last component, for b > 0 and b < 0.
    output : float
        What an output bias of 1 adds to it; 0 if it does not take part.
    size : float
        Scale of the target.
    """

    lines: Floats
    weights: Floats
    labelled: tuple[int, ...]
    free: tuple[int, ...]
    constants: int
    mixed: tuple[bool, ...]
    rows: Floats
    left: Floats
    gains: tuple[float, float]
    output: float
    size: float

    @cached_property
    def places(self) -> list[slice]:
        """Where the neurons of every line are: labelled ones, constants left out, free ones."""
        sizes = (*self.labelled, self.constants, *self.free)
        ends = np.cumsum([0, *sizes]).tolist()
        every = [slice(i, j) for i, j in pairwise(ends)]
        del every[len(self.labelled)]
        return every

    @property
    def flat(self) -> slice:
        """Where the constant neurons are."""
        return slice(sum(self.labelled), self.n_straight)

    @property
    def n_straight(self) -> int:
        """Number of neurons on known lines: labelled and constant ones."""
        return sum(self.labelled) + self.constants

    @property
    def n_equations(self) -> int:
        """Number of equations."""
        return len(self.labelled) + self.n_free + len(self.rows)

    @property
    def n_free(self) -> int:
        """Number of equations of the free groups alone."""
        d = self.lines.shape[1]
        return len(self.free) + sum((size - 1) * (d - 1) for size in self.free)


@dataclass(frozen=True)
class LineSets:
    """The sets of one orbit as arrays, and what they have in common.

    `members` are groups and sides. `order` and `signs` (sets, m): neurons in the order of the
    groups of `system`, then free lines of one neuron, then silent ones; sides in that order.
    `level` is the output bias (O,), None if there is none or it takes part in the linear condition.
    `labelled` is the number of labelled groups. Without `system`, for several outputs, sets are
    searched one by one.
    """

    system: LineSystem | None
    labelled: int
    members: list[tuple[Blocks, tuple[int, ...]]]
    order: Ints
    signs: Floats
    singles: int
    silent: int
    level: Floats | None


def line_sets(setting: Setting, lines: LineTarget, shape: LineShape) -> LineSets:
    """Return the sets of an orbit as arrays."""
    members = [shape.member(rank) for rank in range(shape.n_sets)]
    equations = LineEquations(setting, lines, *members[0], shape.silent > 0, shape.ranks)
    multiple = [len(b) > 1 for b in equations.free]
    orders, signs = [], []
    for groups, sides in members:
        free = groups[len(groups) - len(multiple) :]
        first = [b for b, several in zip(free, multiple, strict=True) if several]
        last = [b for b, several in zip(free, multiple, strict=True) if not several]
        labelled = groups[1 : len(groups) - len(multiple)]
        fixed, silent = ((), groups[0]) if equations.silent else (groups[0], ())
        order = [k for b in (*labelled, fixed, *first, *last, silent) for k in b]
        orders.append(order)
        signs.append([sides[k] for k in order])
    own = setting.output_bias and not equations.free_level
    return LineSets(
        system=_system(equations) if setting.outputs == 1 else None,
        labelled=len(equations.labelled),
        members=members,
        order=np.array(orders),
        signs=np.array(signs, dtype=np.float64),
        singles=multiple.count(False),
        silent=shape.silent,
        level=lines.constant if own else None,
    )


def _system(equations: LineEquations) -> LineSystem:
    lines, d = equations.target, equations.setting.incoming
    free = [b for b in equations.free if len(b) > 1]
    tilt = 0.0 if lines.linear is None else 1.0
    kept = [*equations.labelled, *free]
    mixed = [tilt > 0.0 and len({equations.signs[k] for k in b}) == 2 for b in kept]
    if equations.stratum is not None:
        left = equations.stratum.left[:, 0]
    else:
        left = lines.constant[0] * np.eye(d)[-1]
    return LineSystem(
        lines=lines.lines,
        weights=lines.weights[: len(equations.labelled), 0],
        labelled=tuple(len(b) for b in equations.labelled),
        free=tuple(len(b) for b in free),
        constants=0 if equations.silent else len(equations.blocks[0]),
        mixed=tuple(mixed),
        rows=equations.linear_rows[:, 0],
        left=left,
        gains=(lines.per_constant * lines.gains[0], lines.per_constant * lines.gains[1]),
        output=lines.per_constant if lines.level_free else 0.0,
        size=lines.size + abs(float(lines.constant[0])),
    )
