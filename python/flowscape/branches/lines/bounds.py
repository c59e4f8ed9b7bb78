"""Lower bounds on squared distances to groups of neurons on a line, for batches of points.

What the neurons of a group must move by so that they are on one line, on their sides, and so that
their sum has its value. Of a product, |a' s' - a s| <= rho delta + delta^2 / 2 for a move of
length delta from a point with norm rho: a sum that is wrong by `gap` needs at least

    delta = 2 gap / (sqrt(rho^2 + 2 gap) + rho).

All are sums of squares, no difference of large numbers is taken: at a member they are round-off
squared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.groups import add_up, squared_norm

Floats = NDArray[np.float64]


def labelled_bound(a: Floats, y: Floats, line: Floats, total: float) -> Floats:
    """Return a bound (B,) for a group on a line of the target.

    Parameters
    ----------
    a, y : (B, g, O) and (B, g, d) ndarray
        Outgoing weights, and incoming vectors times the signs eps_k of their sides.
    line : (d,) ndarray
    total : (O,) ndarray
        Value of the sum of a_k |w_k|.
    """
    along = add_up(np.moveaxis(y * line, 2, 1))
    across = squared_norm(y - along[:, :, None] * line)
    wrong = squared_norm(np.minimum(along, 0.0))
    gap = np.sqrt(squared_norm(add_up(a * along[:, :, None]) - total))
    return across + np.maximum(wrong, _move(gap, squared_norm(a) + squared_norm(along)))


def free_bound(a: Floats, y: Floats) -> Floats:
    """Return a bound (B,) for a group on any line, with sum 0; arguments as `labelled_bound`."""
    size = a.shape[1]
    if size == 1:
        return squared_norm(a)
    norms = add_up(np.moveaxis(y**2, 2, 1))
    pairs = np.zeros(len(a))
    for j in range(size):
        for k in range(j):
            pairs += _pair(y[:, j], y[:, k], norms[:, j], norms[:, k])
    turned = add_up(a[:, :, :, None] * y[:, :, None])
    gap = np.sqrt(squared_norm(turned))
    return np.maximum(pairs / (size - 1), _move(gap, squared_norm(a) + add_up(norms)))


def _pair(one: Floats, two: Floats, first: Floats, second: Floats) -> Floats:
    """Return the squared distance of two vectors with these squared norms to one half line.

    At an acute angle that is the smaller eigenvalue of their Gram matrix.
    """
    d = one.shape[1]
    wedge = np.zeros(len(one))
    for i in range(d):
        for j in range(i):
            wedge += (one[:, i] * two[:, j] - one[:, j] * two[:, i]) ** 2
    dot = add_up(one * two)
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = 0.5 * (first + second + np.sqrt((first - second) ** 2 + 4.0 * dot**2))
        acute = np.where(largest > 0.0, wedge / largest, 0.0)
    return np.where(dot > 0.0, acute, np.minimum(first, second))


def _move(gap: Floats, squared: Floats) -> Floats:
    """Return delta^2 for a wrong sum; 0 where nothing is wrong."""
    with np.errstate(invalid="ignore", divide="ignore"):
        delta = 2.0 * gap / (np.sqrt(squared + 2.0 * gap) + np.sqrt(squared))
    return np.where(gap > 0.0, delta**2, 0.0)
