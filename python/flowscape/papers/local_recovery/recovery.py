"""Recovery stability, Definition 5.1, by flows from perturbed points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.flow import Flow, gradient_flow
from flowscape.papers.local_recovery.setting import Case

__all__ = ["RECOVERED", "perturbed_flows", "recovered_share"]

Floats = NDArray[np.float64]

RECOVERED = 1e-6
"""Largest |f - f*| / max |f*| at other inputs that counts as recovery. Imperfect ends that
perturbations of 1e-2 reach are off by 1e-3 and more; power-law ends by 1e-9 and less."""


def perturbed_flows(
    case: Case,
    x: Floats,
    theta: Floats,
    count: int,
    rng: np.random.Generator,
    *,
    size: float = 1e-2,
    n_threads: int | None = None,
) -> tuple[Flow, Floats]:
    """Follow flows from theta + size * normal to their limits; return them and their defects."""
    start = theta + size * rng.normal(size=(count, len(theta)))
    flow = gradient_flow(case.problem(x), start, rtol=1e-8, atol=1e-12, n_threads=n_threads)
    return flow, case.defect(flow.theta)


def recovered_share(
    case: Case, x: Floats, theta: Floats, count: int, rng: np.random.Generator
) -> float:
    """Return the share of perturbed flows that reach their limit and recover the target."""
    flow, defect = perturbed_flows(case, x, theta, count, rng)
    return float(np.mean(flow.success & (defect <= RECOVERED)))
