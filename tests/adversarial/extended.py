"""Gradient flows of two-layer tanh networks in 80-bit arithmetic: independent of the core, slow.

Loss half_sum, one output, hidden biases: theta = (a_1, w_1.., b_1, a_2, ...). Everything is batched
over runs (axis 0); runs may have different samples of one number.
"""

import numpy as np

LONG = np.longdouble
_S6 = np.sqrt(LONG(6))
# Radau IIA of three stages, order 5 (Hairer and Wanner, Solving ODEs II, table 5.6).
NODES = np.array([(4 - _S6) / 10, (4 + _S6) / 10, LONG(1)])
MATRIX = np.array(
    [
        [(88 - 7 * _S6) / 360, (296 - 169 * _S6) / 1800, (-2 + 3 * _S6) / 225],
        [(296 + 169 * _S6) / 1800, (88 + 7 * _S6) / 360, (-2 - 3 * _S6) / 225],
        [(16 - _S6) / 36, (16 + _S6) / 36, LONG(1) / 9],
    ]
)


def gradient(theta, x, y):
    """Gradient of sum (f - y)^2 / 2; theta (..., P), x (..., n, d), y (..., n)."""
    d = x.shape[-1]
    parts = theta.reshape(*theta.shape[:-1], -1, d + 2)
    a, w, b = parts[..., 0], parts[..., 1:-1], parts[..., -1]
    s = np.tanh(np.einsum("...nd,...md->...nm", x, w) + b[..., None, :])
    residual = np.einsum("...nm,...m->...n", s, a) - y
    slope = residual[..., None] * a[..., None, :] * (1 - s * s)
    out = np.empty_like(parts)
    out[..., 0] = np.einsum("...n,...nm->...m", residual, s)
    out[..., 1:-1] = np.einsum("...nm,...nd->...md", slope, x)
    out[..., -1] = slope.sum(axis=-2)
    return out.reshape(theta.shape)


def loss(theta, x, y):
    d = x.shape[-1]
    parts = theta.reshape(*theta.shape[:-1], -1, d + 2)
    s = np.tanh(np.einsum("...nd,...md->...nm", x, parts[..., 1:-1]) + parts[..., None, :, -1])
    residual = np.einsum("...nm,...m->...n", s, parts[..., 0]) - y
    return (residual**2).sum(axis=-1) / 2


def hessian(theta, x, y):
    """By complex steps, in double: (B, P, P)."""
    p = theta.shape[-1]
    step = 1e-25j * np.eye(p)
    shifted = theta.astype(np.float64)[:, None] + step
    x, y = x.astype(np.float64)[:, None], y.astype(np.float64)[:, None]
    return gradient(shifted, x, y).imag / 1e-25


def radau_step(theta, h, x, y):
    """One step of every run; returns the new points and whether Newton's iteration converged."""
    runs, p = theta.shape
    jacobian = -hessian(theta, x, y)
    system = np.eye(3 * p) - np.einsum(
        "b,ij,bpq->bipjq", h.astype(float), MATRIX.astype(float), jacobian
    ).reshape(runs, 3 * p, 3 * p)
    system[~np.isfinite(system).all(axis=(1, 2))] = np.eye(3 * p)  # the step will be refused
    try:
        inverse = np.linalg.inv(system)
    except np.linalg.LinAlgError:
        inverse = np.linalg.pinv(system)
    z = np.zeros((runs, 3, p), dtype=LONG)
    size = np.maximum(np.abs(theta).max(axis=1), LONG(1e-30))
    last = np.full(runs, np.inf)
    done = np.zeros(runs, dtype=bool)
    for _ in range(14):
        velocity = -gradient(theta[:, None] + z, x[:, None], y[:, None])
        defect = h[:, None, None] * np.einsum("ij,bjp->bip", MATRIX, velocity) - z
        move = np.einsum("bij,bj->bi", inverse, defect.reshape(runs, -1).astype(float))
        z = z + move.reshape(z.shape)
        change = np.abs(move).max(axis=1) / size.astype(float)
        done |= change <= 3e-19
        done |= (change < 1e-11) & (change >= 0.5 * last)  # rounding
        last = change
        if done.all():
            break
    return theta + z[:, 2], done


def follow(theta0, x, y, t_end, tolerance=1e-11, first=1e-3):
    """Follow all runs to t_end; local error per step by step doubling, relative to |theta|_inf.

    NaN for runs that need too many steps.
    """
    theta, t = theta0.astype(LONG), np.zeros(len(theta0), dtype=LONG)
    h = np.full(len(theta0), LONG(first))
    x, y = (
        np.broadcast_to(x, (len(theta0), *x.shape[-2:])),
        np.broadcast_to(y, (len(theta0), y.shape[-1])),
    )
    x, y = x.astype(LONG), y.astype(LONG)
    live = np.arange(len(theta0))
    steps = 0
    while live.size:
        steps += 1
        now, span = theta[live], np.minimum(h[live], t_end - t[live])
        once, ok = radau_step(now, span, x[live], y[live])
        half, ok1 = radau_step(now, span / 2, x[live], y[live])
        twice, ok2 = radau_step(half, span / 2, x[live], y[live])
        size = np.maximum(np.abs(now).max(axis=1), LONG(1e-30))
        error = (np.abs(twice - once).max(axis=1) / size / 31).astype(float)
        good = ok & ok1 & ok2 & (error <= tolerance) & np.isfinite(error)
        theta[live[good]] = twice[good] + (twice[good] - once[good]) / 31
        t[live[good]] += span[good]
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.clip(0.9 * (tolerance / error) ** (1 / 6), 0.2, 4.0)
        factor = np.where(ok & ok1 & ok2 & np.isfinite(error), factor, 0.3)
        h[live] = span * factor
        live = live[t[live] < t_end * (1 - 1e-12)]
        if steps > 6000:
            theta[live] = np.nan
            break
    return theta
