"""How the branches hang together: the poset of their intersections, and connectedness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.exponential.branch import PulledBackSubspace
from flowscape.branches.exponential.family import ExponentialBranches
from flowscape.branches.family import Branches
from flowscape.branches.intersection import AffineSubspace, meet_beside_constants
from flowscape.errors import InternalError, ProblemError

__all__ = ["Flat", "IntersectionPoset", "connected_components", "intersection_poset"]

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
    if isinstance(family, ExponentialBranches):
        plain = intersection_poset(family.image)
        flats = tuple(
            Flat(flat.members, PulledBackSubspace(flat.subspace, family.chart))
            for flat in plain.flats
        )
        return IntersectionPoset(flats, plain.covers)
    everything = _listed(family)
    curved = next((b for b in everything if not b.is_affine), None)
    if curved is not None:
        raise ProblemError(
            f"the branch {curved.name} is curved and the poset needs affine branches; "
            "use `connected_components`, which takes both"
        )
    rng = np.random.default_rng(0)
    found: dict[tuple[int, ...], AffineSubspace] = {}
    queue = [((i,), b.intersection(b)) for i, b in enumerate(everything)]
    while queue:
        seed, subspace = queue.pop()
        if subspace is None:
            continue
        members = _members(everything, subspace, rng)
        if members in found:
            continue
        chosen = [everything[i] for i in members]
        whole = chosen[0].intersection(*chosen)
        if whole is None or whole.dim != subspace.dim or not set(seed) <= set(members):
            raise InternalError(f"the branches through an intersection of {seed} are unclear")
        found[members] = subspace
        for i in range(len(everything)):
            if i not in members:
                queue.append(((*members, i), chosen[0].intersection(*chosen, everything[i])))
    order = sorted(found, key=lambda key: (-found[key].dim, key))
    flats = tuple(Flat(key, found[key]) for key in order)
    return IntersectionPoset(flats, tuple(_covers([set(key) for key in order])))


def connected_components(family: Branches) -> list[tuple[int, ...]]:
    """Return the connected components of Q* as sorted tuples of branch indices.

    Every closure is connected, so two branches are in one component if a chain of closures that
    meet leads from one to the other. Q* is connected when m > m0 (Simsek et al. 2021), and consists
    of m0! points when m = m0, for a generic activation without constant part.

    Raises
    ------
    ProblemError
        If there are more than `MOST_BRANCHES` branches.

    Notes
    -----
    Affine closures meet or not by integers (`Branch.intersection`), and so do curved ones that
    share their constant group. A curved closure meets another one also where a single neuron of
    the constant group does its work alone; such members are tried. Meetings elsewhere are not
    sought, so components of a family with curved branches can be too many, never too few.
    Exponential activations with a bias have the components of their images.
    """
    if isinstance(family, ExponentialBranches):
        return connected_components(family.image)
    if not family.analytic:
        raise ProblemError(
            f"activation={str(family.net.activation)!r} is positively homogeneous, and where its "
            "closures meet is not known; use a smooth activation"
        )
    everything = _listed(family)
    s = family.setting
    if s.slope or (s.level and not all(branch.is_affine for branch in everything)):
        raise ProblemError(
            f"activation={str(s.activation)!r} gives curved branches with coupled groups, which "
            "need not be connected; connected components are not known, look at single branches"
        )
    root = list(range(len(everything)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, one in enumerate(everything):
        for j in range(i):
            if find(i) != find(j) and _meets(one, everything[j]):
                root[find(i)] = find(j)
    for i, one in enumerate(everything):
        for member in () if one.is_affine else _special_members(one):
            for j, other in enumerate(everything):
                if find(i) != find(j) and other.distance(member) <= _MEET:
                    root[find(i)] = find(j)
    groups: dict[int, list[int]] = {}
    for i in range(len(everything)):
        groups.setdefault(find(i), []).append(i)
    return sorted(tuple(group) for group in groups.values())


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


def _meets(one: Branch, other: Branch) -> bool:
    """Whether two closures meet, decided by integers; curved ones with one constant group only."""
    if one.is_affine and other.is_affine:
        return one.intersection(other) is not None
    alike = one.shape.constant.kind == other.shape.constant.kind
    alike = alike and one.blocks[0] == other.blocks[0] and one.variant == other.variant
    return alike and meet_beside_constants(one, other)


def _special_members(branch: Branch) -> Iterator[Floats]:
    """Yield members of a curved branch where one neuron makes the constant part alone."""
    s, rng = branch.setting, np.random.default_rng(0)
    for k in branch.blocks[0]:
        for b in (-1.0, 1.0):
            outgoing, incoming, constant = s.split(branch.sample(rng)[None])
            others = [j for j in branch.blocks[0] if j != k]
            outgoing[:, others] = 0.0
            incoming[0, k, -1] = b
            value = float(s.sigma(np.array([b + s.centre]))[0][0])
            if s.output_bias:
                outgoing[:, k], constant[0] = 0.0, branch.target.constant
            elif value == 0.0:
                continue
            else:
                outgoing[0, k] = branch.target.constant / value
            yield s.join(outgoing, incoming, constant)[0]
