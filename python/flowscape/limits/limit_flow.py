"""The flow of infinitely small initialization: it leaves the origin on its unstable manifold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import OptionError, check_positive, check_real, finite_array
from flowscape.flow import Flow, gradient_flow
from flowscape.flow.joined import joined
from flowscape.limits.imbalance import Origin
from flowscape.limits.manifold import ORDER, Manifold, expand
from flowscape.objective import Problem
from flowscape.runs import save_times
from flowscape.threads import checked_progress, thread_count

__all__ = ["LimitFlow", "limit_flow"]

Floats = NDArray[np.float64]

# The series is left where its error is this part of rtol, or all that double precision gives.
_START_OF_RTOL = 1e-2
_LEAST_START = 2e-15
# and where the nonlinear part is at most this part of the linear one: there the flow's linear
# growth is at most 2 mu_1, on which the error bound rests.
_NONLINEAR = 0.25
# Radii that are tried, in units of the expansion.
_RADII = 2.0 ** np.arange(1.0, -12.0, -0.25)
# Least size of a start: tolerances are still normal numbers there.
_LEAST_SIZE = 1e-270
# Absolute tolerance of the flow, in units of rtol times the norm of the start.
_ATOL = 1e-3


@dataclass(frozen=True)
class LimitFlow:
    """Flows of infinitely small initialization; one imbalance per row, no batch axis for one.

    Attributes
    ----------
    flow : Flow
        The flows from their starts on the unstable manifold to their ends. All times (`t`, `ts`)
        are those of `limit_flow`; saved times before the start are from the series.
    imbalance : (B, m) ndarray
        C / |C|.
    rate : float
        mu_1, the growth rate at the origin.
    start : (B, P) ndarray
        Points on the unstable manifold at which the integration began,
    t_start : (B,) ndarray
        and their times.
    start_error : (B,) ndarray
        Bound on the distance of `start` from the exact solution, relative to its norm.
    order : int
        Order of the expansion.
    """

    flow: Flow
    imbalance: Floats
    rate: float
    start: Floats
    t_start: Floats
    start_error: Floats
    order: int

    @property
    def theta(self) -> Floats:
        """Ends of the flows, ``flow.theta``: (B, P)."""
        return self.flow.theta

    @property
    def theta_error(self) -> Floats:
        """Error bars of `theta`, ``flow.theta_error``: (B,)."""
        return self.flow.theta_error

    @property
    def t(self) -> Floats:
        """Times of the ends: (B,)."""
        return self.flow.t

    @property
    def status(self) -> NDArray[np.int8]:
        """Codes of `Status`: (B,)."""
        return self.flow.status

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each run reached its limit: (B,)."""
        return self.flow.success

    def __repr__(self) -> str:
        return f"LimitFlow(start error {np.max(self.start_error, initial=0.0):.1e}, {self.flow!r})"


def limit_flow(
    prob: Problem,
    imbalance: ArrayLike,
    *,
    rtol: float = 1e-6,
    atol: float | None = None,
    method: str = "auto",
    t_max: float = np.inf,
    gtol: float | None = None,
    save_at: ArrayLike | None = None,
    max_steps: int = 100_000,
    escape: float = 1e8,
    extrapolate: bool = True,
    n_threads: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> LimitFlow:
    r"""Follow the gradient flow of infinitely small initialization.

    .. math:: h(\theta, t) = \lim_{\alpha \to 0}
              \phi\bigl(\alpha\theta,\; t + \tfrac1{\mu_1}\log\tfrac1\alpha\bigr)

    SS Theorem 1: the limit depends on theta through its imbalance only. It is computed without
    any small alpha, from the expansion of the origin's unstable manifold to order 20.

    Parameters
    ----------
    prob : Problem
        One output without bias, sigma(0) = 0, sigma'(0) != 0, and gamma != 0.
    imbalance : (m,) or (B, m) array_like
        C of each run, by neuron, as `initial_imbalance` returns; normalised here, and not 0.
    rtol, method, gtol, max_steps, escape, extrapolate, n_threads, progress
        As in `gradient_flow`; `gtol` must lie below the gradient at the start.
    atol : float, optional
        As in `gradient_flow`; default 1e-3 `rtol` times the norm of the run's start.
    t_max : float
        End of the time, which may be negative: times are those of h for the theta that
        has the imbalance C / |C| and unit norm in the unstable eigenspace, so that
        h(theta, t) ~ exp(mu_1 t) theta as t -> -infinity. For another theta add
        ``log(amplitude) / rate`` of `initial_imbalance`.
    save_at : (T,) array_like, optional
        Ascending times, also negative ones, at which to return the flow.

    Returns
    -------
    LimitFlow

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value, or a hypothesis of SS Theorem 1 fails; the
        message names it.
    KeyboardInterrupt
        On Ctrl-C.

    Notes
    -----
    The start is the farthest point of the series at which its error bound is at most 1e-2 `rtol`.
    The bound comes from the measured defect of the invariance equation
    (docs/small-initialization.md). Row b does not depend on the batch.
    """
    origin = Origin.of(prob)
    rtol = check_positive("rtol", rtol, "e.g. 1e-6")
    if not (isinstance(t_max, float | np.floating) and t_max == np.inf):
        t_max = check_real("t_max", t_max, "give the end time")
    units, single = _units(prob, imbalance)
    times = save_times(save_at, t_max, earliest=-np.inf)
    threads, progress = thread_count(n_threads), checked_progress(progress)
    manifold = expand(prob, origin, units)
    u, error = _radii(prob, manifold, max(_START_OF_RTOL * rtol, _LEAST_START), threads)
    if np.isfinite(t_max):
        last = float(manifold.parameter(t_max))
        if last * manifold.scale < _LEAST_SIZE:
            raise OptionError(
                f"t_max={t_max!r} must be later: the flow is then smaller than {_LEAST_SIZE}, "
                "next to what doubles can hold; there it is exp(mu_1 t) C / |C|"
            )
        u = np.minimum(u, last)
    start, t_start = manifold(u), manifold.time(u)
    if gtol is not None:
        gtol = check_positive("gtol", gtol, "or None for the round-off floor", zero=True)
        gradient = np.abs(prob.gradient(start, n_threads=threads)).max(axis=1, initial=0.0)
        if len(gradient) and gtol >= gradient.min():
            raise OptionError(
                f"gtol={gtol!r} must be below {gradient.min():.3g}, the gradient where the flow "
                "leaves the series; lower it"
            )
    sizes = np.linalg.norm(start, axis=1)
    if atol is not None:
        atol = check_positive("atol", atol, "or None for 1e-3 rtol times the start")
    tolerance = _ATOL * rtol * sizes if atol is None else np.full(len(sizes), atol)

    def follow(rows: NDArray[np.int64], ended: int) -> Flow:
        begin = float(t_start[rows[0]]) if len(rows) else 0.0
        later = None if times is None else times[times > begin] - begin
        return gradient_flow(
            prob,
            start[rows],
            rtol=rtol,
            atol=tolerance[rows],
            method=method,
            t_max=max(t_max - begin, 0.0),
            gtol=gtol,
            save_at=later if later is not None and later.size else None,
            max_steps=max_steps,
            escape=escape,
            extrapolate=extrapolate,
            n_threads=threads,
            progress=None if progress is None else lambda n: progress(ended + n),
        )

    if (times is None and t_max == np.inf) or len(u) == 0:
        groups = [np.arange(len(u))]
    else:  # radii stand on a grid, so few starts differ in their time
        groups = [np.flatnonzero(t_start == begin) for begin in np.unique(t_start)]
    parts, ended = [], 0
    for rows in groups:
        parts.append((rows, follow(rows, ended)))
        ended += len(rows)
    flow = joined(parts, len(u))
    thetas = None if times is None else _saved(manifold, parts, times, t_start)
    flow = dataclasses.replace(flow, t=flow.t + t_start, ts=times, thetas=thetas, t_max=t_max)
    if single:
        flow = flow.single()
        units, start, t_start, error = units[0], start[0], t_start[0], error[0]
    return LimitFlow(flow, units, origin.rate, start, t_start, error, ORDER)


def _units(prob: Problem, imbalance: ArrayLike) -> tuple[Floats, bool]:
    m = prob.net.width
    rows = finite_array(
        "imbalance", imbalance, (m,), ("B", m), remedy="give C of every neuron, one row per run"
    )
    batch = np.atleast_2d(rows)
    largest = np.abs(batch).max(axis=1, keepdims=True, initial=0.0)
    if (largest == 0.0).any():
        raise OptionError(
            "imbalance=0 must not be 0 in all neurons (SS Theorem 1 iii, C != 0): such a start "
            "has no part in the unstable eigenspace; use gradient_flow"
        )
    batch = batch / largest
    return batch / np.linalg.norm(batch, axis=1, keepdims=True), rows.ndim == 1


def _radii(prob: Problem, manifold: Manifold, target: float, threads: int) -> tuple[Floats, Floats]:
    """Return per run the radius u at which to leave the series, and the error there.

    With a defect D(u) ~ u^(ORDER + 1) of mu_1 u theta' = F(theta), and linear growth of at most
    2 mu_1, the error obeys |e(u)| <= D(u) / (mu_1 (ORDER - 1)).
    """
    runs = len(manifold.coefficients)
    u = np.broadcast_to(_RADII, (runs, len(_RADII)))
    with np.errstate(over="ignore", invalid="ignore"):  # at the largest radii, where unusable
        points = manifold(u)
        p = points.shape[-1]
        pull = -prob.gradient(points.reshape(-1, p), n_threads=threads).reshape(points.shape)
        defect = np.linalg.norm(pull - manifold.rate * manifold.derivative(u), axis=-1)
        size = np.linalg.norm(points, axis=-1)
        linear = manifold.scale * u
        error = defect / (manifold.rate * (ORDER - 1) * size)
        bent = np.linalg.norm(points - u[..., None] * manifold.coefficients[:, None, 1], axis=-1)
        error = np.where((bent <= _NONLINEAR * linear) & np.isfinite(error), error, np.inf)
    good = error <= target
    # argmax is the first, largest radius that is good; if none is, the best one
    place = np.where(good.any(axis=1), good.argmax(axis=1), error.argmin(axis=1))
    rows = np.arange(runs)
    return u[rows, place], error[rows, place]


def _saved(
    manifold: Manifold,
    parts: list[tuple[NDArray[np.int64], Flow]],
    times: Floats,
    t_start: Floats,
) -> Floats:
    """Return the solutions at the times: from the series before the start, then from the flow."""
    runs, p = len(t_start), manifold.coefficients.shape[-1]
    thetas = np.empty((runs, len(times), p))
    for rows, flow in parts:
        if len(rows) == 0:
            continue
        early = times <= t_start[rows[0]]
        u = np.broadcast_to(manifold.parameter(times[early]), (len(rows), int(early.sum())))
        part = Manifold(manifold.coefficients[rows], manifold.scale, manifold.rate)
        thetas[np.ix_(rows, early)] = part(u)
        if flow.thetas is not None:
            thetas[np.ix_(rows, ~early)] = flow.thetas
    return thetas
