"""Zeros of the loss told apart: on a branch of the target, or wrong off the samples."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branch, Branches, branches
from flowscape.classify.kinked import judge_kinked_zeros
from flowscape.classify.spelling import spells_target
from flowscape.classify.zeros import Zeros, different_samples
from flowscape.errors import ProblemError
from flowscape.objective import Problem
from flowscape.problem import Teacher, TwoLayer
from flowscape.status import Kind

__all__ = ["judge_zeros"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A perfect point lies at most this far from the closure of a branch.
_NEAR = 1e-3
# At a regular zero the function is wrong if it misses the target by this many error bounds.
_WRONG = 10.0
# At a zero that is not regular, on a branch that is separated, the function may differ from the
# target by this part of the target's size: what is left of the distance to the branch.
_CLOSE = 1e-10
# Without enumerated branches: neurons that agree with the target's to this part are the target's.
_SAME = 1e-5


@functools.lru_cache(maxsize=64)
def _family(net: TwoLayer, teacher: Teacher) -> tuple[Branches | None, bool, str]:
    """Return the branches, if known; whether nothing recovers; and why."""
    try:
        family = branches(net, teacher)
    except ProblemError as error:
        return None, False, str(error)
    if family.message:
        return None, True, family.message
    return family, False, ""


def judge_zeros(
    prob: Problem,
    grid: Problem,
    theta: Floats,
    zeros: Zeros,
    vanishes: Bools,
    kind: NDArray[np.int8],
    branch: Ints,
    expected: Ints,
    evidence: dict[str, NDArray],
    n_threads: int | None,
) -> tuple[str, ...]:
    """Fill in kind, branch and expected zeros of the points in `vanishes`; return notes.

    At a regular zero the function of the true zero is known to within ``zeros.error_bound``:
    PERFECT within it, IMPERFECT beyond ten times it. At another zero a point is PERFECT only near
    a branch that the sample size separates from the imperfect zeros (Local Recovery, Lemma 4.2:
    n >= codim), and never IMPERFECT. Where no branches are enumerated its neurons must in addition
    be the target's, one by one. Where the activation has a kink: `judge_kinked_zeros`.
    """
    error = np.sqrt(grid.loss(theta, n_threads=n_threads))
    evidence["generalization_error"] = error
    distance = np.full(len(theta), np.nan)
    evidence["branch_distance"] = distance
    regular = vanishes & zeros.regular
    size = max(float(np.sqrt(np.mean(grid.data.y**2))), 1e-300)
    perfect = regular & (error <= zeros.error_bound)
    kind[regular & (error > _WRONG * zeros.error_bound)] = Kind.IMPERFECT
    family, hopeless, why = _family(prob.net, prob.teacher)
    if family is not None and not family.analytic:
        parts = (error, size, kind, branch, expected, distance)
        try:
            judge_kinked_zeros(prob, family, theta, zeros, vanishes, *parts)
        except ProblemError as refused:
            why = str(refused)
        else:
            return ()
    place = None
    if family is not None and family.analytic:
        try:
            place = family.locate(theta, _NEAR)
        except ProblemError as refused:
            why = str(refused)
    if place is None or family is None:
        # A grid can refute equality, not prove it: the neurons must be the target's as well.
        perfect |= vanishes & zeros.isolated & (error <= _CLOSE * size)
        if not hopeless:
            rows = np.flatnonzero(perfect)
            perfect[rows] = [spells_target(prob, theta[row], _SAME) for row in rows]
            kind[perfect] = Kind.PERFECT
        return (why,)
    distance[:] = place.distance
    near = place.distance <= _NEAR
    needed = np.array([orbit.representative.separation_size for orbit in family.orbits()])
    most = np.where(place.distances <= _NEAR, needed, 0).max(axis=1)
    separated = different_samples(prob) >= most
    # Below the separation size only a point that is on the branch to within its own uncertainty.
    on_branch = place.distance <= _WRONG * zeros.place_bound
    perfect &= separated | on_branch
    perfect |= vanishes & ~zeros.regular & separated & (error <= _CLOSE * size)
    perfect &= near
    kind[perfect] = Kind.PERFECT
    branch[perfect] = place.orbit[perfect]
    known = perfect & ~zeros.regular & (branch >= 0)
    expected[known] = _zeros_on_branches(prob, family)[branch[known]]
    return ()


def _zeros_on_branches(prob: Problem, family: Branches) -> Ints:
    """Return P - min(n, rank) for every orbit, -1 where the rank is not known in closed form."""
    n, p = different_samples(prob), prob.net.n_params

    def zeros(b: Branch) -> int:
        return -1 if b.generic_rank is None else p - min(n, b.generic_rank)

    return np.array([zeros(orbit.representative) for orbit in family.orbits()], dtype=np.int64)
