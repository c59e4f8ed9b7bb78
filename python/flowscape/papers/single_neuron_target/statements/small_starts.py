"""Flows from alpha theta at the times t + log(1/alpha)/mu_1: what section 5.1 is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.flow import gradient_flow
from flowscape.objective import Problem
from flowscape.papers.single_neuron_target.origin import Origin, origin
from flowscape.papers.single_neuron_target.setting import SEED, even_inputs
from flowscape.problem import Samples, TwoLayer
from flowscape.problem.activation import ActivationSpec

__all__ = ["ALPHAS", "Case", "aligned", "cases", "exponent", "follow"]

Floats = NDArray[np.float64]

# The last one stands for the limit: it is 1e4 times nearer to it than the one before.
ALPHAS: tuple[float, ...] = (1e-2, 1e-3, 1e-4, 1e-5, 1e-9)
# Errors below this are those of the integration.
_FLOOR = 1e-10


@dataclass(frozen=True)
class Case:
    """A problem with a start, scaled so that C / (2 |gamma|) has norm 1.

    Attributes
    ----------
    name : str
        The activation and the input dimension.
    prob : Problem
    origin : Origin
    theta : (P,) ndarray
    """

    name: str
    prob: Problem
    origin: Origin
    theta: Floats


_ACTIVATIONS: tuple[tuple[str, ActivationSpec], ...] = (
    ("tanh(z)", "tanh"),
    ("tanh(2z)", [{"name": "tanh", "s": 2.0}]),
    ("tanh(-3z/2)", [{"name": "tanh", "s": -1.5}]),
    ("sin(z)", "sin"),
    ("z/(1+z^2)", "rational"),
    ("exp(z)-1", [{"name": "exp"}, {"name": "const", "c": -1.0}]),
)


def cases(only: Sequence[str] = ()) -> Iterator[Case]:
    """Yield problems on one input without and with bias and on three, for every activation.

    The targets are random: nothing in Theorem 1 needs a single neuron.
    """
    rng = np.random.default_rng(SEED)
    shapes = ((1, False, 2), (1, True, 2), (3, True, 3))
    for label, activation in _ACTIVATIONS:
        for inputs, bias, width in shapes:
            net = TwoLayer(width=width, inputs=inputs, activation=activation, bias=bias)
            x = even_inputs(6)[:, None] if inputs == 1 else rng.uniform(-1, 1, (8, inputs))
            prob = Problem(net, Samples(x, rng.normal(size=len(x))), "half_sum")
            theta = rng.normal(size=net.n_params)
            at_0 = origin(prob)
            size = np.linalg.norm(at_0.imbalance(theta)) / (2.0 * at_0.norm)
            if not only or label in only:
                yield Case(f"{label}, D={net.neuron_inputs}", prob, at_0, theta / size)


def follow(prob: Problem, theta0: Floats, times: Floats, rtol: float = 1e-12) -> Floats:
    """Return the flow from one start at ascending times, accurately: (T, P)."""
    flow = gradient_flow(
        prob,
        theta0,
        rtol=rtol,
        atol=0.1 * rtol * float(np.abs(theta0).max()),
        method="rk45",
        t_max=float(times[-1]),
        save_at=times,
        max_steps=10**6,
    )
    assert flow.thetas is not None
    return flow.thetas


def aligned(
    prob: Problem, theta: Floats, rate: float, t: Floats, alphas: Sequence[float] = ALPHAS
) -> Floats:
    """Return phi(alpha theta, t + log(1/alpha)/rate): (len(alphas), T, P)."""
    return np.array([follow(prob, a * theta, t - np.log(a) / rate) for a in alphas])


def exponent(errors: Floats, alphas: Sequence[float]) -> float:
    """Return the slope of log(error) against log(alpha), over the errors above the floor.

    Infinity if fewer than two are above it: then the limit was reached at once.
    """
    seen = errors > _FLOOR
    if np.count_nonzero(seen) < 2:
        return np.inf
    return float(np.polyfit(np.log(np.asarray(alphas)[seen]), np.log(errors[seen]), 1)[0])
