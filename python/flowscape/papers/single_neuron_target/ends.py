"""Where small starts of given imbalance end: limits of flows, polished and judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.classify import classify
from flowscape.flow import Flow, gradient_flow
from flowscape.limits import limit_flow
from flowscape.objective import Problem
from flowscape.polish import polish
from flowscape.status import Kind
from flowscape.sweep import branch_rows

__all__ = ["Ends", "branch_names", "ends", "ends_of_starts", "imbalances"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ends:
    """Ends of flows, one per row.

    Attributes
    ----------
    theta : (B, P) ndarray
        The flow's limit,
    theta_error : (B,) ndarray
        and its error bar.
    polished : (B, P) ndarray
        The critical point next to it.
    kind, branch : (B,) ndarray
        As `classify` judges.
    status : (B,) ndarray
        How the flow ended.
    loss, t : (B,) ndarray
    """

    theta: Floats
    theta_error: Floats
    polished: Floats
    kind: NDArray[np.int8]
    branch: NDArray[np.int64]
    status: NDArray[np.int8]
    loss: Floats
    t: Floats

    @property
    def perfect(self) -> NDArray[np.bool_]:
        """Whether the target was recovered."""
        return self.kind == Kind.PERFECT

    @property
    def unresolved(self) -> NDArray[np.bool_]:
        """Whether no verdict was reached."""
        return self.kind == Kind.UNRESOLVED


def imbalances(ratio: Floats) -> Floats:
    """Return C = (1, c) for the ratios c~ in [0, 1]: (B, 2)."""
    return np.stack([np.ones_like(ratio), ratio], axis=-1)


def ends(
    prob: Problem, imbalance: Floats, *, rtol: float = 1e-7, n_threads: int | None = None
) -> Ends:
    """Follow the flows of infinitely small initialization to their limits and judge these."""
    return _judge(prob, limit_flow(prob, imbalance, rtol=rtol, n_threads=n_threads).flow, n_threads)


def ends_of_starts(
    prob: Problem, theta0: Floats, *, rtol: float = 1e-7, n_threads: int | None = None
) -> Ends:
    """Follow flows from given starts to their limits and judge these."""
    scale = np.abs(theta0).max(axis=1)
    atol = np.minimum(1e-3 * rtol * scale, 1e-9)
    flow = gradient_flow(prob, theta0, rtol=rtol, atol=atol, n_threads=n_threads)
    return _judge(prob, flow, n_threads)


def _judge(prob: Problem, flow: Flow, n_threads: int | None) -> Ends:
    points = polish(prob, flow.theta, n_threads=n_threads)
    verdicts = classify(prob, points, flow, n_threads=n_threads)
    return Ends(
        theta=flow.theta,
        theta_error=flow.theta_error,
        polished=points.theta,
        kind=verdicts.kind,
        branch=verdicts.branch,
        status=flow.status,
        loss=flow.loss,
        t=flow.t,
    )


def branch_names(prob: Problem) -> list[str]:
    """Return the names of the branches up to symmetry, as `Ends.branch` counts them."""
    assert prob.teacher is not None
    return [row.name for row in branch_rows(prob.net, prob.teacher)[0]]
