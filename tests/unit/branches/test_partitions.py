"""Counts against brute-force listings; ranks against their inverses."""

from __future__ import annotations

from itertools import product
from math import comb, factorial

import pytest

from flowscape.branches import count_branches
from flowscape.branches.partitions import (
    compositions,
    count_blocks,
    count_labelled,
    integer_partitions,
    rank_blocks,
    stirling2,
    unrank_blocks,
)
from flowscape.errors import OptionError


def listed_branches(m: int, m0: int) -> set[frozenset[tuple[int, frozenset[int]]]]:
    """List the branches as sets: m0 labelled groups, all non-empty, the rest in free groups."""
    found = set()
    for colours in product(range(m), repeat=m):
        groups: dict[int, set[int]] = {}
        for neuron, colour in enumerate(colours):
            groups.setdefault(colour, set()).add(neuron)
        if not set(range(m0)) <= set(groups):
            continue
        found.add(frozenset((c if c < m0 else -1, frozenset(group)) for c, group in groups.items()))
    return found


@pytest.mark.parametrize(
    ("m", "m0", "count"), [(2, 1, 3), (3, 1, 10), (4, 1, 37), (4, 2, 62), (5, 1, 151)]
)
def test_known_counts(m, m0, count):
    assert count_branches(m, m0) == count


@pytest.mark.parametrize(("m", "m0"), [(1, 0), (3, 0), (3, 2), (4, 1), (4, 2), (4, 3), (5, 2)])
def test_counts_are_those_of_the_brute_force_listing(m, m0):
    listed = listed_branches(m, m0)
    assert count_branches(m, m0) == len(listed)
    for r in range(m + 2):
        of_size = [branch for branch in listed if len(branch) == r]
        assert count_branches(m, m0, r) == len(of_size)
        for deficient in range(m + 1):
            alone = [
                branch
                for branch in of_size
                if sum(label < 0 and len(group) == 1 for label, group in branch) == deficient
            ]
            if r >= m0:
                assert count_labelled(m, m0, r - m0, deficient) == len(alone)


def test_fewer_neurons_than_the_target_give_no_branch():
    assert count_branches(2, 3) == 0


def test_counts_are_exact_beyond_machine_integers():
    # S(60, 60) 60!/(60-1)! = 60 and Bell-like totals by the recurrence of their own
    assert count_branches(60, 1, 60) == 60
    assert count_branches(60, 60) == stirling2(60, 60) * factorial(60)


@pytest.mark.parametrize("arguments", [(0, 1), (2.0, 1), (2, -1), (True, 1), (2, 1, -1)])
def test_counts_refuse_what_is_no_count(arguments):
    with pytest.raises(OptionError, match="must be an integer"):
        count_branches(*arguments)


@pytest.mark.parametrize("smallest", [1, 2])
def test_stirling_numbers_add_up_over_the_block_of_the_last_thing(smallest):
    for n in range(1, 8):
        for k in range(1, n + 1):
            direct = sum(
                comb(n - 1, size - 1) * stirling2(n - size, k - 1, smallest)
                for size in range(smallest, n + 1)
            )
            assert stirling2(n, k, smallest) == direct


def test_sizes_are_listed_once_and_add_up():
    listed = list(compositions(7, 3))
    assert len(set(listed)) == len(listed) == comb(6, 2)
    assert all(sum(sizes) == 7 and min(sizes) >= 1 for sizes in listed)
    parts = list(integer_partitions(9, 4))
    expected = {tuple(sorted(sizes, reverse=True)) for sizes in compositions(9, 4)}
    assert len(parts) == len(expected)
    assert set(parts) == expected


@pytest.mark.parametrize(
    ("labelled", "free"), [((0, 2), (2, 1, 1)), ((1, 1, 2), (1, 1)), ((0,), (2, 2, 1)), ((3,), ())]
)
def test_every_partition_has_one_rank(labelled, free):
    m = sum(labelled) + sum(free)
    total = count_blocks(m, labelled, free)
    seen = set()
    for rank in range(total):
        blocks = unrank_blocks(m, labelled, free, rank)
        assert sorted(k for block in blocks for k in block) == list(range(m))
        assert tuple(map(len, blocks)) == (*labelled, *free)
        assert rank_blocks(m, labelled, free, blocks) == rank
        fixed, rest = blocks[: len(labelled)], blocks[len(labelled) :]
        seen.add((fixed, frozenset(rest)))
    assert len(seen) == total


def test_wide_networks_are_counted_in_any_order():
    """Against the sum over surjections; a recursion would be too deep."""
    for n, k in ((300, 7), (300, 299), (250, 100)):
        surjections = sum((-1) ** i * comb(k, i) * (k - i) ** n for i in range(k + 1))
        assert stirling2(n, k) * factorial(k) == surjections
    assert stirling2(300, 150, 2) == factorial(300) // (2**150 * factorial(150))
    assert stirling2(301, 151, 2) == 0
    assert count_branches(300, 300) == factorial(300)
    with pytest.raises(OptionError, match="m=301 must be an integer >= 1 and <= 300"):
        count_branches(301, 1)
