"""Exact numbers of branches of positively homogeneous students, without listing orbits."""

from __future__ import annotations

from math import comb, factorial

from flowscape.branches.lines.strata import MIXED, Levels, components, patterns
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.partitions import stirling2


def count_line_sets(target: LineTarget, width: int, r: int | None, deficient: int | None) -> int:
    """Return the number of branches, exactly and without listing orbits.

    A mixed group is a pair of uniform ones, ordered if it is labelled and unordered if it is free;
    so the strata are ways to put m neurons into M + m0 labelled and 2 J + F other blocks, and, with
    hidden biases, some more aside as constants. With several outputs a stratum may have several
    components.
    """
    total = 0
    if target.has_silent(width) and r in (None, 0) and deficient in (None, 0):
        total += 1
    for still in range(width - target.m0 + 1 if target.bias else 1):
        for levels, signs in _sign_choices(target, still).items():
            sets = _count_without(target, width - still, levels, r, deficient)
            total += comb(width, still) * signs * sets
    return total


def _sign_choices(target: LineTarget, still: int) -> dict[Levels, int]:
    """Return how many choices of the signs of b lead to which levels."""
    found: dict[Levels, int] = {}
    for against in range(still + 1):
        levels = target.levels((still - against, against))
        found[levels] = found.get(levels, 0) + comb(still, against)
    return found


def _count_without(
    target: LineTarget, width: int, levels: Levels, r: int | None, deficient: int | None
) -> int:
    """Count the ways to put `width` neurons on lines, for given constants."""
    m0, flat = target.m0, target.lines.shape[1] == 1
    total = 0
    for pattern in patterns(target, width - m0):
        fixed = m0 + pattern.count(MIXED)
        for mixed in range(0, 1 if flat else (width - fixed) // 2 + 1):
            made = len(components(target, pattern, mixed, levels))
            if not made:
                continue
            for uniform in range(0, 1 if flat else width - fixed - 2 * mixed + 1):
                if r is None or m0 + mixed + uniform == r:
                    total += made * _ways(width, fixed + 2 * mixed, mixed, uniform, deficient)
    return total


def _ways(n: int, blocks: int, pairs: int, uniform: int, singles: int | None) -> int:
    """Count: `blocks` distinguished blocks, of which `pairs` unordered pairs, and uniform ones."""
    swaps = factorial(pairs) * 2**pairs
    if singles is None:
        k = blocks + uniform
        return stirling2(n, k) * factorial(k) // (swaps * factorial(uniform))
    rest = n - singles
    if rest < 0 or singles > uniform:
        return 0
    total = sum(
        comb(rest, i)
        * factorial(blocks)
        * stirling2(rest - i, blocks)
        * stirling2(i, uniform - singles, 2)
        for i in range(rest + 1)
    )
    return comb(n, singles) * total // swaps
