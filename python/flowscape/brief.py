"""One-line representations of results: arrays by their shape."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import numpy as np

__all__ = ["Brief"]

_FEW = 4
_LONG = 60


class Brief:
    """A dataclass whose representation fits on a line or two; declare it with ``repr=False``."""

    def __repr__(self) -> str:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        parts = [f"{f.name}={_word(getattr(self, f.name))}" for f in fields if f.repr]
        return f"{type(self).__name__}({', '.join(parts)})"


def _word(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, np.ndarray):
        if value.size <= _FEW:
            return np.array2string(value, precision=4, separator=", ").replace("\n", "")
        return f"<{'x'.join(map(str, value.shape))} {value.dtype}>"
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    text = repr(value)
    if len(text) <= _LONG:
        return text
    if isinstance(value, tuple | list | dict):
        return f"<{type(value).__name__} of {len(value)}>"
    return text if "\n" not in text and len(text) <= 4 * _LONG else f"<{type(value).__name__}>"
