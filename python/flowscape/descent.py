"""Discrete dynamics of many starting points at once: gradient descent and its relatives."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape import _core
from flowscape.errors import (
    OptionError,
    StabilityWarning,
    check_choice,
    check_count,
    check_positive,
    check_real,
    describe,
    finite_array,
)
from flowscape.objective import Problem
from flowscape.problem.streams import Purpose, Seed, stream_key
from flowscape.status import Status
from flowscape.threads import MOST_STEPS, checked_progress, thread_count

__all__ = [
    "ALGORITHMS",
    "SAMPLINGS",
    "Descent",
    "DescentOptions",
    "batch_indices",
    "gradient_descent",
    "linear_phase_steps",
]

ALGORITHMS: tuple[str, ...] = ("gradient_descent", "momentum", "nesterov", "adam")
SAMPLINGS: tuple[str, ...] = ("shuffled", "iid")
_ALL_SAMPLES = 0  # the core's number of "no batches"; those of SAMPLINGS follow

Floats = NDArray[np.float64]
Progress = Callable[[int], object]


@dataclass(frozen=True)
class DescentOptions:
    """What a `gradient_descent` was asked for; the arguments of the same names.

    Attributes
    ----------
    stream_key : (int, int) or None
        Philox key of the sample indices, from `seed`; None without batches.
    """

    learning_rate: float | Floats
    steps: int
    algorithm: str
    momentum: float
    betas: tuple[float, float]
    epsilon: float
    batch_size: int | None
    sampling: str
    seed: Seed
    streams: NDArray[np.uint64]
    stop_loss: float | None
    gtol: float | None
    escape: float
    stream_key: tuple[int, int] | None


@dataclass(frozen=True)
class Descent:
    """Ends of a batch of descents; one run per row, no batch axis for a single start.

    Attributes
    ----------
    theta : (B, P) ndarray
        The last point.
    step : (B,) ndarray of int
        Steps taken.
    loss, gradient_norm : (B,) ndarray
        Loss of all samples and infinity norm of its gradient, at `theta`.
    lambda_max : (B,) ndarray
        Largest eigenvalue of the Hessian of the loss at `theta`; with more than 96 parameters by
        Lanczos' method, to 1e-10 of it. NaN where the Hessian is not finite.
    stability_limit : (B,) ndarray
        Learning rate from which on a critical point with this largest eigenvalue repels:
        2 / lambda_max; 2 (1 + m) / lambda_max with momentum m and 2 (1 + m) / ((1 + 2 m)
        lambda_max) with Nesterov's. Infinite where no eigenvalue is positive, NaN for Adam, which
        rescales its steps.
    status : (B,) ndarray of int8
        Codes of `Status`. CONVERGED: `stop_loss` or `gtol` was met. STEP_LIMIT: all steps were
        taken. ESCAPED and NONFINITE: the run diverged.
    steps : (T,) ndarray of int, or None
        The step numbers asked for with `save_at`.
    thetas, losses : (B, T, P) and (B, T) ndarray, or None
        Points after these numbers of steps and the loss of all samples there. After a run has
        converged they hold its last point; after any other end they are NaN.
    options : DescentOptions
    kernel : str
        Kernel of the problem's shape.
    seconds : float
        Wall time.
    """

    theta: Floats
    step: NDArray[np.int64]
    loss: Floats
    gradient_norm: Floats
    lambda_max: Floats
    stability_limit: Floats
    status: NDArray[np.int8]
    steps: NDArray[np.int64] | None
    thetas: Floats | None
    losses: Floats | None
    options: DescentOptions
    kernel: str
    seconds: float

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each run met its stop rule."""
        return np.equal(self.status, Status.CONVERGED)

    @property
    def unstable(self) -> NDArray[np.bool_]:
        """Whether the learning rate exceeds the stability limit at the end."""
        return np.greater(self.options.learning_rate, self.stability_limit)

    @property
    def message(self) -> NDArray[np.str_]:
        """What happened to each run, in words; () or (B,) strings."""
        status, unstable = np.atleast_1d(self.status), np.atleast_1d(self.unstable)
        rates = np.broadcast_to(self.options.learning_rate, status.shape)
        limits = np.atleast_1d(self.stability_limit)
        words = []
        for code, high, rate, limit in zip(status, unstable, rates, limits, strict=True):
            text = _MESSAGES[Status(code)]
            if high:
                text += f"; learning_rate={rate:.6g} exceeds the stability limit {limit:.6g} there"
            words.append(text)
        return np.array(words).reshape(np.shape(self.status))

    def __repr__(self) -> str:
        codes = np.atleast_1d(self.status)
        ends = ", ".join(
            f"{Status(code).name} {count}"
            for code, count in sorted(Counter(codes.tolist()).items())
        )
        runs = f"{codes.size} run{'s' * (codes.size != 1)}"
        return f"Descent({runs}, {self.options.algorithm}, {self.seconds:.3g} s: {ends})"


_MESSAGES = {
    Status.CONVERGED: "met the stop rule: the loss is at most stop_loss or the gradient at gtol",
    Status.ESCAPED: "diverged: a parameter exceeded the escape radius; lower learning_rate",
    Status.NONFINITE: "diverged: the loss overflowed; lower learning_rate",
    Status.STEP_LIMIT: "took all steps",
}


def gradient_descent(
    prob: Problem,
    theta0: ArrayLike,
    *,
    learning_rate: float | ArrayLike,
    steps: int,
    algorithm: str = "gradient_descent",
    momentum: float = 0.9,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    batch_size: int | None = None,
    sampling: str = "shuffled",
    seed: Seed = 0,
    streams: ArrayLike | None = None,
    stop_loss: float | None = None,
    gtol: float | None = None,
    escape: float = 1e8,
    save_at: ArrayLike | None = None,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> Descent:
    r"""Take gradient steps :math:`\theta_{k+1} = \theta_k - \eta \nabla L(\theta_k)`.

    L is the loss of the problem as it is: with ``half_mean`` instead of ``half_sum`` the learning
    rate must be N times as large for the same steps.

    Parameters
    ----------
    prob : Problem
    theta0 : (P,) or (B, P) array_like
        Starting points.
    learning_rate : float or (B,) array_like
        :math:`\eta > 0`, one for all or one per run.
    steps : int
        The most steps of one run.
    algorithm : {"gradient_descent", "momentum", "nesterov", "adam"}
        With g the gradient and m `momentum`: ``momentum`` (Polyak's heavy ball) is v <- m v + g,
        theta <- theta - lr v; ``nesterov`` is the same v and theta <- theta - lr (g + m v);
        ``adam`` is algorithm 1 of Kingma and Ba (2015).
    momentum : float
        In [0, 1).
    betas, epsilon : (float, float) and float
        Adam's decay rates in [0, 1), and what it adds to the root of the second moment.
    batch_size : int, optional
        Stochastic gradients from this many samples a step: N / batch_size times their part of the
        loss, plus the weight decay, which is the whole gradient on average. Default: all samples.
    sampling : {"shuffled", "iid"}
        ``shuffled``: each epoch deals out one random permutation, its last batch may be smaller;
        ``iid``: independent samples with replacement. `batch_indices` repeats either.
    seed : int, SeedSequence or Generator
        Root of the streams of sample indices.
    streams : (B,) array_like of int, optional
        Which stream each run reads; default 0, ..., B - 1. A part of a batch repeats its runs
        when it is given their numbers.
    stop_loss, gtol : float, optional
        Stop where the loss, or the infinity norm of the gradient, is at most this. Looked at before
        every step, and with batches at the end of every epoch, on all samples. Default: never.
    escape : float
        A run whose largest parameter reaches this while it grows has escaped; looked at every
        64 steps.
    save_at : (T,) array_like of int, optional
        Ascending step numbers in [0, steps] whose points are returned.
    n_threads : int, optional
        Default: every processor this process may use. No result depends on it.
    progress : callable, optional
        Called about 20 times a second with the number of finished runs.

    Returns
    -------
    Descent
        A run that diverges is a row with its status, never an exception.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value.
    KeyboardInterrupt
        On Ctrl-C, within about 0.2 s.

    Warns
    -----
    StabilityWarning
        If runs diverged, or ended where their learning rate exceeds `Descent.stability_limit`.

    Notes
    -----
    Memory does not depend on the number of steps. Row b is the same, bit for bit, in any batch
    and on any number of threads, and without batches and Adam equal to a loop in NumPy over
    ``prob.gradient`` (``tests/unit/test_descent.py``).
    """
    if not isinstance(prob, Problem):
        raise OptionError(f"prob={describe(prob)} must be a Problem")
    p = prob.net.n_params
    rows = finite_array("theta0", theta0, (p,), ("B", p), remedy="give finite starting points")
    single = rows.ndim == 1
    rows = rows[None] if single else rows
    rates = _rates(learning_rate, len(rows))
    steps = check_count("steps", steps, maximum=MOST_STEPS)
    options = DescentOptions(
        learning_rate=float(rates[0]) if np.ndim(learning_rate) == 0 and len(rates) else rates,
        steps=steps,
        algorithm=check_choice("algorithm", algorithm, ALGORITHMS),
        momentum=_fraction("momentum", momentum),
        betas=_betas(betas),
        epsilon=check_positive("epsilon", epsilon, "e.g. 1e-8"),
        batch_size=_batch_size(batch_size, prob),
        sampling=check_choice("sampling", sampling, SAMPLINGS),
        seed=seed,
        streams=_streams(streams, len(rows)),
        stop_loss=_optional("stop_loss", stop_loss),
        gtol=_optional("gtol", gtol),
        escape=check_positive("escape", escape, infinite=True),
        stream_key=None if batch_size is None else stream_key(seed, Purpose.BATCHES),
    )
    times = _step_numbers(save_at, steps)
    threads = thread_count(n_threads)
    progress = checked_progress(progress)
    begin = time.perf_counter()
    out = _core.gradient_descent(
        prob.core,
        rows,
        rates,
        steps,
        ALGORITHMS.index(algorithm),
        options.momentum,
        *options.betas,
        options.epsilon,
        -1.0 if stop_loss is None else options.stop_loss,
        -1.0 if gtol is None else options.gtol,
        options.escape,
        np.empty(0, np.int64) if times is None else times,
        _ALL_SAMPLES if batch_size is None else 1 + SAMPLINGS.index(sampling),
        options.batch_size or 1,
        *(options.stream_key or (0, 0)),
        options.streams,
        threads,
        progress,
    )
    out["losses"] = None
    if times is not None:
        points = out["thetas"].reshape(-1, p)
        out["losses"] = prob.loss(points, n_threads=threads).reshape(len(rows), len(times))
    out["stability_limit"] = _stability_limit(options, out["lambda_max"])
    _warn(out["status"], rates, out["stability_limit"])
    if single:
        out = {name: None if values is None else values[0] for name, values in out.items()}
    seconds = time.perf_counter() - begin
    return Descent(**out, steps=times, options=options, kernel=prob.kernel, seconds=seconds)


def batch_indices(
    samples: int,
    batch_size: int,
    steps: int,
    *,
    sampling: str = "shuffled",
    seed: Seed = 0,
    stream: int = 0,
) -> list[NDArray[np.int64]]:
    """Return the sample indices that the run on `stream` sees in its first steps.

    Parameters
    ----------
    samples, batch_size, steps : int
        Number of samples, `batch_size` of `gradient_descent` and the number of batches wanted.
    sampling, seed
        As in `gradient_descent`; a Generator as `seed` is advanced by the call.
    stream : int
        The run's number.

    Returns
    -------
    list of (batch_size,) ndarray of int
        One array a step; shorter at the end of an epoch if `batch_size` does not divide `samples`.

    Notes
    -----
    The streams are those of ``numpy.random.Philox(counter=[0, stream, 0, 0], key=key)``. A raw
    number u gives an index below n as floor(u n / 2^64). ``shuffled`` exchanges entry i of
    0, ..., N - 1 with the entry of index below i + 1, for i = N - 1, ..., 1, anew in every epoch.
    """
    samples = check_count("samples", samples)
    batch_size = check_count("batch_size", batch_size, maximum=samples)
    steps = check_count("steps", steps)
    check_choice("sampling", sampling, SAMPLINGS)
    stream = check_count("stream", stream, minimum=0, maximum=2**64 - 1)
    # not as lists of int: NumPy makes floats of words beyond 2^63
    key = np.array(stream_key(seed, Purpose.BATCHES), dtype=np.uint64)
    counter = np.array([0, stream, 0, 0], dtype=np.uint64)
    raw = np.random.Philox(counter=counter, key=key).random_raw

    def index(n: int) -> int:
        return (int(raw()) * n) >> 64

    batches: list[NDArray[np.int64]] = []
    while len(batches) < steps:
        if sampling == "iid":
            batches.append(np.array([index(samples) for _ in range(batch_size)]))
            continue
        order = np.arange(samples)
        for i in range(samples - 1, 0, -1):
            j = index(i + 1)
            order[[i, j]] = order[[j, i]]
        batches += [order[first : first + batch_size] for first in range(0, samples, batch_size)]
    return batches[:steps]


def linear_phase_steps(
    factor: float | ArrayLike, *, learning_rate: float, growth_rate: float
) -> Floats:
    r"""Return how many gradient steps multiply a direction that grows at `growth_rate`.

    Near the origin a component of the flow grows as exp(mu t), and that of gradient descent as
    (1 + lr mu)^k: a start that is `factor` times smaller is late by
    log(factor) / log(1 + lr mu) steps, where the flow is late by log(factor) / mu
    (*Geometry and Local Recovery of Global Minima of Two-layer Neural Networks at
    Overparameterization*, Theorem 1, is about the flow).

    Parameters
    ----------
    factor : float or array_like
        Ratio of the sizes, > 0.
    learning_rate : float
        The learning rate lr > 0.
    growth_rate : float
        mu, minus an eigenvalue of the Hessian at the origin; lr mu > -1, mu not 0.

    Returns
    -------
    ndarray
        Number of steps, not rounded.
    """
    ratios = finite_array("factor", factor)
    if (ratios <= 0.0).any():
        raise OptionError(f"factor={float(ratios.min())!r} must be > 0; it is a ratio of sizes")
    rate = check_positive("learning_rate", learning_rate)
    growth = check_real("growth_rate", growth_rate)
    if growth == 0.0 or rate * growth <= -1.0:
        raise OptionError(
            f"growth_rate={growth!r} must not be 0 and learning_rate * growth_rate must exceed -1; "
            "a component that does not grow, or changes sign, has no linear phase"
        )
    return np.log(ratios) / np.log1p(rate * growth)


def _stability_limit(options: DescentOptions, lambda_max: Floats) -> Floats:
    m = options.momentum
    factor = {
        "gradient_descent": 2.0,
        "momentum": 2.0 * (1.0 + m),
        "nesterov": 2.0 * (1.0 + m) / (1.0 + 2.0 * m),
        "adam": np.nan,
    }[options.algorithm]
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(lambda_max > 0.0, factor / lambda_max, lambda_max * 0.0 + np.inf)


def _warn(status: NDArray[np.int8], rates: Floats, limits: Floats) -> None:
    diverged = np.isin(status, (Status.ESCAPED, Status.NONFINITE))
    unstable = (rates > limits) & ~diverged
    parts = []
    if diverged.any():
        first = int(np.flatnonzero(diverged)[0])
        parts.append(
            f"{diverged.sum()} of {len(status)} runs diverged (run {first}: "
            f"learning_rate={rates[first]:.6g})"
        )
    if unstable.any():
        first = int(np.flatnonzero(unstable)[0])
        parts.append(
            f"{unstable.sum()} of {len(status)} runs ended where their learning rate exceeds the "
            f"stability limit (run {first}: {rates[first]:.6g} > {limits[first]:.6g})"
        )
    if parts:
        text = "; ".join(parts) + "; lower learning_rate"
        warnings.warn(text, StabilityWarning, stacklevel=3)


def _rates(learning_rate: float | ArrayLike, runs: int) -> Floats:
    remedy = "give one value, or one per run"
    values = finite_array("learning_rate", learning_rate, (), (runs,), remedy=remedy)
    if (values <= 0.0).any():
        smallest = float(values.min())
        raise OptionError(f"learning_rate={smallest!r} must be a finite number > 0; e.g. 0.05")
    return np.ascontiguousarray(np.broadcast_to(values, (runs,)))


def _fraction(name: str, value: float) -> float:
    number = check_positive(name, value, "e.g. 0.9", zero=True)
    if number >= 1.0:
        raise OptionError(f"{name}={number!r} must be a number in [0, 1); e.g. 0.9")
    return number


def _betas(betas: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise OptionError(f"betas={describe(betas)} must be two numbers; e.g. (0.9, 0.999)")
    return _fraction("betas[0]", betas[0]), _fraction("betas[1]", betas[1])


def _batch_size(batch_size: int | None, prob: Problem) -> int | None:
    if batch_size is None:
        return None
    remedy = "it is at most the number of samples; leave it out for all samples"
    return check_count("batch_size", batch_size, remedy, maximum=len(prob.data))


def _streams(streams: ArrayLike | None, runs: int) -> NDArray[np.uint64]:
    if streams is None:
        return np.arange(runs, dtype=np.uint64)
    values = np.atleast_1d(_integers(streams))
    if values.dtype.kind not in "iu" or values.shape != (runs,) or (values < 0).any():
        raise OptionError(
            f"streams={describe(streams)} must hold {runs} integers >= 0, one per run; "
            "leave it out to number the runs from 0"
        )
    return values.astype(np.uint64)


def _integers(values: ArrayLike) -> NDArray:
    """Return the values as an array; one of objects where its rows have different lengths."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.empty(0, dtype=object)


def _optional(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    return check_positive(name, value, "or None to go on to the last step", zero=True)


def _step_numbers(save_at: ArrayLike | None, steps: int) -> NDArray[np.int64] | None:
    if save_at is None:
        return None
    numbers = _integers(save_at)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or numbers.size == 0:
        raise OptionError(
            f"save_at={describe(save_at)} must be a list of step numbers (integers); "
            "leave it out to save nothing"
        )
    outside = (numbers < 0) | (numbers > steps)
    if outside.any():
        bad = int(numbers[outside][0])
        raise OptionError(f"save_at has the step {bad}, which must lie in [0, steps={steps}]")
    if (np.diff(numbers.astype(np.int64)) < 0).any():
        raise OptionError("save_at must be in ascending order; sort it")
    return np.ascontiguousarray(numbers, dtype=np.int64)
