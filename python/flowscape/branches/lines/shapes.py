"""Orbits and counts of branches of positively homogeneous students.

An orbit is given by the numbers of neurons on both sides of every line. Its sets are numbered
0 .. count-1 without being listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement, groupby, product
from math import comb

from flowscape.branches.fibres import Ranks
from flowscape.branches.lines.strata import MIXED, PLAIN, Pattern, components
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.partitions import (
    Blocks,
    compositions,
    count_blocks,
    integer_partitions,
    unrank_blocks,
)
from flowscape.branches.shapes import EMPTY, OPEN, SILENT, ConstantType

Sides = tuple[int, int]
"""Numbers of neurons on the two sides of a line."""


@dataclass(frozen=True)
class LineShape:
    """One orbit of branches under permutations of the neurons.

    Attributes
    ----------
    silent : int
        Number of neurons with v = 0: all or none.
    labelled_sides : tuple of (int, int)
        Numbers of neurons along the target's line and against it.
    free_sides : tuple of (int, int)
        Numbers of neurons on both sides of free lines, the larger one first.
    constant_sides : (int, int)
        Numbers of constant neurons, w = 0, with b > 0 and b < 0 (about the kink).
    ranks : (int, int) or None
        Of the component (`strata.components`), for several outputs and mixed free groups.
    """

    silent: int
    labelled_sides: tuple[Sides, ...]
    free_sides: tuple[Sides, ...]
    constant_sides: Sides = (0, 0)
    ranks: Ranks | None = None

    @property
    def labelled(self) -> tuple[int, ...]:
        """Sizes of the labelled groups."""
        return tuple(map(sum, self.labelled_sides))

    @property
    def free(self) -> tuple[int, ...]:
        """Sizes of the free groups."""
        return tuple(map(sum, self.free_sides))

    @property
    def constant(self) -> ConstantType:
        """The silent or the constant neurons, as a group."""
        if self.silent:
            return ConstantType(SILENT, self.silent)
        size = sum(self.constant_sides)
        return ConstantType(OPEN if size else EMPTY, size)

    @property
    def r(self) -> int:
        """Number of lines."""
        return len(self.labelled_sides) + len(self.free_sides)

    @property
    def l(self) -> int:  # noqa: E743
        """Deficient number: free lines of one neuron."""
        return self.free.count(1)

    @property
    def width(self) -> int:
        """Number of neurons."""
        return self._without_line + sum(self.labelled) + sum(self.free)

    @property
    def _without_line(self) -> int:
        return self.silent + sum(self.constant_sides)

    @property
    def pattern(self) -> Pattern:
        """Sides of the labelled groups."""
        return tuple(_side(sides) for sides in self.labelled_sides)

    @property
    def mixed_free(self) -> int:
        """Number of free lines with neurons on both sides."""
        return sum(min(sides) > 0 for sides in self.free_sides)

    @cached_property
    def _runs(self) -> tuple[tuple[Sides, int], ...]:
        return tuple((sides, len(list(run))) for sides, run in groupby(self.free_sides))

    @cached_property
    def _fixed(self) -> tuple[int, ...]:
        unions = tuple(sum(sides) * number for sides, number in self._runs)
        return (self._without_line, *self.labelled, *unions)

    @property
    def n_sets(self) -> int:
        """Number of branches of the orbit."""
        total = self.n_partitions
        for plus, minus in (self.constant_sides, *self.labelled_sides):
            total *= comb(plus + minus, plus)
        for sides in self.free_sides:
            total *= _n_free_sides(sides)
        return total

    @property
    def n_partitions(self) -> int:
        """Number of ways to put the neurons into the groups."""
        total = count_blocks(self.width, self._fixed, ())
        for sides, number in self._runs:
            total *= _n_splits(sides, number)
        return total

    def member(self, rank: int) -> tuple[Blocks, tuple[int, ...]]:
        """Return the groups and the signs of set number `rank`.

        First the silent or constant neurons, then the labelled and the free groups.
        """
        rank, digit = divmod(rank, count_blocks(self.width, self._fixed, ()))
        unions = unrank_blocks(self.width, self._fixed, (), digit)
        head = 1 + len(self.labelled_sides)
        blocks = list(unions[:head])
        for union, (sides, number) in zip(unions[head:], self._runs, strict=True):
            rank, digit = divmod(rank, _n_splits(sides, number))
            split = unrank_blocks(len(union), (), (sum(sides),) * number, digit)
            blocks += [tuple(union[i] for i in part) for part in split]
        signs = [1] * self.width
        fixed = (self.constant_sides, *self.labelled_sides)
        for block, (plus, minus) in zip(blocks[:head], fixed, strict=True):
            rank, digit = divmod(rank, comb(plus + minus, plus))
            against = unrank_blocks(plus + minus, (plus, minus), (), digit)[1]
            for i in against:
                signs[block[i]] = -1
        for block, sides in zip(blocks[head:], self.free_sides, strict=True):
            rank, digit = divmod(rank, _n_free_sides(sides))
            for i in _against(sides, digit):
                signs[block[i]] = -1
        return tuple(blocks), tuple(signs)

    def describe(self) -> str:
        """Return a short name: ``labelled 2+1, 1 | free 1`` has two sides in the first group."""
        parts = []
        for word, groups in (("labelled", self.labelled_sides), ("free", self.free_sides)):
            if groups:
                parts.append(f"{word} " + ", ".join(_words(*sides) for sides in groups))
        if self.silent:
            parts.append(f"silent {self.silent}")
        if any(self.constant_sides):
            parts.append(f"constant {_words(*self.constant_sides)}")
        if self.ranks:
            parts.append("ranks {}, {}".format(*self.ranks))
        return " | ".join(parts)


def _words(plus: int, minus: int) -> str:
    if minus == 0:
        return str(plus)
    return f"{plus}+{minus}" if plus else f"-{minus}"


def _side(sides: Sides) -> int:
    return MIXED if min(sides) > 0 else (1 if sides[0] else -1)


def _n_splits(sides: Sides, number: int) -> int:
    size = sum(sides)
    return count_blocks(size * number, (), (size,) * number)


def _n_free_sides(sides: Sides) -> int:
    """Ways to choose the sides in a free group, whose first neuron has sign +."""
    plus, minus = sides
    if plus == minus:
        return comb(plus + minus - 1, plus - 1)
    return comb(plus + minus, plus)


def _against(sides: Sides, digit: int) -> tuple[int, ...]:
    """Return the places on the side that the first neuron is not on."""
    size = sum(sides)
    for along in dict.fromkeys(sides):
        if along == 0:
            continue
        ways = comb(size - 1, along - 1)
        if digit < ways:
            others = unrank_blocks(size - 1, (along - 1, size - along), (), digit)[1]
            return tuple(i + 1 for i in others)
        digit -= ways
    raise IndexError(digit)


def line_shapes(target: LineTarget, width: int) -> Iterator[LineShape]:
    """Yield the orbits that are components: by constants, r, then sizes, then sides."""
    m0, flat = target.m0, target.lines.shape[1] == 1
    if target.has_silent(width):
        yield LineShape(width, (), ())
    for still in range(width - m0 + 1 if target.bias else 1):
        rest = width - still
        for against in range(still + 1):
            constant = (still - against, against)
            for free in range(0, 1 if flat else rest - m0 + 1):
                for spent in range(m0, rest - free + 1):
                    for labelled in compositions(spent, m0):
                        for sizes in integer_partitions(rest - spent, free):
                            yield from _with_sides(target, labelled, sizes, constant)


def _with_sides(
    target: LineTarget, labelled: tuple[int, ...], free: tuple[int, ...], constant: Sides
) -> Iterator[LineShape]:
    choices = [[(n - against, against) for against in range(n + 1)] for n in labelled]
    runs = [
        list(combinations_with_replacement([(n - k, k) for k in range(n // 2 + 1)], len(list(run))))
        for n, run in groupby(free)
    ]
    levels = target.levels(constant)
    for sides in product(*choices):
        pattern = tuple(map(_side, sides))
        made: dict[int, tuple[Ranks, ...]] = {}
        for picked in product(*runs):
            groups = tuple(pair for run in picked for pair in run)
            mixed = sum(min(pair) > 0 for pair in groups)
            if mixed not in made:
                made[mixed] = components(target, pattern, mixed, levels)
            for ranks in made[mixed]:
                told = target.outputs > 1 and ranks != PLAIN
                yield LineShape(0, sides, groups, constant, ranks if told else None)
