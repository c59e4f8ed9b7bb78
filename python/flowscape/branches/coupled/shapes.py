"""Orbits of a coupled family, and how many branches they have.

Orbits are those of permutations: a sign flip of one neuron is no symmetry here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, combinations_with_replacement, product
from math import comb, factorial

from flowscape.branches.coupled.rules import Pattern, Rules
from flowscape.branches.partitions import stirling2
from flowscape.branches.shapes import Shape, group_sizes


def coupled_shapes(rules: Rules, m0: int) -> Iterator[Shape]:
    """Yield the orbits: by size of the constant group, then r, then sizes, then signs."""
    m = rules.setting.width
    pieces = cache(rules.pieces)
    for size in range(m - m0 + 1):
        for r in range(m0, m - size + 1):
            for labelled, free in group_sizes(m - size, m0, r - m0):
                for minus in product(*(range(g + 1) for g in labelled)):
                    pattern = _pattern(labelled, minus)
                    for few in _few_signs(free):
                        pairs = sum(count > 0 for count in few)
                        for constant, ranks in pieces(pattern, min(pairs, rules.many), size):
                            yield Shape(constant, labelled, free, (*minus, *few), ranks)


def _pattern(sizes: Sequence[int], minus: Sequence[int]) -> Pattern:
    return tuple(
        1 if few == 0 else -1 if few == size else 0 for size, few in zip(sizes, minus, strict=True)
    )


def _few_signs(free: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the smaller numbers of equal signs of free groups, in ascending order among equals."""
    runs = [
        combinations_with_replacement(range(size // 2 + 1), free.count(size))
        for size in dict.fromkeys(free)
    ]
    for parts in product(*runs):
        yield tuple(chain(*parts))


def count_coupled(rules: Rules, m0: int, r: int | None, deficient: int | None) -> int:
    """Return the number of branches, exactly and without listing orbits.

    A mixed group is a pair of non-empty blocks, so the ways to fill the groups are those of
    `partitions.count_labelled` with more blocks. The conditions are asked once for every pattern
    of signs of the labelled groups, 3^m0 of them at most.
    """
    m, total = rules.setting.width, 0
    patterns = list(_patterns(m0, m - m0))
    for size in range(m - m0 + 1):
        rest = m - size
        sets = cache(lambda mixed, pairs, size=size: _kinds(rules, patterns, mixed, pairs, size))
        for groups in range(m0, rest + 1) if r is None else (r,):
            free = groups - m0
            if not m0 <= groups <= rest:
                continue
            for mixed in range(min(m0, rest - groups) + 1):
                for pairs in range(min(free, rest - groups - mixed) + 1):
                    ways = signed_ways(rest, m0 - mixed, mixed, free - pairs, pairs, deficient)
                    if ways:
                        total += comb(m, size) * ways * sets(mixed, min(pairs, rules.many))
    return total


def _patterns(m0: int, most: int) -> Iterator[Pattern]:
    """Yield the patterns with at most `most` mixed groups."""
    if m0 == 0:
        yield ()
        return
    for last in (1, -1, 0):
        for rest in _patterns(m0 - 1, most - (last == 0)) if most >= (last == 0) else ():
            yield (*rest, last)


def _kinds(rules: Rules, patterns: Sequence[Pattern], mixed: int, pairs: int, size: int) -> int:
    """Return the number of (pattern, constant group, variant, ranks) with so many mixed groups."""
    return sum(
        len(piece.constant.variants)
        for pattern in patterns
        if pattern.count(0) == mixed
        for piece in rules.pieces(pattern, pairs, size)
    )


def signed_ways(
    n: int, uniform: int, mixed: int, free: int, pairs: int, singles: int | None
) -> int:
    """Return the number of ways to fill groups with n neurons and signs.

    Parameters
    ----------
    n : int
        Neurons.
    uniform, mixed : int
        Labelled groups whose sign is given, and with both signs.
    free, pairs : int
        Free groups with one sign, and with both; overall signs are no choice.
    singles : int or None
        Number of free groups of one neuron; None sums over it.
    """
    blocks = uniform + 2 * mixed + 2 * pairs
    same = 2**pairs * factorial(pairs)
    if singles is None:
        every = blocks + free
        return factorial(every) * stirling2(n, every) // (same * factorial(free))
    if singles > free or singles > n:
        return 0
    rest = n - singles
    total = sum(
        comb(rest, i)
        * factorial(blocks)
        * stirling2(i, blocks)
        * stirling2(rest - i, free - singles, 2)
        for i in range(rest + 1)
    )
    return comb(n, singles) * total // same
