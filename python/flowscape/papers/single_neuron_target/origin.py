"""The origin as a saddle: growth rate, imbalance, and starts of a given imbalance (section 5.1).

As the paper defines them, for any activation, and independent of `flowscape.limits`, with which the
checks compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.objective import Problem
from flowscape.problem import TwoLayer

__all__ = ["Origin", "origin"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Origin:
    r"""Linear part of the flow at 0: :math:`\dot a = s\,\gamma\cdot w,\ \dot w = s\,\gamma a`.

    Attributes
    ----------
    net : TwoLayer
    gamma : (D,) ndarray
        -2 s_L sum_i w_i y_i x_i with the constant input of the bias; for the loss half_sum the
        paper's sum y_i x_i.
    slope : float
        sigma'(0).
    """

    net: TwoLayer
    gamma: Floats
    slope: float

    @property
    def norm(self) -> float:
        """Euclidean norm of gamma."""
        return float(np.linalg.norm(self.gamma))

    @property
    def rate(self) -> float:
        """Largest growth rate mu_1 = |sigma'(0)| |gamma|."""
        return abs(self.slope) * self.norm

    @property
    def second_rate(self) -> float:
        """Next eigenvalue mu_2: 0, or -mu_1 for neurons with one incoming weight."""
        return 0.0 if len(self.gamma) > 1 else -self.rate

    @property
    def sign(self) -> float:
        """Sign of sigma'(0)."""
        return float(np.sign(self.slope))

    def imbalance(self, theta: ArrayLike) -> Floats:
        """Return C_k = a_k |gamma| + sign(sigma'(0)) w_k.gamma: (m,) or (B, m)."""
        outgoing, incoming = self._neurons(theta)
        return outgoing * self.norm + self.sign * (incoming @ self.gamma)

    def start(self, imbalance: ArrayLike) -> Floats:
        """Return the point of the leading eigenspace with this C: (P,) or (B, P)."""
        c = np.asarray(imbalance, dtype=np.float64)
        a = c / (2.0 * self.norm)
        direction = self.sign * self.gamma / self.norm
        neurons = np.concatenate([a[..., None], a[..., None] * direction], axis=-1)
        return neurons.reshape(*c.shape[:-1], -1)

    def rescale(self, theta: ArrayLike, imbalance: ArrayLike) -> Floats:
        """Multiply every neuron so that C becomes `imbalance`, as the paper prepares its starts."""
        outgoing, incoming = self._neurons(theta)
        c = np.asarray(imbalance, dtype=np.float64)
        factor = c / self.imbalance(theta)
        neurons = np.concatenate([outgoing[..., None], incoming], axis=-1) * factor[..., None]
        return neurons.reshape(*neurons.shape[:-2], -1)

    def _neurons(self, theta: ArrayLike) -> tuple[Floats, Floats]:
        parts = self.net.unpack(theta)
        if parts.b is None:
            return parts.a, parts.w
        return parts.a, np.concatenate([parts.w, parts.b[..., None]], axis=-1)


def origin(prob: Problem) -> Origin:
    """Return the linear part of the flow at 0; sigma(0) = 0 is the caller's business."""
    data = prob.data
    x = np.hstack([data.x, np.ones((len(data), 1))]) if prob.net.bias else data.x
    weights = np.ones(len(data)) if data.weights is None else data.weights
    slope = float(prob.net.activation.values(0.0, 1)[1])
    return Origin(prob.net, 2.0 * prob.scale * (weights * data.y) @ x, slope)
