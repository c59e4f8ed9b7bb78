"""Problems on a kernel of one's choice, so that all are compared on every shape."""

from __future__ import annotations

import numpy as np

from flowscape import _core
from flowscape.objective import Problem

__all__ = ["KERNELS", "on_kernel"]

KERNELS: tuple[str, ...] = ("network_lanes", "sample_lanes", "neuron_lanes")


def on_kernel(prob: Problem, kernel: str) -> Problem:
    """Return a copy of `prob` whose compiled objective uses this kernel of `KERNELS`."""
    net, data = prob.net, prob.data
    copy = Problem(net, data, prob.loss_name, prob.l2, prob.teacher)
    weights = np.ones(len(data)) if data.weights is None else data.weights
    vars(copy)["core"] = _core.Objective(
        _core.Activation(net.activation.core_terms),
        net.width,
        net.inputs,
        net.outputs,
        net.bias,
        net.output_bias,
        data.x,
        data.y.reshape(len(data), net.outputs),
        weights,
        scale=prob.scale,
        l2=prob.l2,
        kernel=kernel,
    )
    return copy
