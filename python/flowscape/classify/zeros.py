"""Zeros of the residual: whether they are there, and how well they fix the function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.polish import Polished

__all__ = ["Zeros", "different_samples", "examine_zeros"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# An eigenvalue of J^T W J counts towards the rank if it exceeds its rounding error by the first
# factor, and the uncertainty from the place of the zero by the second.
_CLEAR, _PLACED = 100.0, 10.0
# Directions that the samples do not see must leave the function alone, to this part (squared).
_UNSEEN = 1e-9
# Bounds the memory of the Jacobians on the grid; no result depends on it.
_CHUNK = 512


@dataclass(frozen=True)
class Zeros:
    """What is known of points where the residual vanishes to rounding error; arrays (B,).

    Attributes
    ----------
    regular : ndarray of bool
        The Jacobian has full row rank. By the implicit function theorem a true zero lies within
        rounding error over the smallest singular value.
    error_bound : ndarray
        Root mean square on the dense grid of the difference between the functions of the point
        and of that true zero, plus the rounding error of the grid's values.
    determined : ndarray of bool
        Regular, or no direction that the samples leave free changes the function on the grid.
        Where a neuron saturates a residual can vanish to rounding error although no zero is near:
        there this fails.
    """

    regular: Bools
    error_bound: Floats
    determined: Bools


def different_samples(prob: Problem) -> int:
    """Return the number of different inputs of weight > 0: each gives one equation per output."""
    x = prob.data.x if prob.data.weights is None else prob.data.x[prob.data.weights > 0.0]
    return len(np.unique(x, axis=0))


def examine_zeros(
    prob: Problem, grid: Problem, polished: Polished, rows: Bools, n_threads: int | None
) -> Zeros:
    """Examine the points of `rows` (a mask); elsewhere nothing is claimed.

    Parameters
    ----------
    prob : Problem
    grid : Problem
        Mean square distance to some function on a dense grid.
    polished : Polished
        A batch.
    """
    size = len(rows)
    regular, determined = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    error_bound = np.full(size, np.inf)
    if not rows.any():
        return Zeros(regular, error_bound, determined)
    theta, zero_loss = polished.theta[rows], polished.zero_loss[rows]
    # At a zero the Hessian is J^T W J: its eigenvalues are squared singular values.
    values, vectors = np.linalg.eigh(prob.hessian(theta, n_threads=n_threads))
    placed = _PLACED * np.sqrt(2.0 * zero_loss * values[:, -1])
    seen = values >= np.maximum(_CLEAR * polished.zero_bound[rows], placed)[:, None]
    regular[rows] = seen.sum(axis=1) == different_samples(prob) * prob.net.outputs
    spread = _spread(prob, grid, theta, vectors, n_threads)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(seen, np.sqrt(spread / values), 0.0).sum(axis=1)
    rounding = np.sqrt(grid.noise(theta, n_threads=n_threads).zero_loss)
    error_bound[rows] = rounding + np.sqrt(2.0 * zero_loss) * reach
    unseen = np.where(seen, 0.0, spread).max(axis=1)
    determined[rows] = regular[rows] | (unseen <= _UNSEEN * spread.max(axis=1))
    return Zeros(regular, error_bound, determined)


def _spread(
    prob: Problem, grid: Problem, theta: Floats, vectors: Floats, n_threads: int | None
) -> Floats:
    """Return |J_grid v|^2 for each eigenvector v, averaged over the grid's inputs: (B, P)."""
    if prob.teacher is not None:
        # half of the mean loss's Hessian, up to the residual on the grid
        hessian = grid.hessian(theta, n_threads=n_threads)
        return 0.5 * np.abs(np.einsum("bpi,bpq,bqi->bi", vectors, hessian, vectors))
    spread = np.empty(theta.shape)
    for start in range(0, len(theta), _CHUNK):
        part = slice(start, start + _CHUNK)
        jacobian = grid.jacobian(theta[part], n_threads=n_threads)
        rows = jacobian.reshape(len(jacobian), -1, theta.shape[1])
        spread[part] = prob.net.outputs * np.mean((rows @ vectors[part]) ** 2, axis=1)
    return spread
