"""Which zeros are perfect, where doubles cannot tell: distances from the branches at 31 digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import branches
from flowscape.errors import OptionError, ProblemError, describe
from flowscape.extended import UNIT, evaluate, refine, targets_dd
from flowscape.objective import Problem
from flowscape.polish import Polished
from flowscape.status import Kind, Status
from flowscape.threads import thread_count

__all__ = ["ZeroEvidence", "decide_zeros"]

Floats = NDArray[np.float64]

# A point is on a closure if its distance, in units of 1 + |theta|, is what doubles can resolve,
_RESOLUTION = 1e-14
# on the segment to the closure the residual must exceed its bound by this to separate,
_CLEAR = 100.0
# and no residual vanishes on a closure to a higher order than this in the distance.
_HIGHEST_CONTACT = 8


@dataclass(frozen=True)
class ZeroEvidence:
    """Whether zeros are perfect, by their distance from the branches at 31 digits.

    Attributes
    ----------
    kind : (B,) ndarray of int8
        Codes of `Kind`. PERFECT: the point lies on the closure of a branch as far as doubles
        resolve. IMPERFECT: it is a zero to 31 digits at a distance from every closure that
        the residual's size excludes for a point that only approaches one. UNRESOLVED: neither,
        or no zero.
    orbit : (B,) ndarray of int
        Orbit of the nearest branch.
    distance, resolution : (B,) ndarray
        To its closure, and what doubles resolve of it.
    residual_norm, bound : (B,) ndarray
        Largest residual to 31 digits, and the bound on its rounding error there.
    between : (B,) ndarray
        Largest residual at 1/2 and 3/4 of the way from the point to the closure; NaN if the
        nearest point of the closure is not known to 31 digits.
    """

    kind: NDArray[np.int8]
    orbit: NDArray[np.int64]
    distance: Floats
    resolution: Floats
    residual_norm: Floats
    bound: Floats
    between: Floats


def decide_zeros(prob: Problem, points: Polished, *, n_threads: int | None = None) -> ZeroEvidence:
    """Decide which of the zeros that `polish` found to 31 digits are perfect.

    A residual that vanishes to order q on the closure of a branch is about distance^q near it, so
    that a loss at the round-off floor of doubles leaves distances of 1e-8 open for q = 2. At 31
    digits that becomes 1e-15. A zero is IMPERFECT if the residual on the way to the closure rises
    above the zero's own bound by a factor of 100, or if the distance exceeds
    bound^(1/8), which contact of any order up to 8 excludes.

    Parameters
    ----------
    prob : Problem
        With a teacher that agrees with its samples.
    points : Polished
        From ``polish(prob, theta, precision="double-double")``.
    n_threads : int, optional
        Default: every processor this process may use. No result depends on it.

    Returns
    -------
    ZeroEvidence

    Raises
    ------
    ProblemError
        If the problem has no teacher, or one that does not agree with its samples.
    OptionError
        If the points were polished in double precision.
    """
    if not isinstance(prob, Problem) or prob.teacher is None:
        raise ProblemError(
            f"prob={describe(prob)} must be a Problem with a teacher; without a target no zero "
            "is perfect or imperfect"
        )
    if points.theta_low is None:
        raise OptionError(
            'points were polished in double precision; use polish(..., precision="double-double")'
        )
    if targets_dd(prob).source != "teacher":
        raise ProblemError(
            "the samples are not the teacher's values to rounding; use Samples.of(teacher, x)"
        )
    single = points.theta.ndim == 1
    theta, low = np.atleast_2d(points.theta), np.atleast_2d(points.theta_low)
    family = branches(prob.net, prob.teacher)
    place = family.locate(theta)
    nearest = np.array(
        [
            family[int(index)].project(row) if index >= 0 else np.full_like(row, np.nan)
            for index, row in zip(np.atleast_1d(place.nearest_index), theta, strict=True)
        ]
    ).reshape(theta.shape)
    distance = np.linalg.norm((nearest - theta) - low, axis=1)
    resolution = _RESOLUTION * (1.0 + np.linalg.norm(theta, axis=1))
    own = evaluate(prob, theta, low, False, n_threads)
    axes = tuple(range(1, own[0].ndim))
    residual = np.abs(own[0]).max(axis=axes)
    bound = UNIT * own[2].max(axis=axes)
    between = _between(prob, theta, low, nearest, resolution, thread_count(n_threads))
    zero = np.atleast_1d(points.status) == Status.CONVERGED
    zero &= np.atleast_1d(points.loss) <= np.atleast_1d(points.zero_loss)
    on_closure = distance <= resolution
    with np.errstate(invalid="ignore"):
        apart = (between > _CLEAR * bound) | (distance > bound ** (1.0 / _HIGHEST_CONTACT))
    kind = np.full(len(theta), Kind.UNRESOLVED, np.int8)
    kind[zero & on_closure] = Kind.PERFECT
    kind[zero & ~on_closure & apart] = Kind.IMPERFECT
    orbit = np.atleast_1d(place.nearest_orbit)
    parts = (kind, orbit, distance, resolution, residual, bound, between)
    return ZeroEvidence(*(part[0] for part in parts) if single else parts)


def _between(
    prob: Problem,
    theta: Floats,
    low: Floats,
    nearest: Floats,
    resolution: Floats,
    threads: int,
) -> Floats:
    """Largest residual at 1/2 and 3/4 of the way to the closure; NaN where that has no foot.

    The projection is rounded, so that its residual is 1e-16: its own polish, which moves it by as
    much, is the foot. All differences keep 31 digits, or they would show instead.
    """
    foot = refine(prob, nearest, 0.0, 200, threads, None)
    moved = np.linalg.norm((foot["theta"] - nearest) + foot["theta_low"], axis=1)
    between = np.zeros(len(theta))
    for fraction in (0.5, 0.25):  # powers of two: their products are exact
        way, error = _two_sum(theta, -foot["theta"])
        error += low - foot["theta_low"]
        hi, rest = _two_sum(foot["theta"], fraction * way)
        hi, lo = _two_sum(hi, rest + (foot["theta_low"] + fraction * error))
        finite = np.isfinite(hi).all(axis=1) & np.isfinite(lo).all(axis=1) & (moved <= resolution)
        hi[~finite], lo[~finite] = 0.0, 0.0
        rows = np.abs(evaluate(prob, hi, lo, False, threads)[0])
        size = rows.max(axis=tuple(range(1, rows.ndim)))
        between = np.maximum(between, np.where(finite, size, np.nan))
    return between


def _two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a + b as rounded sum and its error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
