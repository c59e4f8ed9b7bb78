"""Thread counts: arguments, never global state."""

from __future__ import annotations

import os

from flowscape.errors import check_count

__all__ = ["thread_count"]


def thread_count(n_threads: int | None) -> int:
    """Return the threads to use; None means every processor this process may run on.

    Raises
    ------
    OptionError
        If `n_threads` is not an integer >= 1.
    """
    if n_threads is None:
        return len(os.sched_getaffinity(0))
    return check_count("n_threads", n_threads, "leave it out to use all processors")
