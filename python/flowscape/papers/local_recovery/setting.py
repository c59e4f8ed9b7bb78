"""Students and targets without bias, as the paper has them, and their random streams."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branches, branches
from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher, TwoLayer

__all__ = ["SHIFTED", "WORKED", "family", "problem", "sizes", "stream", "worked_example"]

Floats = NDArray[np.float64]

# exp is generic (Assumption 2.1), and so is tanh shifted by a generic amount.
SHIFTED: dict[str, Any] = {"name": "tanh", "h": 0.3}
# Target of the worked example of section 2: abar, wbar.
WORKED = (1.3, 0.4, -0.3)


def stream(*key: int) -> np.random.Generator:
    """Return a random stream of this paper's checks."""
    return np.random.Generator(
        np.random.Philox(key=[2406, sum(k << 16 * i for i, k in enumerate(key))])
    )


def family(m: int, m0: int, d: int, activation: Any = "exp") -> Branches:
    """Return the branches of a random target of m0 neurons for a student of m neurons."""
    small = TwoLayer(m0, d, activation, bias=False)
    theta = stream(m, m0, d).normal(size=small.n_params)
    outgoing = small.unpack(theta).a
    outgoing[...] = np.sign(outgoing) * (0.5 + np.abs(outgoing))
    return branches(TwoLayer(m, d, activation, bias=False), Teacher(small, theta))


@cache
def worked_example(d: int = 2) -> Branches:
    """Return two exp neurons with one target neuron (section 2.2)."""
    small = TwoLayer(1, d, "exp", bias=False)
    teacher = Teacher(small, np.array(WORKED[: d + 1]))
    return branches(TwoLayer(2, d, "exp", bias=False), teacher)


def problem(found: Branches, x: Floats) -> Problem:
    """Return the loss (2) of the paper on the inputs x (n, d)."""
    return Problem(found.net, Samples.of(found.teacher, x), "sum", teacher=found.teacher)


def sizes(most: int) -> Iterator[tuple[int, int]]:
    """Yield (m, m0) with m0 <= m <= `most`."""
    for m in range(1, most + 1):
        yield from ((m, m0) for m0 in range(1, m + 1))
