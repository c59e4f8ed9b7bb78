"""How fast small starts approach the limit of Theorem 1: the observed power of alpha.

The paper proves alpha^((mu_1 - mu_2) / (2 mu_1 - mu_2)) (Theorem 3). What happens is better
(docs/small-initialization.md): alpha, alpha^2 without a part in the kernel if sigma is odd, and
alpha^2 log(1/alpha) if there is no kernel at all (D = 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.flow import gradient_flow
from flowscape.limits import initial_imbalance, limit_flow
from flowscape.limits.imbalance import Origin
from flowscape.objective import Problem

__all__ = ["Alignment", "alignment", "without_kernel"]

Floats = NDArray[np.float64]

_RTOL = 1e-12


@dataclass(frozen=True)
class Alignment:
    """Distances to the limit of infinitely small starts.

    Attributes
    ----------
    alphas : (A,) ndarray
        Scales, descending.
    distances : (A,) ndarray
        Largest distance of a parameter at any of the times.
    exponents : (A - 1,) ndarray
        Slopes of log distance against log alpha between neighbours.
    observed : float
        The last of these: the smallest scales.
    proven : float
        The exponent of Theorem 3.
    """

    alphas: Floats
    distances: Floats
    exponents: Floats
    observed: float
    proven: float


def alignment(
    prob: Problem,
    theta: ArrayLike,
    *,
    alphas: ArrayLike = (1e-2, 1e-3, 1e-4, 1e-5),
    times: ArrayLike = (-1.0, 0.0, 1.0, 3.0),
    n_threads: int | None = None,
) -> Alignment:
    """Compare flows from alpha theta, aligned as in Theorem 1, with the limit.

    Parameters
    ----------
    prob : Problem
    theta : (P,) array_like
        A start with C != 0.
    alphas : (A,) array_like
        Scales, descending; at least two.
    times : (T,) array_like
        Times of the limit h(theta, t), in units of 1/mu_1, at which to compare.
    n_threads : int, optional
        As in `gradient_flow`.
    """
    alphas = np.asarray(alphas, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    about = initial_imbalance(prob, theta)
    compared = np.asarray(times, dtype=np.float64) / about.rate
    shift = float(np.log(about.amplitude)) / about.rate
    exact = limit_flow(
        prob,
        about.ratio,
        rtol=_RTOL,
        save_at=compared + shift,
        t_max=compared[-1] + shift,
        n_threads=n_threads,
    ).flow.thetas
    assert exact is not None
    distances = []
    for alpha in alphas.tolist():
        later = np.log(1.0 / alpha) / about.rate + compared
        flow = gradient_flow(
            prob,
            alpha * theta,
            rtol=_RTOL,
            atol=1e-15 * alpha,
            save_at=later,
            t_max=later[-1],
            n_threads=n_threads,
        )
        assert flow.thetas is not None
        distances.append(float(np.abs(flow.thetas - exact).max()))
    values = np.array(distances)
    exponents = np.diff(np.log(values)) / np.diff(np.log(alphas))
    return Alignment(
        alphas=alphas,
        distances=values,
        exponents=exponents,
        observed=float(exponents[-1]),
        proven=Origin.of(prob).proven_exponent,
    )


def without_kernel(prob: Problem, theta: ArrayLike) -> Floats:
    """Return the part of a start in the leading eigenspace of the origin."""
    about = initial_imbalance(prob, theta)
    direction = Origin.of(prob).direction
    return float(about.amplitude) * np.outer(about.ratio, direction).ravel()
