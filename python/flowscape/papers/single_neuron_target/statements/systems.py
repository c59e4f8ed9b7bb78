"""Small systems d theta/dt = g(theta) that are no gradient flows, for Theorem 3.

Four dimensions, g(theta) = J theta + Q(theta, theta) - |theta|^2 theta with
J = S diag(1, 1 or mu_2, mu_2, mu_3) S^-1, so mu_1 = 1. A Runge-Kutta method of its own follows
them: nothing here uses the compiled core.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.single_neuron_target.setting import SEED

__all__ = ["SECOND", "Systems", "follow_systems", "systems"]

Floats = NDArray[np.float64]

SECOND = 0.4
"""mu_2; mu_1 is 1."""

_LAST_STEP = 0.01


@dataclass(frozen=True)
class Systems:
    """A batch of systems.

    Attributes
    ----------
    linear, vectors : (B, 4, 4) ndarray
    values : (B, 4) ndarray
        J, S and the eigenvalues; the first `multiplicity` columns of S span the leading eigenspace.
    quadratic : (B, 4, 4, 4) ndarray
    multiplicity : (B,) ndarray
        Of mu_1.
    normal : bool
        Whether S is orthogonal.
    """

    linear: Floats
    vectors: Floats
    values: Floats
    quadratic: Floats
    multiplicity: NDArray[np.int64]
    normal: bool

    def g(self, theta: Floats) -> Floats:
        """Return g, for theta of shape (B, 4)."""
        return self.jacobian_at_0(theta) + self.bend(theta)

    def bend(self, theta: Floats) -> Floats:
        """Return the nonlinear part of g."""
        bent = ((self.quadratic @ theta[:, None, :, None])[..., 0] @ theta[..., None])[..., 0]
        return bent - (theta**2).sum(axis=1)[:, None] * theta

    def jacobian_at_0(self, theta: Floats) -> Floats:
        """Return J theta."""
        return _apply(self.linear, theta)

    def spectral(self, theta: Floats) -> Floats:
        """Return the projection on the leading eigenspace along the other eigenspaces."""
        parts = np.asarray(np.linalg.solve(self.vectors, theta[..., None])[..., 0], np.float64)
        parts[np.arange(4) >= self.multiplicity[:, None]] = 0.0
        return _apply(self.vectors, parts)

    def orthogonal(self, theta: Floats) -> Floats:
        """Return the orthogonal projection on the leading eigenspace."""
        out = np.empty_like(theta)
        for b, count in enumerate(self.multiplicity):
            basis = np.linalg.qr(self.vectors[b, :, :count])[0]
            out[b] = basis @ (basis.T @ theta[b])
        return out


def systems(*, normal: bool, count: int = 12) -> Systems:
    """Return random systems; the multiplicity of mu_1 is 1 and 2 in turn."""
    rng = np.random.default_rng(SEED + normal)
    vectors = rng.normal(size=(count, 4, 4))
    vectors = np.linalg.qr(vectors)[0] if normal else np.eye(4) + 0.4 * vectors
    multiplicity = 1 + np.arange(count) % 2
    values = np.where(np.arange(4) < multiplicity[:, None], 1.0, SECOND)
    values[:, 3] = -0.7
    linear = vectors * values[:, None, :] @ np.linalg.inv(vectors)
    return Systems(
        linear, vectors, values, 0.3 * rng.normal(size=(count, 4, 4, 4)), multiplicity, normal
    )


def follow_systems(one: Systems, theta: Floats, time: float) -> Floats:
    """Follow all systems for the same time: (B, 4).

    A Runge-Kutta method of order 4 in the variable e^(-Jt) theta, exact for the linear part. The
    steps shrink towards the end as the nonlinear part grows: at the time tau before it the step is
    0.01 e^(tau/4), so that every step has about the same error.
    """
    count = int(np.ceil(4.0 / _LAST_STEP * (1.0 - np.exp(-time / 4.0))))
    left = -4.0 * np.log(1.0 - np.linspace(1.0 - np.exp(-time / 4.0), 0.0, count + 1))
    values = one.values
    into = np.linalg.inv(one.vectors)
    for h in left[:-1] - left[1:]:
        half = one.vectors * np.exp(0.5 * h * values)[:, None, :] @ into
        moved = _apply(half, theta)
        k1 = _apply(half, one.bend(theta))
        k2 = one.bend(moved + 0.5 * h * k1)
        k3 = one.bend(moved + 0.5 * h * k2)
        end = _apply(half, moved)
        k4 = one.bend(end + h * _apply(half, k3))
        theta = end + h / 6.0 * (_apply(half, k1 + 2.0 * (k2 + k3)) + k4)
    return theta


def _apply(matrix: Floats, vector: Floats) -> Floats:
    return (matrix @ vector[..., None])[..., 0]
