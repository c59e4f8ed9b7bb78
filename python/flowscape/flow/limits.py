"""From the ends of the integration to the limits of the flows, with error bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.flow.batch import Batch
from flowscape.flow.kinks import crosses_kink
from flowscape.flow.saturation import has_constant_neuron, saturated
from flowscape.flow.tails import Law, Tails, examine_tails
from flowscape.objective import Problem
from flowscape.status import Status

__all__ = ["VANISHING", "finish"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A tail is examined if what may be left of the way exceeds this part of 1 + |theta|, or rtol of it:
# then the integration's own error is larger. Examining every exponential would cost five flows.
_NEGLIGIBLE = 1e-10
# |theta - limit| is at most this times velocity times time, for a power law t^-q with q >= 1/4 and
# for an exponential after one time constant.
_WAY = 4.0
# Newton's step times this is the way to a minimum of degree 6, and more than that to lower ones.
_DEGREE = 5.0
_MOST_PARAMETERS = 400
# For what is read off a fit: the distance left of an exponential, velocity over rate; the distance
# of an extrapolated limit from the nearest critical point.
_FITTED = 2.0
# Error of the integration at the limit, in tolerances of a step, atol sqrt(P) + rtol |theta|: no
# step moves a flow along its valley by more than one, and few by that. Measured: 3 at rtol 1e-8,
# 4 at 1e-10 on flows of 100 steps, and 0.03 to 0.1 a step on flows of up to 1,900.
_INTEGRATION = 30.0
_PER_STEP = 0.12
# An extrapolated limit is kept if its error bar is below this part of 1 + |theta|.
_USEFUL = 1e-2
# A loss of less than this part of that of the network 0 goes to zero: residuals of 1e-4 of targets.
VANISHING = 1e-8
# Runs whose tails are in memory at once; no result depends on it.
_CHUNK = 4096


def finish(
    batch: Batch,
    methods: NDArray[np.str_],
    times: Floats | None,
    out: dict[str, Any],
    examine: bool,
) -> None:
    """Recognise tails, put extrapolated limits in the place of ends, and add the error bars.

    Parameters
    ----------
    batch : Batch
    methods : (B,) ndarray of str
    times : (T,) ndarray or None
    out : dict
        Results of the core, changed in place: `theta`, `status`, `loss`, `gradient_norm`, `floor`
        and `thetas` of extrapolated runs; new are `end`, `theta_error` and `tails`.
    examine : bool
        Whether the runs were to go to their limits.
    """
    theta, status = out["theta"], out["status"]
    out["end"] = theta.copy()
    runs = len(theta)
    tails = out["tails"] = Tails.unknown(runs)
    error = out["theta_error"] = np.full(runs, np.nan)
    if not examine:
        return
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.linalg.norm(theta, axis=1)
        speed = np.maximum(out["gradient_norm"], out["floor"]) * np.sqrt(theta.shape[1])
        way = _WAY * speed * out["t"]
    stopped = status == Status.CONVERGED
    ahead = np.zeros(runs)
    ahead[stopped] = _newton_step(batch, theta[stopped], out["floor"][stopped])
    error[stopped] = np.maximum(way, ahead)[stopped]
    negligible = max(_NEGLIGIBLE, batch.rtol) * (1.0 + size)
    tails.law[stopped & (error <= negligible)] = Law.SETTLED
    stuck = (Status.ESCAPED, Status.STEP_LIMIT, Status.STEP_TOO_SMALL)
    clock = out["t"] - batch.departure.delay
    seen = np.isfinite(size) & (clock > 0.0) & (tails.law != Law.SETTLED)
    seen &= stopped | np.isin(status, stuck)
    rows = np.flatnonzero(seen)
    units = _units(batch.prob)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        limit, bar = examine_tails(
            part,
            clock[part],
            theta[part],
            lambda some, lattice: batch.revisit(methods, some, lattice),
            tails,
            units,
        )
        _take(batch, times, out, part, limit, bar)
    unknown = stopped & (tails.law == Law.UNKNOWN)
    error[unknown] = np.maximum(error, ahead)[unknown]
    error[status == Status.ESCAPED] = np.inf
    exponential = stopped & (tails.law == Law.EXPONENTIAL)
    # A flow that slows down along its valley may look like one for the time that is seen of it.
    error[exponential] = np.maximum(_FITTED * speed / tails.rate, ahead)[exponential]
    ended = np.flatnonzero(status == Status.CONVERGED)
    idle = saturated(batch.prob, theta[ended], out["floor"][ended], n_threads=batch.threads)
    tails.law[ended[idle]] = Law.UNKNOWN
    error[ended[idle]] = np.inf
    tolerance = batch.rtol * np.where(np.isfinite(size), size, 0.0)
    tolerance += batch.atol * np.sqrt(theta.shape[1])
    steps = out["nstep"]
    error += np.where(steps > 0, np.maximum(_INTEGRATION, _PER_STEP * steps), 0.0) * tolerance


def _units(prob: Problem) -> Floats:
    """Return units of the parameters, those of the data: (P,).

    Outgoing weights count in largest targets, incoming ones in one over the largest input.
    """
    net, x, y = prob.net, np.abs(prob.data.x), np.abs(prob.data.y)
    target = float(y.max()) or 1.0
    units = np.ones(net.n_params)
    parts = net.unpack(units)  # views
    parts.a[...] = target
    parts.w[...] = 1.0 / np.where(x.max(axis=0) > 0.0, x.max(axis=0), 1.0)
    if parts.c is not None:
        parts.c[...] = target
    return units


def _newton_step(batch: Batch, theta: Floats, floor: Floats) -> Floats:
    """Return a bound on the distance of a critical point ahead, from Newton's step: (R,).

    A flow that starts next to a degenerate minimum is at the gradient's rounding error at once:
    velocity times time says nothing. The step is 1 / (k - 1) of the way to a minimum of
    degree k. Directions whose eigenvalue may be zero are left out, and problems of many parameters.
    """
    if len(theta) == 0 or theta.shape[1] > _MOST_PARAMETERS:
        return np.zeros(len(theta))
    _, gradient, hessian = batch.prob.evaluate(theta, 2, n_threads=batch.threads)
    values, vectors = np.linalg.eigh(hessian)
    along = np.abs(np.einsum("rpi,rp->ri", vectors, gradient))
    bound = batch.prob.noise(theta, n_threads=batch.threads).hessian[:, None]
    size = np.abs(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(size > bound, np.maximum(along, floor[:, None]) / size, 0.0)
    return _DEGREE * np.linalg.norm(step, axis=1)


def _away(batch: Batch, limit: Floats, end: Floats) -> Floats:
    """Return how far extrapolated limits may be from critical points: (R,).

    In a direction in which the valley is much flatter than in others a flow stands still for
    decades, and the fit takes that for a limit. The nearest critical point shows it.
    """
    if len(limit) == 0:
        return np.zeros(0)
    from flowscape.polish import polish  # most flows need none: 5 ms of the import

    points = polish(batch.prob, limit, n_threads=batch.threads)
    way = np.linalg.norm(end - limit, axis=1)
    return np.where(points.status == Status.CONVERGED, _FITTED * points.displacement, way)


def _may_stop(
    batch: Batch, out: dict[str, Any], rows: Ints, limit: Floats, tails: Tails
) -> NDArray[np.bool_]:
    """Whether runs that grow by a law may still come to rest at a finite point: (R,).

    With weight decay all do. Where the loss goes to zero a finite zero may lie ahead of the end.
    Not if growth is logarithmic, so that neurons saturate, and complete saturation has the loss
    zero, too, once the parameters that do not grow have settled; unless a neuron saturates on
    all samples alike, which a finite bias can do.
    """
    escape = tails.law[rows] == Law.ESCAPE
    if batch.prob.l2 > 0.0:
        return escape
    size = float(batch.prob.loss(np.zeros(batch.prob.net.n_params)))
    doubted = escape & (out["loss"][rows] < VANISHING * size)
    slow = np.flatnonzero(doubted & np.isfinite(limit).all(axis=1))
    if slow.size:
        from flowscape.polish import polish

        far = limit[slow]
        settled = polish(batch.prob, far, n_threads=batch.threads)
        stays = settled.displacement <= _USEFUL * np.linalg.norm(far, axis=1)
        doubted[slow] = ~(stays & (settled.loss <= settled.zero_loss))
        doubted[slow] |= has_constant_neuron(batch.prob, out["theta"][rows[slow]])
    return doubted


def _take(
    batch: Batch, times: Floats | None, out: dict[str, Any], rows: Ints, limit: Floats, bar: Floats
) -> None:
    """Take the limits of power laws, and that runs escape."""
    tails, end = out["tails"], out["end"]
    doubted = rows[_may_stop(batch, out, rows, limit, tails)]
    tails.law[doubted], tails.exponent[doubted] = Law.UNKNOWN, np.nan
    out["theta_error"][doubted] = np.inf
    law = tails.law[rows]
    out["status"][rows[law == Law.ESCAPE]] = Status.ESCAPED
    out["theta_error"][rows[law == Law.ESCAPE]] = np.inf
    unknown = law == Law.UNKNOWN
    out["theta_error"][rows[unknown]] = np.fmin(out["theta_error"][rows], bar)[unknown]
    power = np.flatnonzero(law == Law.POWER)
    bar[power] = np.maximum(bar[power], _away(batch, limit[power], end[rows[power]]))
    useful = (law == Law.POWER) & (bar <= _USEFUL * (1.0 + np.linalg.norm(end[rows], axis=1)))
    useful &= ~crosses_kink(batch.prob, end[rows], limit)
    rows, limit = rows[useful], limit[useful]
    if rows.size == 0:
        return
    out["theta"][rows], out["theta_error"][rows] = limit, bar[useful]
    out["status"][rows] = Status.TAIL_EXTRAPOLATED
    out["loss"][rows], gradient = batch.prob.evaluate(limit, 1, n_threads=batch.threads)[:2]
    out["gradient_norm"][rows] = np.abs(gradient).max(axis=1)
    out["floor"][rows] = batch.prob.noise(limit, n_threads=batch.threads).gradient
    if times is not None:
        for row in rows:
            after = times > out["t"][row]
            decay = (times[after] / out["t"][row]) ** -tails.exponent[row]
            out["thetas"][row, after] = out["theta"][row] + decay[:, None] * (
                end[row] - out["theta"][row]
            )
