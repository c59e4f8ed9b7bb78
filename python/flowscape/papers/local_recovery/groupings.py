"""All ways to group neurons, and the equations of closures, by brute force."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from itertools import product

from flowscape.branches import Branch

__all__ = ["SHAPES", "Groups", "equations", "groupings", "key"]

Groups = tuple[tuple[int, ...], ...]


SHAPES = tuple((m, m0) for m in (1, 2, 3, 4) for m0 in range(1, m + 1))


@cache
def groupings(m: int, m0: int) -> frozenset[tuple[Groups, frozenset[tuple[int, ...]]]]:
    """List (labelled groups in order, set of free groups) by trying every map of neurons.

    Neuron k goes to label 0, ..., m0 - 1 or to a free name; names of free groups do not matter.
    """
    found = set()
    for word in product(range(m), repeat=m):
        if set(range(m0)) <= set(word):
            blocks = [tuple(k for k in range(m) if word[k] == t) for t in range(m)]
            free = frozenset(block for block in blocks[m0:] if block)
            found.add((tuple(blocks[:m0]), free))
    return frozenset(found)


def key(branch: Branch) -> tuple[Groups, frozenset[tuple[int, ...]]]:
    """Return the grouping of a branch."""
    m0 = branch.target.outgoing.shape[0]
    groups = [tuple(sorted(group)) for group in branch.groups]
    return tuple(groups[:m0]), frozenset(groups[m0:])


def equations(
    m: int, d: int, labelled: Groups, free: Collection[tuple[int, ...]]
) -> list[list[int]]:
    """Return the equations (A | b) of a closure, target a_t = t + 2, w_t = (5^t, 5^t + 1, ...)."""
    size = d + 1
    rows = []

    def row(entries: dict[int, int], right: int) -> None:
        line = [0] * (m * size + 1)
        for place, value in entries.items():
            line[place] = value
        line[-1] = right
        rows.append(line)

    for t, block in enumerate(labelled):
        row({size * k: 1 for k in block}, t + 2)
        for k in block:
            for j in range(d):
                row({size * k + 1 + j: 1}, 5**t + j)
    for block in free:
        row({size * k: 1 for k in block}, 0)
        for k in block[1:]:
            for j in range(d):
                row({size * k + 1 + j: 1, size * block[0] + 1 + j: -1}, 0)
    return rows
