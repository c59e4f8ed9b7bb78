"""What Flowscape raises on purpose."""

from __future__ import annotations

__all__ = [
    "FlowscapeError",
    "InternalError",
    "OptionError",
    "ProblemError",
    "ShapeError",
    "StabilityWarning",
    "StoreError",
]


class FlowscapeError(Exception):
    """Base of everything that Flowscape raises on purpose."""


class ShapeError(FlowscapeError, ValueError):
    """An array has a wrong shape."""


class OptionError(FlowscapeError, ValueError):
    """An option has a wrong value."""


class ProblemError(FlowscapeError, ValueError):
    """A problem (network, data, loss, study) contradicts itself or holds bad numbers."""


class StabilityWarning(RuntimeWarning):
    """Discrete steps diverged, or are longer than the end point allows."""


class StoreError(FlowscapeError, RuntimeError):
    """A result folder cannot be read, written or overwritten."""


class InternalError(FlowscapeError, RuntimeError):
    """A bug of Flowscape.

    Parameters
    ----------
    message : str
        What was found; the request to report it is added.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}; this is a bug of Flowscape, please report it")
