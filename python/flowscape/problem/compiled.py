"""The compiled objective of a network on samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape import _core
from flowscape.problem.activation import Activation
from flowscape.problem.layout import Layout

__all__ = ["compiled_objective"]

Floats = NDArray[np.float64]


def compiled_objective(
    activation: Activation,
    layout: Layout,
    x: Floats,
    y: Floats,
    weights: Floats | None = None,
    *,
    scale: float = 1.0,
    l2: float = 0.0,
    kernel: str = "auto",
) -> Any:
    """Return the `_core.Objective` for inputs x (N, d) and targets y (N, K), weights 1 if None."""
    return _core.Objective(
        _core.Activation(activation.core_terms),
        layout.width,
        layout.inputs,
        layout.outputs,
        layout.bias,
        layout.output_bias,
        x,
        y,
        np.ones(len(x)) if weights is None else weights,
        scale=scale,
        l2=l2,
        kernel=kernel,
    )
