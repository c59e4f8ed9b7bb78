"""Labelled and free groups: squared distance, projection and equations of one group.

Arrays: outgoing (B, g, O) and centred incoming (B, g, D) of the g neurons of the group; signs
(g,).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Projected = tuple[Floats, Floats]


def add_up(values: Floats) -> Floats:
    """Return the sum over axis 1, term after term: no bit depends on the batch or layout."""
    total = np.zeros((values.shape[0], *values.shape[2:]))
    for k in range(values.shape[1]):
        total += values[:, k]
    return total


def squared_norm(values: Floats) -> Floats:
    """Return the sum of squares (B,) over all axes but the first, as `add_up`."""
    size = math.prod(values.shape[1:])
    return add_up(values.reshape(len(values), size) ** 2)


def project_labelled(
    outgoing: Floats, incoming: Floats, signs: Floats, pull: Floats, weight: Floats, vector: Floats
) -> Projected:
    """Return the nearest (a, v) with eps_k v_k = vector and sum pull_k a_k = weight."""
    gap = add_up(pull[:, None] * outgoing) - weight
    fixed = np.broadcast_to(signs[:, None] * vector, incoming.shape)
    return outgoing - pull[:, None] * gap[:, None, :] / len(signs), fixed


def project_free(outgoing: Floats, incoming: Floats, signs: Floats, pull: Floats) -> Projected:
    """Return the nearest (a, v) with all eps_k v_k equal and sum pull_k a_k = 0."""
    gap = add_up(pull[:, None] * outgoing)
    mean = add_up(signs[:, None] * incoming) / len(signs)
    fixed = signs[:, None] * mean[:, None, :]
    return outgoing - pull[:, None] * gap[:, None, :] / len(signs), fixed


@cache
def sign_choices(size: int, signed: bool, free: bool, minus: int | None = None) -> Floats:
    """Return the sign vectors (S, size) of a group; a free group keeps its first sign.

    `minus` asks for those with so many minus signs; of a free group, whose overall sign is no
    choice, for those with so many or so few.
    """
    if not signed:
        return np.ones((1, size))
    fixed = 1 if free else 0
    rows = [(1.0,) * fixed + row for row in product((1.0, -1.0), repeat=size - fixed)]
    if minus is not None:
        wanted = {minus, size - minus} if free else {minus}
        rows = [row for row in rows if row.count(-1.0) in wanted]
    table = np.array(rows).reshape(len(rows), size)
    table.flags.writeable = False
    return table


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
        new = squared_norm(new_out - outgoing) + squared_norm(new_in - incoming)
        better = new < cost
        cost[better], choice[better] = new[better], row
    return cost, choice
