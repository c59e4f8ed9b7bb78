"""Recovery stability, Definition 5.1: perturbations as small as it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branch
from flowscape.critical import recovery_stability
from flowscape.critical.recovery import RecoveryMeasurement
from flowscape.papers.local_recovery.setting import Case, draw

__all__ = ["RADII", "small_perturbations"]

Floats = NDArray[np.float64]

RADII = (3e-2, 1e-2, 3e-3)
"""Below, rounding hides how slowly a degenerate branch attracts."""

# Largest |f - f*| / max |f*| at the zero next to a flow's end that is the target's: refined
# perfect zeros had 5e-13 at most, imperfect ones next to perturbations of 3e-3 had 1e-9 at least.
_TARGET = 1e-11
_STEPS = 100
_ZERO = 1e-28


def small_perturbations(
    case: Case,
    branch: Branch,
    x: Floats,
    theta: Floats,
    *,
    runs: int,
    key: int,
    n_threads: int | None = None,
) -> tuple[RecoveryMeasurement, NDArray[np.bool_]]:
    """Follow perturbed flows with the first radius at which none is lost, else the last one.

    Returns the measurement, and which flows are lost. Next to a degenerate branch a flow can stop
    at the gradient's rounding floor before it is there, with too small an error bar: it is lost
    only if the zero next to its end, by Gauss-Newton, is not the target.
    """
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
        lost = np.array(found.lost)
        for i in np.flatnonzero(lost):
            lost[i] = float(case.defect(_refine(case, x, found.limit[i]))) > _TARGET
        if not lost.any():
            break
    return found, lost


def _refine(case: Case, x: Floats, theta: Floats) -> Floats:
    """Return the zero of R next to a point, by Gauss-Newton steps of least norm."""
    prob = case.problem(x)
    for _ in range(_STEPS):
        if float(prob.loss(theta)) <= _ZERO:
            break
        step = np.linalg.lstsq(prob.jacobian(theta), prob.residual(theta), rcond=1e-12)[0]
        theta = theta - step
    return theta
