"""Kinks of the activation between two points of a flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.problem.traits import traits

__all__ = ["crosses_kink"]

Floats = NDArray[np.float64]


def crosses_kink(prob: Problem, start: Floats, end: Floats) -> NDArray[np.bool_]:
    """Whether a pre-activation of a sample is on different sides of a kink at two points: (R,).

    Parameters
    ----------
    prob : Problem
    start, end : (R, P) ndarray
    """
    crossed = np.zeros(len(start), dtype=np.bool_)
    kinks = traits(prob.net.activation).kinks
    if not kinks:
        return crossed
    before, after = (_arguments(prob, theta) for theta in (start, end))
    for kink in kinks:
        crossed |= ((before > kink) != (after > kink)).any(axis=(1, 2))
    return crossed


def _arguments(prob: Problem, theta: Floats) -> Floats:
    """Pre-activations (R, m, N)."""
    parts = prob.net.unpack(theta)
    z: Floats = np.einsum("rmd,nd->rmn", parts.w, prob.data.x)
    return z if parts.b is None else z + parts.b[..., None]
