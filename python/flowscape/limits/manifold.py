r"""The fast unstable manifold of the origin, as a power series.

The solutions that leave the origin along the eigenspace of mu_1 (`flowscape.limits.imbalance`)
are, by the parametrisation method,

.. math:: \theta(u) = \sum_{k \ge 1} \Theta_k u^k, \qquad \dot u = \mu_1 u,

with Theta_1 in the eigenspace. Comparing powers in F(theta(u)) = mu_1 u theta'(u), F = -grad L,
gives (k mu_1 - A) Theta_k = [F(theta(u)) - A theta(u)]_k, whose right-hand side holds lower
coefficients only. No k mu_1 with k >= 2 is an eigenvalue of A, because mu_1 is the largest one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.limits.imbalance import Origin
from flowscape.objective import Problem

__all__ = ["ORDER", "Manifold", "expand"]

Floats = NDArray[np.float64]

ORDER = 20
"""Powers of u in the expansion."""

# Values of the powers of all pre-activations that may be held at once, in numbers.
_MOST_NUMBERS = 2**24


@dataclass(frozen=True)
class Manifold:
    """Solutions that leave the origin, for a batch of imbalances.

    Attributes
    ----------
    coefficients : (B, ORDER + 1, P) ndarray
        Theta_k; row 0 is zero.
    scale : float
        Norm of Theta_1: u = exp(mu_1 t) / scale.
    rate : float
        mu_1.
    """

    coefficients: Floats
    scale: float
    rate: float

    def __call__(self, u: Floats) -> Floats:
        """Return theta(u) for u of shape (B,) or (B, J): (B, P) or (B, J, P)."""
        return self._horner(self.coefficients, u)

    def derivative(self, u: Floats) -> Floats:
        """Return u theta'(u)."""
        powers = np.arange(self.coefficients.shape[1], dtype=float)
        return self._horner(powers[:, None] * self.coefficients, u)

    def _horner(self, coefficients: Floats, u: Floats) -> Floats:
        u = np.asarray(u)[..., None]
        if u.ndim == 3:
            coefficients = coefficients[:, :, None, :]
        value = np.zeros(())
        for k in range(coefficients.shape[1] - 1, -1, -1):
            value = value * u + coefficients[:, k]
        return value

    def time(self, u: Floats) -> Floats:
        """Return t with exp(mu_1 t) = scale u."""
        return (np.log(u) + np.log(self.scale)) / self.rate

    def parameter(self, t: Floats | float) -> Floats:
        """Return u at the time t, the inverse of `time`; infinity where it overflows."""
        with np.errstate(over="ignore"):
            return np.exp(self.rate * t - np.log(self.scale))


def expand(prob: Problem, origin: Origin, imbalance: Floats) -> Manifold:
    """Return the expansion for unit imbalances (B, m)."""
    scale = _natural_scale(prob, origin)
    n, m = origin.inputs.shape[0], prob.net.width
    rows = max(1, _MOST_NUMBERS // (n * m * (ORDER + 1) ** 2))
    parts = [
        _coefficients(prob, origin, scale * imbalance[start : start + rows])
        for start in range(0, max(len(imbalance), 1), rows)
    ]
    return Manifold(np.concatenate(parts), scale, origin.rate)


def _natural_scale(prob: Problem, origin: Origin) -> float:
    """Size at which the outputs reach the targets, or the pre-activations 1.

    Only a unit: it keeps the coefficients from overflowing, whatever the units of the data.
    """
    size = np.linalg.norm(origin.inputs, axis=1).max()
    reach = np.sqrt(np.abs(origin.targets).max() / (abs(origin.slope) * size))
    return float(min(reach, 1.0 / size))


def _product(one: Floats, other: Floats, k: int) -> Floats:
    """Coefficient k of a product of series along the first axis, of which 0 ... k are known."""
    return np.einsum("k...,k...->...", one[: k + 1], other[k::-1])


def _coefficients(prob: Problem, origin: Origin, imbalance: Floats) -> Floats:
    """Theta_k of one chunk, (B, ORDER + 1, P).

    The powers z^q of the pre-activations z are kept as series. Coefficient k of a power q >= 2
    needs z up to order k - 1 only, so every order is computed once: O(ORDER^3) a pre-activation.
    """
    (b, m), (n, d) = imbalance.shape, origin.inputs.shape
    sigma = prob.net.activation.taylor(ORDER + 1)
    slope = sigma[1:] * np.arange(1.0, ORDER + 2.0)
    theta = np.zeros((ORDER + 1, b, m, 1 + d))
    theta[1] = imbalance[:, :, None] * origin.direction
    powers = np.zeros((ORDER + 1, ORDER + 1, b, m, n))  # [q, k] is coefficient k of z^q
    powers[0, 0] = 1.0
    value, derivative = np.zeros((2, ORDER + 1, b, m, n))  # of sigma(z), sigma'(z)
    derivative[0] = sigma[1]
    weighted = np.zeros((ORDER + 1, b, m, n))  # a sigma'(z)
    residual = np.zeros((ORDER + 1, b, n))
    residual[0] = -origin.targets
    gamma, w = origin.slope * origin.gamma, origin.weights
    for k in range(1, ORDER + 1):
        for q in range(2, k + 1):
            powers[q, k] = _product(powers[1], powers[q - 1], k)
        nonlinear = np.tensordot(sigma[2 : k + 1], powers[2 : k + 1, k], 1)
        if k > 1:
            # a_k and z_k are still 0 here; what they add is A Theta_k, on the left-hand side
            value[k] = nonlinear
            residual[k] = _product(theta[..., 0, None], value, k).sum(axis=1)
            weighted[k] = _product(theta[..., 0, None], derivative, k)
            pull_a = -(w * _product(residual[:, :, None], value, k)).sum(axis=-1)
            pull_v = -(w * _product(residual[:, :, None], weighted, k)) @ origin.inputs
            rate = k * origin.rate + prob.l2
            a = (rate * pull_a + pull_v @ gamma) / (rate**2 - gamma @ gamma)
            theta[k, :, :, 0] = a
            theta[k, :, :, 1:] = (pull_v + gamma * a[:, :, None]) / rate
        powers[1, k] = theta[k, :, :, 1:] @ origin.inputs.T
        value[k] = nonlinear + sigma[1] * powers[1, k]
        derivative[k] = np.tensordot(slope[1 : k + 1], powers[1 : k + 1, k], 1)
        weighted[k] = _product(theta[..., 0, None], derivative, k)
        residual[k] = _product(theta[..., 0, None], value, k).sum(axis=1)
    return np.moveaxis(theta, 0, 1).reshape(b, ORDER + 1, prob.net.n_params)
