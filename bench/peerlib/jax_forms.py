"""JAX as users write it: a loss of one network, differentiated, vmapped over networks, jitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from peerlib import Candidate, Results, from_neurons, join_neurons
from workloads import Workload

jax.config.update("jax_enable_x64", True)


def _rational(z: jax.Array) -> jax.Array:
    return z / (1.0 + z * z)


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
    "rational": _rational,
}


def matrix_loss(work: Workload) -> Callable[..., jax.Array]:
    """loss(theta, x1, y) of one network by two matrix products."""
    sigma = ACTIVATIONS[work.activation]

    def loss(theta: jax.Array, x1: jax.Array, y: jax.Array) -> jax.Array:
        neurons = theta.reshape(work.width, 1 + work.incoming)
        r = sigma(x1 @ neurons[:, 1:].T) @ neurons[:, 0] - y
        return work.scale * jnp.sum(r * r)

    return loss


def broadcasting_loss(work: Workload) -> Callable[..., jax.Array]:
    """loss(theta, x1, y) of one network by elementwise products and sums, inserted axes."""
    sigma = ACTIVATIONS[work.activation]

    def loss(theta: jax.Array, x1: jax.Array, y: jax.Array) -> jax.Array:
        neurons = theta.reshape(work.width, 1 + work.incoming)
        if work.inputs == 1:
            z = x1[:, :1] * neurons[:, 1] + (neurons[:, 2] if work.bias else 0.0)
        else:
            z = jnp.sum(x1[:, None, :] * neurons[:, 1:], axis=-1)
        r = jnp.sum(neurons[:, 0] * sigma(z), axis=-1) - y
        return work.scale * jnp.sum(r * r)

    return loss


def samples_last_loss(work: Workload) -> Callable[..., jax.Array]:
    """loss((a, w), x1 transposed, y) of one network: matrix products along contiguous samples."""
    sigma = ACTIVATIONS[work.activation]

    def loss(parts: tuple[jax.Array, jax.Array], x1t: jax.Array, y: jax.Array) -> jax.Array:
        a, w = parts
        r = a @ sigma(w @ x1t) - y
        return work.scale * jnp.sum(r * r)

    return loss


def per_network(loss: Callable[..., jax.Array], order: int) -> Callable[..., Any]:
    """Loss, gradient and, for order 2, Hessian of every network, compiled."""

    def derivatives(theta: jax.Array, x1: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
        value, gradient = jax.value_and_grad(loss)(theta, x1, y)
        if order == 1:
            return value, gradient
        return value, gradient, jax.hessian(loss)(theta, x1, y)

    return jax.jit(jax.vmap(derivatives, (0, None, None)))


def timed(compiled: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """A run that ends when the result is there."""
    arrays = jax.tree.map(jnp.asarray, arguments)
    return lambda: jax.block_until_ready(compiled(*arrays))


def canonical(out: tuple[jax.Array, ...]) -> Results:
    return tuple(np.asarray(part) for part in out)


def candidates(work: Workload, order: int) -> list[Candidate]:
    data = (work.theta, work.x1, work.y)
    derivative = "value_and_grad" if order == 1 else "value_and_grad, hessian"
    found = [
        Candidate(
            "jax-matrix",
            f"JAX jit(vmap({derivative})), matrix products",
            timed(per_network(matrix_loss(work), order), *data),
            canonical,
            {("W2", 2): 1200.0, ("W3", 2): 3500.0}.get((work.name, order), 0.0),
        )
    ]
    if order == 1 or work.name == "W1":
        found.append(
            Candidate(
                "jax-broadcasting",
                f"JAX jit(vmap({derivative})), broadcasting",
                timed(per_network(broadcasting_loss(work), order), *data),
                canonical,
            )
        )
    if order == 1:
        parts, x1t = (work.a, work.w), np.ascontiguousarray(work.x1.T)
        found.append(
            Candidate(
                "jax-samples-last",
                f"JAX jit(vmap({derivative})), matrix products, samples last",
                timed(per_network(samples_last_loss(work), 1), parts, x1t, work.y),
                lambda out: from_neurons(out[0], join_neurons(*out[1])),
            )
        )
    return found
