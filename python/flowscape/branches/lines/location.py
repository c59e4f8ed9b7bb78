"""The nearest set of every orbit of a positively homogeneous family, for a batch of points.

A set is named by which neurons share a line, by labels and by sides. Near a generic member the
bounds of `lines.bounds` leave that one set; what is left is searched for all points at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.groups import add_up, squared_norm
from flowscape.branches.lines.bounds import LineBounds
from flowscape.branches.lines.pairs import LinePairs, pairs_at
from flowscape.branches.lines.sets import LineSets, LineSystem
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.location.bounded import nearest_by_bounds
from flowscape.branches.location.least_distance import is_exact, nearest
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_MARGIN = 1.0 + 1e-12
_INSIDE = 1e-12
"""A neuron is on the wrong side, or at 0, up to this part of |v_k|."""
_SOME = 1e-10
"""Neurons with a_k |v_k| above this part of all of them surely are not 0."""
_NO_PART = 1e-9
"""A linear part v_j below this part of its group's size may be 0."""


class LineSearch:
    """One batch of points.

    Parameters
    ----------
    setting, lines : Setting, LineTarget
        The student.
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
        self.branch_at = branch_at
        self.batch = batch
        outgoing, self.incoming, self.level = setting.split(batch)
        self.a = outgoing[:, :, 0]
        self.bounds = LineBounds(lines, outgoing, self.incoming)

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
        m0 = sets.labelled
        found = np.empty((len(sets.members), len(self.batch)))
        own = self._own_level(sets, slice(None))
        for rank, (blocks, signs) in enumerate(sets.members):
            found[rank] = own
            if sets.silent:
                found[rank] += self.bounds.silent(blocks[0])
            elif blocks[0]:
                found[rank] += self.bounds.constant(blocks[0], tuple(signs[k] for k in blocks[0]))
            for place, block in enumerate(blocks[1:]):
                label = place if place < m0 else None
                found[rank] += self.bounds.group(block, tuple(signs[k] for k in block), label)
        return found

    def _own_level(self, sets: LineSets, rows: Ints | slice) -> Floats:
        """Return the squared distance of an output bias that has a given value."""
        if sets.level is None:
            return np.zeros(len(self.batch[rows]))
        return squared_norm(self.level[rows] - sets.level)

    def _costs(self, orbit: int, rows: Ints, ranks: Ints) -> Floats:
        """Return squared distances of points to sets."""
        sets = self.sets[orbit]
        if sets.system is None:
            cost = np.empty(len(rows))
            for rank in np.unique(ranks):
                mine = ranks == rank
                cost[mine] = self.branch_at(orbit, int(rank)).distance(self.batch[rows[mine]]) ** 2
            return cost
        order, signs = sets.order[ranks], sets.signs[ranks]
        a, v = self.a[rows[:, None], order], self.incoming[rows[:, None], order]
        n = order.shape[1] - sets.singles - sets.silent
        apart = self._own_level(sets, rows) + squared_norm(a[:, n : n + sets.singles])
        apart += squared_norm(v[:, n + sets.singles :])
        if n == 0:
            return np.asarray(apart)
        level = self.level[rows] if sets.system.output else np.zeros((len(rows), 0))
        parts = a[:, :n], v[:, :n] * signs[:, :n, None], signs[:, :n], level
        cost, known = _with_sides(sets.system, *parts)
        cost += apart
        for i in np.flatnonzero(~known):
            branch = self.branch_at(orbit, int(ranks[i]))
            cost[i] = float(branch.distance(self.batch[rows[i]])) ** 2
        return cost


def _with_sides(
    system: LineSystem, a: Floats, y: Floats, eps: Floats, level: Floats
) -> tuple[Floats, Bools]:
    """Return squared distances (B,), and whether what was found is a member.

    Neurons that end on the wrong side of their line are put to v = 0 and the search is repeated.
    Where that leaves nothing of a group nothing is found.
    """
    still = np.zeros(a.shape, dtype=np.bool_)
    cost, known = np.full(len(a), np.inf), np.zeros(len(a), dtype=np.bool_)
    rows = np.arange(len(a))
    while len(rows):
        found, exact, wrong = _search(system, a[rows], y[rows], eps[rows], level[rows], still[rows])
        good = np.isfinite(found)
        cost[rows[good]], known[rows[good]] = found[good], True
        still[rows] |= wrong
        going = exact & wrong.any(axis=1)
        for place in system.places:
            going &= ~still[rows, place].all(axis=1)
        rows = rows[going]
    return cost, known


def _search(
    system: LineSystem, a: Floats, y: Floats, eps: Floats, level: Floats, still: Bools
) -> tuple[Floats, Bools, Bools]:
    """Return squared distances, infinity where no member was found, and what is missing.

    That is: whether the equations hold (B,), and which neurons are on the wrong side (B, n).
    """
    pairs, apart = pairs_at(system, a, y, eps, level, still)
    z = nearest(pairs, np.zeros((len(a), pairs.n_variables)))
    exact, turned = is_exact(pairs, z), _wrong_side(pairs, z)
    good = exact & ~turned.any(axis=1) & _in_closure(pairs, z)
    held = squared_norm(np.where(still[:, :, None], y, 0.0))
    wrong = np.take_along_axis(turned, np.argsort(pairs.order, axis=1), axis=1)
    return np.where(good, squared_norm(z) + apart + held, np.inf), exact, wrong


def _wrong_side(pairs: LinePairs, z: Floats) -> Bools:
    """Return which neurons (B, n), in the order of `pairs`, are on the wrong side."""
    _, s, y, _ = pairs.values(z)
    system, m = pairs.system, pairs.s.shape[1]
    lengths = [s]
    for place in system.places[len(system.labelled) :]:
        along = y[:, place.start - m : place.stop - m, 0]
        total = along.sum(axis=1, keepdims=True)
        lengths.append(np.where(total < 0.0, -along, along))
    behind = np.concatenate(lengths, axis=1) < -_INSIDE * pairs.lengths
    return np.asarray(behind & ~pairs.still)


def _in_closure(pairs: LinePairs, z: Floats) -> Bools:
    """Return whether solutions are surely limits of points of the stratum.

    They are if on every side of every line there is a v_k != 0, constants can be made, and not
    all v_j are 0 where there are any (docs/families-by-chart.md). Others are left to
    `LineBranch.distance`, which has the same rule for what is 0 (`lines.closure.Edge`).
    """
    system, (a, s, y, _) = pairs.system, pairs.values(z)
    m, parts, mixed_free = s.shape[1], np.zeros(len(z), dtype=np.bool_), False
    sure = np.ones(len(z), dtype=np.bool_)
    lengths, weights = np.concatenate([np.abs(s), np.abs(y[:, :, 0])], axis=1), np.abs(a)
    size = system.size + np.maximum(
        add_up(weights * lengths), add_up(np.abs(pairs.a) * pairs.lengths)
    )
    some = lengths * np.maximum(weights, np.sqrt(size)[:, None]) > _SOME * size[:, None]
    for group, place in enumerate(system.places):
        for side in (1.0, -1.0):
            mine = pairs.eps[:, place] == side
            sure &= ~mine.any(axis=1) | (mine & some[:, place]).any(axis=1)
        if group >= len(system.labelled) and system.mixed[group]:
            own = y[:, place.start - m : place.stop - m]
            each = (pairs.eps[:, place] * a[:, place])[:, :, None] * own
            sizes = np.sqrt((each**2).sum(axis=2)).sum(axis=1)
            least = _NO_PART * np.maximum(sizes, system.size)
            parts |= np.sqrt((each.sum(axis=1) ** 2).sum(axis=1)) > least
            mixed_free = True
    if system.constants and not system.output:
        made = np.where(pairs.eps[:, system.flat] > 0.0, *system.gains) != 0.0
        sure &= ~made.any(axis=1) | (made & some[:, system.flat]).any(axis=1)
    return sure & parts if mixed_free else sure
