"""Content hashes: the same content gives the same name in every session and on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["array_hash", "content_hash"]


def content_hash(content: Mapping[str, object]) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of a dict.

    Keys are sorted, floats written with the shortest digits that read back to the same float.

    Raises
    ------
    ValueError
        If a float is NaN or infinite.
    """
    import hashlib
    import json

    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def array_hash(array: NDArray[np.float64]) -> str:
    """Return the SHA-256, in hex, of an array's shape and its little-endian float64 bytes."""
    import hashlib

    digest = hashlib.sha256(repr(tuple(array.shape)).encode("ascii"))
    digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()
