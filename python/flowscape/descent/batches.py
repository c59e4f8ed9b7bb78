"""Which samples a stochastic step sees: streams of sample indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import check_choice, check_count
from flowscape.problem.streams import Purpose, Seed, stream_key

__all__ = ["SAMPLINGS", "batch_indices"]

SAMPLINGS: tuple[str, ...] = ("shuffled", "iid")


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
    key = np.array(stream_key(seed, Purpose.BATCHES, "seed"), dtype=np.uint64)
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
