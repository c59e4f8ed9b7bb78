"""Gradient descent and its relatives from many starting points at once."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import ArrayLike

from flowscape import _core
from flowscape.descent.batches import SAMPLINGS
from flowscape.descent.options import (
    DescentOptions,
    decay_rates,
    fraction,
    size_of_batches,
    step_numbers,
    stop_value,
    stream_numbers,
)
from flowscape.descent.result import Descent
from flowscape.descent.stability import stability_limit, warn_unstable
from flowscape.errors import check_choice, check_count, check_positive
from flowscape.objective import Problem
from flowscape.problem.streams import Purpose, Seed, stream_key
from flowscape.runs import starting_points, values_per_run
from flowscape.threads import MOST_STEPS, Progress, checked_progress, thread_count

__all__ = ["ALGORITHMS", "gradient_descent"]

ALGORITHMS: tuple[str, ...] = ("gradient_descent", "momentum", "nesterov", "adam")
_ALL_SAMPLES = 0  # the core's number of "no batches"; those of SAMPLINGS follow


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
    rows, single = starting_points(prob, theta0)
    rates = values_per_run("learning_rate", learning_rate, len(rows), "0.05")
    steps = check_count("steps", steps, maximum=MOST_STEPS)
    options = DescentOptions(
        learning_rate=float(rates[0]) if np.ndim(learning_rate) == 0 and len(rates) else rates,
        steps=steps,
        algorithm=check_choice("algorithm", algorithm, ALGORITHMS),
        momentum=fraction("momentum", momentum),
        betas=decay_rates(betas),
        epsilon=check_positive("epsilon", epsilon, "e.g. 1e-8"),
        batch_size=size_of_batches(batch_size, prob),
        sampling=check_choice("sampling", sampling, SAMPLINGS),
        seed=seed,
        streams=stream_numbers(streams, len(rows)),
        stop_loss=stop_value("stop_loss", stop_loss),
        gtol=stop_value("gtol", gtol),
        escape=check_positive("escape", escape, infinite=True),
        stream_key=None if batch_size is None else stream_key(seed, Purpose.BATCHES, "seed"),
    )
    times = step_numbers(save_at, steps)
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
        points = out["thetas"].reshape(-1, rows.shape[1])
        out["losses"] = prob.loss(points, n_threads=threads).reshape(len(rows), len(times))
    out["stability_limit"] = stability_limit(options.algorithm, options.momentum, out["lambda_max"])
    warn_unstable(out["status"], rates, out["stability_limit"])
    if single:
        out = {name: None if values is None else values[0] for name, values in out.items()}
    seconds = time.perf_counter() - begin
    return Descent(**out, steps=times, options=options, kernel=prob.kernel, seconds=seconds)
