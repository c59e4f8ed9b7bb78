"""Saturated neurons: small gradients without balance of forces, and growth without escape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.problem.functions import KINKED

__all__ = ["has_constant_neuron", "saturated"]

Floats = NDArray[np.float64]

# What the residuals would do to a neuron with slope 1 exceeds rounding error this many times.
_PUSHED = 1e3
# A neuron whose values on the samples differ by less, relative to them, is a constant.
_LEVEL = 1e-3
# Entries of a Jacobian: problems with more are not looked at.
_MOST_ENTRIES = 10**7


def saturated(
    prob: Problem, theta: Floats, floor: Floats, *, n_threads: int | None = None
) -> NDArray[np.bool_]:
    r"""Whether a neuron of each point is moved by less than rounding error, term by term: (R,).

    At a critical point the terms of :math:`\partial L / \partial w_k = \sum_i W_i r_i a_k
    \sigma'(z_{ki}) x_i` cancel. Where :math:`\sigma'` vanishes all of them do, and the point may
    lie anywhere: the flow only stands still for longer than the gradient can resolve. Points next
    to a zero of the loss are none of these, where the residuals vanish, nor neurons with a = 0,
    nor dead neurons of activations with a kink, which do not move at all.

    Parameters
    ----------
    prob : Problem
    theta : (R, P) ndarray
    floor : (R,) ndarray
        Bounds on the rounding errors of the gradients.
    n_threads : int, optional
        As in `gradient_flow`.
    """
    found = np.zeros(len(theta), dtype=np.bool_)
    if len(theta) == 0 or prob.data.y.size * prob.net.n_params > _MOST_ENTRIES:
        return found
    noise = prob.noise(theta, n_threads=n_threads)
    loss = prob.loss(theta, n_threads=n_threads)
    kinked = any(term.name in KINKED for term in prob.net.activation.terms)
    samples, outputs = len(prob.data), prob.net.outputs
    weights = np.ones(samples) if prob.data.weights is None else prob.data.weights
    # Bounds of `pushed` below: most ends are next to a zero and need no second look.
    largest = np.abs(prob.net.unpack(theta).a).reshape(len(theta), -1).sum(axis=1)
    bound = 2.0 * np.sqrt(prob.scale * weights.sum() * loss) * largest
    for row in np.flatnonzero((loss > noise.zero_loss) & (bound >= _PUSHED * floor)):
        residual = prob.residual(theta[row], n_threads=n_threads).reshape(samples, outputs)
        jacobian = prob.jacobian(theta[row], n_threads=n_threads)
        force = 2.0 * prob.scale * weights[:, None] * residual
        terms = np.abs(force[:, :, None] * jacobian.reshape(samples, outputs, -1))
        parts = prob.net.unpack(terms.sum(axis=(0, 1)))
        moved = parts.w.max(axis=-1)
        if parts.b is not None:
            moved = np.maximum(moved, parts.b)
        a = prob.net.unpack(theta[row]).a.reshape(len(moved), -1)
        pushed = (np.abs(force) @ np.abs(a).T).sum(axis=0)
        still = (pushed >= _PUSHED * floor[row]) & (moved <= floor[row])
        if kinked:
            still &= moved > 0.0
        found[row] = still.any()
    return found


def has_constant_neuron(prob: Problem, theta: Floats) -> NDArray[np.bool_]:
    """Whether a neuron with a bias takes nearly one value, not 0, on all samples: (R,).

    A neuron with w = 0 does that at a finite b. Where such a neuron saturates and the loss goes to
    zero, there is a zero of the loss at a finite distance, and growth does not show an escape.
    """
    parts = prob.net.unpack(theta)
    found = np.zeros(len(theta), dtype=np.bool_)
    if parts.b is None:
        return found
    for i, (w, b) in enumerate(zip(parts.w, parts.b, strict=True)):
        values, *_ = prob.net.activation.compiled_values(prob.data.x @ w.T + b, 0)
        top, low = values.max(axis=0), values.min(axis=0)
        found[i] = bool((top - low < _LEVEL * np.minimum(np.abs(top), np.abs(low))).any())
    return found
