"""Conditions on ranks: where the closures of even plus linear branches are less than equations.

If L' of a branch is in the span of its W and J + rank W <= D, its closure are the solutions of its
equations whose vectors u_j, of the mixed free groups, are dependent modulo the span of W. Where
neurons are joined to classes this is a `Condition` on the vectors of free classes, or always true,
or never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.joined import Joined, NeuronClass
from flowscape.branches.coupled.linear import LinearCoupling
from flowscape.branches.strata import has_stray_part
from flowscape.errors import ProblemError

Floats = NDArray[np.float64]

_RANK = 1e-12
_INSIDE = 1e-9
"""Spaces are equal, or one inside another, up to this sine."""


@dataclass(frozen=True)
class Condition:
    """The vectors of some free classes are dependent modulo a space.

    Attributes
    ----------
    classes : tuple of NeuronClass
        Or a single one with zero input weight and a free bias: this must be 0.
    space : (D, v) ndarray
        Orthonormal basis.
    """

    classes: tuple[NeuronClass, ...]
    space: Floats

    @property
    def codim(self) -> int:
        """Number of independent equations."""
        return len(self.space) - self.space.shape[1] - len(self.classes) + 1

    def follows(self, other: Condition) -> bool:
        """Whether it is true where another one is."""
        inside = set(other.classes) <= set(self.classes)
        return inside and is_inside(other.space, self.space)


def orthonormal(columns: Floats) -> Floats:
    """Return an orthonormal basis of the span of columns (D, n)."""
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    return np.ascontiguousarray(left[:, values > _RANK * values.max(initial=0.0)])


def is_inside(one: Floats, other: Floats) -> bool:
    """Whether the span of an orthonormal basis is inside that of another one."""
    return bool(np.linalg.norm(one - other @ (other.T @ one)) <= _INSIDE)


def conditions(joined: Joined, couplings: Sequence[LinearCoupling]) -> tuple[Condition, ...] | None:
    """Return conditions on disjoint classes that hold together; None if they never do.

    Raises
    ------
    ProblemError
        If conditions share a class, so that they hold on several sets, which are not listed.
    """
    found: list[Condition] = []
    for coupling in couplings:
        one = _condition(joined, coupling)
        if one is None:
            return None
        if one.classes:
            found.append(one)
    return _simplified(joined, found)


def _condition(joined: Joined, coupling: LinearCoupling) -> Condition | None:
    """Return the condition of one branch; without classes if it is always true, None if never."""
    part, free, d = coupling.part, coupling.free, joined.setting.incoming
    always = Condition((), np.zeros((d, 0)))
    tol = joined.rules.tol
    if not free or not has_stray_part(part.columns, len(free), part.right, tol):
        return always
    columns = [*np.eye(d)[len(part.right) :]]  # constants of its own take up the last component
    columns += [np.append(v, np.zeros(d - len(v))) for v in part.columns.T]
    classes: list[NeuronClass] = []
    loose: list[NeuronClass] = []
    where = {k: one for one in joined.classes for k in one.neurons}
    for group in free:
        one = where[group.neurons[0]]
        if one.vector is None:
            classes.append(one)
        elif np.isnan(one.vector[-1]):
            columns.append(np.eye(d)[-1])
            loose.append(one)
        else:
            columns.append(one.vector)
    space = orthonormal(np.array(columns).reshape(-1, d).T)
    fixed = orthonormal(part.columns).shape[1] + d - len(part.right) + len(free) - len(classes)
    dependent = space.shape[1] < fixed
    if dependent or len(set(classes)) < len(classes) or len(classes) + space.shape[1] > d:
        return always
    if loose and not classes:
        return Condition(tuple(loose), np.zeros((d, 0)))
    if loose:
        raise _refusal(joined, "a pair of neurons of one is a constant of another")
    return Condition(tuple(classes), space) if classes else None


def _simplified(joined: Joined, found: list[Condition]) -> tuple[Condition, ...]:
    """Return equivalent conditions on disjoint classes."""
    single: dict[NeuronClass, Floats] = {}
    for one in found:
        if len(one.classes) == 1:
            (c,) = one.classes
            single[c] = _common(single[c], one.space) if c in single else one.space
    kept = [Condition((c,), space) for c, space in single.items()]
    for one in (one for one in found if len(one.classes) > 1):
        if not any(one.follows(other) for other in kept):
            kept = [other for other in kept if not other.follows(one)] + [one]
    kept = [one for one in kept if one.classes[0].flat] or kept
    for one, other in combinations(kept, 2):
        if set(one.classes) & set(other.classes):
            raise _refusal(joined, "the same vectors are dependent in two ways")
    return tuple(kept)


def _common(one: Floats, other: Floats) -> Floats:
    """Return an orthonormal basis of what two spaces share."""
    _, values, right = np.linalg.svd(one - other @ (other.T @ one))
    values = np.append(values, np.zeros(len(right) - len(values)))
    return np.ascontiguousarray(one @ right[values <= _INSIDE].T)


def _refusal(joined: Joined, why: str) -> ProblemError:
    names = ", ".join(branch.name for branch in joined.branches)
    return ProblemError(
        f"the intersection of {names} is not known: its closures differ by conditions on ranks, "
        f"and {why}, so that it falls into sets that are not listed; intersect fewer branches, or "
        "use `contains` for single points"
    )
