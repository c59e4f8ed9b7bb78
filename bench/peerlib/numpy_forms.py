"""NumPy: closed forms by broadcasting, by matrix products, and as a structure of arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from peerlib import Candidate, Results, block_diagonal_add, from_neurons
from workloads import Floats, Workload

Jet = tuple[Floats, Floats, Floats | None]


def _tanh(z: Floats, second: bool) -> Jet:
    h = np.tanh(z)
    s = h * h
    np.subtract(1.0, s, out=s)
    return h, s, -2.0 * h * s if second else None


def _softplus(z: Floats, second: bool) -> Jet:
    # in place where it can be: fresh pages for temporaries cost as much as the arithmetic
    e = np.abs(z)
    np.exp(np.negative(e, out=e), out=e)
    s = np.where(z >= 0.0, 1.0, e)
    s /= 1.0 + e
    h = np.maximum(z, 0.0)
    h += np.log1p(e, out=e)
    return h, s, s * (1.0 - s) if second else None


def _rational(z: Floats, second: bool) -> Jet:
    zz = z * z
    q = 1.0 / (1.0 + zz)
    return z * q, (1.0 - zz) * q * q, 2.0 * z * (zz - 3.0) * q**3 if second else None


JETS: dict[str, Callable[[Floats, bool], Jet]] = {
    "tanh": _tanh,
    "softplus": _softplus,
    "rational": _rational,
}
"""Activation with its first and, if asked for, second derivative."""


def broadcasting(work: Workload, order: int) -> Callable[[], tuple[Floats, ...]]:
    """Elementwise products and sums on (network, sample, neuron), with inserted axes."""
    x, y, a, w, jet = work.x, work.y, work.a[:, None], work.w[:, None], JETS[work.activation]
    batch, m, d = len(work.theta), work.width, work.incoming
    c = 2.0 * work.scale
    columns = [x[:, j, None] for j in range(work.inputs)]

    def moment(q: Floats, *factors: Floats) -> Floats:
        for factor in factors:
            q = q * factor
        return q.sum(axis=1)

    # the bias has the input 1: a product that is left out
    def inputs_of(j: int) -> list[Floats]:
        return [columns[j]] if j < len(columns) else []

    def run() -> tuple[Floats, ...]:
        z = w[..., 0] * columns[0]
        for j in range(1, d):
            z = z + (w[..., j] * columns[j] if j < len(columns) else w[..., j])
        h, s, s2 = jet(z, order == 2)
        r = (a * h).sum(axis=-1) - y
        loss = work.scale * (r * r).sum(axis=-1)
        rs = r[..., None] * s
        mixed = np.empty((batch, m, d))
        for j in range(d):
            mixed[..., j] = c * moment(rs, *inputs_of(j))
        gradient = np.empty((batch, m, 1 + d))
        gradient[..., 0] = c * (r[..., None] * h).sum(axis=1)
        gradient[..., 1:] = work.a[..., None] * mixed
        if order == 1:
            return loss, gradient
        v = a * s
        jacobian = np.empty((batch, len(y), m, 1 + d))
        jacobian[..., 0] = h
        for j in range(d):
            jacobian[..., 1 + j] = v * columns[j] if j < len(columns) else v
        jacobian = jacobian.reshape(batch, len(y), -1)
        hessian = c * (jacobian[..., :, None] * jacobian[..., None, :]).sum(axis=1)
        hessian = hessian.reshape(batch, m, 1 + d, m, 1 + d)
        second = np.empty((batch, m, d, d))
        q = a * r[..., None] * s2
        for i in range(d):
            for j in range(d):
                second[..., i, j] = c * moment(q, *inputs_of(i), *inputs_of(j))
        block_diagonal_add(hessian, mixed, second)
        return loss, gradient, hessian

    return run


def one_network(
    a: Floats, w: Floats, x1: Floats, y: Floats, activation: str, scale: float, order: int
) -> tuple[Floats, ...]:
    """Matrix products on (neuron, sample), samples last: a (m,), w (m, D), x1 (n, D), y (n,)."""
    m, d = w.shape
    c, x1t = 2.0 * scale, x1.T
    h, s, s2 = JETS[activation](w @ x1t, order == 2)
    r = a @ h
    r -= y
    v = a[:, None] * s if order == 2 else None
    s *= r
    mixed = c * (s @ x1)
    gradient = np.empty((m, 1 + d))
    gradient[:, 0] = c * (h @ r)
    gradient[:, 1:] = a[:, None] * mixed
    if order == 1:
        return scale * (r @ r), gradient
    jacobian = np.empty((m, 1 + d, len(y)))
    jacobian[:, 0] = h
    np.multiply(v[:, None], x1t, out=jacobian[:, 1:])
    jacobian = jacobian.reshape(m * (1 + d), -1)
    hessian = jacobian @ jacobian.T  # one buffer on both sides: BLAS computes one triangle
    hessian *= c
    hessian = hessian.reshape(m, 1 + d, m, 1 + d)
    s2 *= r
    squares = (x1[:, :, None] * x1[:, None, :]).reshape(-1, d * d)
    second = (c * a[:, None] * (s2 @ squares)).reshape(m, d, d)
    block_diagonal_add(hessian, mixed, second)
    return scale * (r @ r), gradient, hessian


def network_after_network(work: Workload, order: int) -> Callable[[], tuple[Floats, ...]]:
    """`one_network` in a loop: the work set of a network stays in the cache."""
    shared = (work.x1, work.y, work.activation, work.scale, order)
    batch, m, d = len(work.theta), work.width, work.incoming

    def run() -> tuple[Floats, ...]:
        loss, gradient = np.empty(batch), np.empty((batch, m, 1 + d))
        hessian = np.empty((batch if order == 2 else 0, m, 1 + d, m, 1 + d))
        for b in range(batch):
            loss[b], gradient[b], *rest = one_network(work.a[b], work.w[b], *shared)
            if rest:
                hessian[b] = rest[0]
        return (loss, gradient, hessian)[: order + 1]

    return run


def batched_products(work: Workload, order: int, tuned: bool) -> Callable[[], tuple[Floats, ...]]:
    """The same on all networks at once, (network, neuron, sample).

    `tuned` flattens what it can into one product and leaves the rest to einsum's loops: with
    tiny matrices NumPy's matmul calls BLAS once per network, which costs more than the sums.
    """
    a, w, x1, y, jet = work.a, work.w, work.x1, work.y, JETS[work.activation]
    batch, m, d = w.shape
    n, c = len(y), 2.0 * work.scale
    squares = (x1[:, :, None] * x1[:, None, :]).reshape(n, d * d)

    def shared_factor(left: Floats, right: Floats) -> Floats:
        if tuned:
            return (left.reshape(batch * m, -1) @ right).reshape(batch, m, -1)
        return np.matmul(left, right)

    def run() -> tuple[Floats, ...]:
        h, s, s2 = jet(shared_factor(w, x1.T), order == 2)
        r = np.einsum("bm,bmn->bn", a, h) if tuned else np.matmul(a[:, None], h)[:, 0]
        r -= y
        mixed = c * shared_factor(s * r[:, None], x1)
        gradient = np.empty((batch, m, 1 + d))
        if tuned:
            np.einsum("bmn,bn->bm", h, c * r, out=gradient[..., 0])
        else:
            gradient[..., 0] = c * np.matmul(h, r[..., None])[..., 0]
        np.multiply(a[..., None], mixed, out=gradient[..., 1:])
        loss = work.scale * np.einsum("bn,bn->b", r, r)
        if order == 1:
            return loss, gradient
        jacobian = np.empty((batch, m, 1 + d, n))
        jacobian[:, :, 0] = h
        np.multiply((a[..., None] * s)[:, :, None], x1.T, out=jacobian[:, :, 1:])
        jacobian = jacobian.reshape(batch, m * (1 + d), n)
        # two buffers: with matrices this small the general product is the faster one
        hessian = np.matmul(c * jacobian, jacobian.transpose(0, 2, 1))
        hessian = hessian.reshape(batch, m, 1 + d, m, 1 + d)
        second = c * a[..., None] * shared_factor(s2 * r[:, None], squares)
        block_diagonal_add(hessian, mixed, second.reshape(batch, m, d, d))
        return loss, gradient, hessian

    return run


def networks_last(work: Workload, order: int) -> Callable[[], tuple[Floats, ...]]:
    """Structure of arrays: one long vector over the networks per parameter, loops outside."""
    m, d, x1 = work.width, work.incoming, work.x1
    lanes = np.ascontiguousarray(work.theta.T).reshape(m, 1 + d, -1)
    jet, c = JETS[work.activation], 2.0 * work.scale

    def run() -> tuple[Floats, ...]:
        loss, gradient = 0.0, np.zeros_like(lanes)
        for i, target in enumerate(work.y):
            z = lanes[:, 1] * x1[i, 0]
            for j in range(1, d):
                z += lanes[:, 1 + j] if work.bias and j == d - 1 else lanes[:, 1 + j] * x1[i, j]
            h, s, _ = jet(z, False)
            r = (lanes[:, 0] * h).sum(axis=0) - target
            loss = loss + r * r
            gradient[:, 0] += r * h
            v = r * lanes[:, 0] * s
            for j in range(d):
                gradient[:, 1 + j] += v if work.bias and j == d - 1 else v * x1[i, j]
        return work.scale * loss, c * gradient

    return run


def candidates(work: Workload, order: int) -> list[Candidate]:
    def neurons(out: tuple[Floats, ...]) -> Results:
        return from_neurons(*out)

    closed = "NumPy closed form"
    products: dict[tuple[str, str], Callable[[], tuple[Floats, ...]]]
    if work.name in ("W1", "W4"):
        products = {
            ("numpy-matrix", "matrix products (np.matmul)"): batched_products(work, order, False),
            ("numpy-tuned", "matrix products (flattened, einsum)"): batched_products(
                work, order, True
            ),
        }
    else:
        products = {
            ("numpy-matrix", "matrix products"): network_after_network(work, order),
        }
    if order == 1 or work.name == "W1":
        products["numpy-broadcasting", "broadcasting"] = broadcasting(work, order)
    found = [
        Candidate(key, f"{closed}, {label}", run, neurons) for (key, label), run in products.items()
    ]
    if order == 1 and work.name == "W1":
        found.append(
            Candidate(
                "numpy-lanes",
                f"{closed}, structure of arrays",
                networks_last(work, order),
                lambda out: from_neurons(out[0], np.moveaxis(out[1], -1, 0)),
            )
        )
    return found
