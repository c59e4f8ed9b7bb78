"""Laws of a trajectory near its limit, fitted: rates and exponents against LR Theorem 5.3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import OptionError, check_instance, check_positive, float_array
from flowscape.limits.geometry import LimitGeometry
from flowscape.objective import Problem
from flowscape.runs import check_problem

__all__ = ["Approach", "fit_approach"]

Floats = NDArray[np.float64]

# Losses are used down to this many times their rounding error, distances down to this many times
# the uncertainty of the limit.
_CLEAR = 1e3
_LEAST = 6
# Laws are fitted over this factor of what shrinks, at its end.
_LATE = 10.0
# Components across the zeros are known to this part of 1 + |theta|.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Approach:
    """Laws fitted over the last decade of what shrinks; NaN where too few points are clear.

    Attributes
    ----------
    stable_exponent : float
        e of |pi_s| ~ |pi_c|^e; 2 by Theorem 5.3 (b).
    constant_exponent : float
        e of |pi_p| ~ |pi_s|^e; 2 by Theorem 5.3 (a), errata LR 17.
    loss_exponent : float
        e of R ~ |theta - theta*|^e: at least 4 by Corollary 5.1 (b), more while the distance is
        that of a softer direction than the loss; 2 where convergence is exponential.
    lojasiewicz : float
        mu of |grad R| ~ R^mu: 1/2 for an exponential, 3/4 for a quartic.
    rate : float
        r of |theta - theta*| ~ exp(-r t), over the later half of the points.
    power : float
        q of |theta - theta*| ~ t^-q.
    rate_misfit, power_misfit : float
        Root mean square of the natural logarithms about both laws, all points.
    points : int
        Saved times that were used for the distances.
    """

    stable_exponent: float
    constant_exponent: float
    loss_exponent: float
    lojasiewicz: float
    rate: float
    power: float
    rate_misfit: float
    power_misfit: float
    points: int

    @property
    def is_exponential(self) -> bool:
        """Whether the exponential fits better than the power law."""
        return self.rate_misfit < self.power_misfit


def fit_approach(
    prob: Problem,
    geometry: LimitGeometry,
    ts: ArrayLike,
    thetas: ArrayLike,
    *,
    error: float = 1e-12,
    near: float = 1e-2,
) -> Approach:
    """Fit the laws by which a saved trajectory approaches its limit.

    Parameters
    ----------
    prob : Problem
    geometry : LimitGeometry
        At the limit, from `limit_geometry`.
    ts, thetas : (T,) and (T, P) array_like
        Ascending times > 0 and the flow there (`Flow.ts`, one row of `Flow.thetas`).
    error : float
        Uncertainty of the limit along the zeros (`Flow.theta_error`); distances below 1000 times
        it are left out.
    near : float
        Distances beyond this are left out too.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value, or fewer than six times are usable.
    """
    check_problem(prob)
    check_instance("geometry", geometry, LimitGeometry, "give limit_geometry(prob, theta)")
    error = check_positive("error", error, zero=True)
    near = check_positive("near", near, infinite=True)
    times = float_array("ts", ts, ("T",))
    rows = float_array("thetas", thetas, (len(times), prob.net.n_params))
    distance = np.linalg.norm(rows - geometry.theta, axis=1)
    used = (distance <= near) & (distance >= _CLEAR * error) & (times > 0.0)
    if np.count_nonzero(used) < _LEAST:
        raise OptionError(
            f"thetas has {np.count_nonzero(used)} points at distances from {_CLEAR * error:.1g} to "
            f"{near:.1g} of the limit and must have {_LEAST}; save more times, or change `near`"
        )
    times, rows, distance = times[used], rows[used], distance[used]
    stable, degenerate, constant = geometry.parts(rows)
    size = float(np.linalg.norm(geometry.theta))
    loss, gradient = prob.evaluate(rows, 1)
    slope = np.linalg.norm(gradient, axis=1)
    noise = prob.noise(rows)
    sharp = (loss > _CLEAR * noise.zero_loss) & (slope > _CLEAR * noise.gradient)
    _, rate_misfit = _line(times, np.log(distance))
    _, power_misfit = _line(np.log(times), np.log(distance))
    half = slice(len(times) // 2, None)
    rate, _ = _line(times[half], np.log(distance[half]))
    late = distance <= _LATE * distance.min()
    power, _ = _line(np.log(times[late]), np.log(distance[late]))
    return Approach(
        stable_exponent=_slope(degenerate, stable, _ROUNDING * (1.0 + size)),
        constant_exponent=_slope(stable, constant, _CLEAR * error),
        loss_exponent=_slope(distance[sharp], loss[sharp], 0.0),
        lojasiewicz=_slope(loss[sharp], slope[sharp], 0.0),
        rate=-rate,
        power=-power,
        rate_misfit=rate_misfit,
        power_misfit=power_misfit,
        points=len(times),
    )


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and root mean square misfit of a line."""
    fit = np.polynomial.Polynomial.fit(x, y, 1)
    return float(fit.convert().coef[1]), float(np.sqrt(np.mean((fit(x) - y) ** 2)))


def _slope(x: Floats, y: Floats, least: float) -> float:
    """Return the slope of log y against log x over the last stretch of what is above `least`."""
    clear = (x > least) & (y > least) & (x > 0.0) & (y > 0.0)
    if not clear.any():
        return float("nan")
    late = np.flatnonzero(clear & (x <= _LATE * x[clear].min()))
    if len(late) < _LEAST // 2 or np.ptp(np.log(x[late])) < 0.1:
        return float("nan")
    return _line(np.log(x[late]), np.log(y[late]))[0]
