"""Recovery stability: whether flows from near a perfect network recover the target.

Local Recovery, Definition 5.1 and Theorem 5.4, with errata LR 13 and 14.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches import Branch
from flowscape.branches.grouping import check_branch
from flowscape.brief import Brief
from flowscape.errors import ProblemError, check_count, check_positive, finite_array
from flowscape.flow import gradient_flow
from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher
from flowscape.problem.streams import generator_or_default
from flowscape.separation import Reason, SeparationVerdict
from flowscape.status import Status

__all__ = ["RecoveryMeasurement", "RecoveryPrediction", "recovery_stability"]

Floats = NDArray[np.float64]

_PROBES = 256


@dataclass(frozen=True)
class RecoveryPrediction:
    """What the theory says of a generic point of a branch.

    Attributes
    ----------
    stable : bool or None
        Recovery stable; None where the verdict on separation is UNDECIDED. A point is stable
        exactly if near it all zeros of the loss are perfect (proof of Theorem 5.4).
    exponential : bool or None
        Whether flows converge at an exponential rate: exactly where the loss is Morse-Bott
        (Theorem 5.3, Table 1).
    reason : Reason
    """

    stable: bool | None
    exponential: bool | None
    reason: Reason


@dataclass(frozen=True, repr=False)
class RecoveryMeasurement(Brief):
    """Flows from perturbations of one point; arrays over the runs.

    Attributes
    ----------
    prediction : RecoveryPrediction
    radius : float
    start : (B, P) ndarray
    limit : (B, P) ndarray
    distance : (B,) ndarray
        Of the limit to the branch.
    error : (B,) ndarray
        Error bar of the limit; NaN where the run did not reach it.
    defect : (B,) ndarray
        Root mean square of f - f* at the limit, on inputs other than the samples.
    start_defect : (B,) ndarray
        The same at the start.
    power_law : (B,) ndarray of bool
        The limit is approached by a power law.
    """

    prediction: RecoveryPrediction
    radius: float
    start: Floats
    limit: Floats
    distance: Floats
    error: Floats
    defect: Floats
    start_defect: Floats
    power_law: NDArray[np.bool_]

    @property
    def recovered(self) -> NDArray[np.bool_]:
        """Whether the limit is on the branch, within three error bars."""
        return self.distance <= 3.0 * self.error

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Whether the limit is off the branch, by ten error bars and a hundredth of the radius.

        Imperfect zeros near the point are as far from the branch as the start, to order of
        magnitude; error bars of extrapolated tails can be too small by a factor of twenty.
        """
        return self.distance > np.maximum(10.0 * self.error, 1e-2 * self.radius)


def recovery_stability(
    branch: Branch,
    teacher: Teacher,
    x: ArrayLike,
    theta: ArrayLike,
    *,
    radius: float = 3e-2,
    runs: int = 32,
    rng: np.random.Generator | None = None,
    n_threads: int | None = None,
) -> RecoveryMeasurement:
    """Predict and measure recovery stability at a generic point of a branch.

    Parameters
    ----------
    branch : Branch
    teacher : Teacher
        The target of its family.
    x : (n, d) array_like
        Samples.
    theta : (P,) array_like
        A generic point of the branch.
    radius : float
        Length > 0 of the perturbations, uniform on the sphere.
    runs : int
        Number of flows.
    rng : Generator, optional
        Of the perturbations.
    n_threads : int, optional

    Notes
    -----
    The prediction is a theorem where the separation is certified. The measurement depends on the
    radius: stability is a statement about all sufficiently small ones. Where the loss is not
    Morse-Bott it is of fourth order in the distance, which rounding hides below about 1e-4: a
    radius of 1e-3 leaves most runs between `recovered` and `lost`.
    """
    check_branch(branch)
    radius = check_positive("radius", radius)
    runs = check_count("runs", runs)
    rng = generator_or_default(rng)
    net = branch.setting.network
    row = finite_array("theta", theta, (net.n_params,))
    samples = Samples.of(teacher, finite_array("x", x, ("n", net.inputs)))
    found = branch.separation(samples.x, row, rng=rng)
    verdict = SeparationVerdict(int(found.verdict))
    outcomes = {SeparationVerdict.SEPARATED: True, SeparationVerdict.NOT_SEPARATED: False}
    stable = outcomes.get(verdict)
    rate = found.morse_bott
    if isinstance(rate, list):
        raise ProblemError("x must hold one sample set; give (n, d)")
    prediction = RecoveryPrediction(stable, rate, Reason(int(found.reason)))
    prob = Problem(net, samples, "sum", teacher=teacher)
    step = rng.normal(size=(runs, net.n_params))
    start = row + radius * step / np.linalg.norm(step, axis=1)[:, None]
    flow = gradient_flow(prob, start, rtol=1e-8, atol=1e-13, n_threads=n_threads)
    probe = rng.normal(size=(_PROBES, net.inputs)) * float(np.abs(samples.x).max())

    def defect(points: Floats) -> Floats:
        gap = net(points, probe) - teacher(probe)
        return np.asarray(np.sqrt((gap**2).mean(axis=1)))

    return RecoveryMeasurement(
        prediction=prediction,
        radius=radius,
        start=start,
        limit=flow.theta,
        distance=branch.distance(flow.theta),
        error=flow.theta_error,
        defect=defect(flow.theta),
        start_defect=defect(start),
        power_law=np.asarray(flow.status == Status.TAIL_EXTRAPOLATED),
    )
