"""Zeros of the loss for positively homogeneous activations, judged off the kinks.

As long as no sample crosses a kink the network is linear on the samples in the products
q_k = a_k (w_k, b_k): f(x_i) = sum_k s_ki q_k . x~_i, s_ki the slope on the side of sample i. Two
things follow, which for analytic activations need theorems on sample sizes.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branches
from flowscape.classify.zeros import Zeros
from flowscape.objective import Problem
from flowscape.problem import Samples, TwoLayer
from flowscape.problem.symmetry import symmetry
from flowscape.status import Kind

__all__ = ["judge_kinked_zeros"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A perfect point lies at most this far from the closure of a branch.
_NEAR = 1e-3
# Distances and errors beyond this many bounds are real.
_WRONG = 10.0
# Where imperfect zeros come arbitrarily near, a point is on the branch to this part of 1 + |theta|.
_ON_BRANCH = 1e-12
# The function may differ from the target by this part of the target's size.
_CLOSE = 1e-10
# The zeros near a branch are followed by their derivative while its change is below this part.
_STRAIGHT = 0.1
# A target that is this near to a kink has no slope there; its samples are its values to this part.
_ON_KINK, _SAME = 1e-9, 1e-12
# Outgoing weights below this part of the largest are 0.
_AT_REST = 1e-14
# Of a network's value, relative to the sum of its absolute terms.
_ROUNDING = 1e-14


def judge_kinked_zeros(
    prob: Problem,
    family: Branches,
    theta: Floats,
    zeros: Zeros,
    vanishes: Bools,
    error: Floats,
    size: float,
    kind: NDArray[np.int8],
    branch: Ints,
    expected: Ints,
    distance: Floats,
) -> None:
    """Fill in kind, branch, expected zeros and distance of the points in `vanishes`.

    PERFECT: within its own uncertainty of one branch, and the function is the target; and either
    the Jacobian's rank is the codimension, so that all zeros near the branch are on it, or the
    point is on it to rounding. IMPERFECT: there is a true zero within the uncertainty of the
    point, and it misses the target.

    Parameters
    ----------
    size : float
        Of the target on the grid.
    distance : (B,) ndarray
        Filled in up to 1e-3.
    """
    rows = np.flatnonzero(vanishes)
    if len(rows) == 0:
        return
    place = family.locate(theta[rows], _NEAR, near_only=True)
    distance[rows] = np.where(np.isfinite(place.distance), place.distance, np.nan)
    slack = _WRONG * zeros.place_bound[rows]
    cell = _to_kinks(prob, theta[rows]) > _WRONG * (place.distance + slack)
    right = error[rows] <= np.maximum(zeros.error_bound[rows], _CLOSE * size)
    straight = (place.distance + slack) * _curvature(prob) <= _STRAIGHT * zeros.smallest[rows]
    resolution = _ON_BRANCH * (1.0 + np.linalg.norm(theta[rows], axis=1))
    on = place.distance <= resolution
    for i in np.flatnonzero((place.orbit >= 0) & right & (on | (cell & straight))):
        row, codim = rows[i], family[int(place.index[i])].codim
        separated = cell[i] and straight[i] and int(zeros.rank[row]) == codim
        if separated or on[i]:
            kind[row], branch[row] = Kind.PERFECT, place.orbit[i]
        if separated:
            expected[row] = prob.net.n_params - codim
    inside = _to_kinks(prob, theta[rows]) > _WRONG * slack
    open_ = (kind[rows] == Kind.UNRESOLVED) & inside
    for row in rows[open_]:
        bound = float(zeros.place_bound[row])
        wrong = error[row] > _WRONG * zeros.error_bound[row]
        if (wrong or _misses(prob, theta[row], bound)) and _has_zeros(
            prob, theta[row], int(zeros.rank[row])
        ):
            kind[row] = Kind.IMPERFECT


def _counted(prob: Problem) -> Floats:
    """Return the inputs of positive weight."""
    data = prob.data
    return data.x if data.weights is None else data.x[data.weights > 0.0]


def _extended(net: TwoLayer, x: Floats) -> Floats:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1) if net.bias else x


def _incoming(net: TwoLayer, theta: Floats) -> Floats:
    """Return (w_k, b_k) from the kink, (..., m, D)."""
    parts = net.unpack(theta)
    if parts.b is None:
        return np.asarray(parts.w)
    centre = symmetry(net.activation, net.bias).centre
    return np.concatenate([parts.w, (parts.b - centre)[..., None]], axis=-1)


def _to_kinks(prob: Problem, theta: Floats) -> Floats:
    """Return the least distance (B,) by which one neuron must move to put a sample on its kink."""
    x = _extended(prob.net, _counted(prob))
    length = np.linalg.norm(x, axis=1)
    x = x[length > 0.0] / length[length > 0.0, None]
    apart: Floats = np.abs(_incoming(prob.net, theta) @ x.T).min(axis=(1, 2), initial=np.inf)
    return apart


def _curvature(prob: Problem) -> float:
    """Return a bound on the second-order part of the residuals for a move of length 1.

    In the norm in which the Hessian at a zero is J^T J; |sum s a w.x~| <= max|s| |x~| / 2.
    """
    data, net = prob.data, prob.net
    squares = (_extended(net, data.x) ** 2).sum(axis=1)
    if data.weights is not None:
        squares = squares * data.weights
    slopes = np.abs(_slopes(net))
    return float(0.5 * slopes.max() * np.sqrt(2.0 * prob.scale * squares.sum()))


def _slopes(net: TwoLayer) -> Floats:
    """Return sigma' on the two sides of the kink."""
    centre = symmetry(net.activation, net.bias).centre
    return np.asarray(net.activation.values(centre + np.array([-1.0, 1.0]), 1)[1])


def _misses(prob: Problem, row: Floats, place: float) -> bool:
    """Return whether no network within `place` of a point is the target.

    Asked on the kinks of both, where functions differ whose kinks do: between two samples a grid
    may not see it. |f - f'| <= max|s| |x~| (|theta| + place) place for parameters that near.
    """
    net, teacher = prob.net, prob.teacher
    assert teacher is not None
    if net.outputs > 1:
        return False
    given, size = np.asarray(teacher.theta, dtype=np.float64), float(np.abs(prob.data.x).max())
    x = np.concatenate([_on_kinks(net, row, size), _on_kinks(teacher.net, given, size)])
    mine, own = _values(net, row, x)
    wanted, other = _values(teacher.net, given, x)
    reach = np.abs(_slopes(net)).max() * np.linalg.norm(_extended(net, x), axis=1)
    bound = reach * (np.linalg.norm(row) + place) * place + _ROUNDING * (own + other)
    return bool((np.abs(mine - wanted) > _WRONG * bound).any())


def _on_kinks(net: TwoLayer, row: Floats, size: float) -> Floats:
    """Return inputs on the kinks of the neurons, on both sides of the others."""
    found = []
    for vector in _incoming(net, row):
        w = vector[: net.inputs]
        squared = float(w @ w)
        if squared == 0.0:
            continue
        foot = -vector[-1] / squared * w if net.bias else np.zeros(net.inputs)
        along = np.linalg.svd(w[None])[2][1:]
        pairs = [one + two for one, two in combinations(along, 2)]
        pairs += [one - two for one, two in combinations(along, 2)]
        steps = np.array([*along, *pairs]).reshape(-1, net.inputs)
        found += [foot[None], foot + size * steps, foot - size * steps]
    return np.concatenate(found) if found else np.zeros((0, net.inputs))


def _values(net: TwoLayer, row: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return a network's values (N,), one output, and the sums of absolute terms."""
    parts, v = net.unpack(row), _incoming(net, row)
    centre = symmetry(net.activation, net.bias).centre
    inputs = _extended(net, x)
    z = inputs @ v.T
    terms = np.asarray(net.activation.compiled_values(z + centre, 0)[0]) * parts.a
    size = np.abs(inputs) @ np.abs(v.T) @ np.abs(parts.a) * np.abs(_slopes(net)).max()
    total = terms.sum(axis=1) + (0.0 if parts.c is None else float(np.ravel(parts.c)[0]))
    return total, size + np.abs(total)


def _has_zeros(prob: Problem, row: Floats, rank: int) -> bool:
    """Return whether true zeros are surely near a point where the residual vanishes.

    The equations sum_k s_ki q_k . x~_i = y_i have the target as a solution if every neuron of it
    has the sides of one of the student's, or the opposite ones and the linear functions are among
    the student's. Neurons at rest, a_k = 0 to rounding, keep their w_k and move the function by
    a_k alone. Neurons with equal sides share columns, so the columns have at most a certain rank;
    where J has it, the nearest zero is a residual over a singular value away.
    """
    net, teacher = prob.net, prob.teacher
    assert teacher is not None
    if net.outputs > 1 or teacher.net.bias != net.bias:
        return False
    if teacher.net.output_bias and not net.output_bias:
        return False
    x = _counted(prob)
    values = Samples.of(teacher, prob.data.x).y
    if np.abs(values - prob.data.y).max() > _SAME * (1.0 + np.abs(values).max()):
        return False
    inputs = _extended(net, x)
    inputs = inputs[np.abs(inputs).max(axis=1) > 0.0]
    parts = teacher.net.unpack(np.asarray(teacher.theta))
    wanted = _incoming(teacher.net, np.asarray(teacher.theta))
    live = (parts.a != 0.0) & (np.abs(wanted).max(axis=1) > 0.0)
    z, spread = wanted[live] @ inputs.T, np.abs(wanted[live]) @ np.abs(inputs.T)
    if (np.abs(z) <= _ON_KINK * spread).any():
        return False
    weights = net.unpack(row).a
    rest = np.abs(weights) <= _AT_REST * (1.0 + np.abs(weights).max())
    mine = _sides(_incoming(net, row)[~rest] @ inputs.T)
    theirs = _sides(z)
    both = {key for key, sign in mine if (key, -sign) in mine}
    linear = bool(both) and symmetry(net.activation, net.bias).slope != 0.0
    even = symmetry(net.activation, net.bias).slope == 0.0
    for key, sign in theirs:
        if (key, sign) not in mine and not ((key, -sign) in mine and (even or linear)):
            return False
    classes = len({key for key, _ in mine})
    idle = len(_sides(_incoming(net, row)[rest] @ inputs.T) - mine)
    most = inputs.shape[1] * (classes + int(linear)) + idle + int(net.output_bias)
    return rank == most


def _sides(z: Floats) -> set[tuple[bytes, int]]:
    """Return the sides of every neuron at the samples, up to sign, and the sign."""
    signs = np.where(z > 0.0, 1, -1).astype(np.int8)
    return {((row * row[0]).tobytes(), int(row[0])) for row in signs}
