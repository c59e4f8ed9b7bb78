"""What a batch of descents is asked for, and the checks of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import OptionError, check_count, check_positive, describe
from flowscape.objective import Problem
from flowscape.problem.streams import Seed
from flowscape.runs import check_ascending

__all__ = [
    "DescentOptions",
    "decay_rates",
    "fraction",
    "size_of_batches",
    "step_numbers",
    "stop_value",
    "stream_numbers",
]

Floats = NDArray[np.float64]


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


def fraction(name: str, value: float) -> float:
    """Return `value` if it is in [0, 1)."""
    number = check_positive(name, value, "e.g. 0.9", zero=True)
    if number >= 1.0:
        raise OptionError(f"{name}={number!r} must be a number in [0, 1); e.g. 0.9")
    return number


def decay_rates(betas: tuple[float, float]) -> tuple[float, float]:
    """Return Adam's two decay rates if both are in [0, 1)."""
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise OptionError(f"betas={describe(betas)} must be two numbers; e.g. (0.9, 0.999)")
    return fraction("betas[0]", betas[0]), fraction("betas[1]", betas[1])


def size_of_batches(batch_size: int | None, prob: Problem) -> int | None:
    """Return `batch_size` if it is None or at most the number of samples."""
    if batch_size is None:
        return None
    remedy = "it is at most the number of samples; leave it out for all samples"
    return check_count("batch_size", batch_size, remedy, maximum=len(prob.data))


def stop_value(name: str, value: float | None) -> float | None:
    """Return `value` if it is None or >= 0."""
    if value is None:
        return None
    return check_positive(name, value, "or None to go on to the last step", zero=True)


def stream_numbers(streams: ArrayLike | None, runs: int) -> NDArray[np.uint64]:
    """Return the stream of each run as (`runs`,); None numbers the runs from 0.

    Raises
    ------
    OptionError
        If `streams` is not one integer >= 0 per run.
    """
    if streams is None:
        return np.arange(runs, dtype=np.uint64)
    values = np.atleast_1d(_integers(streams))
    if values.dtype.kind not in "iu" or values.shape != (runs,) or (values < 0).any():
        raise OptionError(
            f"streams={describe(streams)} must hold {runs} integers >= 0, one per run; "
            "leave it out to number the runs from 0"
        )
    return values.astype(np.uint64)


def step_numbers(save_at: ArrayLike | None, steps: int) -> NDArray[np.int64] | None:
    """Return the steps to save as (T,), or None.

    Raises
    ------
    OptionError
        If they are not ascending integers in [0, `steps`].
    """
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
    check_ascending("save_at", numbers)
    return np.ascontiguousarray(numbers, dtype=np.int64)


def _integers(values: ArrayLike) -> NDArray:
    """Return the values as an array; one of objects where its rows have different lengths."""
    try:
        found = np.asarray(values)
        exact = np.asarray(values, dtype=object) if found.dtype.kind == "f" else found
    except ValueError:
        return np.empty(0, dtype=object)
    # NumPy makes floating-point numbers of a list with integers below and above 2^63.
    if exact.size and all(type(v) is int and 0 <= v < 2**64 for v in exact.flat):
        return exact.astype(np.uint64)
    return found
