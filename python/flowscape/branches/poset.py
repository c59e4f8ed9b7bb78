"""How the branches hang together: the poset of their intersections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flowscape.branches.branch import Branch
from flowscape.branches.exponential.branch import PulledBackSubspace
from flowscape.branches.exponential.family import ExponentialBranches
from flowscape.branches.family import Branches, check_family
from flowscape.branches.incidence import Incidence
from flowscape.branches.intersections.affine import intersect
from flowscape.branches.intersections.kinds import Intersection
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.lines.intersection import LineIntersection
from flowscape.errors import InternalError, ProblemError

__all__ = ["Flat", "IntersectionPoset", "intersection_poset"]

MOST_BRANCHES: int = 400
"""Largest family whose intersections are listed."""


@dataclass(frozen=True, eq=False)
class Flat:
    """An intersection of closures.

    Attributes
    ----------
    members : tuple of int
        The indices of all branches whose closure contains it.
    subspace : Intersection or PulledBackSubspace
        The set; the latter for exponential activations with a bias. It may have several `pieces`.
    """

    members: tuple[int, ...]
    subspace: Intersection | PulledBackSubspace

    @property
    def dim(self) -> int:
        """Its dimension."""
        return self.subspace.dim


@dataclass(frozen=True, eq=False)
class IntersectionPoset:
    """All non-empty intersections of closures, ordered by inclusion.

    The closures are its maximal elements: none of them contains another. Curved closures can meet
    in sets of several pieces; such a set is one element, which may lie above another one of the
    same dimension.

    Attributes
    ----------
    flats : tuple of Flat
        By falling dimension.
    covers : tuple of (int, int)
        The Hasse diagram: (lower, upper) positions in `flats` with nothing between them.
    """

    flats: tuple[Flat, ...]
    covers: tuple[tuple[int, int], ...]

    def below(self, position: int) -> tuple[int, ...]:
        """Return the positions of the flats directly below one."""
        return tuple(low for low, high in self.covers if high == position)


def intersection_poset(family: Branches) -> IntersectionPoset:
    """Return the poset of all intersections of the closures of a family.

    Raises
    ------
    ProblemError
        If there are more than `MOST_BRANCHES`, or some of their intersections are not known.

    Notes
    -----
    An intersection is known by the set of branches that contain it. That set is read off at a
    random member of every piece, and confirmed by the exact dimensions of the pieces of the
    intersection of them all. For exponential activations with a bias it is the poset of the
    images, pulled back.
    """
    check_family(family)
    if isinstance(family, ExponentialBranches):
        images, covers = _poset_of(family.image)
        flats = []
        for at, image in images:
            assert isinstance(image, AffineSubspace)
            flats.append(Flat(at, PulledBackSubspace(image, family.chart)))
        return IntersectionPoset(tuple(flats), covers)
    found, covers = _poset_of(family)
    return IntersectionPoset(tuple(Flat(*flat) for flat in found), covers)


def _poset_of(
    family: Branches,
) -> tuple[list[tuple[tuple[int, ...], Intersection]], tuple[tuple[int, int], ...]]:
    """Return the flats, each by its members and its set, and the covers."""
    everything = _listed(family)
    rng, numbers = np.random.default_rng(0), range(len(everything))
    # distances to lines are slow searches; intersections say the same
    lines = bool(everything) and not everything[0].shares_incoming
    incidence = None if lines else Incidence(everything)
    found: dict[tuple[int, ...], Intersection] = {}
    queue: list[tuple[tuple[int, ...], Intersection | None]] = [
        ((i,), _meet([b])) for i, b in enumerate(everything)
    ]
    sizes: list[tuple[frozenset[int], object]] = []
    while queue:
        seed, shared = queue.pop()
        if shared is None or any(
            known.issuperset(seed) and size == _size(shared) for known, size in sizes
        ):
            continue
        meets: dict[int, Intersection | None] = {}
        if incidence is None:
            meets = {i: _meet([everything[j] for j in (*seed, i)]) for i in numbers}
            members = tuple(i for i in numbers if _size(meets[i]) == _size(shared))
        else:
            members = incidence.through([piece.sample(rng) for piece in shared.pieces])
        chosen = [everything[i] for i in members]
        if not set(seed) <= set(members) or _size(_meet(chosen)) != _size(shared):
            raise InternalError(f"the branches through an intersection of {seed} are unclear")
        found[members] = shared
        sizes.append((frozenset(members), _size(shared)))
        for i in numbers:
            if i not in members:
                more = meets[i] if i in meets else _meet([*chosen, everything[i]])
                queue.append(((*members, i), more))
    order = sorted(found, key=lambda key: (-found[key].dim, key))
    covers = tuple(_covers([set(key) for key in order]))
    return [(key, found[key]) for key in order], covers


def _meet(chosen: list[Branch]) -> Intersection | None:
    if all(branch.is_affine for branch in chosen) and type(chosen[0]) is Branch:
        return intersect(chosen)
    return chosen[0].intersection(*chosen)


def _size(shared: Intersection | None) -> object:
    """Return what is equal for two sets, one in the other, only if these are equal.

    The dimensions of the pieces: these are irreducible, and none is inside another.
    """
    if isinstance(shared, LineIntersection):
        return shared.signature
    return [] if shared is None else sorted(piece.dim for piece in shared.pieces)


def _listed(family: Branches) -> list[Branch]:
    if family.count() > MOST_BRANCHES:
        raise ProblemError(
            f"width={family.net.width} gives {family.count()} branches and must give at most "
            f"{MOST_BRANCHES} to intersect them all; intersect single branches instead"
        )
    return list(family)


def _covers(members: list[set[int]]) -> Iterator[tuple[int, int]]:
    """Yield (lower, upper): more branches pass through the lower one."""
    for low, inside in enumerate(members):
        above = [high for high, other in enumerate(members) if other < inside]
        for high in above:
            if not any(members[high] < members[mid] for mid in above):
                yield low, high
