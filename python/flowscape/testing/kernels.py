"""Problems on a kernel of one's choice, so that all are compared on every shape."""

from __future__ import annotations

from flowscape.objective import Problem

__all__ = ["KERNELS", "on_kernel"]

KERNELS: tuple[str, ...] = ("network_lanes", "sample_lanes", "neuron_lanes")


def on_kernel(prob: Problem, kernel: str) -> Problem:
    """Return a copy of `prob` whose compiled objective uses this kernel of `KERNELS`."""
    copy = Problem(prob.net, prob.data, prob.loss_name, prob.l2, prob.teacher)
    vars(copy)["core"] = copy.compiled(kernel)
    return copy
