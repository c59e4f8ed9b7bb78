"""The branch table: what the perfect solutions look like and from which n they are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flowscape.branches import branches
from flowscape.branches.family import MOST_SETS
from flowscape.errors import OptionError, ProblemError
from flowscape.problem import Teacher, TwoLayer


@dataclass(frozen=True)
class BranchRow:
    """One branch of the perfect solutions, up to permutation of neurons and signs.

    Attributes
    ----------
    name : str
        "Q1" for r = 1; "Q1c" with a group of constant or silent neurons besides; a number
        follows, "Q2.1", where several branches have that name.
    neurons : str
        How the neurons are grouped, for one of the sets.
    r, l, dim, codim : int
        Number of groups, deficient number, dimension and codimension.
    optimistic : int or None
        Optimistic sample size of the target; None where no closed form is known.
    separation : int or None
        Sample size from which the branch is separated; None where no theorem gives one.
    sets : int
        Number of sets that permutations and sign flips make of it.
    """

    name: str
    neurons: str
    r: int
    l: int  # noqa: E741
    dim: int
    codim: int
    optimistic: int | None
    separation: int | None
    sets: int


def branch_rows(net: TwoLayer, teacher: Teacher | None) -> tuple[tuple[BranchRow, ...], str]:
    """Return the branches of a target, one row per orbit, and why there are none.

    Returns
    -------
    rows : tuple of BranchRow
        In the order of `Branches.orbits`.
    note : str
        Empty where there are rows. Else the reason: no teacher, a student that cannot recover
        the target, or an activation whose relations the enumeration does not know.
    """
    if teacher is None:
        return (), "no teacher is given, so perfect and imperfect minima cannot be told apart"
    try:
        family = branches(net, teacher)
    except ProblemError as error:
        return (), f"the branches are not enumerated: {error}"
    if family.message:
        return (), family.message
    try:
        count = family.count()
    except OptionError as error:
        return (), f"the branches are not counted: {error}"
    if count > MOST_SETS:
        about = str(count) if count < 10**15 else f"about 10^{len(str(count)) - 1}"
        return (), f"there are {about} branches, too many to list"
    try:
        optimistic = family.optimistic_size
    except ProblemError:
        optimistic = None
    orbits = family.orbits()
    names = [_base_name(orbit.representative) for orbit in orbits]
    rows = tuple(
        BranchRow(
            name=_unique(names, i),
            neurons=orbit.representative.name,
            r=orbit.representative.r,
            l=orbit.representative.l,
            dim=orbit.representative.dim,
            codim=orbit.representative.codim,
            optimistic=optimistic,
            separation=_separation(orbit.representative),
            sets=orbit.sets,
        )
        for i, orbit in enumerate(orbits)
    )
    return rows, ""


def _separation(branch: Any) -> int | None:
    try:
        return int(branch.separation_size)
    except ProblemError:
        return None


def _base_name(branch: Any) -> str:
    constant = len(branch.groups) > branch.r
    return f"Q{branch.r}{'c' if constant else ''}"


def _unique(names: list[str], i: int) -> str:
    if names.count(names[i]) == 1:
        return names[i]
    return f"{names[i]}.{names[: i + 1].count(names[i])}"
