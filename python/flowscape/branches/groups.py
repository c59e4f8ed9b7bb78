"""Labelled and free groups: squared distance, projection and equations of one group.

Arrays: outgoing (B, g, O) and centred incoming (B, g, D) of the g neurons of the group; signs
(g,), or (B, g) where every point has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Projected = tuple[Floats, Floats]


def project_labelled(
    outgoing: Floats, incoming: Floats, signs: Floats, weight: Floats, vector: Floats
) -> Projected:
    """Return the nearest (a, v) with eps_k v_k = vector and sum eps_k a_k = weight."""
    gap = (signs[:, None] * outgoing).sum(axis=1) - weight
    fixed = np.broadcast_to(signs[:, None] * vector, incoming.shape)
    return outgoing - signs[:, None] * gap[:, None, :] / len(signs), fixed


def project_free(outgoing: Floats, incoming: Floats, signs: Floats) -> Projected:
    """Return the nearest (a, v) with all eps_k v_k equal and sum eps_k a_k = 0."""
    gap = (signs[:, None] * outgoing).sum(axis=1)
    mean = (signs[:, None] * incoming).mean(axis=1)
    fixed = signs[:, None] * mean[:, None, :]
    return outgoing - signs[:, None] * gap[:, None, :] / len(signs), fixed


def sign_choices(size: int, signed: bool, free: bool) -> Floats:
    """Return the sign vectors (S, size) of a group; a free group keeps its first sign."""
    if not signed:
        return np.ones((1, size))
    fixed = 1 if free else 0
    rows = [(1.0,) * fixed + row for row in product((1.0, -1.0), repeat=size - fixed)]
    return np.array(rows).reshape(len(rows), size)


def best_choice(
    outgoing: Floats,
    incoming: Floats,
    choices: Floats,
    project: Callable[[Floats, Floats, Floats], Projected],
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the least squared distance over the sign choices, and which one has it.

    Returns
    -------
    cost : (B,) ndarray
    choice : (B,) ndarray of int
        Row of `choices`; the first one of equals.
    """
    cost = np.full(len(outgoing), np.inf)
    choice = np.zeros(len(outgoing), dtype=np.int64)
    for row, signs in enumerate(choices):
        new_out, new_in = project(outgoing, incoming, signs)
        new = ((new_out - outgoing) ** 2).sum(axis=(1, 2))
        new += ((new_in - incoming) ** 2).sum(axis=(1, 2))
        better = new < cost
        cost[better], choice[better] = new[better], row
    return cost, choice
