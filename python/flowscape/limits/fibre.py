r"""A flow into a given zero of the loss (LR Proposition 5.1), as a power series.

theta* + eps v flows to theta* + O(eps^2), another zero. A solution that ends in theta* itself lies
on its strong stable manifold, which belongs to the largest eigenvalue lambda of the Hessian H:

.. math:: \theta(u) = \theta^* + \sum_{k \ge 1} \Theta_k u^k, \qquad \dot u = -\lambda u.

Theta_1 is an eigenvector, and (H - k lambda) Theta_k = [F(theta(u)) + H (theta(u) - theta*)]_k for
k >= 2, F = -grad L: k lambda exceeds every eigenvalue, so that nothing is resonant, whatever the
kernel of H. The coefficients come from truncated power series; the error of the sum from the defect
of the invariance equation, measured with the compiled gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import OptionError, ProblemError, describe, finite_array, float_array
from flowscape.objective import Problem
from flowscape.runs import check_problem

__all__ = ["FlowInto", "flow_into"]

Floats = NDArray[np.float64]

_ORDER = 16
# Radii that are tried, as parts of 1 + |theta*|, and the defect relative to |theta - theta*| that
# is accepted.
_RADII = 2.0 ** np.arange(2.0, -20.0, -0.5)
_TARGET = 1e-10
# A loss at most this many times that of rounding errors is zero up to the error of the point.
_ZERO = 1e8


@dataclass(frozen=True)
class FlowInto:
    """A solution of the gradient flow that converges to a given zero.

    Attributes
    ----------
    theta : (P,) ndarray
        The zero.
    start : (P,) ndarray
        The solution at t = 0.
    distance : float
        |start - theta|.
    rate : float
        Largest eigenvalue of the Hessian: the solution approaches as exp(-rate t).
    error : float
        Bound on the distance of `start` from the exact solution, relative to `distance`.
    """

    theta: Floats
    start: Floats
    distance: float
    rate: float
    error: float
    _coefficients: Floats
    _radius: float

    def __call__(self, t: ArrayLike) -> Floats:
        """Return the solution at times t >= 0: (P,) or (T, P)."""
        times = float_array("t", t, (), ("T",))
        return self.theta + _horner(self._coefficients, self._radius * np.exp(-self.rate * times))

    def __repr__(self) -> str:
        return (
            f"FlowInto(distance {self.distance:.3g}, rate {self.rate:.4g}, error {self.error:.1e})"
        )


def flow_into(prob: Problem, theta: ArrayLike, *, side: int = 1) -> FlowInto:
    """Return a non-constant flow that converges to a zero of the loss.

    Parameters
    ----------
    prob : Problem
        Without weight decay.
    theta : (P,) array_like
        A point with zero loss: a generic one, or one where the Hessian is degenerate.
    side : {1, -1}
        From which side along the eigenvector of the largest eigenvalue; 1 is that on which its
        largest component is positive.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value, `theta` is no zero of the loss, or the Hessian
        vanishes there.

    Notes
    -----
    LR Proposition 5.1: every zero of the loss is the limit of a non-constant flow.
    """
    check_problem(prob)
    if not isinstance(side, int | np.integer) or side not in (1, -1):
        raise OptionError(f"side={describe(side)} must be 1 or -1; 1 is the usual choice")
    if prob.l2 > 0.0:
        raise ProblemError(
            f"l2={prob.l2!r} must be 0: LR Proposition 5.1 is about zeros of the loss, and with "
            "weight decay the zeros of the residual are not critical"
        )
    point = finite_array("theta", theta, (prob.net.n_params,), remedy="give one point")
    loss, zero = float(prob.loss(point)), float(prob.noise(point).zero_loss)
    if loss > _ZERO * zero:
        raise ProblemError(
            f"theta has loss {loss:.3g} and must be a zero of the loss (at most {_ZERO * zero:.1g} "
            "here), the hypothesis of LR Proposition 5.1; polish it, or take a member of a branch"
        )
    hessian = prob.hessian(point)
    values, vectors = np.linalg.eigh(hessian)
    rate = float(values[-1])
    if rate <= 1e3 * float(prob.noise(point).hessian):
        raise ProblemError(
            "the Hessian vanishes at theta, so that no solution approaches it exponentially; "
            "take another zero"
        )
    vector = vectors[:, -1]
    vector = side * np.sign(vector[np.argmax(np.abs(vector))]) * vector
    unit = 1.0 + float(np.linalg.norm(point))
    coefficients = _series(prob, point, hessian, rate, unit * vector)
    radius, error = _radius(prob, point, coefficients, rate)
    start = point + _horner(coefficients, np.array(radius))
    return FlowInto(
        theta=point,
        start=start,
        distance=float(np.linalg.norm(start - point)),
        rate=rate,
        error=error,
        _coefficients=coefficients,
        _radius=radius,
    )


def _horner(coefficients: Floats, u: Floats) -> Floats:
    u = np.asarray(u)[..., None]
    value = np.zeros((*u.shape[:-1], coefficients.shape[1]))
    for row in coefficients[::-1]:
        value = value * u + row
    return value


def _radius(prob: Problem, point: Floats, coefficients: Floats, rate: float) -> tuple[float, float]:
    """Return the largest radius with a small defect, and the error there.

    A defect D(u) ~ u^(order + 1) of the invariance equation makes an error of at most
    D / (rate (order - 1)), if nothing grows faster than twice the linear rate.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # at the largest radii, where unusable
        offsets = _horner(coefficients, _RADII)
        powers = np.arange(len(coefficients), dtype=float)
        slopes = _horner(powers[:, None] * coefficients, _RADII)
        defect = np.linalg.norm(rate * slopes - prob.gradient(point + offsets), axis=1)
        size = np.linalg.norm(offsets, axis=1)
        straight = np.linalg.norm(_RADII[:, None] * coefficients[1], axis=1)
        bent = np.linalg.norm(offsets - _RADII[:, None] * coefficients[1], axis=1)
        error = defect / (rate * (_ORDER - 1) * size)
        error = np.where((bent <= 0.25 * straight) & np.isfinite(error), error, np.inf)
    good = error <= _TARGET
    place = int(good.argmax()) if good.any() else int(error.argmin())
    return float(_RADII[place]), float(error[place])


def _product(one: Floats, other: Floats, k: int) -> Floats:
    return np.einsum("k...,k...->...", one[: k + 1], other[k::-1])


def _series(prob: Problem, point: Floats, hessian: Floats, rate: float, first: Floats) -> Floats:
    """Return Theta_k, (order + 1, P); row 0 is zero."""
    net, data, p = prob.net, prob.data, prob.net.n_params
    m, n, outputs = net.width, len(data), net.outputs
    inputs = np.hstack([data.x, np.ones((n, 1))]) if net.bias else data.x
    block = outputs + inputs.shape[1]
    given = np.ones(n) if data.weights is None else data.weights
    weights = (2.0 * prob.scale * given)[:, None]
    neurons = point[: m * block].reshape(m, block)
    arguments = neurons[:, outputs:] @ inputs.T  # (m, n)
    jets = np.array(
        [net.activation.taylor(_ORDER + 1, float(z)) for z in arguments.ravel()]
    ).T.reshape(_ORDER + 2, m, n)
    slopes = jets[1:] * np.arange(1.0, _ORDER + 2.0)[:, None, None]
    theta = np.zeros((_ORDER + 1, p))
    theta[1] = first
    a = np.zeros((_ORDER + 1, m, 1, outputs))
    a[0] = neurons[:, None, :outputs]
    powers = np.zeros((_ORDER + 1, _ORDER + 1, m, n))  # [q, k]: coefficient k of (z - z*)^q
    powers[0, 0] = 1.0
    value, derivative = np.zeros((2, _ORDER + 1, m, n, 1))  # of sigma(z), sigma'(z)
    value[0], derivative[0] = jets[0][..., None], slopes[0][..., None]
    residual = np.zeros((_ORDER + 1, n, outputs))  # at a zero of the loss row 0 is rounding
    pulled = np.zeros((_ORDER + 1, m, n))  # sum over outputs of residual times a
    shift = np.zeros((_ORDER + 1, outputs))

    def put(k: int, row: Floats) -> None:
        """Enter coefficient k of theta into all series."""
        part = row[: m * block].reshape(m, block)
        a[k] = part[:, None, :outputs]
        powers[1, k] = part[:, outputs:] @ inputs.T
        shift[k] = row[m * block :] if net.output_bias else 0.0
        value[k] = np.einsum("qmn,qmn->mn", jets[1 : k + 1], powers[1 : k + 1, k])[..., None]
        derivative[k] = np.einsum("qmn,qmn->mn", slopes[1 : k + 1], powers[1 : k + 1, k])[..., None]
        residual[k] = _product(a, value, k).sum(axis=0) + shift[k]
        pulled[k] = np.einsum("jno,jmo->mn", residual[: k + 1], a[k::-1, :, 0])

    def force(k: int) -> Floats:
        """Return coefficient k of F = -grad L."""
        pull_a = -(weights * _product(residual[:, None], value, k)).sum(axis=1)
        pull_v = -(weights[:, 0] * _product(pulled, derivative[..., 0], k)) @ inputs
        pull_c = -(weights * residual[k]).sum(axis=0)
        rows = np.concatenate([pull_a, pull_v], axis=1).ravel()
        return np.concatenate([rows, pull_c]) if net.output_bias else rows

    put(1, first)
    for k in range(2, _ORDER + 1):
        for q in range(2, k + 1):
            powers[q, k] = _product(powers[1], powers[q - 1], k)
        put(k, np.zeros(p))
        theta[k] = np.linalg.solve(hessian - k * rate * np.eye(p), force(k))
        put(k, theta[k])
    return theta
