"""Imperfect zeros near a branch, and the points of a branch where the rank drops."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.grouping import check_branch
from flowscape.branches.parts import BranchParts
from flowscape.brief import Brief
from flowscape.errors import ProblemError, check_count, check_positive, finite_array
from flowscape.problem.inputs import as_inputs
from flowscape.problem.streams import generator_or_default
from flowscape.problem.traits import traits
from flowscape.separation.features import at_point, extended, features
from flowscape.separation.kinked_zero import kinked_zero
from flowscape.separation.output_features import output_features
from flowscape.separation.outputs import at_outputs
from flowscape.separation.rank import full_rank
from flowscape.separation.result import ImperfectZero, Reason, SeparationVerdict
from flowscape.separation.verdict import separation

__all__ = ["ImperfectZero", "RankDrop", "imperfect_zero", "rank_drops"]

Floats = NDArray[np.float64]

_RANK = 1e-10  # relative singular value that counts as 0
_OFF = 1e-6  # sine of the angle with the tangent space that counts as 0
_NEWTON = 40
_SHRINKS = 12


def imperfect_zero(
    branch: BranchParts,
    x: ArrayLike,
    theta: ArrayLike,
    *,
    distance: float = 1e-2,
    rng: np.random.Generator | None = None,
) -> ImperfectZero | None:
    """Return a zero near theta that is not on the branch; None where the verdict is another one.

    Parameters
    ----------
    branch : Branch
    x : (n, d) array_like
        Samples for which the branch is NOT_SEPARATED at theta.
    theta : (P,) array_like
        A generic point of the branch.
    distance : float
        Wanted distance > 0 from theta; halved while Newton's method returns to the branch.
    rng : Generator, optional
        Chooses the direction where many lead to zeros.

    Notes
    -----
    From theta + distance * v, v a regular root of the forms (or, where the Jacobian has full row
    rank, a direction of its kernel normal to the branch), by Gauss-Newton steps of least norm.
    For positively homogeneous activations the zeros are linear, and no search is needed.
    """
    check_branch(branch)
    distance = check_positive("distance", distance)
    rng = generator_or_default(rng)
    samples = as_inputs("x", x, branch.setting.inputs)
    row = finite_array("theta", theta, (branch.setting.n_params,))
    found = separation(branch, samples, row, rng=rng)
    if found.verdict != SeparationVerdict.NOT_SEPARATED:
        return None
    if traits(branch.setting.activation).has_kink:
        return kinked_zero(branch, samples, row, distance, rng)
    direction, moves = found.root, np.eye(len(row))
    rank = len(samples) * branch.setting.outputs
    if direction is None:
        ways = [(moves, rank)]
        if found.reason == Reason.ONE_GROUP:
            point = at_outputs(branch, row)
            alone = output_features(point, samples[None]).alone(point)[0][0]
            ways = [
                (point.moves_of(g), len(samples) * point.groups[g].rank)
                for g in np.flatnonzero(alone).tolist()
            ]
        spaces = [_leaving(branch, row, samples, way) for way, _ in ways]
        best = int(np.argmax([space.shape[1] for space in spaces]))
        moves, rank = ways[best]
        direction = spaces[best] @ rng.normal(size=spaces[best].shape[1])
        direction /= np.linalg.norm(direction)
    probe = rng.normal(size=(64, branch.setting.inputs)) * max(1.0, float(np.abs(samples).max()))
    for _ in range(_SHRINKS):
        start = row + distance * direction
        theta_near, smallest = _gauss_newton(branch, start, samples, moves, rank)
        gap = float(branch.distance(theta_near))
        if np.isfinite(gap) and 0.2 * distance < gap < 5.0 * distance:
            left = float(np.abs(residual(branch, theta_near, samples)[0]).max())
            defect = float(np.abs(residual(branch, theta_near, probe)[0]).max())
            return ImperfectZero(theta_near, left, gap, defect, smallest)
        distance *= 0.5
    raise ProblemError(
        "Newton's method returned to the branch from every distance tried; give a larger distance"
    )


def _leaving(branch: BranchParts, row: Floats, samples: Floats, moves: Floats) -> Floats:
    """Return moves (P, k) in the kernel of the Jacobian that leave the branch's tangent space.

    They are normal to it where `moves` allow that.
    """
    _, jacobian = residual(branch, row, samples)
    span = np.linalg.qr(moves)[0]
    _, values, right = np.linalg.svd(jacobian @ span)
    kernel = span @ right[int((values > _RANK * values[0]).sum()) :].T
    tangent = branch.tangent(row)
    _, values, right = np.linalg.svd(kernel - tangent @ (tangent.T @ kernel))
    return np.asarray(kernel @ right[: int((values > _OFF).sum())].T)


def residual(branch: BranchParts, theta: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return f(x_i) - f*(x_i), (n O,), outputs the fast index, and its Jacobian (n O, P)."""
    s, target = branch.setting, branch.target
    inputs = extended(s, x)
    outgoing, incoming, constant = (part[0] for part in s.split(theta[None]))
    value, slope = s.activation.compiled_values(inputs @ incoming.T + s.centre, 1)
    wanted = s.activation.compiled_values(inputs @ target.incoming.T + s.centre, 0)[0]
    gap = value @ outgoing + constant
    level, slopes = target.beside(s)
    gap -= wanted @ target.outgoing + level + x @ slopes.T
    jacobian = np.zeros((len(x), s.outputs, s.n_params))
    for o in range(s.outputs):
        for k in range(s.width):
            jacobian[:, o, s.a_index(k, o)] = value[:, k]
            for j in range(s.incoming):
                jacobian[:, o, s.v_index(k, j)] = outgoing[k, o] * slope[:, k] * inputs[:, j]
        if s.output_bias:
            jacobian[:, o, s.c_index(o)] = 1.0
    return gap.ravel(), jacobian.reshape(-1, s.n_params)


def _gauss_newton(
    branch: BranchParts, start: Floats, x: Floats, moves: Floats, rank: int
) -> tuple[Floats, float]:
    """Return a zero among start + moves (P, k), where the Jacobian has this rank."""
    theta, smallest, best = start, 0.0, np.inf
    for _ in range(_NEWTON):
        gap, jacobian = residual(branch, theta, x)
        size = float(np.abs(gap).max())
        left, values, right = np.linalg.svd(jacobian @ moves, full_matrices=False)
        left, values, right = left[:, :rank], values[:rank], right[:rank]
        smallest = float(values[-1])
        if not np.isfinite(size) or smallest == 0.0 or (size >= best and size < 1e-13):
            break
        best = min(best, size)
        theta = theta - moves @ (right.T @ ((left.T @ gap) / values))
    return theta, smallest


@dataclass(frozen=True, repr=False)
class RankDrop(Brief):
    """A point of a branch where the Jacobian has less than its generic rank.

    Attributes
    ----------
    theta : (P,) ndarray
    t : float
        Its place on the segment.
    width : float
        Length of the interval of t in which the determinant changes its sign.
    """

    theta: Floats
    t: float
    width: float


def rank_drops(
    branch: BranchParts, x: ArrayLike, start: ArrayLike, end: ArrayLike, *, grid: int = 400
) -> list[RankDrop]:
    """Locate where the rank drops on a segment between two points of an affine branch.

    The sample set must have n = rho samples, the generic rank: then the features form a square
    matrix and its determinant changes sign where the rank drops by one. With more or fewer
    samples a drop takes several conditions at once, and a segment meets none.

    Parameters
    ----------
    branch : Branch
        Affine.
    x : (rho, d) array_like
    start, end : (P,) array_like
        Points of the branch.
    grid : int
        Points at which the sign is looked at; pairs of zeros closer than the grid are missed.
    """
    s = branch.setting
    samples = as_inputs("x", x, s.inputs)
    grid = check_count("grid", grid, minimum=2)
    ends = [finite_array(name, p, (s.n_params,)) for name, p in (("start", start), ("end", end))]
    if not branch.is_affine:
        raise ProblemError(f"the branch {branch.name} is curved; a segment leaves it")
    middle = at_point(branch, 0.5 * (ends[0] + ends[1]))
    if len(samples) != middle.rank:
        raise ProblemError(
            f"x holds {len(samples)} samples and must hold {middle.rank}, the generic rank"
        )

    def sign(t: float) -> float:
        point = at_point(branch, (1.0 - t) * ends[0] + t * ends[1])
        if point.rank != len(samples):
            return 0.0
        found = features(point, samples[None])
        if not full_rank(found.phi, found.error).full[0]:
            return 0.0
        return float(np.linalg.slogdet(found.phi[0])[0])

    drops = []
    places = np.linspace(0.0, 1.0, grid + 1)
    known = [(float(t), value) for t in places if (value := sign(float(t))) != 0.0]
    for (low, before), (high, after) in pairwise(known):
        if before == after:
            continue
        a, b = low, high
        while True:
            mid = 0.5 * (a + b)
            value = sign(mid)
            if value == 0.0 or mid in (a, b):
                break
            a, b = (mid, b) if value == before else (a, mid)
        theta = (1.0 - mid) * ends[0] + mid * ends[1]
        drops.append(RankDrop(theta, mid, b - a))
    return drops
