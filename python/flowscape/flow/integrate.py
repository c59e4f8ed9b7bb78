"""Gradient flows of many starting points at once."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import (
    OptionError,
    check_choice,
    check_count,
    check_flag,
    check_positive,
)
from flowscape.flow.batch import CORE_METHODS, Batch
from flowscape.flow.limits import finish
from flowscape.flow.method import choose_method
from flowscape.flow.origin import leave_origin
from flowscape.flow.result import Flow
from flowscape.objective import Problem
from flowscape.runs import save_times, starting_points, values_per_run
from flowscape.status import Status
from flowscape.threads import MOST_STEPS, Progress, checked_progress, thread_count

__all__ = ["METHODS", "gradient_flow"]

METHODS: tuple[str, ...] = ("auto", *CORE_METHODS)

Floats = NDArray[np.float64]


def gradient_flow(
    prob: Problem,
    theta0: ArrayLike,
    *,
    rtol: float = 1e-6,
    atol: float | ArrayLike = 1e-9,
    method: str = "auto",
    t_max: float = np.inf,
    gtol: float | None = None,
    save_at: ArrayLike | None = None,
    max_steps: int = 100_000,
    escape: float = 1e8,
    extrapolate: bool = True,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> Flow:
    r"""Follow the gradient flow :math:`\dot\theta = -\nabla L(\theta)` from many starts.

    A run ends when its gradient is at the round-off floor (computed from the problem, not
    guessed) or at most `gtol`, at `t_max`, or for one of the other reasons of `Status`. What is
    returned is the flow's own limit, never the best point seen: its end, or the extrapolation of
    a power law where that is still far away (`Flow.tails`, docs/limits.md).

    A start close to the origin (below 1e-4 rtol) goes through its linear phase exactly, however
    small it is: 1e-300 is as good as 1e-8.

    Parameters
    ----------
    prob : Problem
    theta0 : (P,) or (B, P) array_like
        Starting points.
    rtol, atol : float
        Tolerances of a step: the root mean square of error / (atol + rtol |theta|) stays below
        1. `atol` may hold one value per run. Next to the origin it counts relative to the
        largest parameter, because the direction in which a flow leaves must not be noise: it is
        never more than max(rtol, atol) times that.
    method : {"auto", "rosenbrock", "rk45", "bdf"}
        ``rosenbrock``: Rodas5P, implicit, with the exact Hessian; seven gradients and a Hessian
        a step. ``bdf``: multistep of order 1 to 5, implicit, with the exact Hessian; one or two
        evaluations a step, for problems where these cost much. Both take the long last steps of
        a flow. ``rk45``: Dormand-Prince 5(4), explicit, with a spectral cap on the step; for
        short times or many parameters. ``auto`` takes for every run the one that is expected to
        need the fewest operations (`Flow.choice`).
    t_max : float
        End of the flow time; infinity follows every run to its limit.
    gtol : float, optional
        Stop where the gradient's infinity norm is at most this. Default: the round-off floor,
        where a run stops in any case. ``bdf`` looks for the crossing, and at tight
        tolerances nearly always ends within 1e-5 of it; the others take a step that passes
        `gtol` as it is, and at loose tolerances may pass it late.
    save_at : (T,) array_like, optional
        Ascending times >= 0 at which to return the flow, by the method's continuous extension.
    max_steps : int
        Accepted and rejected steps of one run.
    escape : float
        A run whose largest parameter reaches this while it grows has escaped.
    extrapolate : bool
        Whether runs that end at the round-off floor far from their limit, because they approach
        it by a power of t, are looked at once more: their tails are fitted and `Flow.theta` is
        the extrapolated limit. Applies to flows without `t_max` and `gtol`.
    n_threads : int, optional
        Default: every processor this process may use. No result depends on it.
    progress : callable, optional
        Called about 20 times a second with the number of finished runs.

    Returns
    -------
    Flow
        A run that fails is a row with its status, never an exception.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value.
    KeyboardInterrupt
        On Ctrl-C, within about 0.2 s.

    Notes
    -----
    Row b is the same, bit for bit, in any batch and on any number of threads
    (``tests/properties/test_determinism.py``). Orders: ``tests/reference/test_flow_order.py``.
    """
    starts, single = starting_points(prob, theta0)
    rtol = check_positive("rtol", rtol, "e.g. 1e-6")
    if rtol < 1e-13:
        raise OptionError(
            f"rtol={rtol!r} must be >= 1e-13, what double precision can resolve; "
            "use rtol=1e-12 and finish with polish()"
        )
    if rtol > 1.0:
        raise OptionError(f"rtol={rtol!r} must be <= 1; more is no accuracy at all, e.g. 1e-6")
    tolerances = values_per_run("atol", atol, len(starts), "1e-9")
    check_choice("method", method, METHODS)
    t_max = check_positive("t_max", t_max, "give the end time", zero=True, infinite=True)
    if gtol is not None:
        gtol = check_positive("gtol", gtol, "or None for the round-off floor", zero=True)
    times = save_times(save_at, t_max)
    max_steps = check_count("max_steps", max_steps, maximum=MOST_STEPS)
    escape = check_positive("escape", escape, infinite=True)
    extrapolate = check_flag("extrapolate", extrapolate)
    threads = thread_count(n_threads)
    progress = checked_progress(progress)
    begin = time.perf_counter()
    choice = choose_method(prob, starts, rtol, t_max, threads) if method == "auto" else None
    batch = Batch(
        prob=prob,
        departure=leave_origin(prob, starts, rtol),
        atol=tolerances,
        rtol=rtol,
        gtol=0.0 if gtol is None else gtol,
        t_max=t_max,
        escape=escape,
        max_steps=max_steps,
        threads=threads,
        progress=progress,
    )
    limits = np.full(len(starts), max_steps)
    if choice is None:
        methods = np.full(len(starts), method)
        out = batch.follow(methods, limits, times)
    else:
        limits = np.minimum(choice.step_limits(), limits)
        out = batch.follow(choice.method, limits, times)
        # What rk45 was to do quickly and did not, an implicit method does from the start.
        again = (out["status"] == Status.STEP_LIMIT) & (limits < max_steps)
        if again.any():
            choice = choice.without_rk45(again)
            batch.restart(out, choice.method, np.flatnonzero(again), times)
        methods = choice.method
    finish(batch, methods, times, out, extrapolate and gtol is None and np.isinf(t_max))
    seconds = time.perf_counter() - begin
    slots, busy = out.pop("slots"), out.pop("busy")
    tails = out.pop("tails")
    flow = Flow(
        **out,
        tails=tails,
        ts=times,
        method=method if choice is None else choice.names,
        kernel=prob.kernel,
        choice=choice,
        lane_use=busy / slots if slots else 1.0,
        rtol=rtol,
        gtol=gtol,
        t_max=t_max,
        escape=escape,
        max_steps=max_steps,
        seconds=seconds,
    )
    return flow.single() if single else flow
