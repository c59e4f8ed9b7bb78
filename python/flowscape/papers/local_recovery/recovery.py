"""Recovery stability, Definition 5.1: perturbations as small as it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branch
from flowscape.critical import recovery_stability
from flowscape.critical.recovery import RecoveryMeasurement
from flowscape.papers.local_recovery.setting import Case, draw

__all__ = ["RADII", "small_perturbations"]

RADII = (3e-2, 1e-2, 3e-3)
"""Below, rounding hides how slowly a degenerate branch attracts."""


def small_perturbations(
    case: Case,
    branch: Branch,
    x: NDArray[np.float64],
    theta: NDArray[np.float64],
    *,
    runs: int,
    key: int,
    n_threads: int | None = None,
) -> RecoveryMeasurement:
    """Follow perturbed flows with the first radius at which none is lost, else the last one."""
    for radius in RADII:
        found = recovery_stability(
            branch,
            case.teacher,
            x,
            theta,
            radius=radius,
            runs=runs,
            rng=draw(key),
            n_threads=n_threads,
        )
        if not found.lost.any():
            break
    return found
