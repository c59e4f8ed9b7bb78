"""Gradient flows of many starting points at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape import _core
from flowscape.errors import (
    OptionError,
    check_choice,
    check_count,
    check_positive,
    describe,
    finite_array,
    float_array,
)
from flowscape.flow_method import MethodChoice, choose_method
from flowscape.objective import Problem
from flowscape.status import Status
from flowscape.threads import MOST_STEPS, checked_progress, thread_count

__all__ = ["METHODS", "Flow", "gradient_flow"]

METHODS: tuple[str, ...] = ("auto", "rosenbrock", "rk45", "bdf")
_CORE_METHODS = {"rosenbrock": 0, "rk45": 1, "bdf": 2}

Floats = NDArray[np.float64]
Progress = Callable[[int], object]


@dataclass(frozen=True)
class Flow:
    """Ends of a batch of flows; one run per row, no batch axis for a single start.

    Attributes
    ----------
    theta : (B, P) ndarray
        Where the flow ended: its limit if `status` is CONVERGED.
    t : (B,) ndarray
        Flow time at the end, in the time of the problem's loss.
    loss, gradient_norm, floor : (B,) ndarray
        Loss, infinity norm of the gradient and the bound on its rounding error, at `theta`.
    status : (B,) ndarray of int8
        Codes of `Status`.
    nstep, nrejected, nfev, njev : (B,) ndarray of int
        Accepted and rejected steps; evaluations of loss and gradient alone, and of both with the
        Hessian.
    ts, thetas : (T,) and (B, T, P) ndarray, or None
        The times asked for with `save_at` and the flow there. After a run has converged its
        later times hold its limit; after any other end they are NaN.
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
    t: Floats
    loss: Floats
    gradient_norm: Floats
    floor: Floats
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
        """Whether each run converged."""
        return np.equal(self.status, Status.CONVERGED)

    @property
    def message(self) -> NDArray[np.str_]:
        """What happened to each run, in words; () or (B,) strings."""
        messages = np.array([status.message for status in Status])
        return messages[self.status]

    def __repr__(self) -> str:
        codes = np.atleast_1d(self.status)
        ends = ", ".join(
            f"{Status(code).name} {count}"
            for code, count in sorted(Counter(codes.tolist()).items())
        )
        runs = f"{codes.size} run{'s' * (codes.size != 1)}"
        method = self.method if self.choice is None else f"{self.method} (auto)"
        return f"Flow({runs}, {method}, {self.seconds:.3g} s: {ends})"


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
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> Flow:
    r"""Follow the gradient flow :math:`\dot\theta = -\nabla L(\theta)` from many starts.

    A run ends when its gradient is at the round-off floor (computed from the problem, not
    guessed) or at most `gtol`, at `t_max`, or for one of the other reasons of `Status`. It is
    the flow's own end that is returned, never the best point seen.

    Parameters
    ----------
    prob : Problem
    theta0 : (P,) or (B, P) array_like
        Starting points.
    rtol, atol : float
        Tolerances of a step: the root mean square of error / (atol + rtol |theta|) stays below
        1. `atol` may hold one value per run; where a start is tiny it must be tinier, or the
        direction in which the flow leaves the origin is noise.
    method : {"auto", "rosenbrock", "rk45", "bdf"}
        ``rosenbrock``: Rodas4, implicit, with the exact Hessian; five gradients and a Hessian
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
    starts, single = _starts(prob, theta0)
    rtol = check_positive("rtol", rtol, "e.g. 1e-6")
    if rtol < 1e-13:
        raise OptionError(
            f"rtol={rtol!r} must be >= 1e-13, what double precision can resolve; "
            "use rtol=1e-12 and finish with polish()"
        )
    tolerances = _tolerances(atol, len(starts))
    check_choice("method", method, METHODS)
    t_max = check_positive("t_max", t_max, "give the end time", zero=True, infinite=True)
    if gtol is not None:
        gtol = check_positive("gtol", gtol, "or None for the round-off floor", zero=True)
    times = _times(save_at, t_max)
    max_steps = check_count("max_steps", max_steps, maximum=MOST_STEPS)
    escape = check_positive("escape", escape, infinite=True)
    threads = thread_count(n_threads)
    progress = checked_progress(progress)
    begin = time.perf_counter()
    choice = choose_method(prob, starts, rtol, t_max, threads) if method == "auto" else None

    def follow(
        name: str, part: NDArray[np.int64], ended: int, most: int = max_steps
    ) -> dict[str, NDArray]:
        return _core.gradient_flow(
            prob.core,
            starts[part],
            tolerances[part],
            rtol,
            0.0 if gtol is None else gtol,
            t_max,
            escape,
            most,
            _CORE_METHODS[name],
            np.empty(0) if times is None else times,
            threads,
            progress if progress is None or ended == 0 else lambda n: progress(ended + n),
        )

    if choice is None:
        out = follow(method, np.arange(len(starts)), 0)
    else:
        limits = np.minimum(choice.step_limits(), max_steps)
        out = _by_method(follow, choice.method, limits)
        # What rk45 was to do quickly and did not, an implicit method does from the start.
        again = (out["status"] == Status.STEP_LIMIT) & (limits < max_steps)
        if again.any():
            choice = choice.without_rk45(again)
            _restart(out, follow, choice.method, np.flatnonzero(again))
    seconds = time.perf_counter() - begin
    slots, busy = out.pop("slots"), out.pop("busy")
    if single:
        out = {name: None if rows is None else rows[0] for name, rows in out.items()}
    return Flow(
        **out,
        ts=times,
        method=method if choice is None else choice.names,
        kernel=prob.kernel,
        choice=choice.single() if choice is not None and single else choice,
        lane_use=busy / slots if slots else 1.0,
        rtol=rtol,
        gtol=gtol,
        t_max=t_max,
        escape=escape,
        max_steps=max_steps,
        seconds=seconds,
    )


def _by_method(
    follow: Callable[..., dict[str, NDArray]],
    methods: NDArray[np.str_],
    limits: NDArray[np.int64],
) -> dict[str, NDArray]:
    """Follow the runs of each method and limit together; all rows in the order of the starts."""
    everything: dict[str, NDArray] = {}
    ended = 0
    groups = sorted(set(zip(methods.tolist(), limits.tolist(), strict=True)))
    for name, most in groups or [("rosenbrock", 1)]:
        part = np.flatnonzero((methods == name) & (limits == most))
        for field, rows in follow(name, part, ended, most).items():
            if np.ndim(rows) == 0:  # a count of lane slots, or None
                everything[field] = rows if rows is None else everything.get(field, 0) + rows
            elif len(part) == len(methods):
                everything[field] = rows
            else:
                whole = everything.setdefault(
                    field, np.empty((len(methods), *rows.shape[1:]), rows.dtype)
                )
                whole[part] = rows
        ended += len(part)
    return everything


def _restart(
    out: dict[str, NDArray],
    follow: Callable[..., dict[str, NDArray]],
    methods: NDArray[np.str_],
    rows: NDArray[np.int64],
) -> None:
    """Follow `rows` again and put the results into `out`; evaluations and lane slots add up."""
    for name in sorted(set(methods[rows].tolist())):
        part = rows[methods[rows] == name]
        for field, values in follow(name, part, len(methods) - len(part)).items():
            if np.ndim(values) == 0:
                out[field] = values if values is None else out[field] + values
            elif field in ("nfev", "njev"):
                out[field][part] += values
            else:
                out[field][part] = values


def _starts(prob: Problem, theta0: ArrayLike) -> tuple[Floats, bool]:
    if not isinstance(prob, Problem):
        raise OptionError(f"prob={describe(prob)} must be a Problem")
    p = prob.net.n_params
    rows = finite_array("theta0", theta0, (p,), ("B", p), remedy="give finite starting points")
    return (rows[None], True) if rows.ndim == 1 else (rows, False)


def _tolerances(atol: float | ArrayLike, runs: int) -> Floats:
    values = finite_array("atol", atol, (), (runs,), remedy="give one value, or one per run")
    if (values <= 0.0).any():
        smallest = float(values.min())
        raise OptionError(f"atol={smallest!r} must be a finite number > 0; e.g. 1e-9")
    return np.ascontiguousarray(np.broadcast_to(values, (runs,)))


def _times(save_at: ArrayLike | None, t_max: float) -> Floats | None:
    if save_at is None:
        return None
    times = float_array("save_at", save_at, ("T",), remedy="give a list of times")
    if times.size == 0:
        raise OptionError("save_at=[] must hold at least one time; leave it out to save nothing")
    inside = (times >= 0.0) & (times <= t_max) & np.isfinite(times)
    if not inside.all():
        bad = float(times[~inside][0])
        raise OptionError(f"save_at has the time {bad!r}, which must lie in [0, t_max={t_max!r}]")
    if (np.diff(times) < 0.0).any():
        raise OptionError("save_at must be in ascending order; sort it")
    return times
