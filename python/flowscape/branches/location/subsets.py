"""Subsets of the neurons by size, how they split in two, and ranks of whole batches of partitions.

The subsets of one size are numbered in lexicographic order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@cache
def members(width: int, size: int) -> Ints:
    """Return the subsets of `size` neurons, each in increasing order: (count, size)."""
    rows = list(combinations(range(width), size))
    return np.array(rows, dtype=np.int64).reshape(len(rows), size)


@cache
def masks(width: int, size: int) -> Ints:
    """Return the subsets of `size` neurons as bit masks: (count,)."""
    return (1 << members(width, size)).sum(axis=1)


@cache
def positions(width: int) -> Ints:
    """Return the number of every subset among those of its size, by bit mask: (2^width,)."""
    table = np.zeros(2**width, dtype=np.int64)
    for size in range(width + 1):
        found = masks(width, size)
        table[found] = np.arange(len(found))
    return table


@cache
def parents(width: int, size: int) -> Ints:
    """Return the number of every subset without its largest neuron: (count,)."""
    last = members(width, size)[:, -1]
    return positions(width)[masks(width, size) - (1 << last)]


@cache
def splits(width: int, size: int, left: int, anchored: bool) -> tuple[Ints, Ints]:
    """Return all ways to split every subset of `size` neurons in two.

    Parameters
    ----------
    width, size : int
    left : int
        Neurons of the first part.
    anchored : bool
        Whether the first part takes the smallest neuron. It does where both parts are made of
        groups that are exchangeable: every splitting then counts once.

    Returns
    -------
    first, second : (count, ways) ndarray of int
        Numbers of the parts among the subsets of their sizes.
    """
    if anchored:
        inner = members(size - 1, left - 1) + 1
        inner = np.concatenate([np.zeros((len(inner), 1), dtype=np.int64), inner], axis=1)
    else:
        inner = members(size, left)
    chosen = members(width, size)[:, inner]
    first = (1 << chosen).sum(axis=2)
    second = masks(width, size)[:, None] - first
    place = positions(width)
    return place[first], place[second]


def rank_partitions(
    width: int, fixed: Sequence[int], free: Sequence[int], blocks: Sequence[Ints]
) -> Ints:
    """Return `partitions.rank_blocks` for a batch.

    Parameters
    ----------
    width : int
    fixed, free : sequence of int
        Sizes of the distinguished blocks, and of the others in non-increasing order.
    blocks : sequence of (B,) ndarray of int
        Bit masks; free blocks of one size in the order of their smallest neurons.
    """
    queue = list(blocks)
    size = len(queue[0]) if queue else 1
    rank = np.zeros(size, dtype=np.int64)
    pool = np.full(size, 2**width - 1, dtype=np.int64)
    left = width
    for wanted in fixed:
        block = queue.pop(0)
        rank = rank * comb(left, wanted) + positions(left)[_relative(width, block, pool)]
        pool, left = pool - block, left - wanted
    for wanted in dict.fromkeys(free):
        group = [queue.pop(0) for _ in range(free.count(wanted))]
        union = np.sum(group, axis=0)
        many = wanted * len(group)
        rank = rank * comb(left, many) + positions(left)[_relative(width, union, pool)]
        pool, left = pool - union, left - many
        for block in group:
            # the first block holds the smallest neuron of the union; the others are chosen
            inner = _relative(width, block, union) >> 1
            rank = rank * comb(many - 1, wanted - 1) + positions(many - 1)[inner]
            union, many = union - block, many - wanted
    return rank


def _relative(width: int, block: Ints, pool: Ints) -> Ints:
    """Return the mask of a block among the neurons of its pool, these numbered from 0."""
    result = np.zeros_like(block)
    seen = np.zeros_like(block)
    for k in range(width):
        result += ((block >> k) & 1) << seen
        seen += (pool >> k) & 1
    return result
