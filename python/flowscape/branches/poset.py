"""How the branches hang together: the poset of their intersections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.exponential.branch import PulledBackSubspace
from flowscape.branches.exponential.family import ExponentialBranches
from flowscape.branches.family import Branches, check_family
from flowscape.branches.intersection import AffineSubspace, intersect
from flowscape.errors import InternalError, ProblemError

__all__ = ["Flat", "IntersectionPoset", "intersection_poset"]

MOST_BRANCHES: int = 400
"""Largest family whose intersections are listed."""
Floats = NDArray[np.float64]

_ON = 1e-7  # a generic member of an intersection is this near to the closures that contain it
_MEET = 1e-9


@dataclass(frozen=True, eq=False)
class Flat:
    """An intersection of closures.

    Attributes
    ----------
    members : tuple of int
        The indices of all branches whose closure contains it.
    subspace : AffineSubspace or PulledBackSubspace
        The set; the latter for exponential activations with a bias.
    """

    members: tuple[int, ...]
    subspace: AffineSubspace | PulledBackSubspace

    @property
    def dim(self) -> int:
        """Its dimension."""
        return self.subspace.dim


@dataclass(frozen=True, eq=False)
class IntersectionPoset:
    """All non-empty intersections of closures, ordered by inclusion.

    The closures are its maximal elements: none of them contains another.

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
    """Return the poset of all intersections of the closures of an affine family.

    Raises
    ------
    ProblemError
        If a branch is curved, or there are more than `MOST_BRANCHES`.

    Notes
    -----
    An intersection is known by the set of branches that contain it. That set is read off at a
    random member and confirmed by the exact dimension of the intersection of them all. For
    exponential activations with a bias it is the poset of the images, pulled back.
    """
    check_family(family)
    if isinstance(family, ExponentialBranches):
        images, covers = _affine_poset(family.image)
        flats = (Flat(at, PulledBackSubspace(image, family.chart)) for at, image in images)
        return IntersectionPoset(tuple(flats), covers)
    found, covers = _affine_poset(family)
    return IntersectionPoset(tuple(Flat(*flat) for flat in found), covers)


def _affine_poset(
    family: Branches,
) -> tuple[list[tuple[tuple[int, ...], AffineSubspace]], tuple[tuple[int, int], ...]]:
    """Return the flats, each by its members and its subspace, and the covers."""
    everything = _listed(family)
    curved = next((b for b in everything if not b.is_affine), None)
    if curved is not None:
        raise ProblemError(
            f"the branch {curved.name} is curved and the poset needs affine branches; "
            "use `connected_components`, which takes both"
        )
    rng = np.random.default_rng(0)
    found: dict[tuple[int, ...], AffineSubspace] = {}
    queue: list[tuple[tuple[int, ...], AffineSubspace | None]] = [
        ((i,), intersect([b])) for i, b in enumerate(everything)
    ]
    while queue:
        seed, subspace = queue.pop()
        if subspace is None:
            continue
        members = _members(everything, subspace, rng)
        if members in found:
            continue
        chosen = [everything[i] for i in members]
        whole = intersect(chosen)
        if whole is None or whole.dim != subspace.dim or not set(seed) <= set(members):
            raise InternalError(f"the branches through an intersection of {seed} are unclear")
        found[members] = subspace
        for i in range(len(everything)):
            if i not in members:
                queue.append(((*members, i), intersect([*chosen, everything[i]])))
    order = sorted(found, key=lambda key: (-found[key].dim, key))
    covers = tuple(_covers([set(key) for key in order]))
    return [(key, found[key]) for key in order], covers


def _listed(family: Branches) -> list[Branch]:
    if family.count() > MOST_BRANCHES:
        raise ProblemError(
            f"width={family.net.width} gives {family.count()} branches and must give at most "
            f"{MOST_BRANCHES} to intersect them all; intersect single branches instead"
        )
    return list(family)


def _members(
    everything: list[Branch], subspace: AffineSubspace, rng: np.random.Generator
) -> tuple[int, ...]:
    member = subspace.sample(rng)
    size = 1.0 + float(np.abs(member).max())
    return tuple(i for i, b in enumerate(everything) if b.distance(member) <= _ON * size)


def _covers(members: list[set[int]]) -> Iterator[tuple[int, int]]:
    """Yield (lower, upper): more branches pass through the lower one."""
    for low, inside in enumerate(members):
        above = [high for high, other in enumerate(members) if other < inside]
        for high in above:
            if not any(members[high] < members[mid] for mid in above):
                yield low, high
