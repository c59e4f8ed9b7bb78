"""Which branch a point is on, for a whole batch of points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.coupled.search import CoupledSearch
from flowscape.branches.location.group_costs import most_rows
from flowscape.branches.location.search import Search, rank_sets
from flowscape.branches.meeting import corner, member
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import Shape
from flowscape.brief import Brief
from flowscape.errors import ProblemError, check_positive, float_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_PARTITIONS = 1_000_000
# Points at once, and numbers in the tables of a chunk; no result depends on them.
_CHUNK, _TABLE = 8192, 2**22


@dataclass(frozen=True, repr=False)
class Location(Brief):
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

    def within(self, tol: float) -> Location:
        """Return the same without what is farther than `tol`: infinite distances, and -1."""
        near = self.distance <= tol
        return replace(
            self,
            distance=np.where(near, self.distance, np.inf),
            nearest_orbit=np.where(near, self.nearest_orbit, -1),
            nearest_index=np.where(near, self.nearest_index, -1),
            second=np.where(self.second <= tol, self.second, np.inf),
            distances=np.where(self.distances <= tol, self.distances, np.inf),
        )


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
    search : type of Search
        How the distances are computed.
    branch_at : callable, optional
        (orbit, rank within it) to the branch; given where the groups of a branch are coupled, so
        that distances are not sums over groups.
    """

    setting: Setting
    target: Reduced
    shapes: tuple[Shape, ...]
    ends: tuple[int, ...]
    search: type[Search] = Search
    branch_at: Callable[[int, int], Branch] | None = None


def locate(
    family: Family, theta: ArrayLike, tol: float, *, margin: float, near_only: bool = False
) -> Location:
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
    near_only : bool
        Say nothing about sets farther than `tol`: their distances are infinity, and where there
        is no other set `nearest_orbit` is -1. It saves the searches for curved sets far away.

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
    coupled = family.branch_at is not None
    partitions = sum(
        shape.n_sets(True) if coupled else shape.n_partitions for shape in family.shapes
    )
    if partitions > MOST_PARTITIONS:
        raise ProblemError(
            f"width={setting.width} gives {partitions} partitions{' with signs' * coupled} and "
            f"must give at most {MOST_PARTITIONS} to search them all; use `matching` for one "
            "network"
        )
    batch = np.atleast_2d(rows)
    finite = np.flatnonzero(np.isfinite(batch).all(axis=1))
    tables = len(family.shapes) * comb(setting.width, setting.width // 2)
    most = partitions if coupled else max(tables, 2 * most_rows(setting, family.target.m0))
    chunk = min(_CHUNK, max(1, _TABLE // most))
    kind = _CoupledFound if coupled else _Found
    found = kind(len(batch), len(family.shapes), tol if near_only else np.inf)
    with np.errstate(over="ignore"):
        for start in range(0, len(finite), chunk):
            found.search(family, batch, finite[start : start + chunk], tol)
        found.rank(family, batch)
    located = _decide(family, batch, found, tol, margin)
    if near_only:
        located = located.within(tol)
    if rows.ndim == 2:
        return located
    return Location(**{name: value[0] for name, value in vars(located).items()})


class _Found:
    """Distances to all orbits; the nearest orbit and the next one, and where known their sets.

    Distances beyond `most` need not be known.
    """

    def __init__(self, size: int, orbits: int, most: float) -> None:
        self.most = most
        self.distances = np.full((size, orbits), np.inf)
        self.orbits = np.full((size, 2), -1, dtype=np.int64)
        self.sets = np.full((size, 2), -1, dtype=np.int64)
        self._groups: dict[int, list[tuple[Ints, Ints, Ints]]] = {}

    def search(self, family: Family, batch: Floats, rows: Ints, tol: float) -> None:
        """Fill in the distances and orbits of some points."""
        parts = family.setting, family.target, family.shapes
        search = family.search(*parts, batch[rows], self.most)
        distances = search.distances()
        self._order(rows, distances)
        # the next one matters where exactly two are near
        asked = np.stack([np.isfinite(distances.min(axis=1)), (distances <= tol).sum(axis=1) == 2])
        for orbit in np.unique(self.orbits[rows]):
            place, which = np.nonzero((self.orbits[rows] == orbit) & asked.T)
            if len(place):
                groups = search.groups(family.shapes[orbit], place)
                self._groups.setdefault(int(orbit), []).append((rows[place], which, groups))

    def _order(self, rows: Ints, distances: Floats) -> None:
        self.distances[rows] = distances
        near = np.argmin(distances, axis=1)
        others = distances.copy()
        others[np.arange(len(rows)), near] = np.inf
        self.orbits[rows] = np.stack([near, np.argmin(others, axis=1)], axis=1)

    def rank(self, family: Family, batch: Floats) -> None:
        """Fill in the sets."""
        for orbit, parts in self._groups.items():
            rows, which, groups = (np.concatenate(part) for part in zip(*parts, strict=True))
            start = family.ends[orbit - 1] if orbit else 0
            shape = family.shapes[orbit]
            ranks = rank_sets(family.setting, family.target, shape, batch[rows], groups)
            self.sets[rows, which] = start + ranks


class _CoupledFound(_Found):
    """The same where distances are not sums over groups."""

    def search(self, family: Family, batch: Floats, rows: Ints, tol: float) -> None:
        """Fill in the distances, orbits and sets of some points."""
        assert family.branch_at is not None
        search = CoupledSearch(family.setting, family.target, family.branch_at, batch[rows])
        columns = [search.nearest(o, shape, self.most) for o, shape in enumerate(family.shapes)]
        self._order(rows, np.stack([column[0] for column in columns], axis=1))
        starts = np.array([0, *family.ends[:-1]])
        sets = starts + np.stack([column[1] for column in columns], axis=1)
        self.sets[rows] = np.take_along_axis(sets, self.orbits[rows], axis=1)


def _decide(family: Family, batch: Floats, found: _Found, tol: float, margin: float) -> Location:
    nearest, index = found.orbits[:, 0], found.sets[:, 0]
    ordered = np.take_along_axis(found.distances, found.orbits, axis=1)
    distance, second = ordered.T
    if found.distances.shape[1] == 1:
        second = np.full(len(batch), np.inf)
    candidates = (found.distances <= tol).sum(axis=1)
    orbit = np.where(candidates == 1, nearest, -1)
    meet = np.flatnonzero(candidates == 2)
    orbit[meet] = _at_meetings(family, batch[meet], found.orbits[meet], found.sets[meet], margin)
    here = np.where(orbit == nearest, index, found.sets[:, 1])
    known = np.isfinite(distance)
    return Location(
        orbit=orbit,
        index=np.where(orbit >= 0, here, -1),
        distance=distance,
        nearest_orbit=np.where(known, nearest, -1),
        nearest_index=np.where(known, index, -1),
        second=second,
        candidates=candidates,
        ambiguous=(candidates > 1) & (orbit < 0),
        distances=found.distances,
    )


def _at_meetings(family: Family, batch: Floats, pairs: Ints, sets: Ints, margin: float) -> Ints:
    """Return the orbit of points near two sets of different orbits; -1 if nothing decides."""
    orbit = np.full(len(batch), -1, dtype=np.int64)
    if not family.search.decides_meetings:
        return orbit
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
