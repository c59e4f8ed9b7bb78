"""Which zeros are perfect, where doubles cannot tell: distances from the branches at 31 digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape import _core
from flowscape.branches import branches
from flowscape.brief import Brief
from flowscape.errors import OptionError, ProblemError, describe
from flowscape.extended import UNIT, evaluate, targets_dd
from flowscape.objective import Problem
from flowscape.polish import Polished
from flowscape.status import Kind

__all__ = ["ZeroEvidence", "decide_zeros"]

Floats = NDArray[np.float64]

# A point is on a closure if its distance, in units of 1 + |theta|, is what doubles resolve of it.
_RESOLUTION = 1e-14
# Rounding of a singular value of the Jacobian, whose entries are right to 1e-16, relative.
_JACOBIAN_NOISE = 1e-14
# Newton and Kantorovich ask for 1/2; and second derivatives are taken at the point itself.
_CONTRACTION = 0.25
_SPREAD = 2.0
# The exact zero must be nearer to the point than the closure by this.
_CLEAR = 0.1


@dataclass(frozen=True, repr=False)
class ZeroEvidence(Brief):
    """Whether zeros are perfect; one point per row, no batch axis for a single one.

    Attributes
    ----------
    kind : (B,) ndarray of int8
        Codes of `Kind`. IMPERFECT: an exact zero lies within `radius` of the point and the
        closures of all branches are farther away. PERFECT: the point is a zero to 31 digits and
        on the closure of a branch as far as doubles resolve. UNRESOLVED: neither.
    orbit : (B,) ndarray of int
        Orbit of the nearest branch.
    distance, resolution : (B,) ndarray
        To its closure, and what doubles resolve of it.
    residual_norm : (B,) ndarray
        Euclidean norm of the residual with the bound on its rounding, over samples with weight.
    smallest_singular_value : (B,) ndarray
        Of the Jacobian, after its rounding; 0 where the Jacobian has not full row rank.
    radius : (B,) ndarray
        An exact zero of the residual is at most so far away; infinity if none is certain.
    """

    kind: NDArray[np.int8]
    orbit: NDArray[np.int64]
    distance: Floats
    resolution: Floats
    residual_norm: Floats
    smallest_singular_value: Floats
    radius: Floats


def decide_zeros(prob: Problem, points: Polished, *, n_threads: int | None = None) -> ZeroEvidence:
    r"""Decide which of the zeros that `polish` found to 31 digits are perfect.

    By the theorem of Newton and Kantorovich an exact zero lies within
    :math:`2 \eta = 2 |r| / \sigma` of a point with residual r whose Jacobian has the smallest
    singular value :math:`\sigma > 0`, if :math:`\eta K / \sigma \le 1/4`, K a Lipschitz constant
    of the Jacobian. Next to a branch where the residual is of second order
    :math:`\sigma` is about the distance: with :math:`|r| = 10^{-16}` nothing follows nearer than
    1e-8, with :math:`10^{-30}` down to 1e-14.

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
        If the problem has no teacher, or one that does not agree with its samples, or the
        Jacobian is too large.
    OptionError
        If the points were polished in double precision.
    """
    if not isinstance(prob, Problem) or prob.teacher is None:
        raise ProblemError(
            f"prob={describe(prob)} must be a Problem with a teacher; without a target no zero "
            "is perfect or imperfect"
        )
    if not isinstance(points, Polished):
        raise OptionError(f"points={describe(points)} must be the result of polish()")
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
    residual, smallest, radius = _nearest_zero(prob, theta, low, n_threads)
    family = branches(prob.net, prob.teacher)
    if not family.analytic:
        raise ProblemError(
            f"activation={prob.net.activation} has a kink, and the bound on the distance to an "
            "exact zero needs second derivatives; use a smooth activation"
        )
    place = family.locate(theta)
    orbit, index = np.atleast_1d(place.nearest_orbit), np.atleast_1d(place.nearest_index)
    distance = np.full(len(theta), np.inf)
    for b in np.flatnonzero(index >= 0):
        foot = family[int(index[b])].project(theta[b])
        distance[b] = np.linalg.norm((foot - theta[b]) - low[b])
    with np.errstate(over="ignore", invalid="ignore"):
        resolution = _RESOLUTION * (1.0 + np.linalg.norm(theta, axis=1))
    zero = np.atleast_1d(points.loss) <= np.atleast_1d(points.zero_loss)
    kind = np.full(len(theta), Kind.UNRESOLVED, np.int8)
    kind[zero & (distance <= resolution)] = Kind.PERFECT
    # the closure is at least this far: its computed distance is off by the resolution
    with np.errstate(invalid="ignore"):
        kind[radius < _CLEAR * (distance - resolution)] = Kind.IMPERFECT
    parts = (kind, orbit, distance, resolution, residual, smallest, radius)
    return ZeroEvidence(*(part[0] for part in parts) if single else parts)


def _nearest_zero(
    prob: Problem, theta: Floats, low: Floats, n_threads: int | None
) -> tuple[Floats, Floats, Floats]:
    """Residual norm, smallest singular value and the radius that holds an exact zero, (B,) each."""
    hi, _, size, jacobian, _ = evaluate(prob, theta, low, True, n_threads)
    weights = prob.data.weights
    counted = np.ones(len(prob.data), np.bool_) if weights is None else weights > 0.0
    rows = (len(theta), np.count_nonzero(counted) * prob.net.outputs)
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(hi[:, counted]) + UNIT * size[:, counted]
        residual = np.linalg.norm(error.reshape(rows), axis=1)
        matrices = jacobian[:, counted].reshape(*rows, theta.shape[1])
    smallest = np.zeros(len(theta))
    finite = np.isfinite(matrices).all(axis=(1, 2)) & np.isfinite(residual)
    if rows[1] <= theta.shape[1]:
        values = np.linalg.svd(matrices[finite], compute_uv=False)
        smallest[finite] = np.maximum(values[:, -1] - _JACOBIAN_NOISE * values[:, 0], 0.0)
    radius = np.full(len(theta), np.inf)
    for b in np.flatnonzero(smallest > 0.0):
        step = residual[b] / smallest[b]
        if step * _lipschitz(prob, theta[b], counted) <= _CONTRACTION * smallest[b]:
            radius[b] = 2.0 * step
    return residual, smallest, radius


def _lipschitz(prob: Problem, theta: Floats, counted: NDArray[np.bool_]) -> float:
    """Return a Lipschitz constant of the Jacobian near theta, from the blocks of its derivative.

    For one sample and output that is, per neuron, [[0, s x^T], [s x, a q x x^T]] with s and q the
    derivatives of the activation and x with its bias: of norm at most |s| |x| + |a q| |x|^2.
    """
    net, parts = prob.net, prob.net.unpack(theta)
    x = prob.data.x[counted]
    z = x @ parts.w.T + (0.0 if parts.b is None else parts.b)
    length = np.sqrt((x**2).sum(axis=1) + net.bias)[:, None]
    activation = _core.Activation(net.activation.core_terms)
    _, s, q = _core.extended_activation(activation, z.ravel(), np.zeros(z.size))[0]
    s, q = np.abs(s).reshape(z.shape), np.abs(q).reshape(z.shape)
    largest = np.abs(parts.a.reshape(net.width, net.outputs)).max(axis=1)
    blocks = (s * length + largest * q * length**2).max(axis=1)
    return float(_SPREAD * np.sqrt(net.outputs * (blocks**2).sum()))
