"""JAX rewritten by hand: closed forms and layouts chosen for the compiler, per workload.

W1: a structure of arrays with the networks last, sums over samples and neurons unrolled.
W2, W3: samples last, one network at a time (lax.map). W4: neurons last, samples unrolled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from peerlib import Candidate, Results, from_neurons, join_neurons
from peerlib.jax_forms import ACTIVATIONS, timed
from workloads import Workload


def _tanh(z: jax.Array) -> tuple[jax.Array, ...]:
    h = jnp.tanh(z)
    s = 1.0 - h * h
    return h, s, -2.0 * h * s


def _softplus(z: jax.Array) -> tuple[jax.Array, ...]:
    e = jnp.exp(-jnp.abs(z))
    s = jnp.where(z >= 0.0, 1.0, e) / (1.0 + e)
    return jnp.maximum(z, 0.0) + jnp.log1p(e), s, s * (1.0 - s)


def _rational(z: jax.Array) -> tuple[jax.Array, ...]:
    zz = z * z
    q = 1.0 / (1.0 + zz)
    return z * q, (1.0 - zz) * q * q, 2.0 * z * (zz - 3.0) * q * q * q


# value, first and second derivative; what is not used is removed by the compiler
JETS = {"tanh": _tanh, "softplus": _softplus, "rational": _rational}


def networks_last(work: Workload, order: int) -> Callable[..., Any]:
    """Return f(lanes (P, B)) -> loss (B,), gradient (P, B), upper triangle (P (P+1) / 2, B)."""
    m, d, x1, jet = work.width, work.incoming, work.x1.tolist(), JETS[work.activation]
    last_is_bias = work.bias
    c = 2.0 * work.scale

    def times_input(q: Any, i: int, j: int) -> Any:
        return q if last_is_bias and j == d - 1 else q * x1[i][j]

    def derivatives(lanes: jax.Array) -> tuple[jax.Array, ...]:
        theta = [[lanes[k * (1 + d) + j] for j in range(1 + d)] for k in range(m)]
        p = m * (1 + d)
        loss, gradient = 0.0, [0.0] * p
        hessian = {(i, j): 0.0 for i in range(p) for j in range(i, p)}
        for i, target in enumerate(work.y.tolist()):
            jets = [
                jet(sum(times_input(theta[k][1 + j], i, j) for j in range(d))) for k in range(m)
            ]
            r = sum(theta[k][0] * jets[k][0] for k in range(m)) - target
            loss = loss + r * r
            row = []
            for k, (h, s, _) in enumerate(jets):
                v = theta[k][0] * s
                row += [h, *(times_input(v, i, j) for j in range(d))]
            for q in range(p):
                gradient[q] = gradient[q] + r * row[q]
            if order == 1:
                continue
            for q, t in hessian:
                hessian[q, t] = hessian[q, t] + row[q] * row[t]
            for k, (_, s, s2) in enumerate(jets):
                o, u, v = k * (1 + d), r * s, r * theta[k][0] * s2
                for j in range(d):
                    hessian[o, o + 1 + j] += times_input(u, i, j)
                    vj = times_input(v, i, j)
                    for e in range(j, d):
                        hessian[o + 1 + j, o + 1 + e] += times_input(vj, i, e)
        out = work.scale * loss, c * jnp.stack(gradient)
        return out if order == 1 else (*out, c * jnp.stack(list(hessian.values())))

    return jax.jit(derivatives)


def networks_last_autodiff(work: Workload) -> Callable[..., Any]:
    """Loss and gradient on (P, B) by reverse-mode differentiation of one broadcast sum."""
    m, d, sigma = work.width, work.incoming, ACTIVATIONS[work.activation]
    x1 = jnp.asarray(work.x1)[:, :, None]
    y = jnp.asarray(work.y)[:, None]

    def losses(lanes: jax.Array) -> jax.Array:
        f = 0.0
        for k in range(m):
            o = k * (1 + d)
            f = f + lanes[o] * sigma(sum(lanes[o + 1 + j] * x1[:, j] for j in range(d)))
        return work.scale * jnp.sum((f - y) ** 2, axis=0)

    def derivatives(lanes: jax.Array) -> tuple[jax.Array, jax.Array]:
        values, pull = jax.vjp(losses, lanes)
        return values, pull(jnp.ones_like(values))[0]

    return jax.jit(derivatives)


def samples_last(work: Workload, order: int) -> Callable[..., Any]:
    """Return f((a, w), x1 transposed, y) by closed form, network after network.

    Order 2 returns the Hessian with its parameters role-major: all a, all w_1, all w_2, ...
    """
    m, d, jet = work.width, work.incoming, JETS[work.activation]
    c = 2.0 * work.scale

    def one(parts: tuple[jax.Array, jax.Array], x1t: jax.Array, y: jax.Array) -> tuple[Any, ...]:
        a, w = parts
        h, s, s2 = jet(w @ x1t)
        r = a @ h - y
        u = s * r
        mixed = c * (u @ x1t.T)
        out = work.scale * (r @ r), (c * (h @ r), a[:, None] * mixed)
        if order == 1:
            return out
        v = a[:, None] * s
        jacobian = jnp.concatenate([h, *(v * x1t[j] for j in range(d))])
        hessian = c * (jacobian @ jacobian.T)
        q = a[:, None] * s2 * r
        k = jnp.arange(m)
        for i in range(d):
            row = (1 + i) * m + k
            hessian = hessian.at[k, row].add(mixed[:, i]).at[row, k].add(mixed[:, i])
            for j in range(d):
                second = c * (q @ (x1t[i] * x1t[j]))
                hessian = hessian.at[row, (1 + j) * m + k].add(second)
        return *out, hessian

    def all_networks(parts: Any, x1t: jax.Array, y: jax.Array) -> tuple[Any, ...]:
        return jax.lax.map(lambda network: one(network, x1t, y), parts)

    return jax.jit(all_networks)


def neurons_last(work: Workload) -> Callable[..., Any]:
    """Return f((a (B, m), w (D, B, m))): samples unrolled, neurons contiguous."""
    jet, c = JETS[work.activation], 2.0 * work.scale

    def times_input(q: jax.Array, row: list[float], j: int) -> jax.Array:
        return q if work.bias and j == len(row) - 1 else q * row[j]

    def derivatives(a: jax.Array, w: jax.Array) -> tuple[Any, ...]:
        loss, da, dw = 0.0, 0.0, [0.0] * len(w)
        for row, target in zip(work.x1.tolist(), work.y.tolist(), strict=True):
            h, s, _ = jet(sum(times_input(w[j], row, j) for j in range(len(w))))
            r = jnp.sum(a * h, axis=-1, keepdims=True) - target
            loss = loss + r * r
            da = da + r * h
            u = r * s
            dw = [total + times_input(u, row, j) for j, total in enumerate(dw)]
        return work.scale * loss[:, 0], c * da, c * a * jnp.stack(dw)

    return jax.jit(derivatives)


def candidates(work: Workload, order: int) -> list[Candidate]:
    if work.name == "W1":
        lanes = np.ascontiguousarray(work.theta.T)
        found = [
            Candidate(
                "jax-expert",
                "expert JAX, closed form, networks last, unrolled",
                timed(networks_last(work, order), lanes),
                _from_lanes,
            )
        ]
        if order == 1:
            found.append(
                Candidate(
                    "jax-expert-autodiff",
                    "expert JAX, autodiff, networks last",
                    timed(networks_last_autodiff(work), lanes),
                    _from_lanes,
                )
            )
        return found
    if work.name == "W4":
        run = timed(neurons_last(work), work.a, np.ascontiguousarray(np.moveaxis(work.w, -1, 0)))
        return [
            Candidate(
                "jax-expert",
                "expert JAX, closed form, neurons last, samples unrolled",
                run,
                lambda out: from_neurons(
                    out[0], join_neurons(out[1], np.moveaxis(np.asarray(out[2]), 0, -1))
                ),
            )
        ]
    arguments = (work.a, work.w), np.ascontiguousarray(work.x1.T), work.y
    return [
        Candidate(
            "jax-expert",
            "expert JAX, closed form, samples last, one network at a time",
            timed(samples_last(work, order), *arguments),
            lambda out: _from_roles(work, out),
        )
    ]


def _from_lanes(out: tuple[jax.Array, ...]) -> Results:
    loss, gradient, *packed = (np.asarray(part) for part in out)
    if not packed:
        return loss, gradient.T
    p = len(gradient)
    hessian = np.empty((len(loss), p, p))
    rows, columns = np.triu_indices(p)
    hessian[:, rows, columns] = hessian[:, columns, rows] = packed[0].T
    return loss, gradient.T, hessian


def _from_roles(work: Workload, out: tuple[Any, ...]) -> Results:
    loss, gradient, *hessian = out
    rows = join_neurons(*gradient)
    if not hessian:
        return from_neurons(loss, rows)
    roles = (1 + work.incoming, work.width)
    blocks = np.asarray(hessian[0]).reshape(-1, *roles, *roles)
    return from_neurons(loss, rows, blocks.transpose(0, 2, 1, 4, 3))
