"""Random problems whose arithmetic is partly exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.problem import Samples, TwoLayer

__all__ = ["dyadic", "random_problem", "random_theta"]


def dyadic(
    rng: np.random.Generator, shape: int | tuple[int, ...], limit: float = 2.0, bits: int = 4
) -> NDArray[np.float64]:
    """Return uniform multiples of 2**-bits in [-limit, limit]: products and sums are exact."""
    last = int(limit * 2**bits)
    return rng.integers(-last, last, shape, endpoint=True) / 2.0**bits


def random_problem(
    rng: np.random.Generator,
    net: TwoLayer,
    samples: int,
    *,
    loss: str = "sum",
    l2: float = 0.0,
    weights: bool = False,
    exact: bool = True,
) -> Problem:
    """Return a problem with random samples.

    Parameters
    ----------
    rng : Generator
    net : TwoLayer
    samples : int
    loss, l2
        As in `Problem`.
    weights : bool
        Random weights in [1/4, 2), some of them 0.
    exact : bool
        `dyadic` inputs, so that with `random_theta` the neurons' arguments have no rounding
        error; else normal ones.
    """
    shape = (samples, net.inputs)
    x = dyadic(rng, shape) if exact else rng.normal(size=shape)
    y = rng.normal(size=(samples, net.outputs))
    factors = None
    if weights:
        factors = rng.uniform(0.25, 2.0, samples)
        factors[1:samples:7] = 0.0
    return Problem(net, Samples(x, y, factors), loss, l2)


def random_theta(
    rng: np.random.Generator, net: TwoLayer, n: int, *, exact: bool = True
) -> NDArray[np.float64]:
    """Return n parameter vectors (n, P); `exact`: `dyadic` incoming weights and biases."""
    theta = rng.normal(size=(n, net.n_params))
    if exact:
        parts = net.unpack(theta)
        parts.w[...] = dyadic(rng, parts.w.shape)
        if parts.b is not None:
            parts.b[...] = dyadic(rng, parts.b.shape)
    return theta
