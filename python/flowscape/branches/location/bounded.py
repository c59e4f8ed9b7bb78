"""The nearest of many sets, where distances are searched for and lower bounds are cheap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Costs = Callable[[Ints, Ints], Floats]
"""(points, sets) to squared distances, for as many pairs."""


def nearest_by_bounds(bounds: Floats, costs: Costs, ceiling: float = np.inf) -> tuple[Floats, Ints]:
    """Return the least squared distance (B,) to some sets, and which set it belongs to.

    Every round asks for the set with the least bound that is left, at all points where it can be
    nearer than what was found.

    Parameters
    ----------
    bounds : (sets, B) ndarray
        Lower bounds on squared distances; overwritten.
    costs : callable
    ceiling : float
        Sets with a larger bound are left out.

    Returns
    -------
    least : (B,) ndarray
        Infinity where no set is left.
    which : (B,) ndarray of int
        -1 there.
    """
    size = bounds.shape[1]
    best, which = np.full(size, np.inf), np.full(size, -1, dtype=np.int64)
    rows, left = np.arange(size), bounds
    while len(left) and len(rows):
        offered = np.argmin(left, axis=0)
        line = np.arange(len(rows))
        least = left[offered, line]
        able = np.flatnonzero((least < best[rows]) & (least <= ceiling))
        if len(able) < len(rows):
            rows, left, offered = rows[able], left[:, able], offered[able]
            line = np.arange(len(rows))
        if len(rows) == 0:
            break
        cost = costs(rows, offered)
        better = cost < best[rows]
        best[rows[better]], which[rows[better]] = cost[better], offered[better]
        left[offered, line] = np.inf
    return best, which
