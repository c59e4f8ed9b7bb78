"""Exact integer combinatorics: Stirling numbers, integer partitions, ranked subsets.

Everything here is a Python integer, so no count overflows. Set partitions are never listed: a
partition is reached from its rank (`unrank_blocks`) and back (`rank_blocks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from math import comb, factorial

from flowscape.errors import check_count

Blocks = tuple[tuple[int, ...], ...]


MOST_COUNTED: int = 300
"""Neurons of the widest networks whose branches are counted: the numbers have 500 digits."""


def stirling2(n: int, k: int, smallest: int = 1) -> int:
    """Return the number of partitions of n things into k blocks of size >= `smallest`.

    ``smallest=1`` gives the Stirling numbers of the second kind, ``smallest=2`` the associated
    ones. Recurrence: the block of the last thing is either minimal or loses that thing.

    Raises
    ------
    OptionError
        If n exceeds `MOST_COUNTED`.
    """
    if n < smallest * k or k < 0:
        return 0
    check_count("neurons", n, "more are not counted", minimum=0, maximum=MOST_COUNTED)
    rows = _triangle(smallest)
    while len(rows) <= n:
        i = len(rows)
        row = [0] * (i // smallest + 1)
        minimal = comb(i - 1, smallest - 1)
        for j in range(1, len(row)):
            if j < len(rows[i - 1]):
                row[j] = j * rows[i - 1][j]
            if i >= smallest and j - 1 < len(rows[i - smallest]):
                row[j] += minimal * rows[i - smallest][j - 1]
        rows.append(row)
    return rows[n][k]


@cache
def _triangle(smallest: int) -> list[list[int]]:
    """Return the rows that were needed so far; row n holds k = 0, ..., n // `smallest`."""
    return [[1]]


def count_labelled(n: int, labelled: int, free: int, singletons: int | None = None) -> int:
    """Return the number of ways to put n neurons into labelled and free groups.

    Every group is non-empty; the labelled ones are distinguished, the free ones are not.
    `singletons` fixes the number of free groups of size 1; None sums over it.
    """
    if singletons is None:
        r = labelled + free
        return stirling2(n, r) * factorial(r) // factorial(free)
    rest = n - singletons
    if rest < 0 or singletons > free:
        return 0
    total = sum(
        comb(rest, j)
        * factorial(labelled)
        * stirling2(rest - j, labelled)
        * stirling2(j, free - singletons, 2)
        for j in range(rest + 1)
    )
    return comb(n, singletons) * total


def count_branches(m: int, m0: int, r: int | None = None) -> int:
    r"""Return the number of branches (sets) for a generic activation without bias.

    .. math:: \sum_r S(m, r)\, r!/(r-m_0)!

    with S the Stirling number of the second kind: choose the r groups, then which of them
    carry the m0 labels.

    Parameters
    ----------
    m : int
        Neurons of the student, >= 1.
    m0 : int
        Neurons of the target, >= 0. ``m < m0`` gives 0: no network of the student's width is
        the target.
    r : int, optional
        Count only the branches with r groups.

    Returns
    -------
    int
        Exact.

    Raises
    ------
    OptionError
        If an argument is not an integer in its range.

    Notes
    -----
    Local Recovery, section 3.4; a branch is counted as a set of parameters, not as a pair
    (partition, permutation), many of which describe the same set. Checked against a brute-force
    listing in ``tests/unit/branches/test_partitions.py``.
    """
    remedy = "give the number of student neurons"
    m = check_count("m", m, remedy, maximum=MOST_COUNTED)
    m0 = check_count("m0", m0, "give the number of target neurons", minimum=0)
    if r is not None:
        r = check_count("r", r, "give the number of groups", minimum=0)
        return count_labelled(m, m0, r - m0) if r >= m0 else 0
    return sum(count_labelled(m, m0, q - m0) for q in range(m0, m + 1))


def compositions(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield the ordered ways to write n as a sum of `parts` positive integers, largest first."""
    if parts == 0:
        if n == 0:
            yield ()
        return
    for first in range(n - parts + 1, 0, -1):
        for rest in compositions(n - first, parts - 1):
            yield (first, *rest)


def integer_partitions(n: int, parts: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """Yield the non-increasing ways to write n as a sum of `parts` positive integers."""
    if parts == 0:
        if n == 0:
            yield ()
        return
    top = n - parts + 1 if largest is None else min(largest, n - parts + 1)
    for first in range(top, 0, -1):
        if first * parts < n:
            break
        for rest in integer_partitions(n - first, parts - 1, first):
            yield (first, *rest)


def _runs(sizes: Sequence[int], marks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (size, multiplicity) of the blocks that are alike, in their order."""
    kinds = list(zip(sizes, marks or (0,) * len(sizes), strict=True))
    for kind in dict.fromkeys(kinds):
        yield kind[0], kinds.count(kind)


def count_blocks(
    m: int, labelled: Sequence[int], free: Sequence[int], marks: Sequence[int] = ()
) -> int:
    """Return the number of ways to fill blocks of the given sizes with m distinct neurons.

    Blocks of `labelled` are distinguished, blocks of `free` only by their size, and by their
    marks if there are any; equal ones stand together. The sizes must add up to m.
    """
    total = factorial(m)
    for size in (*labelled, *free):
        total //= factorial(size)
    for _, multiplicity in _runs(free, marks):
        total //= factorial(multiplicity)
    return total


def _unrank_subset(pool: Sequence[int], size: int, rank: int) -> tuple[int, ...]:
    """Return the rank-th subset of `pool` (sorted) of the given size, lexicographically."""
    chosen: list[int] = []
    for position, item in enumerate(pool):
        if len(chosen) == size:
            break
        with_item = comb(len(pool) - position - 1, size - len(chosen) - 1)
        if rank < with_item:
            chosen.append(item)
        else:
            rank -= with_item
    return tuple(chosen)


def _rank_subset(pool: Sequence[int], subset: Sequence[int]) -> int:
    members, rank, left = set(subset), 0, len(subset)
    for position, item in enumerate(pool):
        if left == 0:
            break
        if item in members:
            left -= 1
        else:
            rank += comb(len(pool) - position - 1, left - 1)
    return rank


def unrank_blocks(
    m: int, labelled: Sequence[int], free: Sequence[int], rank: int, marks: Sequence[int] = ()
) -> Blocks:
    """Return the rank-th way counted by `count_blocks`: labelled blocks, then free ones.

    Blocks come in lexicographic order, the first one changing slowest. Free blocks that are alike
    come in the order of their smallest neuron.
    """
    pool: list[int] = list(range(m))
    left = count_blocks(m, labelled, free, marks)
    blocks: list[tuple[int, ...]] = []
    for size in labelled:
        left //= comb(len(pool), size)
        digit, rank = divmod(rank, left)
        block = _unrank_subset(pool, size, digit)
        blocks.append(block)
        pool = [k for k in pool if k not in block]
    for size, multiplicity in _runs(free, marks):
        left //= comb(len(pool), size * multiplicity)
        digit, rank = divmod(rank, left)
        union = list(_unrank_subset(pool, size * multiplicity, digit))
        pool = [k for k in pool if k not in union]
        while union:
            left //= comb(len(union) - 1, size - 1)
            digit, rank = divmod(rank, left)
            block = (union[0], *_unrank_subset(union[1:], size - 1, digit))
            blocks.append(block)
            union = [k for k in union if k not in block]
    return tuple(blocks)


def rank_blocks(
    m: int,
    labelled: Sequence[int],
    free: Sequence[int],
    blocks: Blocks,
    marks: Sequence[int] = (),
) -> int:
    """Return the rank of a partition in canonical order; inverse of `unrank_blocks`."""
    pool: list[int] = list(range(m))
    rank = 0
    queue = list(blocks)
    for size in labelled:
        block = queue.pop(0)
        rank = rank * comb(len(pool), size) + _rank_subset(pool, block)
        pool = [k for k in pool if k not in block]
    for size, multiplicity in _runs(free, marks):
        group = [queue.pop(0) for _ in range(multiplicity)]
        union = sorted(k for block in group for k in block)
        rank = rank * comb(len(pool), size * multiplicity) + _rank_subset(pool, union)
        pool = [k for k in pool if k not in union]
        for block in group:
            digit = _rank_subset(union[1:], block[1:])
            rank = rank * comb(len(union) - 1, size - 1) + digit
            union = [k for k in union if k not in block]
    return rank


def iterate_blocks(
    m: int, labelled: Sequence[int], free: Sequence[int], marks: Sequence[int] = ()
) -> Iterator[Blocks]:
    """Yield what `unrank_blocks` gives for rank 0, 1, ..., several times as fast."""
    steps: list[tuple[str, int]] = [("any", size) for size in labelled]
    for size, multiplicity in _runs(free, marks):
        steps.append(("union", size * multiplicity))
        steps.extend([("first", size)] * multiplicity)
    return _walk(tuple(range(m)), (), tuple(steps))


def _walk(
    pool: tuple[int, ...], union: tuple[int, ...], steps: tuple[tuple[str, int], ...]
) -> Iterator[Blocks]:
    if not steps:
        yield ()
        return
    (kind, size), later = steps[0], steps[1:]
    if kind == "union":
        for chosen, rest in _splits(pool, size):
            yield from _walk(rest, chosen, later)
    elif kind == "any":
        for block, rest in _splits(pool, size):
            if not later:
                yield (block,)
                continue
            for blocks in _walk(rest, union, later):
                yield (block, *blocks)
    else:
        for others, rest in _splits(union[1:], size - 1):
            block = (union[0], *others)
            if not later:
                yield (block,)
                continue
            for blocks in _walk(pool, rest, later):
                yield (block, *blocks)


@cache
def _splits(pool: tuple[int, ...], size: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Return (subset, rest) for the subsets of `pool` of one size, lexicographically."""
    return tuple(
        (chosen, tuple(k for k in pool if k not in chosen)) for chosen in combinations(pool, size)
    )
