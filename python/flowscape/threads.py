"""Thread counts and other limits of a call of the compiled core: arguments, never global state."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from flowscape.errors import OptionError, check_count, describe

__all__ = ["MOST_STEPS", "Progress", "checked_progress", "thread_count"]

Progress: TypeAlias = Callable[[int], object]
"""Told, about 20 times a second, how many runs are finished."""

MOST_STEPS: int = 2**53
"""Largest number of steps that can be asked for."""

_MOST_THREADS = 1024


def thread_count(n_threads: int | None) -> int:
    """Return the threads to use; None means every processor this process may run on.

    Raises
    ------
    OptionError
        If `n_threads` is not an integer from 1 to 1024.
    """
    if n_threads is None:
        return len(os.sched_getaffinity(0))
    remedy = "leave it out to use all processors"
    return check_count("n_threads", n_threads, remedy, maximum=_MOST_THREADS)


def checked_progress(progress: Progress | None) -> Progress | None:
    """Return `progress` if it is None or can be called.

    Raises
    ------
    OptionError
        If it is anything else.
    """
    if progress is not None and not callable(progress):
        raise OptionError(
            f"progress={describe(progress)} must be None or callable; "
            "it is called with the number of finished runs"
        )
    return progress
