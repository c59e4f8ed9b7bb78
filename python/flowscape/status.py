"""How a run ended, and what the limit is."""

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum

__all__ = ["Kind", "Status", "ends_in_words"]


class Status(IntEnum):
    """How a run ended. The numbers are those of the compiled core."""

    CONVERGED = 0
    TAIL_EXTRAPOLATED = 1
    ESCAPED = 2
    TIME_LIMIT = 3
    STEP_LIMIT = 4
    STEP_TOO_SMALL = 5
    NONFINITE = 6
    INTERRUPTED = 7
    NOT_RUN = 8
    KINK = 9

    @property
    def message(self) -> str:
        """One sentence: what happened, and what to do about it."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "stationary: the gradient is at its round-off floor or at the asked norm",
    Status.TAIL_EXTRAPOLATED: "the limit was extrapolated from a power law in t",
    Status.ESCAPED: "no finite limit: a parameter passed the escape radius or grows by a law",
    Status.TIME_LIMIT: "reached t_max before it was stationary; raise t_max",
    Status.STEP_LIMIT: "used all max_steps before it was stationary; raise max_steps",
    Status.STEP_TOO_SMALL: "no step is small enough to be accepted; tighten rtol and atol",
    Status.NONFINITE: "loss or gradient overflowed; start from smaller parameters",
    Status.INTERRUPTED: "stopped by the user while it was running",
    Status.NOT_RUN: "stopped by the user before it was started",
    Status.KINK: "slides along a kink of the activation: on both sides the gradient points at it",
}


def ends_in_words(codes: Iterable[int]) -> str:
    """Return how many runs ended in which way: ``"CONVERGED 9, ESCAPED 1"``, by code."""
    counts = sorted(Counter(int(code) for code in codes).items())
    return ", ".join(f"{Status(code).name} {count}" for code, count in counts)


class Kind(IntEnum):
    """What the limit is.

    PERFECT, IMPERFECT
        Loss zero and the function right, or wrong off the samples.
    ZERO_LOSS
        Loss zero; no teacher is known to compare with.
    LOCAL_MINIMUM, SADDLE
        Critical with positive loss, by a certified inertia.
    DEGENERATE
        Critical, but the inertia does not decide.
    AT_INFINITY
        The flow has no finite limit.
    UNRESOLVED
        The evidence does not suffice.
    """

    PERFECT = 0
    IMPERFECT = 1
    ZERO_LOSS = 2
    LOCAL_MINIMUM = 3
    SADDLE = 4
    DEGENERATE = 5
    AT_INFINITY = 6
    UNRESOLVED = 7
