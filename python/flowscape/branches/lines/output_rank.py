"""Rank of the derivative of a positively homogeneous network with several outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.groups import LineGroups

Floats = NDArray[np.float64]

_RANK = 1e-9
"""Directions of outgoing weights with smaller singular values are dependent."""


def rank_of_outputs(system: LineGroups, theta: Floats) -> int:
    """Return the rank of the derivative of the function at a point (P,) with all v_k != 0.

    A line adds the O functions |u.X|, and sign(u.X) times the linear functions across u for all
    outputs in the span of its a_k. If lambda is not 0 linear functions are tied to them; free are
    those along u of a line with both sides, and across for outputs that both sides span, and those
    of constant neurons (docs/families-by-chart.md).
    """
    s, eye = system.setting, np.eye(system.setting.incoming)
    rank = 0
    free: list[Floats] = []
    for block in system.blocks[1:]:
        a = _units(system, theta, block)
        rank += s.outputs + (s.incoming - 1) * len(_span(a))
        sides = [_span(_units(system, theta, _side(system, block, sign))) for sign in (1, -1)]
        if system.target.linear is not None and all(len(side) for side in sides):
            free.append(_pairs(np.eye(s.outputs), system.along(theta, block)[None]))
            free.append(_pairs(_shared(*sides), eye))
    level = np.eye(s.outputs), eye[-1:]
    for k in system.constants:
        free += [_pairs(*level), _pairs(_units(system, theta, [k]), eye)]
    if s.output_bias and s.bias:
        free.append(_pairs(*level))
    if s.output_bias and not s.bias:
        rank += s.outputs
    return rank + (len(_span(np.concatenate(free))) if free else 0)


def _side(system: LineGroups, block: Sequence[int], sign: int) -> list[int]:
    return [k for k in block if system.signs[k] == sign]


def _units(system: LineGroups, theta: Floats, block: Sequence[int]) -> Floats:
    """Return the directions of the a_k that are not 0, (n, O)."""
    rows = np.array([system.a(theta, k) for k in block]).reshape(-1, system.setting.outputs)
    lengths = np.linalg.norm(rows, axis=1)
    live = lengths > _RANK * (1.0 + np.abs(theta).max())
    return np.asarray(rows[live] / lengths[live, None])


def _span(rows: Floats) -> Floats:
    """Return orthonormal rows that span rows."""
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(right[values > _RANK])


def _shared(one: Floats, other: Floats) -> Floats:
    """Return orthonormal rows that span what two spans (orthonormal rows) share."""
    left, values, _ = np.linalg.svd(one @ other.T)
    return np.asarray(left[:, : int((values > 1.0 - _RANK).sum())].T @ one)


def _pairs(outputs: Floats, rows: Floats) -> Floats:
    """Return all o r^T as rows (n, O D)."""
    every = outputs[:, None, :, None] * rows[None, :, None, :]
    return np.asarray(every.reshape(-1, outputs.shape[1] * rows.shape[1]))
