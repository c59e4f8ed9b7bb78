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

from flowscape.brief import Brief
from flowscape.flow.fits import (
    DECADES,
    PER,
    exponential_rate,
    exponents_of,
    extrapolate,
    misfit_of,
)

__all__ = ["Law", "Tails", "examine_tails"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_POINTS = PER * DECADES + 1  # of a run that are looked at
# Exponents of a tail of degree k: 1 / (k - 2), for the quartic, cubic, quintic, sextic term.
_NATURAL = (1 / 2, 1.0, 1 / 3, 1 / 4)
# Largest distance of the measured exponent from such a one in the last, the second and the third
# decade from the end: what is left of the other terms fades.
_NEAR = (0.06, 0.12, 0.25)
# Steps between points follow the power law to this root mean square in the last decade
# (logarithms), and an exponential fits at least so many times worse over all of them.
_MISFIT, _MARGIN = 0.15, 4.0
# Growth by a power of t: largest spread of its exponent over the decades, its least value, and the
# size of the largest parameter in units of the data; growth by the logarithm: largest |exponent|.
_SPREAD, _GROWTH, _FAR, _LOGARITHM = 0.05, 0.05, 1e3, 0.03
# Logarithmic growth is followed over so many decades of t beyond the end: where it is no growth to
# infinity, saturation is then complete.
_BEYOND = 200.0


class Law(IntEnum):
    """How a run approaches its end."""

    SETTLED = 0  #: gradient times time is negligible: nothing is left to recognise
    EXPONENTIAL = 1
    POWER = 2  #: |theta - limit| ~ t^-exponent
    ESCAPE = 3  #: |theta| ~ t^exponent, or its logarithm where the exponent is 0
    UNKNOWN = 4  #: none of these, or the run did not end by itself


@dataclass(frozen=True, eq=False, repr=False)
class Tails(Brief):
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
    rows: Ints,
    t_end: Floats,
    end: Floats,
    follow: Callable[[Ints, Floats], Floats],
    tails: Tails,
    units: Floats,
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
    units : (P,) ndarray
        Of the parameters: whether one is large is asked in these.

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
    exponents = exponents_of(steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(steps)
        power = misfit_of(np.log(times[:, :-1]), logs, PER)
        exponential = misfit_of(times[:, :-1], logs, logs.shape[1])
    taken = np.zeros(len(rows), dtype=np.bool_)
    for natural in _NATURAL:
        near = np.abs(exponents - natural) <= _NEAR
        found = near.all(axis=1) & (power <= _MISFIT) & (exponential >= _MARGIN * power)
        if not found.any():
            continue
        taken |= found
        limit[found], error[found] = extrapolate(points[found], natural)
        q = exponents[found, 0]
        mu = (q + 1) / (2 * q + 1)
        misfits = (power[found], exponential[found])
        _write(tails, rows[found], Law.POWER, q, mu, DECADES, *misfits)
    grown = ~taken & _grows(points, exponents, power, units)
    slope = -exponents[grown].mean(axis=1)  # of others, which may not move at all, infinite
    p = np.where(slope > _LOGARITHM, slope, 0.0)
    misfits = (power[grown], exponential[grown])
    _write(tails, rows[grown], Law.ESCAPE, p, np.nan, DECADES, *misfits)
    error[grown] = np.inf
    slow = np.flatnonzero(grown)[slope <= _LOGARITHM]
    limit[slow] = points[slow, -1] + _BEYOND * (points[slow, -1] - points[slow, -1 - PER])
    rest = ~taken & ~grown
    falls = rest & (exponents[:, 0] >= _NATURAL[-1])
    way = np.linalg.norm(points[:, -1] - points[:, -1 - PER], axis=1)
    error[falls] = way[falls] / (10.0 ** _NATURAL[-1] - 1.0)
    for k in np.flatnonzero(rest):
        rate, decades, misfit = exponential_rate(times[k], points[k], end[k])
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
    last = np.floor(PER * np.log10(t_end)).astype(np.int64)
    first = int(last.min()) - _POINTS + 1
    lattice = 10.0 ** (np.arange(first, int(last.max()) + 1) / PER)
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


def _grows(points: Floats, exponents: Floats, power: Floats, units: Floats) -> Bools:
    """Whether parameters grow by a power of t, or by its logarithm, over all decades: (R,)."""
    size = np.linalg.norm(points, axis=2)
    rising = (np.diff(size, axis=1) > 0.0).all(axis=1)
    with np.errstate(invalid="ignore"):  # a point that does not move has infinite exponents
        steady = np.ptp(exponents, axis=1) <= _SPREAD
    far = np.abs(points[:, -1] / units).max(axis=1) >= _FAR
    by_power = (exponents <= -_GROWTH).all(axis=1) & far
    by_logarithm = (np.abs(exponents) <= _LOGARITHM).all(axis=1)
    return rising & steady & (by_power | by_logarithm) & (power <= _MISFIT)
