"""The law by which a flow approaches its limit, recognised from the flow itself.

Near a regular minimum the approach is exponential and the end of the integration is the limit.
Where the minimum is degenerate it is a power of t, and the gradient drowns in its rounding error
while the flow is far away: the limit is then extrapolated. Where a channel leads to infinity the
parameters grow by a power of t, or by its logarithm. docs/limits.md has the derivations, the
constants and how they were checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Law", "Tails", "examine_tails"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Points per decade of t, and decades that a law must hold for.
_PER, _DECADES = 8, 3
_POINTS = _PER * _DECADES + 1
# Exponents of a tail of degree k: 1 / (k - 2), for the quartic, cubic, quintic, sextic term.
_NATURAL = (1 / 2, 1.0, 1 / 3, 1 / 4)
# Largest distance of the measured exponent from such a one in the last, the second and the third
# decade from the end: what is left of the other terms fades.
_NEAR = (0.06, 0.12, 0.25)
# Steps between points follow the power law to this root mean square in the last decade
# (logarithms), and an exponential fits at least so many times worse over all of them.
_MISFIT, _MARGIN = 0.15, 4.0
# Growth by a power of t: largest spread of its exponent over the decades, its least value, and the
# size of the largest parameter; growth by the logarithm: largest |exponent|.
_SPREAD, _GROWTH, _FAR, _LOGARITHM = 0.05, 0.05, 1e3, 0.03
# Logarithmic growth is followed over so many decades of t beyond the end: where it is no growth to
# infinity, saturation is then complete.
_BEYOND = 200.0
# An exponential is measured where the distance to the end is within these, relative to |theta|.
_EXPONENTIAL = (1e-8, 1e-2)
# Largest misfit of its logarithms from a straight line, as part of their range.
_STRAIGHT = 0.05
# Windows in decades and degrees of the extrapolating polynomials in t^-exponent.
_WINDOWS, _DEGREES = (1.0, 1.5, 2.0), (1, 2, 3)
# 1 / (10^(p/2) - 1) for p = 1/5: what is left, in moves by half a decade, of an error t^-p.
_MOVED = 4.0


class Law(IntEnum):
    """How a run approaches its end."""

    SETTLED = 0  #: gradient times time is negligible: nothing is left to recognise
    EXPONENTIAL = 1
    POWER = 2  #: |theta - limit| ~ t^-exponent
    ESCAPE = 3  #: |theta| ~ t^exponent, or its logarithm where the exponent is 0
    UNKNOWN = 4  #: none of these, or the run did not end by itself


@dataclass(frozen=True)
class Tails:
    """The laws of a batch of runs; arrays (B,), scalars for a single one.

    Attributes
    ----------
    law : ndarray of int8
        Codes of `Law`.
    exponent : ndarray
        POWER: q of t^-q; ESCAPE: p of t^p, 0 for a logarithm; NaN elsewhere.
    rate : ndarray
        EXPONENTIAL: fitted rate; NaN elsewhere.
    lojasiewicz : ndarray
        Exponent mu of |grad L| ~ (L - L*)^mu: (q + 1) / (2 q + 1) for POWER, 1/2 for EXPONENTIAL,
        NaN elsewhere.
    decades : ndarray
        Decades of t over which the law was fitted; of an EXPONENTIAL, of the distance.
    misfit, rival_misfit : ndarray
        Root mean square, in natural logarithms of the steps between points, of the fit of the
        law and of the fit of the other one (power law against exponential).
    """

    law: NDArray[np.int8]
    exponent: Floats
    rate: Floats
    lojasiewicz: Floats
    decades: Floats
    misfit: Floats
    rival_misfit: Floats

    def single(self) -> Tails:
        """Return a batch of one without its batch axis."""
        return Tails(*(getattr(self, field.name)[0] for field in fields(self)))

    @classmethod
    def unknown(cls, runs: int) -> Tails:
        """Return that nothing is known of `runs` runs."""
        law = np.full(runs, Law.UNKNOWN, dtype=np.int8)
        return cls(law, *(np.full(runs, np.nan) for _ in range(6)))


def examine_tails(
    rows: Ints, t_end: Floats, end: Floats, follow: Callable[[Ints, Floats], Floats], tails: Tails
) -> tuple[Floats, Floats]:
    """Recognise the laws of `rows`, write them into `tails`; return limits and their errors.

    Parameters
    ----------
    rows : (R,) ndarray of int
        Runs to examine.
    t_end, end : (R,) and (R, P) ndarray
        Their ends.
    follow : callable
        follow(some of the rows, (T,) times) returns the flow at these times, (R', T, P).
    tails : Tails
        Of all runs.

    Returns
    -------
    limit : (R, P) ndarray
        Extrapolated limit of a POWER law; of logarithmic growth a point that it reaches far beyond
        the end; NaN for others.
    error : (R,) ndarray
        Its error bar; infinity for ESCAPE; for others a bound on the way that is left of `end`,
        from the way in the last decade, if the steps fall fast enough for one, else NaN.
    """
    limit, error = np.full(end.shape, np.nan), np.full(len(rows), np.nan)
    points, times = _look_back(rows, t_end, follow)
    steps = np.linalg.norm(np.diff(points, axis=1), axis=2)
    exponents = _exponents(steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(steps)
        power = _misfit(np.log(times[:, :-1]), logs, _PER)
        exponential = _misfit(times[:, :-1], logs, logs.shape[1])
    taken = np.zeros(len(rows), dtype=np.bool_)
    for natural in _NATURAL:
        near = np.abs(exponents - natural) <= _NEAR
        found = near.all(axis=1) & (power <= _MISFIT) & (exponential >= _MARGIN * power)
        if not found.any():
            continue
        taken |= found
        limit[found], error[found] = _extrapolate(points[found], natural)
        q = exponents[found, 0]
        mu = (q + 1) / (2 * q + 1)
        misfits = (power[found], exponential[found])
        _write(tails, rows[found], Law.POWER, q, mu, _DECADES, *misfits)
    grown = ~taken & _grows(points, exponents, power)
    slope = -exponents[grown].mean(axis=1)
    p = np.where(slope > _LOGARITHM, slope, 0.0)
    misfits = (power[grown], exponential[grown])
    _write(tails, rows[grown], Law.ESCAPE, p, np.nan, _DECADES, *misfits)
    error[grown] = np.inf
    slow = grown & (exponents.mean(axis=1) >= -_LOGARITHM)
    limit[slow] = points[slow, -1] + _BEYOND * (points[slow, -1] - points[slow, -1 - _PER])
    rest = ~taken & ~grown
    falls = rest & (exponents[:, 0] >= _NATURAL[-1])
    way = np.linalg.norm(points[:, -1] - points[:, -1 - _PER], axis=1)
    error[falls] = way[falls] / (10.0 ** _NATURAL[-1] - 1.0)
    for k in np.flatnonzero(rest):
        rate, decades, misfit = _exponential_rate(times[k], points[k], end[k])
        if np.isfinite(rate):
            _write(tails, rows[k], Law.EXPONENTIAL, np.nan, 0.5, decades, misfit, power[k])
            tails.rate[rows[k]] = rate
    return limit, error


def _look_back(
    rows: Ints, t_end: Floats, follow: Callable[[Ints, Floats], Floats]
) -> tuple[Floats, Floats]:
    """Return the points (R, K, P) of the last decades before the ends, and their times (R, K).

    Times are on one fixed lattice, so that what is seen of a run does not depend on the batch.
    """
    last = np.floor(_PER * np.log10(t_end)).astype(np.int64)
    first = int(last.min()) - _POINTS + 1
    lattice = 10.0 ** (np.arange(first, int(last.max()) + 1) / _PER)
    seen = follow(rows, lattice)
    places = (last - first)[:, None] + np.arange(1 - _POINTS, 1)
    return np.take_along_axis(seen, places[:, :, None], axis=1), lattice[places]


def _write(
    tails: Tails,
    rows: Ints | np.int64,
    law: Law,
    exponent: Floats | float,
    lojasiewicz: Floats | float,
    decades: float,
    misfit: Floats | float,
    rival: Floats | float,
) -> None:
    tails.law[rows] = law
    tails.exponent[rows] = exponent
    tails.lojasiewicz[rows] = lojasiewicz
    tails.decades[rows] = decades
    tails.misfit[rows] = misfit
    tails.rival_misfit[rows] = rival


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


def _exponents(steps: Floats) -> Floats:
    """Return q of steps ~ t^-q in the last three decades, the last one first: (R, 3)."""
    found = np.empty((len(steps), _DECADES))
    x = np.broadcast_to(np.arange(_PER) * (np.log(10.0) / _PER), (len(steps), _PER))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(steps)
        for decade in range(_DECADES):
            stop = steps.shape[1] - decade * _PER
            found[:, decade] = -_line(x, logs[:, stop - _PER : stop])[0]
    return found


def _misfit(x: Floats, logs: Floats, points: int) -> Floats:
    """Return the misfit of a straight line over the last `points`; infinity where undefined."""
    misfit = _line(x[:, -points:], logs[:, -points:])[1]
    return np.where(np.isfinite(misfit), misfit, np.inf)


def _extrapolate(points: Floats, q: float) -> tuple[Floats, Floats]:
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
        count = int(decades * _PER) + 1
        s = 10.0 ** (-q * np.arange(1 - count, 1) / _PER)
        for degree in _DEGREES:
            powers = np.vander(s, degree + 1, increasing=True)
            inverse = np.linalg.pinv(powers)
            found = []
            for back in (0, _PER // 2, _PER):
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


def _weighted(matrix: Floats, window: Floats) -> Floats:
    """Return matrix (C, K) times window (R, K, P), summed in a fixed order: (R, C, P)."""
    total = np.zeros((len(window), len(matrix), window.shape[2]))
    for k in range(window.shape[1]):
        total += matrix[:, k, None] * window[:, None, k]
    return total


def _grows(points: Floats, exponents: Floats, power: Floats) -> Bools:
    """Whether parameters grow by a power of t, or by its logarithm, over all decades: (R,)."""
    size = np.linalg.norm(points, axis=2)
    rising = (np.diff(size, axis=1) > 0.0).all(axis=1)
    steady = np.ptp(exponents, axis=1) <= _SPREAD
    far = np.abs(points[:, -1]).max(axis=1) >= _FAR
    by_power = (exponents <= -_GROWTH).all(axis=1) & far
    by_logarithm = (np.abs(exponents) <= _LOGARITHM).all(axis=1)
    return rising & steady & (by_power | by_logarithm) & (power <= _MISFIT)


def _exponential_rate(times: Floats, points: Floats, end: Floats) -> tuple[float, float, float]:
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
