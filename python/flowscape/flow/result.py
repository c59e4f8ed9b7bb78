"""What a batch of flows came to."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from flowscape.flow.method import MethodChoice
from flowscape.flow.tails import Tails
from flowscape.status import Status, ends_in_words

__all__ = ["Flow"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Flow:
    """Ends of a batch of flows; one run per row, no batch axis for a single start.

    Attributes
    ----------
    theta : (B, P) ndarray
        The flow's limit if `status` is CONVERGED or TAIL_EXTRAPOLATED, else where it ended.
    theta_error : (B,) ndarray
        Error bar of `theta` as the flow's limit, a Euclidean distance: what was left of the way,
        plus max(30, 0.12 steps) tolerances ``atol sqrt(P) + rtol |theta|`` for the integration.
        Infinity for a run without a finite limit, or that may have none; NaN for one that was
        stopped before its limit.
    end : (B, P) ndarray
        Where the integration stopped. `theta` differs from it where the limit was extrapolated.
    t : (B,) ndarray
        Flow time at `end`, in the time of the problem's loss.
    loss, gradient_norm, floor : (B,) ndarray
        Loss, infinity norm of the gradient and the bound on its rounding error, at `theta`.
    tails : Tails
        The law by which each run approaches its limit.
    status : (B,) ndarray of int8
        Codes of `Status`.
    nstep, nrejected, nfev, njev : (B,) ndarray of int
        Accepted and rejected steps; evaluations of loss and gradient alone, and of both with the
        Hessian.
    ts, thetas : (T,) and (B, T, P) ndarray, or None
        The times asked for with `save_at` and the flow there. After a run has converged its
        later times hold its limit; where the limit was extrapolated, the leading term of the
        power law; after any other end they are NaN.
    method, kernel : str
        What was used: the resolved method, or several joined by a plus sign; the kernel of the
        problem's shape.
    choice : MethodChoice or None
        With ``method="auto"``: the method of every run, and the costs that decided.
    lane_use : float
        Fraction of vector lanes that held a run, over all steps.
    rtol, gtol, t_max, escape, max_steps
        The options; `gtol` None is the round-off floor.
    seconds : float
        Wall time.
    """

    theta: Floats
    theta_error: Floats
    end: Floats
    t: Floats
    loss: Floats
    gradient_norm: Floats
    floor: Floats
    tails: Tails
    status: NDArray[np.int8]
    nstep: NDArray[np.int64]
    nrejected: NDArray[np.int64]
    nfev: NDArray[np.int64]
    njev: NDArray[np.int64]
    ts: Floats | None
    thetas: Floats | None
    method: str
    kernel: str
    choice: MethodChoice | None
    lane_use: float
    rtol: float
    gtol: float | None
    t_max: float
    escape: float
    max_steps: int
    seconds: float

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether `theta` is the limit of each run, as far as is known: to `theta_error`."""
        ended = np.isin(self.status, (Status.CONVERGED, Status.TAIL_EXTRAPOLATED))
        return ended & ~np.isinf(self.theta_error)

    @property
    def message(self) -> NDArray[np.str_]:
        """What happened to each run, in words; () or (B,) strings."""
        messages = np.array([status.message for status in Status])
        return messages[self.status]

    def single(self) -> Flow:
        """Return a batch of one without its batch axis."""
        rows = {
            field.name: value[0]
            for field in fields(self)
            if field.name != "ts" and isinstance(value := getattr(self, field.name), np.ndarray)
        }
        choice = None if self.choice is None else self.choice.single()
        return replace(self, tails=self.tails.single(), choice=choice, **rows)

    def __repr__(self) -> str:
        codes = np.atleast_1d(self.status)
        runs = f"{codes.size} run{'s' * (codes.size != 1)}"
        method = self.method if self.choice is None else f"{self.method} (auto)"
        return f"Flow({runs}, {method}, {self.seconds:.3g} s: {ends_in_words(codes)})"
