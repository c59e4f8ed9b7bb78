"""The barrier on the straight line between two points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from flowscape.errors import check_count, finite_array
from flowscape.objective import Problem
from flowscape.runs import check_problem

__all__ = ["straight_barrier"]


def straight_barrier(
    prob: Problem, theta_a: ArrayLike, theta_b: ArrayLike, *, points: int = 1001
) -> tuple[float, float]:
    """Return (height, place): the largest loss on the straight line between two points.

    Parameters
    ----------
    prob : Problem
        Whose loss is meant.
    theta_a, theta_b : (P,) array_like
    points : int
        Grid, refined once around its maximum.

    Returns
    -------
    height : float
        Above the larger of the two ends' losses; 0 if an end is the maximum.
    place : float
        In [0, 1].
    """
    p = check_problem(prob).net.n_params
    a, b = finite_array("theta_a", theta_a, (p,)), finite_array("theta_b", theta_b, (p,))
    points = check_count("points", points, minimum=3)
    low, high = 0.0, 1.0
    for _ in range(2):
        t = np.linspace(low, high, points)
        loss = prob.loss(a + t[:, None] * (b - a))
        best = int(np.argmax(loss))
        low, high = t[max(best - 1, 0)], t[min(best + 1, points - 1)]
    ends = prob.loss(np.stack([a, b]))
    return max(0.0, float(loss[best] - ends.max())), float(t[best])
