"""The nearest set of every orbit of a positively homogeneous family, for a batch of points.

A set is named by which neurons share a line, by labels and by sides. Near a generic member the
bounds of `lines.bounds` leave that one set; what is left is searched for all points at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.groups import squared_norm
from flowscape.branches.lines.bounds import free_bound, labelled_bound
from flowscape.branches.lines.equations import LineEquations
from flowscape.branches.lines.pairs import LinePairs, LineSystem, pairs_at
from flowscape.branches.lines.shapes import LineShape
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.location.bounded import nearest_by_bounds
from flowscape.branches.location.least_distance import is_exact, nearest
from flowscape.branches.partitions import Blocks
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_MARGIN = 1.0 + 1e-12
_INSIDE = 1e-12
"""A neuron is on the wrong side, or at 0, up to this part of 1 + |theta|."""
_NO_PART = 1e-9
"""A linear part v_j below this part of its group's size may be 0."""


@dataclass(frozen=True)
class LineSets:
    """The sets of one orbit as arrays, and what they have in common.

    `members` are groups and sides. `order` and `signs` (sets, m): neurons in the order of the
    groups, free lines of one neuron and then silent ones last; sides in that order.
    """

    system: LineSystem
    members: list[tuple[Blocks, tuple[int, ...]]]
    order: Ints
    signs: Floats
    singles: int
    silent: int


class LineSearch:
    """One batch of points.

    Parameters
    ----------
    setting, lines : Setting, LineTarget
        The student, without hidden bias and with one output.
    branch_at : callable
        (orbit, rank within it) to the branch; asked where neurons leave their sides or a sum
        cannot be kept.
    sets : sequence of LineSets
        Of every orbit.
    batch : (B, P) ndarray
        Finite.
    """

    def __init__(
        self,
        setting: Setting,
        lines: LineTarget,
        branch_at: Callable[[int, int], Branch],
        sets: Sequence[LineSets],
        batch: Floats,
    ) -> None:
        self.setting = setting
        self.sets = sets
        self.lines = lines
        self.branch_at = branch_at
        self.batch = batch
        outgoing, self.incoming, constant = setting.split(batch)
        self.a = outgoing[:, :, 0]
        self.constant = (constant[:, 0] - lines.constant[0]) ** 2 * float(setting.output_bias)
        self.room = _INSIDE * (1.0 + np.abs(batch).max(axis=1))
        self._memo: dict[tuple[tuple[int, ...], int | None, tuple[int, ...]], Floats] = {}

    def nearest(self, orbit: int, most: float) -> tuple[Floats, Ints]:
        """Return the distances (B,) to the nearest set of an orbit, and its rank (B,).

        Distances beyond `most` may be infinity, with rank -1.
        """
        costs = partial(self._costs, orbit)
        best, rank = nearest_by_bounds(self._bounds(orbit), costs, (_MARGIN * most) ** 2)
        return np.sqrt(best), rank

    def _bounds(self, orbit: int) -> Floats:
        """Return lower bounds on squared distances (sets, B)."""
        sets = self.sets[orbit]
        m0 = len(sets.system.labelled)
        found = np.empty((len(sets.members), len(self.batch)))
        for rank, (blocks, signs) in enumerate(sets.members):
            found[rank] = self.constant
            if blocks[0]:
                found[rank] += squared_norm(self.incoming)
            for place, block in enumerate(blocks[1:]):
                label = place if place < m0 else None
                found[rank] += self._group(block, label, tuple(signs[k] for k in block))
        return found

    def _group(self, block: tuple[int, ...], label: int | None, row: tuple[int, ...]) -> Floats:
        key = block, label, row
        if key not in self._memo:
            k = list(block)
            a, y = self.a[:, k, None], self.incoming[:, k] * np.array(row)[:, None]
            if label is None:
                self._memo[key] = free_bound(a, y)
            else:
                parts = self.lines.lines[label], self.lines.weights[label]
                self._memo[key] = labelled_bound(a, y, *parts)
        return self._memo[key]

    def _costs(self, orbit: int, rows: Ints, ranks: Ints) -> Floats:
        """Return squared distances of points to sets."""
        sets = self.sets[orbit]
        order, signs = sets.order[ranks], sets.signs[ranks]
        a, w = self.a[rows[:, None], order], self.incoming[rows[:, None], order]
        n = order.shape[1] - sets.singles - sets.silent
        apart = self.constant[rows] + squared_norm(a[:, n : n + sets.singles])
        apart += squared_norm(w[:, n + sets.singles :])
        if n == 0:
            return np.asarray(apart)
        parts = a[:, :n], w[:, :n] * signs[:, :n, None], signs[:, :n]
        cost, known = _with_sides(sets, *parts, self.room[rows])
        cost += apart
        for i in np.flatnonzero(~known):
            branch = self.branch_at(orbit, int(ranks[i]))
            cost[i] = float(branch.distance(self.batch[rows[i]])) ** 2
        return cost


def _with_sides(
    sets: LineSets, a: Floats, y: Floats, eps: Floats, room: Floats
) -> tuple[Floats, Bools]:
    """Return squared distances (B,), and whether what was found is a member.

    Neurons that end on the wrong side of their line are put to w = 0 and the search is repeated.
    Where that leaves nothing of a group nothing is found.
    """
    still = np.zeros(a.shape, dtype=np.bool_)
    cost, known = np.full(len(a), np.inf), np.zeros(len(a), dtype=np.bool_)
    rows = np.arange(len(a))
    while len(rows):
        found, exact, wrong = _search(sets, a[rows], y[rows], eps[rows], still[rows], room[rows])
        good = np.isfinite(found)
        cost[rows[good]], known[rows[good]] = found[good], True
        still[rows] |= wrong
        going = exact & wrong.any(axis=1)
        for place in sets.system.places:
            going &= ~still[rows, place].all(axis=1)
        rows = rows[going]
    return cost, known


def _search(
    sets: LineSets,
    a: Floats,
    y: Floats,
    eps: Floats,
    still: Bools,
    room: Floats,
) -> tuple[Floats, Bools, Bools]:
    """Return squared distances, infinity where no member was found, and what is missing.

    That is: whether the equations hold (B,), and which neurons are on the wrong side (B, n).
    """
    pairs, apart = pairs_at(sets.system, a, y, eps, still)
    scale = pairs.scale
    z = nearest(pairs, np.zeros((len(a), pairs.n_variables)), scale)
    exact, turned = is_exact(pairs, z, scale), _wrong_side(pairs, z, room)
    good = exact & ~turned.any(axis=1) & _in_closure(pairs, z, room)
    held = squared_norm(np.where(still[:, :, None], y, 0.0))
    wrong = np.take_along_axis(turned, np.argsort(pairs.order, axis=1), axis=1)
    return np.where(good, squared_norm(z) + apart + held, np.inf), exact, wrong


def _wrong_side(pairs: LinePairs, z: Floats, room: Floats) -> Bools:
    """Return which neurons (B, n), in the order of `pairs`, are on the wrong side."""
    _, s, y = pairs.values(z)
    system, m = pairs.system, pairs.s.shape[1]
    lengths = [s]
    for place in system.places[len(system.labelled) :]:
        along = y[:, place.start - m : place.stop - m, 0]
        total = along.sum(axis=1, keepdims=True)
        lengths.append(np.where(total < 0.0, -along, along))
    return np.asarray((np.concatenate(lengths, axis=1) < -room[:, None]) & ~pairs.still)


def _in_closure(pairs: LinePairs, z: Floats, room: Floats) -> Bools:
    """Return whether solutions are surely limits of points of the stratum.

    They are if on every side of every line there is a w_k != 0, and not all v_j are 0 where there
    are any (docs/families-by-chart.md). Others are left to `LineBranch.distance`.
    """
    system, (a, s, y) = pairs.system, pairs.values(z)
    m, parts, mixed_free = s.shape[1], np.zeros(len(z), dtype=np.bool_), False
    sure = np.ones(len(z), dtype=np.bool_)
    lengths = np.concatenate([np.abs(s), np.abs(y[:, :, 0])], axis=1) > 1e4 * room[:, None]
    for group, place in enumerate(system.places):
        for side in (1.0, -1.0):
            mine = pairs.eps[:, place] == side
            sure &= ~mine.any(axis=1) | (mine & lengths[:, place]).any(axis=1)
        if group >= len(system.labelled) and system.mixed[group]:
            own = y[:, place.start - m : place.stop - m]
            each = (pairs.eps[:, place] * a[:, place])[:, :, None] * own
            size = np.sqrt((each**2).sum(axis=2)).sum(axis=1)
            least = _NO_PART * np.maximum(size, 1.0 + system.size)
            parts |= np.sqrt((each.sum(axis=1) ** 2).sum(axis=1)) > least
            mixed_free = True
    return sure & parts if mixed_free else sure


def line_sets(setting: Setting, lines: LineTarget, shape: LineShape) -> LineSets:
    """Return the sets of an orbit as arrays."""
    members = [shape.member(rank) for rank in range(shape.n_sets)]
    equations = LineEquations(setting, lines, *members[0], shape.silent > 0)
    blocks, eps = members[0]
    multiple = [len(b) > 1 for b in equations.free]
    orders, signs = [], []
    for groups, sides in members:
        free = groups[len(groups) - len(multiple) :]
        first = [b for b, several in zip(free, multiple, strict=True) if several]
        last = [b for b, several in zip(free, multiple, strict=True) if not several]
        labelled = groups[1 : len(groups) - len(multiple)]
        order = [k for b in (*labelled, *first, *last, groups[0]) for k in b]
        orders.append(order)
        signs.append([sides[k] for k in order])
    kept = [*equations.labelled, *(b for b in equations.free if len(b) > 1)]
    system = LineSystem(
        lines=lines.lines,
        weights=lines.weights[: len(equations.labelled), 0],
        labelled=tuple(len(b) for b in equations.labelled),
        free=tuple(len(b) for b in equations.free if len(b) > 1),
        stratum=equations.stratum,
        size=lines.size,
        mixed=tuple(len({eps[k] for k in b}) == 2 for b in kept),
        rows=equations.linear_rows[:, 0],
    )
    return LineSets(
        system=system,
        members=members,
        order=np.array(orders),
        signs=np.array(signs, dtype=np.float64),
        singles=multiple.count(False),
        silent=len(blocks[0]),
    )
