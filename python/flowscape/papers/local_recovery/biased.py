"""Ranks at the branches of networks with hidden bias, which the paper leaves out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.papers.local_recovery.setting import GENERIC, draw, rank
from flowscape.problem import Samples, TwoLayer

__all__ = ["wrong_ranks_with_bias"]

Floats = NDArray[np.float64]

# sizes of the labelled and of the free groups
_GROUPS = (((2,), ()), ((1,), (1,)), ((1,), (2,)), ((2,), (1,)), ((1, 1), (1,)))


def wrong_ranks_with_bias(deficient: bool) -> tuple[int, int]:
    """Return how many ranks are not min(n, r+(r-l)D), and of how many.

    With bias D = d+1; for exp D = d, as a e^b is one parameter. The generic rank is the largest
    one, so ten points with their samples show it: some of them are well conditioned. `deficient`
    is that of the statement `rank`.
    """
    wrong, tried = 0, 0
    for k, (name, activation) in enumerate(GENERIC.items()):
        for j, (labelled, free) in enumerate(_GROUPS):
            for d in (1, 2):
                rng = draw(k, j, d, 68)
                groups = (*labelled, *free)
                net = TwoLayer(sum(groups), d, activation, bias=True)
                width = d if name == "exp(z)" else d + 1
                said = len(groups) + (len(groups) - (free.count(1) if deficient else 0)) * width
                for n in (2, said, said + 2):
                    jacobians = []
                    for _ in range(10):
                        theta = _member_with_bias(net, labelled, free, rng)
                        data = Samples(1.5 * rng.normal(size=(n, d)), np.zeros(n))
                        jacobians.append(Problem(net, data, "sum").jacobian(theta))
                    wrong += max(map(rank, jacobians)) != min(n, said)
                    tried += 1
    return wrong, tried


def _member_with_bias(
    net: TwoLayer, labelled: tuple[int, ...], free: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    """Return a generic point of a branch with groups of these sizes."""
    a, w, b = np.zeros(net.width), np.zeros((net.width, net.inputs)), np.zeros(net.width)
    k = 0
    for place, size in enumerate((*labelled, *free)):
        own = slice(k, k + size)
        a[own] = rng.uniform(0.5, 1.5, size=size)
        if place >= len(labelled):
            a[own] -= a[own].mean()
            if size > 1:
                a[k], a[k + 1] = a[k] + 0.5, a[k + 1] - 0.5
        w[own], b[own] = rng.normal(size=net.inputs), rng.normal()
        k += size
    return net.pack(a=a, w=w, b=b)
