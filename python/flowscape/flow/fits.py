"""Fits to the points of a flow before its end: powers of t, exponentials, extrapolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DECADES", "PER", "exponential_rate", "exponents_of", "extrapolate", "misfit_of"]

Floats = NDArray[np.float64]

PER = 8  #: points per decade of t
DECADES = 3  #: that a law must hold for
# An exponential is measured where the distance to the end is within these, relative to |theta|.
_EXPONENTIAL = (1e-8, 1e-2)
# Largest misfit of its logarithms from a straight line, as part of their range.
_STRAIGHT = 0.05
# Windows in decades and degrees of the extrapolating polynomials in t^-exponent.
_WINDOWS, _DEGREES = (1.0, 1.5, 2.0), (1, 2, 3)
# 1 / (10^(p/2) - 1) for p = 1/5: what is left, in moves by half a decade, of an error t^-p.
_MOVED = 4.0


def _line(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return slope and root mean square misfit of straight lines through y over x, both (R, K).

    Sums run over K one by one: their rounding must not depend on R.
    """
    count = y.shape[1]
    centre, mean = np.zeros(len(y)), np.zeros(len(y))
    for k in range(count):
        centre += x[:, k] / count
        mean += y[:, k] / count
    spread, slope = np.zeros(len(y)), np.zeros(len(y))
    for k in range(count):
        spread += (x[:, k] - centre) ** 2
        slope += y[:, k] * (x[:, k] - centre)
    slope /= spread
    square = np.zeros(len(y))
    for k in range(count):
        square += (y[:, k] - mean - slope * (x[:, k] - centre)) ** 2 / count
    return slope, np.sqrt(square)


def exponents_of(steps: Floats) -> Floats:
    """Return q of steps ~ t^-q in the last three decades, the last one first: (R, 3)."""
    found = np.empty((len(steps), DECADES))
    x = np.broadcast_to(np.arange(PER) * (np.log(10.0) / PER), (len(steps), PER))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(steps)
        for decade in range(DECADES):
            stop = steps.shape[1] - decade * PER
            found[:, decade] = -_line(x, logs[:, stop - PER : stop])[0]
    return found


def misfit_of(x: Floats, logs: Floats, points: int) -> Floats:
    """Return the misfit of a straight line over the last `points`; infinity where undefined."""
    misfit = _line(x[:, -points:], logs[:, -points:])[1]
    return np.where(np.isfinite(misfit), misfit, np.inf)


def extrapolate(points: Floats, q: float) -> tuple[Floats, Floats]:
    """Return limits (R, P) of points (R, K, P) that follow a series in t^-q, and error bars (R,).

    Least squares polynomials of several degrees over several windows. Other powers of t, which an
    anisotropic valley has, spoil a fit by an error that falls like such a power: the error bar is
    what the fit changes when its window moves by half a decade, times what bounds the rest of
    that way for powers of 1/5 and more, and what the misfit can do to the constant. The fit
    with the smallest bar is taken.
    """
    runs, total, size = points.shape
    limit, error = np.full((runs, size), np.nan), np.full(runs, np.inf)
    for decades in _WINDOWS:
        count = int(decades * PER) + 1
        s = 10.0 ** (-q * np.arange(1 - count, 1) / PER)
        for degree in _DEGREES:
            powers = np.vander(s, degree + 1, increasing=True)
            inverse = np.linalg.pinv(powers)
            found = []
            for back in (0, PER // 2, PER):
                stop = total - back
                found.append(_weighted(inverse[:1], points[:, stop - count : stop])[:, 0])
            here, before, earlier = found
            moved = np.linalg.norm(here - before, axis=1)
            moved = np.maximum(moved, 0.5 * np.linalg.norm(before - earlier, axis=1))
            # Least squares: the misfit is what is left of the window outside the span of powers.
            rest = np.eye(count) - powers @ inverse
            square = (_weighted(rest, points[:, -count:]) ** 2).sum(axis=1)
            square /= max(count - degree - 1, 1)
            noise = np.linalg.norm(inverse[0]) * np.sqrt(square.max(axis=1))
            bar = _MOVED * moved + 3.0 * noise
            better = bar < error
            limit[better], error[better] = here[better], bar[better]
    if q < 0.4:
        # A faster law may still take over, as it does next to where branches meet.
        error = np.maximum(error, np.linalg.norm(points[:, -1] - limit, axis=1))
    return limit, error


def _weighted(matrix: NDArray[np.floating], window: Floats) -> Floats:
    """Return matrix (C, K) times window (R, K, P), summed in a fixed order: (R, C, P)."""
    total = np.zeros((len(window), len(matrix), window.shape[2]))
    for k in range(window.shape[1]):
        total += matrix[:, k, None] * window[:, None, k]
    return total


def exponential_rate(times: Floats, points: Floats, end: Floats) -> tuple[float, float, float]:
    """Return rate, decades of distance and misfit of an exponential approach to `end`, or NaN."""
    distance = np.linalg.norm(points - end, axis=1)
    size = max(float(np.linalg.norm(end)), 1.0)
    low, high = _EXPONENTIAL
    use = (distance >= low * size) & (distance <= high * size)
    if np.count_nonzero(use) < 3:
        return np.nan, np.nan, np.nan
    logs = np.log(distance[use])
    slope, misfit = _line(times[None, use], logs[None])
    decades = float(np.ptp(logs)) / np.log(10.0)
    if slope[0] >= 0.0 or misfit[0] > _STRAIGHT * np.ptp(logs):
        return np.nan, np.nan, np.nan
    return -float(slope[0]), decades, float(misfit[0])
