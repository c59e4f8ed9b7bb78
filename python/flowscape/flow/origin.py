"""The linear phase of a flow that starts next to the origin, solved exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem

__all__ = ["Departure", "leave_origin"]

Floats = NDArray[np.float64]

# The linear phase ends where the largest component reaches this many rtol,
_REACH = 1e-3
# provided that there the velocity differs from the linear one by less than this many rtol.
_DEFECT = 0.1


class Departure(NamedTuple):
    """Where and when the linear phases end.

    Attributes
    ----------
    points : (B, P) ndarray
        Ends of the linear phases; the starts where there is none.
    delay : (B,) ndarray
        Their durations, 0 where there is none.
    rates : (P,) ndarray
    vectors : (P, P) ndarray
        Of the linear flow.
    amplitudes : (B, P) ndarray
        Of the starts.
    """

    points: Floats
    delay: Floats
    rates: Floats
    vectors: Floats
    amplitudes: Floats

    def at(self, row: int, times: Floats) -> Floats:
        """Return the flow of one run at times within its linear phase: (T, P)."""
        return _linear(self.rates, self.vectors, self.amplitudes[row][None], times)


def leave_origin(prob: Problem, starts: Floats, rtol: float) -> Departure:
    """Follow tiny starts along the linearisation at the origin, while it holds to the tolerance.

    Where the origin is critical the flow next to it is theta' = A theta, A = -Hess L(0), up to
    terms of relative size |theta|. That this is so at the end of the phase is measured.

    Parameters
    ----------
    prob : Problem
    starts : (B, P) ndarray
    rtol : float
        Tolerance of the flow.
    """
    p = starts.shape[1]
    reach = _REACH * rtol
    size = np.abs(starts).max(axis=1, initial=0.0)
    tiny = np.flatnonzero((size > 0.0) & (size < 0.1 * reach))
    points, delay = starts, np.zeros(len(starts))
    amplitudes = np.zeros(starts.shape)
    none = Departure(points, delay, np.zeros(p), np.eye(p), amplitudes)
    if tiny.size == 0:
        return none
    _, gradient, hessian = prob.evaluate(np.zeros(p), 2, n_threads=1)
    if gradient.any() or not np.isfinite(hessian).all():
        return none
    rates, vectors = np.linalg.eigh(-hessian)
    # Sums over parameters one by one: no result may depend on the number of rows.
    for k in range(p):
        amplitudes[tiny] += starts[tiny, k, None] * vectors[k]
    with np.errstate(divide="ignore"):
        ways = np.log(reach) - np.log(np.abs(amplitudes[tiny]))
    unstable = rates > 1e-8 * np.abs(rates).max()
    if not unstable.any():
        return none
    times = (ways[:, unstable] / rates[unstable]).min(axis=1)
    leaving = np.isfinite(times) & (times > 0.0)
    tiny, times = tiny[leaving], times[leaving]
    ends = _linear(rates, vectors, amplitudes[tiny], times)
    velocity = -prob.gradient(ends)
    linear = np.zeros(ends.shape)
    for k in range(p):
        linear -= ends[:, k, None] * hessian[k]
    defect = np.abs(velocity - linear).max(axis=1)
    holds = defect <= _DEFECT * rtol * np.abs(linear).max(axis=1)
    points = starts.copy()
    points[tiny[holds]] = ends[holds]
    delay[tiny[holds]] = times[holds]
    return Departure(points, delay, rates, vectors, amplitudes)


def _linear(rates: Floats, vectors: Floats, amplitudes: Floats, times: Floats) -> Floats:
    """Return the linear flow of amplitudes (1 or T, P) at the times (T,): (T, P)."""
    with np.errstate(divide="ignore"):
        size = np.log(np.abs(amplitudes))
    grown = np.sign(amplitudes) * np.exp(np.minimum(size + rates * times[:, None], 700.0))
    theta = np.zeros((len(times), len(rates)))
    for k in range(len(rates)):
        theta += grown[:, k, None] * vectors[:, k]
    return theta
