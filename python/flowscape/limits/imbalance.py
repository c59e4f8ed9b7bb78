r"""The linearised flow at the origin, and the imbalance of a small start.

At the origin (sigma(0) = 0, one output) the flow of neuron k is, to first order,

.. math:: \dot a_k = \sigma'(0)\,\gamma\cdot v_k - l_2 a_k,\quad
          \dot v_k = \sigma'(0)\,\gamma\,a_k - l_2 v_k,\quad \gamma = \sum_i W_i y_i (x_i, 1)

with W_i = 2 s w_i, the weights of the loss (docs/conventions.md). The largest eigenvalue is
mu_1 = |sigma'(0)| |gamma| - l2, and its eigenspace has one direction per neuron,
e = (|gamma|, sign(sigma'(0)) gamma) / (sqrt(2) |gamma|).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.brief import Brief
from flowscape.errors import ProblemError, finite_array
from flowscape.objective import Problem
from flowscape.problem.traits import traits
from flowscape.runs import check_problem

__all__ = ["Imbalance", "Origin", "initial_imbalance"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Origin:
    """The linearised flow at the origin.

    Attributes
    ----------
    rate : float
        mu_1 > 0, the largest eigenvalue of minus the Hessian.
    second_rate : float
        mu_2, the next distinct one: -l2 for D >= 2, else -mu_1 - 2 l2.
    slope : float
        sigma'(0).
    gamma : (D,) ndarray
        Sum of W_i y_i (x_i, 1).
    inputs : (N, D) ndarray
        Samples, with a 1 behind each where the network has biases.
    weights, targets : (N,) ndarray
        W_i = 2 s w_i, and y_i.
    direction : (1 + D,) ndarray
        Unit eigenvector of one neuron.
    """

    rate: float
    second_rate: float
    slope: float
    gamma: Floats
    inputs: Floats
    weights: Floats
    targets: Floats
    direction: Floats

    @classmethod
    def of(cls, prob: Problem) -> Origin:
        """Return the linearised flow of a problem.

        Raises
        ------
        OptionError, ProblemError
            If a hypothesis of SS Theorem 1 fails, naming it.
        """
        check_problem(prob)
        net, data = prob.net, prob.data
        if net.outputs > 1 or net.output_bias:
            raise ProblemError(
                f"the network has outputs={net.outputs} and output_bias={net.output_bias} and must "
                "have one output without bias; the limit of small initialization is known for "
                "these (SS Theorem 1)"
            )
        about = traits(net.activation)
        if about.value_at_zero != 0.0:
            raise ProblemError(
                f"activation={str(net.activation)!r} has sigma(0)={about.value_at_zero!r} and must "
                "have sigma(0)=0 (SS Theorem 1, hypothesis i), or the origin is not critical; "
                "subtract the constant, e.g. fs.activation(name, minus=...)"
            )
        if 0.0 in about.kinks:
            raise ProblemError(
                f"activation={str(net.activation)!r} has a kink at 0 and must be analytic there "
                "(SS Theorem 2); use a smooth one"
            )
        if about.slope_at_zero == 0.0:
            raise ProblemError(
                f"activation={str(net.activation)!r} has sigma'(0)=0 and must have sigma'(0) != 0 "
                "(SS Theorem 1, hypothesis i), or the origin is no strict saddle; shift it, "
                "e.g. by h"
            )
        inputs = np.hstack([data.x, np.ones((len(data), 1))]) if net.bias else data.x
        given = np.ones(len(data)) if data.weights is None else data.weights
        weights = 2.0 * prob.scale * given
        targets = data.y.reshape(-1)
        parts = (weights * targets)[:, None] * inputs
        gamma, size = parts.sum(axis=0), np.abs(parts).sum(axis=0)
        gamma = np.where(np.abs(gamma) <= 8 * len(data) * np.finfo(float).eps * size, 0.0, gamma)
        norm = float(np.linalg.norm(gamma))
        if norm == 0.0:
            raise ProblemError(
                "gamma = sum_i w_i y_i (x_i, 1) is 0 and must not be (SS Theorem 1, hypothesis "
                "ii), or the origin is no strict saddle; change the samples"
            )
        rate = abs(about.slope_at_zero) * norm - prob.l2
        if rate <= 0.0:
            raise ProblemError(
                f"l2={prob.l2!r} must be < |sigma'(0)| |gamma| = {rate + prob.l2!r}, or the "
                "origin attracts small initializations; lower l2"
            )
        unit = gamma / norm
        return cls(
            rate=rate,
            second_rate=-prob.l2 if net.neuron_inputs > 1 else -rate - 2.0 * prob.l2,
            slope=about.slope_at_zero,
            gamma=gamma,
            inputs=inputs,
            weights=weights,
            targets=targets,
            direction=np.concatenate([[1.0], np.sign(about.slope_at_zero) * unit]) / np.sqrt(2.0),
        )

    @property
    def proven_exponent(self) -> float:
        """The proven power of alpha in SS Theorem 3: (mu_1 - mu_2) / (2 mu_1 - mu_2)."""
        return (self.rate - self.second_rate) / (2.0 * self.rate - self.second_rate)


@dataclass(frozen=True, repr=False)
class Imbalance(Brief):
    """Where small starts leave the origin; one start per row, no first axis for a single one.

    Attributes
    ----------
    ratio : (B, m) ndarray
        C / |C|, the initial imbalance ratio; NaN where C = 0.
    amplitude : (B,) ndarray
        Norm of the projection on the unstable eigenspace: theta = amplitude sum_k ratio_k e_k +
        the rest, so the limit of small initialization of theta is that of `limit_flow` at the
        times t + log(amplitude) / rate.
    rate : float
        mu_1.
    """

    ratio: Floats
    amplitude: Floats
    rate: float


def initial_imbalance(prob: Problem, theta: ArrayLike) -> Imbalance:
    r"""Return the initial imbalance ratio C / |C| of starts.

    .. math:: C_k = a_k |\gamma| + \mathrm{sign}(\sigma'(0))\, \gamma \cdot v_k

    SS Theorem 1, with the sign that the paper lacks. Multiplying theta by a positive factor
    changes the amplitude only.

    Parameters
    ----------
    prob : Problem
    theta : (P,) or (B, P) array_like
        Starts.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value, or a hypothesis of SS Theorem 1 fails.
    """
    origin = Origin.of(prob)
    p = prob.net.n_params
    rows = finite_array("theta", theta, (p,), ("B", p))
    lead = rows.shape[:-1]
    neurons = rows.reshape(*lead, prob.net.width, 1 + prob.net.neuron_inputs)
    parts = neurons @ origin.direction
    largest = np.abs(parts).max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = parts / largest  # starts at 1e-300 have no square
        norm = np.linalg.norm(scaled, axis=-1, keepdims=True)
        ratio = scaled / norm
    amplitude = np.where(largest > 0.0, largest * norm, 0.0)[..., 0]
    return Imbalance(ratio=ratio, amplitude=amplitude, rate=origin.rate)
