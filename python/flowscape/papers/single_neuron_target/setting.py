"""The networks, targets, samples and starts of the paper (Example 1, section 3.3, appendix B)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher, TwoLayer
from flowscape.problem.streams import Purpose, stream_key

__all__ = [
    "even_inputs",
    "example_1",
    "gaussian_inputs",
    "generalization_error",
    "single_neuron",
    "uniform_inputs",
]

Floats = NDArray[np.float64]

# Root of all random inputs and starts of this paper; the paper's own draws are not published.
SEED = 2024


@cache
def single_neuron(inputs: int = 1) -> Teacher:
    """Return the target tanh(1.x + 1) on `inputs` inputs (Example 1; appendix B for more)."""
    net = TwoLayer(width=1, inputs=inputs, activation="tanh", bias=True)
    return Teacher(net, net.pack(a=[1.0], w=np.ones((1, inputs)), b=[1.0]))


def example_1(x: ArrayLike, *, width: int = 2, loss: str = "half_sum") -> Problem:
    """Return the paper's problem on the inputs x: (n,) or (n, d)."""
    x = np.asarray(x, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    teacher = single_neuron(x.shape[1])
    net = TwoLayer(width=width, inputs=x.shape[1], activation="tanh", bias=True)
    return Problem(net, Samples.of(teacher, x), loss, teacher=teacher)


def even_inputs(n: int) -> Floats:
    """Return n evenly spaced inputs on [-2, 2]."""
    return np.linspace(-2.0, 2.0, n)


def _stream(seed: int) -> np.random.Generator:
    root = np.random.SeedSequence(SEED, spawn_key=(seed,))
    key = np.array(stream_key(root, Purpose.SAMPLES), dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def gaussian_inputs(n: int, seed: int) -> Floats:
    """Return n standard normal inputs; those of one seed are nested in n."""
    return _stream(seed).standard_normal(n)


def uniform_inputs(n: int, inputs: int, seed: int) -> Floats:
    """Return n inputs uniform on [-2, 2)^inputs; those of one seed are nested in n."""
    return _stream(seed).uniform(-2.0, 2.0, (n, inputs))


def generalization_error(prob: Problem, theta: Floats, x: Floats) -> Floats:
    """Return the root mean square of f - f* over the inputs x, per network.

    The paper says "L2 distance" and gives neither a square root nor a divisor.
    """
    assert prob.teacher is not None
    x = x[:, None] if x.ndim == 1 else x
    error = prob.net(theta, x) - prob.teacher(x)
    return np.sqrt(np.mean(error**2, axis=-1))
