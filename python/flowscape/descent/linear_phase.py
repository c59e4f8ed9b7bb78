"""How long small starts take to leave the origin in discrete steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import OptionError, check_positive, check_real, finite_array

__all__ = ["linear_phase_steps"]

Floats = NDArray[np.float64]


def linear_phase_steps(
    factor: float | ArrayLike, *, learning_rate: float, growth_rate: float
) -> Floats:
    r"""Return how many gradient steps multiply a direction that grows at `growth_rate`.

    Near the origin a component of the flow grows as exp(mu t), and that of gradient descent as
    (1 + lr mu)^k: a start that is `factor` times smaller is late by
    log(factor) / log(1 + lr mu) steps, where the flow is late by log(factor) / mu
    (*Disentangle Sample Size and Initialization Effect on Perfect Generalization for Single-Neuron
    Target*, Theorem 1, is about the flow).

    Parameters
    ----------
    factor : float or array_like
        Ratio of the sizes, > 0.
    learning_rate : float
        The learning rate lr > 0.
    growth_rate : float
        mu, minus an eigenvalue of the Hessian at the origin; lr mu > -1, mu not 0.

    Returns
    -------
    ndarray
        Number of steps, not rounded.
    """
    ratios = finite_array("factor", factor)
    if (ratios <= 0.0).any():
        raise OptionError(f"factor={float(ratios.min())!r} must be > 0; it is a ratio of sizes")
    rate = check_positive("learning_rate", learning_rate)
    growth = check_real("growth_rate", growth_rate)
    if growth == 0.0 or rate * growth <= -1.0:
        raise OptionError(
            f"growth_rate={growth!r} must not be 0 and learning_rate * growth_rate must exceed -1; "
            "a component that does not grow, or changes sign, has no linear phase"
        )
    return np.log(ratios) / np.log1p(rate * growth)
