"""Least distances of a batch of points to the sets of every orbit.

The squared distance to a set is a sum over its groups. So the least one over all partitions of an
orbit comes from tables over subsets of the neurons, `Node`: the least cost of making some groups
out of a subset is that of the best way to split it in two. Orbits share the tables. The set itself
is found by going back down, for the points that ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.constant_group import ConstantGroup, Point
from flowscape.branches.groups import (
    Projected,
    best_choice,
    project_free,
    project_labelled,
    sign_choices,
    squared_norm,
)
from flowscape.branches.location.group_costs import Costs, GroupCosts
from flowscape.branches.location.subsets import masks, members, positions, rank_partitions, splits
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import ConstantType, Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Key = tuple[object, ...]

_MARGIN = 1.0 + 1e-9  # bounds are rounded


@dataclass(frozen=True, eq=False)
class Node:
    """Least cost of making certain groups out of every subset of `size` neurons.

    Attributes
    ----------
    size : int
    table : (count, B) ndarray
        Over the subsets of that size.
    parts : pair of Node, or None
        The groups of the first and of the second part; None for a single group.
    anchored : bool
        See `subsets.splits`.
    """

    size: int
    table: Floats
    parts: tuple[Node, Node] | None = None
    anchored: bool = False


class Search:
    """One batch of points; tables are computed once, whatever orbit asks first.

    Parameters
    ----------
    setting, target : Setting, Reduced
    shapes : sequence of Shape
        The orbits.
    batch : (B, P) ndarray
        Finite.
    most : float
        Curved sets farther away may be left out, with distance infinity.

    Attributes
    ----------
    decides_meetings : bool
        Whether the conserved quantities of `meeting` hold for the family.
    """

    decides_meetings: bool = True

    def __init__(
        self,
        setting: Setting,
        target: Reduced,
        shapes: Sequence[Shape],
        batch: Floats,
        most: float = np.inf,
    ) -> None:
        self.setting = setting
        self._ceiling = _MARGIN * most**2
        self.target = target
        self.shapes = shapes
        self.outgoing, self.incoming, self.constant = setting.split(batch)
        self._groups = self._group_costs(most)
        self._nodes: dict[Key, Node] = {}
        self._constants: dict[ConstantType, tuple[Floats, Ints]] = {}

    def _group_costs(self, most: float) -> Costs:
        """Return the tables of groups; distances beyond `most` may be infinity."""
        del most
        return GroupCosts(self.setting, self.target, self.outgoing, self.incoming)

    def distances(self) -> Floats:
        """Return the distances to the nearest set of every orbit: (B, orbits)."""
        columns = [self._orbit(shape).table[0] for shape in self.shapes]
        return np.sqrt(np.stack(columns, axis=1))

    def groups(self, shape: Shape, rows: Ints) -> Ints:
        """Return the groups of the nearest set of an orbit, for some of the points.

        Returns
        -------
        (rows, 2 + groups) ndarray of int
            The best variant of the constant group, then the numbers of the subsets that make the
            constant group, the labelled and the free ones.
        """
        at = np.zeros(len(rows), dtype=np.int64)
        *moving, constant = self._descend(self._orbit(shape), at, rows)
        variant = self._constant(shape.constant)[1][constant, rows]
        return np.stack([variant, constant, *moving], axis=1)

    def _orbit(self, shape: Shape) -> Node:
        constant = Node(shape.constant.size, self._constant(shape.constant)[0])
        return self._join(("orbit", shape), self._moving(shape), constant)

    def _moving(self, shape: Shape) -> Node:
        """Return the labelled and the free groups together."""
        parts = self._labelled(shape.labelled), self._free(shape.free)
        return self._join(("moving", shape.labelled, shape.free), *parts)

    def _labelled(self, sizes: tuple[int, ...]) -> Node:
        """Return the labelled groups of these sizes, for the first labels."""
        if not sizes:
            return self._nothing
        key = "labelled", len(sizes) - 1, sizes[-1]
        if key not in self._nodes:
            self._nodes[key] = Node(sizes[-1], self._groups.labelled(len(sizes) - 1, sizes[-1]))
        if len(sizes) == 1:
            return self._nodes[key]
        return self._join(("labelled", sizes), self._labelled(sizes[:-1]), self._nodes[key])

    def _free(self, sizes: tuple[int, ...]) -> Node:
        """Return free groups; `sizes` is not increasing, and equal ones are exchangeable."""
        if not sizes:
            return self._nothing
        if len(sizes) == 1:
            key = "free", sizes
            if key not in self._nodes:
                self._nodes[key] = Node(sizes[0], self._groups.free(sizes[0]))
            return self._nodes[key]
        if sizes[0] == sizes[-1]:
            parts = self._free(sizes[:1]), self._free(sizes[1:])
            return self._join(("free", sizes), *parts, anchored=True)
        cut = len(sizes) - sizes.count(sizes[-1])
        return self._join(("free", sizes), self._free(sizes[:cut]), self._free(sizes[cut:]))

    @cached_property
    def _nothing(self) -> Node:
        return Node(0, np.zeros((1, len(self.outgoing))))

    def _join(self, key: Key, first: Node, second: Node, *, anchored: bool = False) -> Node:
        if key not in self._nodes:
            size = first.size + second.size
            one, two = splits(self.setting.width, size, first.size, anchored)
            least = first.table[one[:, 0]] + second.table[two[:, 0]]
            for way in range(1, one.shape[1]):
                cost = first.table[one[:, way]]
                cost += second.table[two[:, way]]
                np.minimum(least, cost, out=least)
            self._nodes[key] = Node(size, least, (first, second), anchored)
        return self._nodes[key]

    def _descend(self, node: Node, at: Ints, rows: Ints) -> list[Ints]:
        """Return the subset of every group that the best cost of the subsets `at` is made of."""
        if node.parts is None:
            return [] if node is self._nothing else [at]
        first, second = node.parts
        one, two = splits(self.setting.width, node.size, first.size, node.anchored)
        one, two = one[at], two[at]
        way = np.argmin(first.table[one, rows[:, None]] + second.table[two, rows[:, None]], axis=1)
        line = np.arange(len(rows))
        lower = self._descend(first, one[line, way], rows)
        return lower + self._descend(second, two[line, way], rows)

    def _constant(self, kind: ConstantType) -> tuple[Floats, Ints]:
        """Return the costs of constant groups (count, B), and the best variants."""
        if kind not in self._constants:
            subsets = members(self.setting.width, kind.size)
            points = [
                Point(self.outgoing[:, k], self.incoming[:, k], self.constant) for k in subsets
            ]
            groups = [
                ConstantGroup(self.setting, kind.kind, variant, self.target.constant)
                for variant in kind.variants
            ]
            wanted = np.ones((len(points), len(self.constant)), dtype=np.bool_)
            if not groups[0].is_affine:
                wanted = self._undecided(kind, [groups[0].bounds(point) for point in points])
            # all groups in one batch: a search costs as many steps as its slowest point
            place, rows = np.nonzero(wanted)
            together = Point(
                *(
                    np.concatenate([p[i][rows[place == k]] for k, p in enumerate(points)])
                    for i in range(3)
                )
            )
            costs = np.full((len(groups), *wanted.shape), np.inf)
            for cost, group in zip(costs, groups, strict=True):
                cost[wanted] = _moved(together, group.project(together))
            self._constants[kind] = _first_least(costs)
        return self._constants[kind]

    def _undecided(self, kind: ConstantType, bounds: list[tuple[Floats, Floats]]) -> Bools:
        """Return which constant groups, of which points, can be those of a nearest set.

        A search for the nearest point of a curved set is worth thousands of additions.
        """
        lower, upper = (np.stack(part) for part in zip(*bounds, strict=True))
        subsets = masks(self.setting.width, kind.size)
        rest = positions(self.setting.width)[2**self.setting.width - 1 - subsets]
        found = np.zeros(lower.shape, dtype=np.bool_)
        for shape in self.shapes:
            if shape.constant == kind:
                others = self._moving(shape).table[rest]
                least = np.minimum((upper + others).min(axis=0), self._ceiling)
                found |= ~(lower + others > least)
        return found


def rank_sets(setting: Setting, target: Reduced, shape: Shape, batch: Floats, groups: Ints) -> Ints:
    """Return the ranks within their orbit of the sets with the given groups and the best signs.

    Parameters
    ----------
    setting, target, shape : Setting, Reduced, Shape
    batch : (B, P) ndarray
    groups : (B, 2 + groups) ndarray of int
        From `Search.groups`.
    """
    sizes, m0 = (shape.constant.size, *shape.labelled, *shape.free), len(shape.labelled)
    variant, places = groups[:, 0], groups[:, 1:].T
    blocks = [masks(setting.width, size)[at] for size, at in zip(sizes, places, strict=True)]
    rank = rank_partitions(setting.width, sizes[: 1 + m0], shape.free, blocks)
    if setting.signed:
        outgoing, incoming, _ = setting.split(batch)
        line, digits, base = np.arange(len(batch))[:, None], np.zeros_like(rank), 1
        for place, (size, at) in enumerate(zip(sizes[1:], places[1:], strict=True)):
            neurons = line, members(setting.width, size)[at]
            label = place if place < m0 else None
            choices = sign_choices(size, True, label is None)
            project = _projection(setting, target, label)
            _, row = best_choice(outgoing[neurons], incoming[neurons], choices, project)
            digits += row * base
            base *= len(choices)
        rank = rank * base + digits
    return rank * len(shape.constant.variants) + variant


def _projection(
    setting: Setting, target: Reduced, label: int | None
) -> Callable[[Floats, Floats, Floats], Projected]:
    def project(a: Floats, v: Floats, signs: Floats) -> Projected:
        pull = setting.pull(signs)
        if label is None:
            return project_free(a, v, signs, pull)
        return project_labelled(a, v, signs, pull, target.outgoing[label], target.incoming[label])

    return project


def _moved(before: Point, after: Point) -> Floats:
    """Return squared distances; infinity where they overflow."""
    cost = np.zeros(len(before.constant))
    for old, new in zip(before, after, strict=True):
        cost += squared_norm(new - old)
    return np.where(np.isnan(cost), np.inf, cost)


def _first_least(costs: Floats) -> tuple[Floats, Ints]:
    choice = np.argmin(costs, axis=0)
    return np.take_along_axis(costs, choice[None], axis=0)[0], choice
