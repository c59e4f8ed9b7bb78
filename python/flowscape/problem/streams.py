"""Random streams: a key from (root, purpose), one counter block per run.

Draws come from the compiled core's Philox generator, so that run b is the same whatever the
batch, the chunk or the worker it belongs to.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import numpy as np

from flowscape.errors import OptionError, check_count, check_instance, describe

__all__ = ["Purpose", "Seed", "check_generator", "generator_or_default", "stream_key"]

Seed: TypeAlias = "int | np.random.SeedSequence | np.random.Generator"

_SEED_LIMIT = 2**64


class Purpose(enum.IntEnum):
    """What random numbers are for; streams of different purposes are independent.

    The numbers are part of every result's meaning: never change or reuse one.
    """

    INITIALISATION = 0
    SAMPLES = 1
    PERTURBATION = 2
    BATCHES = 3


def check_generator(rng: object) -> np.random.Generator:
    """Return `rng` if it is a NumPy generator.

    Raises
    ------
    OptionError
        If it is anything else, a seed or None included.
    """
    remedy = "give numpy.random.default_rng(seed)"
    return check_instance("rng", rng, np.random.Generator, remedy)


def generator_or_default(rng: np.random.Generator | None) -> np.random.Generator:
    """Return `rng`, checked; for None a generator that draws the same in every call."""
    return np.random.default_rng(0) if rng is None else check_generator(rng)


def stream_key(rng: Seed, purpose: Purpose, name: str = "rng") -> tuple[int, int]:
    """Return the two 64-bit words of the Philox key of (`rng`, `purpose`).

    Parameters
    ----------
    rng : int, SeedSequence or Generator
        A seed in [0, 2**64), a seed sequence, or a generator, from which one root integer is
        drawn (SPEC 7 of Scientific Python; None is refused because results must be repeatable).
    purpose : Purpose
        What the numbers are for.
    name : str
        What the caller calls `rng`, for the message.

    Raises
    ------
    OptionError
        If `rng` is none of these or out of range.
    """
    if isinstance(rng, np.random.Generator):
        root = np.random.SeedSequence(
            int(rng.integers(_SEED_LIMIT - 1, dtype=np.uint64, endpoint=True))
        )
    elif isinstance(rng, np.random.SeedSequence):
        root = rng
    elif isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        remedy = "give a seed that fits in 64 bits"
        seed = check_count(name, rng, remedy, minimum=0, maximum=_SEED_LIMIT - 1)
        root = np.random.SeedSequence(seed)
    else:
        raise OptionError(
            f"{name}={describe(rng)} must be a seed (integer >= 0), a numpy SeedSequence or a "
            "numpy Generator; give a seed so that the result can be repeated"
        )
    sequence = np.random.SeedSequence(
        root.entropy, spawn_key=(*root.spawn_key, int(purpose)), pool_size=root.pool_size
    )
    words = sequence.generate_state(2, np.uint64)
    return int(words[0]), int(words[1])
