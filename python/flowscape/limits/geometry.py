r"""The directions at a zero of the loss, and how a flow approaches it along each of them.

LR splits the parameter space at a zero theta* (before Theorem 5.3): pi_s projects on the range of
the Hessian, pi_p on the directions along which the loss stays zero, pi_c on what is left of the
kernel, where the loss grows with the fourth order. With J the Jacobian of the residual (rows
weighted), the kernel is that of J. On it the loss begins with the square of the quadratic map

.. math:: B(v, w) = \tfrac12 P\, D^2 r(v, w), \quad P \text{ the projection on the cokernel of } J,

and the directions of constant loss lie in its radical {v : B(v, w) = 0 for all w in the kernel},
since the rank of J is constant along a manifold of zeros at generic points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches import branches
from flowscape.errors import ProblemError, ShapeError, finite_array, float_array
from flowscape.objective import Problem
from flowscape.runs import check_problem

__all__ = ["LimitGeometry", "limit_geometry"]

Floats = NDArray[np.float64]

# A loss at most this many times that of rounding errors is zero up to the error of the point.
_ZERO = 1e8
# A point this near to one branch is moved onto it.
_ON_BRANCH = 1e-3
# Singular values of J, and of the quadratic map, below this part of the largest are zero.
_RANK = 1e-7


@dataclass(frozen=True)
class LimitGeometry:
    """The splitting of parameter space at a zero of the loss.

    Attributes
    ----------
    theta : (P,) ndarray
        The zero; on the branch it belongs to, if that is known.
    stable : (P, s) ndarray
        Orthonormal basis of the range of the Hessian (pi_s).
    degenerate : (P, c) ndarray
        Of the flat directions along which the loss is not constant (pi_c).
    constant : (P, p) ndarray
        Of the directions along which the loss is constant (pi_p).
    eigenvalues : (s,) ndarray
        Positive eigenvalues of the Hessian, ascending.
    gap : float
        Largest singular value of J that counts as zero over the smallest that does not.
    branch : int
        Orbit of the branch in ``branches(prob.net, prob.teacher)``; -1 if not known.
    certified : bool
        `constant` is the tangent space of a set of zeros: J has full row rank, or the branch has
        as many dimensions and lies in it.
    """

    theta: Floats
    stable: Floats
    degenerate: Floats
    constant: Floats
    eigenvalues: Floats
    gap: float
    branch: int
    certified: bool

    @property
    def rate(self) -> float:
        """Smallest positive eigenvalue: the rate of exponential convergence."""
        return float(self.eigenvalues[0])

    @property
    def is_morse_bott(self) -> bool:
        """Whether no flat direction is left: flows converge exponentially."""
        return self.degenerate.shape[1] == 0

    def parts(self, thetas: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Return |pi_s|, |pi_c|, |pi_p| of theta - theta*: (...,) each for (..., P)."""
        points, p = float_array("thetas", thetas), len(self.theta)
        if points.shape[-1:] != (p,):
            raise ShapeError(f"thetas has shape {points.shape} and must have shape (..., {p})")
        delta = points - self.theta
        bases = (self.stable, self.degenerate, self.constant)
        one, two, three = (np.linalg.norm(delta @ basis, axis=-1) for basis in bases)
        return one, two, three

    def __repr__(self) -> str:
        dims = ", ".join(
            f"{name} {basis.shape[1]}"
            for name, basis in (
                ("stable", self.stable),
                ("degenerate", self.degenerate),
                ("constant", self.constant),
            )
        )
        return f"LimitGeometry({dims}; rate {self.rate:.4g}, certified={self.certified})"


def limit_geometry(prob: Problem, theta: ArrayLike) -> LimitGeometry:
    """Return the directions pi_s, pi_c, pi_p at a limit of zero loss.

    Parameters
    ----------
    prob : Problem
        Without weight decay.
    theta : (P,) array_like
        A zero of the loss, such as the limit of a flow or a polished point. If it is on a known
        branch of the target, that branch's nearest point is taken.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value, or `theta` is no zero of the loss.

    Notes
    -----
    LR before Theorem 5.3, with V_s the range of the Hessian (errata LR 19).
    """
    check_problem(prob)
    if prob.l2 > 0.0:
        raise ProblemError(
            f"l2={prob.l2!r} must be 0: with weight decay a zero of the residual is no minimum"
        )
    row = finite_array("theta", theta, (prob.net.n_params,), remedy="give one point")
    point, orbit, tangent = _on_branch(prob, row)
    loss, zero = float(prob.loss(point)), float(prob.noise(point).zero_loss)
    if loss > _ZERO * zero:
        raise ProblemError(
            f"theta has loss {loss:.3g} and must be a zero of the loss (at most {_ZERO * zero:.1g} "
            "here); give the limit of a flow that ends at zero loss, or polish it"
        )
    jacobian = weighted_jacobian(prob, point)
    left, values, right = np.linalg.svd(jacobian)
    rank = int(np.count_nonzero(values > _RANK * values[0]))
    gap = float(values[rank] / values[rank - 1]) if rank < len(values) else 0.0
    kernel, cokernel = right[rank:].T, left[:, rank:]
    radical, rest = _radical(prob, point, kernel, cokernel)
    full = cokernel.shape[1] == 0
    inside = tangent is not None and bool(
        np.abs(tangent - radical @ (radical.T @ tangent)).max(initial=0.0) < 1e-6
    )
    return LimitGeometry(
        theta=point,
        stable=right[:rank].T,
        degenerate=rest,
        constant=radical,
        eigenvalues=np.sort(2.0 * prob.scale * values[:rank] ** 2),
        gap=gap,
        branch=orbit,
        certified=full or (inside and tangent is not None and tangent.shape == radical.shape),
    )


def weighted_jacobian(prob: Problem, theta: Floats) -> Floats:
    """Return the Jacobian of the residuals times the roots of their weights: (N K, P)."""
    jacobian = prob.jacobian(theta).reshape(-1, prob.net.n_params)
    if prob.data.weights is None:
        return jacobian
    return np.sqrt(np.repeat(prob.data.weights, prob.net.outputs))[:, None] * jacobian


def _on_branch(prob: Problem, row: Floats) -> tuple[Floats, int, Floats | None]:
    """Return the point, the orbit of its branch and that branch's tangent, if they are known."""
    if prob.teacher is None:
        return row, -1, None
    try:
        family = branches(prob.net, prob.teacher)
        if not family.analytic:
            return row, -1, None
        place = family.locate(row, _ON_BRANCH)
        if place.orbit < 0:
            return row, -1, None
        branch = family[int(place.index)]
        point = branch.project(row)
        return point, int(place.orbit), branch.tangent(point)
    except ProblemError:
        return row, -1, None


def _radical(
    prob: Problem, point: Floats, kernel: Floats, cokernel: Floats
) -> tuple[Floats, Floats]:
    """Return bases of the radical of B in the kernel and of its complement there."""
    k, c = kernel.shape[1], cokernel.shape[1]
    if c == 0 or k == 0:
        return kernel, kernel[:, :0]
    # D^2 r(v, .) by central differences of the Jacobian, exact up to the fourth derivative
    step = 1e-3
    turned = np.empty((k, c, k))
    for j in range(k):
        change = np.zeros((len(cokernel), k))
        for factor, weight in ((1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)):
            shifted = weighted_jacobian(prob, point + factor * step * kernel[:, j])
            change += weight * (shifted @ kernel)
        turned[j] = cokernel.T @ change / (12.0 * step)
    _, values, right = np.linalg.svd(turned.transpose(1, 2, 0).reshape(c * k, k))
    values = np.concatenate([values, np.zeros(k - len(values))])
    rank = int(np.count_nonzero(values > 1e-6 * max(values[0], 1e-300))) if values[0] > 1e-9 else 0
    return kernel @ right[rank:].T, kernel @ right[:rank].T
