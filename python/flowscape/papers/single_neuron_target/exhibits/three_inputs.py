"""Appendix B: the same network with three inputs, samples uniform on [-2, 2]^3."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.single_neuron_target.ends import Ends, ends, imbalances
from flowscape.papers.single_neuron_target.setting import (
    example_1,
    generalization_error,
    uniform_inputs,
)

__all__ = ["FLOOR", "by_ratio", "ratios"]

FLOOR = 1e-7
"""Generalization errors below count as recovery (caption of Figure 9)."""


def ratios(count: int) -> NDArray[np.float64]:
    """Return evenly spaced ratios c~ from 0 to 1."""
    return np.linspace(0.0, 1.0, count)


def by_ratio(
    n: int, seed: int, ratio: NDArray[np.float64], n_threads: int | None
) -> tuple[Ends, NDArray[np.float64]]:
    """Return the ends for one sample set, and their generalization errors."""
    prob = example_1(uniform_inputs(n, 3, seed))
    found = ends(prob, imbalances(ratio), n_threads=n_threads)
    test = uniform_inputs(1000, 3, 10_002)
    return found, generalization_error(prob, found.polished, test)
