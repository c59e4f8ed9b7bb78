"""Runs that look failed at a finite time and recover later (errata SS 5).

A budget of time judges a run by what is left of its error. Where the samples are nearly collinear
the flow still creeps along a valley of tiny loss then, with a wrong function, and reaches Q* many
decades later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.classify import classify
from flowscape.limits import limit_flow
from flowscape.objective import Problem
from flowscape.papers.single_neuron_target.setting import generalization_error
from flowscape.polish import polish
from flowscape.status import Kind

__all__ = ["LateRuns", "late_runs"]

Floats = NDArray[np.float64]

_GRID = np.linspace(-2.0, 2.0, 1000)


@dataclass(frozen=True)
class LateRuns:
    """Flows of infinitely small starts at a horizon, and their limits; one per ratio c~.

    Attributes
    ----------
    ratios : (B,) ndarray
    horizon : float
        Time at which a run is looked at.
    loss, error : (B,) ndarray
        Loss and generalization error there, on the paper's 1000 points of [-2, 2].
    limit_error : (B,) ndarray
        Generalization error of the limit.
    t : (B,) ndarray
        Times at which the flows ended.
    kind : (B,) ndarray of int8
        Verdicts on the limits.
    late : (B,) ndarray of bool
        The error exceeds `failed` at the horizon, and the limit is PERFECT.
    """

    ratios: Floats
    horizon: float
    loss: Floats
    error: Floats
    limit_error: Floats
    t: Floats
    kind: NDArray[np.int8]
    late: NDArray[np.bool_]


def late_runs(
    prob: Problem,
    ratios: ArrayLike,
    *,
    horizon: float = 5e6,
    failed: float = 1e-2,
    n_threads: int | None = None,
) -> LateRuns:
    """Look at runs at a finite time, continue them to their limits, and judge these.

    Parameters
    ----------
    prob : Problem
        Example 1.
    ratios : (B,) array_like
        Ratios c~ of C = (1, c~).
    horizon : float
        In the time of the problem's loss.
    failed : float
        Generalization error at which a run counts as failed.
    n_threads : int, optional
        As in `limit_flow`.
    """
    ratios = np.asarray(ratios, dtype=np.float64)
    imbalance = np.stack([np.ones_like(ratios), ratios], axis=-1)
    flow = limit_flow(prob, imbalance, rtol=1e-9, save_at=[horizon], n_threads=n_threads).flow
    assert flow.thetas is not None
    there = flow.thetas[:, 0]
    points = polish(prob, flow.theta, n_threads=n_threads)
    kind = classify(prob, points, flow, n_threads=n_threads).kind
    error = generalization_error(prob, there, _GRID)
    return LateRuns(
        ratios=ratios,
        horizon=horizon,
        loss=prob.loss(there),
        error=error,
        limit_error=generalization_error(prob, flow.theta, _GRID),
        t=flow.t,
        kind=kind,
        late=(error > failed) & (kind == Kind.PERFECT),
    )
