"""The peers' formulations of the workloads, one library per file.

Every file has ``candidates(work, order)``: the formulations of loss, gradient (order 1) and
Hessian (order 2) for one of W1 to W4. Importing it raises ImportError if the library is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workloads import Floats

KERNEL_PEERS = {
    "NumPy": "numpy_forms",
    "JAX": "jax_forms",
    "JAX, expert": "jax_expert",
    "PyTorch": "torch_forms",
    "numba": "numba_forms",
}
"""Library: file with its formulations of W1 to W4."""

FLOW_PEERS = {
    "SciPy": "ode_scipy",
    "SciPy with numba": "ode_scipy_numba",
    "CVODE": "ode_cvode",
    "diffrax": "ode_diffrax",
}
"""Library: file with its solvers for W5 and W6."""

Results = tuple[Floats, ...]


@dataclass(frozen=True)
class Candidate:
    """One way to compute loss, gradient and Hessian.

    `run` does the work and returns when it is done. `results` turns what it returned into
    (loss (B,), gradient (B, P), Hessian (B, P, P)) in neuron-major order; it is never timed, so
    a peer may keep inputs and outputs in the layout it likes best.
    """

    key: str
    label: str
    run: Callable[[], Any]
    results: Callable[[Any], Results]
    needs_mb: float = 0.0
    """Peak memory, measured roughly; the candidate is skipped where there is less."""


def from_neurons(loss: Any, *parts: Any) -> Results:
    """Canonical results from (B, m, 1+D) and (B, m, 1+D, m, 1+D)."""
    loss = np.asarray(loss)
    p = int(np.prod(np.shape(parts[0])[1:]))
    gradient, *hessian = (np.asarray(part) for part in parts)
    shaped = [gradient.reshape(len(loss), p)]
    return loss, *shaped, *(part.reshape(len(loss), p, p) for part in hessian)


def join_neurons(a: Any, w: Any) -> Floats:
    """(B, m, 1+D) from the gradients with respect to a (B, m) and w (B, m, D)."""
    return np.concatenate([np.asarray(a)[..., None], np.asarray(w)], axis=-1)


def block_diagonal_add(hessian: Any, mixed: Any, second: Any) -> None:
    """Add the residual part, in place, to Hessians (..., m, 1+D, m, 1+D) of NumPy arrays.

    `mixed` (..., m, D) couples a neuron's outgoing weight to its incoming ones, `second`
    (..., m, D, D) the incoming ones among themselves.
    """
    for k in range(mixed.shape[-2]):
        hessian[..., k, 0, k, 1:] += mixed[..., k, :]
        hessian[..., k, 1:, k, 0] += mixed[..., k, :]
        hessian[..., k, 1:, k, 1:] += second[..., k, :, :]
