"""The words of messages."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["complaint", "describe", "nearest"]


def describe(value: object) -> str:
    """Return a value as it stands in a message: short, arrays by shape."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"<{value.dtype} array of shape {value.shape}>"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(word: object, allowed: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the closest allowed word, or an empty string."""
    import difflib

    matches = difflib.get_close_matches(str(word), list(allowed), n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""


def complaint(name: str, value: object, rule: str, remedy: str) -> str:
    """Return ``name=value rule; remedy``, the form of every message."""
    return f"{name}={describe(value)} {rule}" + (f"; {remedy}" if remedy else "")
