"""numba: the loops written out, scalar, with fastmath; sizes are compile-time constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from peerlib import Candidate
from workloads import Floats, Workload


@njit(fastmath=True)
def _tanh(z):
    h = math.tanh(z)
    s = 1.0 - h * h
    return h, s, -2.0 * h * s


@njit(fastmath=True)
def _softplus(z):
    e = math.exp(-abs(z))
    s = (1.0 if z >= 0.0 else e) / (1.0 + e)
    return max(z, 0.0) + math.log1p(e), s, s * (1.0 - s)


@njit(fastmath=True)
def _rational(z):
    q = 1.0 / (1.0 + z * z)
    return z * q, (1.0 - z * z) * q * q, 2.0 * z * (z * z - 3.0) * q * q * q


JETS = {"tanh": _tanh, "softplus": _softplus, "rational": _rational}


def compiled_gradient(work: Workload) -> Callable[..., float]:
    """Return f(theta (P,), x1, y, out (P,)) -> loss."""
    m, d, jet, scale = work.width, work.incoming, JETS[work.activation], work.scale
    c = 2.0 * scale

    @njit(fastmath=True)
    def gradient(theta, x1, y, out):
        h, s = np.empty(m), np.empty(m)
        loss = 0.0
        out[:] = 0.0
        for i in range(y.size):
            r = -y[i]
            for k in range(m):
                z = 0.0
                for j in range(d):
                    z += theta[k * (1 + d) + 1 + j] * x1[i, j]
                h[k], s[k], _ = jet(z)
                r += theta[k * (1 + d)] * h[k]
            loss += r * r
            for k in range(m):
                o = k * (1 + d)
                out[o] += c * r * h[k]
                v = c * r * theta[o] * s[k]
                for j in range(d):
                    out[o + 1 + j] += v * x1[i, j]
        return scale * loss

    return gradient


def compiled_hessian(work: Workload) -> Callable[..., float]:
    """Return f(theta (P,), x1, y, gradient (P,), hessian (P, P)) -> loss."""
    m, d, jet, scale = work.width, work.incoming, JETS[work.activation], work.scale
    p, c = m * (1 + d), 2.0 * scale

    @njit(fastmath=True)
    def hessian(theta, x1, y, gradient, out):
        s, s2, row = np.empty(m), np.empty(m), np.empty(p)
        loss = 0.0
        gradient[:] = 0.0
        out[:] = 0.0
        for i in range(y.size):
            r = -y[i]
            for k in range(m):
                o = k * (1 + d)
                z = 0.0
                for j in range(d):
                    z += theta[o + 1 + j] * x1[i, j]
                row[o], s[k], s2[k] = jet(z)
                r += theta[o] * row[o]
                for j in range(d):
                    row[o + 1 + j] = theta[o] * s[k] * x1[i, j]
            loss += r * r
            for q in range(p):
                gradient[q] += c * r * row[q]
                weight = c * row[q]
                for t in range(q, p):
                    out[q, t] += weight * row[t]
            for k in range(m):
                o = k * (1 + d)
                for j in range(d):
                    out[o, o + 1 + j] += c * r * s[k] * x1[i, j]
                    weight = c * r * theta[o] * s2[k] * x1[i, j]
                    for e in range(j, d):
                        out[o + 1 + j, o + 1 + e] += weight * x1[i, e]
        for q in range(p):
            for t in range(q + 1, p):
                out[t, q] = out[q, t]
        return scale * loss

    return hessian


def _batched(work: Workload, order: int) -> Callable[[], tuple[Floats, ...]]:
    one = compiled_gradient(work) if order == 1 else compiled_hessian(work)
    batch, p = work.theta.shape
    loss, gradient = np.empty(batch), np.empty((batch, p))
    hessian = np.empty((batch if order == 2 else 0, p, p))

    if order == 1:

        @njit
        def all_networks(theta, x1, y, loss, gradient, hessian):
            for b in range(len(theta)):
                loss[b] = one(theta[b], x1, y, gradient[b])

    else:

        @njit
        def all_networks(theta, x1, y, loss, gradient, hessian):
            for b in range(len(theta)):
                loss[b] = one(theta[b], x1, y, gradient[b], hessian[b])

    def run() -> tuple[Floats, ...]:
        all_networks(work.theta, work.x1, work.y, loss, gradient, hessian)
        return (loss, gradient, hessian)[: order + 1]

    return run


def flow_functions(work: Workload) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return f(theta) = -gradient and its Jacobian -Hessian, compiled, data as constants."""
    gradient, hessian = compiled_gradient(work), compiled_hessian(work)
    x1, y, p = work.x1, work.y, work.theta.shape[1]

    @njit
    def velocity(theta):
        out = np.empty(p)
        gradient(theta, x1, y, out)
        return -out

    @njit
    def jacobian(theta):
        out, unused = np.empty((p, p)), np.empty(p)
        hessian(theta, x1, y, unused, out)
        return -out

    start = np.ascontiguousarray(work.theta[0])
    velocity(start), jacobian(start)
    return velocity, jacobian


def candidates(work: Workload, order: int) -> list[Candidate]:
    label = "numba scalar loops (fastmath)"
    return [Candidate("numba", label, _batched(work, order), lambda out: out)]
