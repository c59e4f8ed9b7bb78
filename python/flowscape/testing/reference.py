"""Loss and derivatives of two-layer networks, every sum written out in plain NumPy.

It shares no code with the compiled core and holds N P^2 numbers at once: for small problems.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.objective import Problem
from flowscape.testing.activations import activation_sizes, activation_values

__all__ = ["Derivatives", "hessian_vector", "reference"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Derivatives:
    """What `Problem` computes at one parameter vector, under the same names and shapes.

    Attributes
    ----------
    loss : float
    gradient : (P,) ndarray
    hessian : (P, P) ndarray
    residual : (N,) or (N, K) ndarray
    jacobian : (N, P) or (N, K, P) ndarray
    """

    loss: float
    gradient: Floats
    hessian: Floats
    residual: Floats
    jacobian: Floats


def reference(
    prob: Problem, theta: ArrayLike, *, exact_arguments: bool = False
) -> tuple[Derivatives, Derivatives]:
    """Return the derivatives at `theta`, and for every entry the sum of its absolute terms.

    Parameters
    ----------
    prob : Problem
    theta : (P,) array_like
    exact_arguments : bool
        The arguments w.x + b of the neurons, and s z + h of the terms, are sums without rounding
        error, e.g. of `dyadic` numbers: then the terms inside them do not count.

    Returns
    -------
    values, terms : Derivatives
        `terms` follows the same formulas with every factor replaced by its absolute value and
        every difference by a sum.

    Notes
    -----
    With W_i = 2 s w_i: gradient = sum_i W_i r_i J_i + l2 theta and
    Hessian = sum_i W_i (J_i^T J_i + r_i Hess f(x_i)) + l2, where Hess f couples parameters of
    the same neuron only.
    """
    theta = np.asarray(theta, dtype=np.float64)
    net, data = prob.net, prob.data
    n, k = len(data), net.outputs
    parts = net.unpack(theta)
    outgoing = parts.a.reshape(net.width, k)
    incoming = parts.w if parts.b is None else np.column_stack([parts.w, parts.b])
    features = np.column_stack([data.x, np.ones(n)]) if net.bias else data.x
    targets = data.y.reshape(n, k)
    bias = np.zeros(k) if parts.c is None else parts.c

    z = features @ incoming.T
    spread = np.zeros_like(z)
    if not exact_arguments:
        spread = np.abs(features) @ np.abs(incoming).T
        for term in net.activation.terms:
            if term.name != "const":
                spread += abs(term.h / term.s)
    h, s, q = activation_values(net.activation, z)
    residual = h @ outgoing + bias - targets
    values = _assemble(prob, theta, features, outgoing, residual, h, s, q)

    h, s, q = activation_sizes(net.activation, z, spread)
    size = h @ np.abs(outgoing) + np.abs(bias) + np.abs(targets)
    terms = _assemble(prob, np.abs(theta), np.abs(features), np.abs(outgoing), size, h, s, q)
    return values, terms


def hessian_vector(values: Derivatives, terms: Derivatives, v: ArrayLike) -> tuple[Floats, Floats]:
    """Return Hessian times `v` and its sums of absolute terms, both (P,)."""
    v = np.asarray(v, dtype=np.float64)
    return values.hessian @ v, terms.hessian @ np.abs(v)


def _assemble(
    prob: Problem,
    theta: Floats,
    features: Floats,
    outgoing: Floats,
    residual: Floats,
    h: Floats,
    s: Floats,
    q: Floats,
) -> Derivatives:
    """Loss and derivatives from parts: features (N, D), outgoing (m, K), residual (N, K),
    activation and its derivatives (N, m)."""  # noqa: D205, D209
    n, d = features.shape
    m, k = outgoing.shape
    p = prob.net.n_params
    weights = np.ones(n) if prob.data.weights is None else prob.data.weights
    weights = 2.0 * prob.scale * weights

    jacobian = np.zeros((n, k, p))
    curvature = np.zeros((p, p))
    for neuron in range(m):
        base = neuron * (k + d)
        inside = slice(base + k, base + k + d)
        for o in range(k):
            pulled = weights * residual[:, o]
            jacobian[:, o, base + o] = h[:, neuron]
            jacobian[:, o, inside] = outgoing[neuron, o] * s[:, [neuron]] * features
            mixed = (pulled * s[:, neuron]) @ features
            curvature[base + o, inside] += mixed
            curvature[inside, base + o] += mixed
            bent = pulled * outgoing[neuron, o] * q[:, neuron]
            curvature[inside, inside] += np.einsum("n,ni,nj->ij", bent, features, features)
    if prob.net.output_bias:
        for o in range(k):
            jacobian[:, o, m * (k + d) + o] = 1.0

    rows = jacobian.reshape(n * k, p)
    weighted = np.repeat(weights, k)[:, None] * rows
    return Derivatives(
        loss=float(0.5 * weights @ np.sum(residual**2, axis=1) + 0.5 * prob.l2 * theta @ theta),
        gradient=weighted.T @ residual.ravel() + prob.l2 * theta,
        hessian=weighted.T @ rows + curvature + prob.l2 * np.eye(p),
        residual=residual[:, 0] if k == 1 else residual,
        jacobian=jacobian[:, 0] if k == 1 else jacobian,
    )
