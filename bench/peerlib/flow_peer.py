"""What a peer's solver for W5 and W6 looks like to the race."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from peerlib.numpy_forms import one_network
from workloads import Floats, FlowWorkload

Velocity = Callable[[Floats], Floats]
Jacobian = Callable[[Floats], Floats]


@dataclass
class Ends:
    """Where a peer's flows ended; one entry per network that it was given."""

    theta: Floats
    t: Floats
    converged: np.ndarray
    counts: str = ""
    """Steps and evaluations, in words."""
    capped: bool = False
    """Whether the runs were cut short, so that their time is a lower bound."""
    factor: float = 1.0
    """Extrapolation: the whole task costs this many times what was run."""


@dataclass(frozen=True)
class FlowPeer:
    """One solver. It follows the first `networks` starts; `run` returns when it is done."""

    key: str
    label: str
    networks: int
    run: Callable[[], Ends]
    once: bool = False
    """Timed by its first run only: minutes long, and nothing is compiled in it."""


def closed_form(work: FlowWorkload) -> tuple[Velocity, Jacobian]:
    """Return f(theta) = -gradient and -Hessian by NumPy's matrix products, samples last."""
    at = work.at
    shape = at.width, 1 + at.incoming
    p = at.theta.shape[1]
    shared = at.x1, at.y, at.activation, at.scale

    def velocity(theta: Floats) -> Floats:
        neurons = theta.reshape(shape)
        return -one_network(neurons[:, 0], neurons[:, 1:], *shared, 1)[1].reshape(p)

    def jacobian(theta: Floats) -> Floats:
        neurons = theta.reshape(shape)
        return -one_network(neurons[:, 0], neurons[:, 1:], *shared, 2)[2].reshape(p, p)

    return velocity, jacobian


def engine_functions(work: FlowWorkload) -> tuple[Velocity, Jacobian]:
    """Return the same by Flowscape's kernels: what a peer's solver makes of them."""
    problem = work.at.problem

    def velocity(theta: Floats) -> Floats:
        return -problem.gradient(theta, n_threads=1)

    def jacobian(theta: Floats) -> Floats:
        return -problem.hessian(theta, n_threads=1)

    return velocity, jacobian


class Budget:
    """CPU time that a peer may use before its runs are cut short."""

    def __init__(self, seconds: float) -> None:
        self._end = time.process_time() + seconds

    def spent(self) -> bool:
        return time.process_time() >= self._end
