"""Zeros of the residual: whether they are there, and how well they fix the function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.polish import Polished
from flowscape.problem.symmetry import SymmetryClass, symmetry

__all__ = ["Zeros", "different_samples", "examine_zeros"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# An eigenvalue of J^T W J counts towards the rank if it exceeds its rounding error by the first
# factor, and the uncertainty from the place of the zero by the second.
_CLEAR, _PLACED = 100.0, 10.0
# Directions that the samples do not see must leave the function alone, to this part (squared).
_UNSEEN = 1e-9
# Inputs closer than this, relative to the largest, are one.
_SAME_INPUT = 1e-12
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
    isolated : ndarray of bool
        The Jacobian has full column rank: no other zero is near.
    place_bound : ndarray
        Distance from the point to the true zero, where there is one by `regular`.
    error_bound : ndarray
        Root mean square on the dense grid of the difference between the functions of the point
        and of that true zero, plus the rounding error of the grid's values.
    determined : ndarray of bool
        Regular, or no direction that the samples leave free changes the function on the grid.
        Where a neuron saturates a residual can vanish to rounding error although no zero is near:
        there this fails.
    rank : ndarray of int
        Number of singular values of the Jacobian that are clear of rounding.
    smallest : ndarray
        The least of them, in the weights of the loss.
    """

    regular: Bools
    isolated: Bools
    place_bound: Floats
    error_bound: Floats
    determined: Bools
    rank: NDArray[np.int64]
    smallest: Floats


def different_samples(prob: Problem) -> int:
    """Return the number of samples whose equations differ; each has one equation per output.

    Repeated inputs and those of weight 0 do not count. Without hidden biases an odd or even
    activation makes the equations of x and -x the same (up to the output bias, which they then
    determine), and an odd one makes that of x = 0 empty. Inputs are compared by their projection
    on one fixed direction: two that agree there by chance count once, which claims less.
    """
    net, data = prob.net, prob.data
    x = data.x if data.weights is None else data.x[data.weights > 0.0]
    direction = np.cos(np.arange(1.0, net.inputs + 1.0))
    place = x @ direction
    same = _SAME_INPUT * max(float((np.abs(x) @ np.abs(direction)).max()), 1e-300)
    kind = symmetry(net.activation, net.bias).kind
    if net.bias or kind not in (SymmetryClass.ODD, SymmetryClass.EVEN):
        return _count_apart(place, same)
    folded = np.abs(place)
    if kind is SymmetryClass.EVEN:
        return _count_apart(folded, same)
    speaking = folded[folded > same]
    found = _count_apart(speaking, same)
    bias_is_fixed = net.output_bias and found < _count_apart(place, same)
    return found + int(bias_is_fixed)


def _count_apart(values: Floats, same: float) -> int:
    """Return the number of clusters of values whose neighbours are more than `same` apart."""
    if len(values) == 0:
        return 0
    return 1 + int(np.count_nonzero(np.diff(np.sort(values)) > same))


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
    regular, isolated, determined = (np.zeros(size, dtype=np.bool_) for _ in range(3))
    place_bound, error_bound = np.full(size, np.inf), np.full(size, np.inf)
    ranks, smallest = np.zeros(size, dtype=np.int64), np.zeros(size)
    zeros = Zeros(regular, isolated, place_bound, error_bound, determined, ranks, smallest)
    if not rows.any():
        return zeros
    theta, zero_loss = polished.theta[rows], polished.zero_loss[rows]
    # At a zero the Hessian is J^T W J: its eigenvalues are squared singular values.
    values, vectors = np.linalg.eigh(prob.hessian(theta, n_threads=n_threads))
    placed = _PLACED * np.sqrt(2.0 * zero_loss * values[:, -1])
    seen = values >= np.maximum(_CLEAR * polished.zero_bound[rows], placed)[:, None]
    rank = seen.sum(axis=1)
    regular[rows] = rank == different_samples(prob) * prob.net.outputs
    isolated[rows] = rank == prob.net.n_params
    ranks[rows] = rank
    least = np.where(seen, values, np.inf).min(axis=1)
    smallest[rows] = np.where(rank > 0, np.sqrt(least), 0.0)
    spread = _spread(prob, grid, theta, vectors, n_threads)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(seen, np.sqrt(spread / values), 0.0).sum(axis=1)
        inverse = np.where(seen, 1.0 / values, 0.0).sum(axis=1)
    place_bound[rows] = np.sqrt(2.0 * zero_loss * inverse)
    rounding = np.sqrt(grid.noise(theta, n_threads=n_threads).zero_loss)
    error_bound[rows] = rounding + np.sqrt(2.0 * zero_loss) * reach
    unseen = np.where(seen, 0.0, spread).max(axis=1)
    determined[rows] = regular[rows] | (unseen <= _UNSEEN * spread.max(axis=1))
    return zeros


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
