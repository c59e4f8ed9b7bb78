"""Which branch a point is on, for a whole batch of points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.constant_group import ConstantGroup, Point
from flowscape.branches.groups import (
    Projected,
    best_choice,
    project_free,
    project_labelled,
    sign_choices,
    squared_norm,
)
from flowscape.branches.meeting import corner, member
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import Shape
from flowscape.errors import ProblemError, check_positive, float_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_PARTITIONS = 100_000


@dataclass(frozen=True)
class Location:
    """Where points lie among the branches. Arrays over the batch; scalars for one point.

    Attributes
    ----------
    orbit, index : ndarray of int
        Orbit and set that the point is on; -1 if no closure is within the tolerance, and
        where `ambiguous`.
    distance : ndarray
        To the closure of the nearest set; infinity for points that are not finite.
    nearest_orbit, nearest_index : ndarray of int
        The nearest set, whatever its distance; -1 for points that are not finite.
    second : ndarray
        Distance to the nearest set of another orbit; infinity if there is no other.
    candidates : ndarray of int
        Number of orbits with a set within the tolerance.
    ambiguous : ndarray of bool
        Several orbits are within the tolerance and nothing decides.
    distances : (B, orbits) ndarray
        Distance to the nearest set of every orbit; no first axis for one point.
    """

    orbit: Ints
    index: Ints
    distance: Floats
    nearest_orbit: Ints
    nearest_index: Ints
    second: Floats
    candidates: Ints
    ambiguous: NDArray[np.bool_]
    distances: Floats


@dataclass(frozen=True)
class Family:
    """What the search needs to know of a sequence of branches.

    Attributes
    ----------
    setting : Setting
        The student.
    target : Reduced
        The reduced target.
    shapes : tuple of Shape
        The orbits; at least one.
    ends : tuple of int
        Cumulative numbers of sets of the orbits.
    """

    setting: Setting
    target: Reduced
    shapes: tuple[Shape, ...]
    ends: tuple[int, ...]


def locate(family: Family, theta: ArrayLike, tol: float, *, margin: float) -> Location:
    """Return the branch that each point is on.

    Parameters
    ----------
    family : Family
        The branches.
    theta : (P,) or (B, P) array_like
        Points.
    tol : float
        Largest distance > 0 to a closure at which a point counts as on it.
    margin : float
        Only where two closures meet that differ in what one neuron does: the quantity
        I = |v - v_held|^2 - factor a^2 of `meeting.Corner` decides if |I| is at least this part of
        the sum of its two terms.

    Returns
    -------
    Location

    Raises
    ------
    ShapeError, OptionError
        If an argument breaks its rule.
    ProblemError
        If the family has more partitions than can be searched.

    Notes
    -----
    Where closures meet, the nearest set does not say which branch a flow follows. The sign
    of I does, which flows conserve to leading order (docs/branch-meeting.md). For others
    the answer is `ambiguous`.
    """
    setting = family.setting
    rows = float_array("theta", theta, (setting.n_params,), ("B", setting.n_params))
    tol, margin = check_positive("tol", tol), check_positive("margin", margin, zero=True)
    partitions = sum(shape.n_partitions for shape in family.shapes)
    if partitions > MOST_PARTITIONS:
        raise ProblemError(
            f"width={setting.width} gives {partitions} partitions and must give at most "
            f"{MOST_PARTITIONS} to search them all; use `matching` for one network"
        )
    batch = np.atleast_2d(rows)
    finite = np.isfinite(batch).all(axis=1)
    distances = np.full((len(batch), len(family.shapes)), np.inf)
    indices = np.full((len(batch), len(family.shapes)), -1, dtype=np.int64)
    with np.errstate(over="ignore"):
        distances[finite], indices[finite] = _Search(family, batch[finite]).run()
    located = _decide(family, batch, distances, indices, tol, margin)
    if rows.ndim == 2:
        return located
    return Location(**{name: value[0] for name, value in vars(located).items()})


class _Search:
    """Least squared distances to the sets of every orbit; costs of groups are computed once."""

    def __init__(self, family: Family, batch: Floats) -> None:
        self.family = family
        self.setting = family.setting
        self.outgoing, self.incoming, self.constant = family.setting.split(batch)
        self._memo: dict[object, tuple[Floats, Ints]] = {}

    def run(self) -> tuple[Floats, Ints]:
        """Return distances (B, orbits) and set indices (B, orbits)."""
        columns = [self._orbit(o, shape) for o, shape in enumerate(self.family.shapes)]
        cost = np.stack([column[0] for column in columns], axis=1)
        return np.sqrt(cost), np.stack([column[1] for column in columns], axis=1)

    def _orbit(self, orbit: int, shape: Shape) -> tuple[Floats, Ints]:
        size = len(self.outgoing)
        best, partition = np.full(size, np.inf), np.zeros(size, dtype=np.int64)
        for rank in range(shape.n_partitions):
            blocks = shape.blocks(rank)
            cost = sum(self._costs(shape, blocks), np.zeros(size))
            better = cost < best
            best[better], partition[better] = cost[better], rank
        index = np.zeros(size, dtype=np.int64)
        start = self.family.ends[orbit - 1] if orbit else 0
        for rank in np.unique(partition):
            rows = np.flatnonzero(partition == rank)
            index[rows] = start + self._rank(shape, int(rank), rows)
        index[~np.isfinite(best)] = -1
        return best, index

    def _rank(self, shape: Shape, partition: int, rows: Ints) -> Ints:
        """Return the rank of the best set of a partition within its orbit."""
        blocks = shape.blocks(partition)
        digits, base = np.zeros(len(rows), dtype=np.int64), 1
        for place, block in enumerate(blocks[1:]):
            label = place if place < len(shape.labelled) else None
            _, choice = self._group(block, label)
            digits += choice[rows] * base
            base *= len(sign_choices(len(block), self.setting.signed, label is None))
        _, variant = self._constant(shape, blocks[0])
        return (partition * base + digits) * len(shape.constant.variants) + variant[rows]

    def _costs(self, shape: Shape, blocks: tuple[tuple[int, ...], ...]) -> list[Floats]:
        costs = [self._constant(shape, blocks[0])[0]]
        for place, block in enumerate(blocks[1:]):
            label = place if place < len(shape.labelled) else None
            costs.append(self._group(block, label)[0])
        return costs

    def _remember(
        self, key: object, compute: Callable[[], tuple[Floats, Ints]]
    ) -> tuple[Floats, Ints]:
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]

    def _group(self, block: tuple[int, ...], label: int | None) -> tuple[Floats, Ints]:
        def compute() -> tuple[Floats, Ints]:
            members = list(block)
            choices = sign_choices(len(block), self.setting.signed, label is None)
            outgoing, incoming = self.outgoing[:, members], self.incoming[:, members]
            if label is None:

                def free(a: Floats, v: Floats, signs: Floats) -> Projected:
                    return project_free(a, v, signs, self.setting.pull(signs))

                return best_choice(outgoing, incoming, choices, free)
            weight = self.family.target.outgoing[label]
            vector = self.family.target.incoming[label]

            def project(a: Floats, v: Floats, signs: Floats) -> Projected:
                return project_labelled(a, v, signs, self.setting.pull(signs), weight, vector)

            return best_choice(outgoing, incoming, choices, project)

        return self._remember((block, label), compute)

    def _constant(self, shape: Shape, block: tuple[int, ...]) -> tuple[Floats, Ints]:
        def compute() -> tuple[Floats, Ints]:
            members = list(block)
            point = Point(self.outgoing[:, members], self.incoming[:, members], self.constant)
            costs = []
            for variant in shape.constant.variants:
                kind, target = shape.constant.kind, self.family.target.constant
                new = ConstantGroup(self.setting, kind, variant, target).project(point)
                steps = [after - before for after, before in zip(new, point, strict=True)]
                costs.append(sum((squared_norm(step) for step in steps), np.zeros(len(new[0]))))
            table = np.stack(costs)
            choice = np.argmin(table, axis=0)
            return table[choice, np.arange(table.shape[1])], choice

        return self._remember((block, shape.constant), compute)


def _decide(
    family: Family, batch: Floats, distances: Floats, indices: Ints, tol: float, margin: float
) -> Location:
    rows = np.arange(len(batch))
    nearest = np.argmin(distances, axis=1)
    distance = distances[rows, nearest]
    others = distances.copy()
    others[rows, nearest] = np.inf
    second = others.min(axis=1)
    candidates = (distances <= tol).sum(axis=1)
    orbit = np.where(candidates == 1, nearest, -1)
    meet = np.flatnonzero(candidates == 2)
    orbit[meet] = _at_meetings(family, batch[meet], distances[meet] <= tol, indices[meet], margin)
    index = np.where(orbit >= 0, indices[rows, orbit], -1)
    known = np.isfinite(distance)
    return Location(
        orbit=orbit,
        index=index,
        distance=distance,
        nearest_orbit=np.where(known, nearest, -1),
        nearest_index=np.where(known, indices[rows, nearest], -1),
        second=second,
        candidates=candidates,
        ambiguous=(candidates > 1) & (orbit < 0),
        distances=distances,
    )


def _at_meetings(
    family: Family, batch: Floats, near: NDArray[np.bool_], indices: Ints, margin: float
) -> Ints:
    """Return the orbit of points near two sets of different orbits; -1 if nothing decides."""
    orbit = np.full(len(batch), -1, dtype=np.int64)
    pairs = np.argwhere(near)[:, 1].reshape(-1, 2)
    sets = np.take_along_axis(indices, pairs, axis=1)
    for pair in np.unique(sets, axis=0):
        rows = np.flatnonzero((sets == pair).all(axis=1))
        (first, second), members = pairs[rows[0]], []
        for o, index in zip((first, second), pair.tolist(), strict=True):
            start = family.ends[o - 1] if o else 0
            members.append(member(family.shapes[o], family.setting.signed, index - start))
        held, free = first, second
        meeting = corner(family.setting, members[0], members[1])
        if meeting is None:
            held, free = second, first
            meeting = corner(family.setting, members[1], members[0])
        if meeting is not None:
            outgoing, incoming, _ = family.setting.split(batch[rows])
            value, size = meeting.invariant(outgoing, incoming)
            clear = (np.abs(value) >= margin * size) & (size > 0.0)
            orbit[rows] = np.where(clear, np.where(value < 0.0, held, free), -1)
    return orbit
