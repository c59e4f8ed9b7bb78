"""Distance between a network's function and the target, away from the samples."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher, TwoLayer

__all__ = ["dense_inputs", "dense_problem"]

Floats = NDArray[np.float64]


def dense_inputs(x: Floats, count: int = 256) -> Floats:
    """Return inputs that fill the box of the samples, widened by half its width on every side.

    Parameters
    ----------
    x : (N, d) ndarray
        The samples' inputs; a side shorter than 1 counts as 1.
    count : int
        Number of points.

    Returns
    -------
    (count, d) ndarray
        Evenly spaced for d = 1, else a Kronecker sequence: fixed points, no randomness.
    """
    low, high = x.min(axis=0), x.max(axis=0)
    middle, width = 0.5 * (low + high), np.maximum(high - low, 1.0)
    d = x.shape[1]
    if d == 1:
        unit = np.linspace(0.0, 1.0, count)[:, None]
    else:
        # phi solves phi^(d+1) = phi + 1; its powers are the sequence's steps
        phi = 1.5
        for _ in range(64):
            phi = (1.0 + phi) ** (1.0 / (d + 1))
        unit = np.outer(np.arange(1, count + 1), phi ** -np.arange(1.0, d + 1)) % 1.0
    return middle + (2.0 * unit - 1.0) * width


@functools.lru_cache(maxsize=256)
def dense_problem(net: TwoLayer, data: Samples, teacher: Teacher | None) -> Problem:
    """Return the mean square distance to the target on `dense_inputs`, as a problem.

    Without a teacher the distance is to zero: the Jacobian does not mind.
    """
    x = dense_inputs(data.x)
    if teacher is not None:
        return Problem(net, Samples.of(teacher, x), loss="mean")
    shape = (len(x),) if net.outputs == 1 else (len(x), net.outputs)
    return Problem(net, Samples(x, np.zeros(shape)), loss="mean")
