"""The largest learning rate at which a critical point attracts, and the warning beyond it."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import StabilityWarning
from flowscape.status import Status

__all__ = ["stability_limit", "warn_unstable"]

Floats = NDArray[np.float64]


def stability_limit(algorithm: str, momentum: float, lambda_max: Floats) -> Floats:
    """Return the rates from which on points with these largest eigenvalues repel.

    The roots of the linearised step leave the unit disc at -1 (docs/descent.md). NaN for ``adam``.
    """
    factor = {
        "gradient_descent": 2.0,
        "momentum": 2.0 * (1.0 + momentum),
        "nesterov": 2.0 * (1.0 + momentum) / (1.0 + 2.0 * momentum),
        "adam": np.nan,
    }[algorithm]
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(lambda_max > 0.0, factor / lambda_max, lambda_max * 0.0 + np.inf)


def warn_unstable(status: NDArray[np.int8], rates: Floats, limits: Floats) -> None:
    """Warn, in the caller's caller's name, of runs that diverged or ended beyond their limit."""
    diverged = np.isin(status, (Status.ESCAPED, Status.NONFINITE))
    unstable = (rates > limits) & ~diverged
    parts = []
    if diverged.any():
        first = int(np.flatnonzero(diverged)[0])
        parts.append(
            f"{diverged.sum()} of {len(status)} runs diverged (run {first}: "
            f"learning_rate={rates[first]:.6g})"
        )
    if unstable.any():
        first = int(np.flatnonzero(unstable)[0])
        parts.append(
            f"{unstable.sum()} of {len(status)} runs ended where their learning rate exceeds the "
            f"stability limit (run {first}: {rates[first]:.6g} > {limits[first]:.6g})"
        )
    if parts:
        text = "; ".join(parts) + "; lower learning_rate"
        warnings.warn(text, StabilityWarning, stacklevel=3)
