"""Orbit types of branches: group sizes and the kind of the constant group.

A `Shape` is one orbit of branches under permutations of the neurons and, where they are
symmetries, sign flips. Its sets are numbered 0 .. count-1 without being listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise, permutations, product
from math import comb, prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.fibres import Ranks
from flowscape.branches.groups import sign_choices
from flowscape.branches.partitions import (
    Blocks,
    compositions,
    count_blocks,
    count_labelled,
    integer_partitions,
    iterate_blocks,
    rank_blocks,
    unrank_blocks,
)
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]
Sheet = tuple[float, float]
Variant = tuple[float, ...] | Sheet

EMPTY = "none"
SILENT = "silent"
LEVEL = "level"
ZEROS = "zeros"
SHEET = "sheet"
CURVED = "curved"
OPEN = "open"


@dataclass(frozen=True)
class ConstantType:
    """What the neurons with zero input weight of a branch obey, up to sign flips.

    Attributes
    ----------
    kind : str
        ``none`` (there are none), ``silent`` (w = 0 with sigma(0) = 0, a free), ``level``
        (no bias, w = 0 and c + sigma(0) sum a = C0), ``zeros`` (every b is a zero of sigma,
        a free), ``sheet`` (one neuron, a sigma(b) = C0 != 0, b in one interval between zeros),
        ``curved`` (c + sum a sigma(b) = C0), ``open`` (a and b are free; only within a coupled
        branch, whose other equations fix the constant).
    size : int
        Number of neurons.
    variants : tuple
        The sets of one orbit that differ in this group only: the zeros of the neurons in
        order, or the intervals of b. One empty entry where there is no choice.
    """

    kind: str
    size: int
    variants: tuple[Variant, ...] = ((),)


class OrbitShape(Protocol):
    """What every family knows of an orbit: the sizes of its groups."""

    @property
    def constant(self) -> ConstantType:
        """The constant group."""

    @property
    def labelled(self) -> tuple[int, ...]:
        """Sizes of the labelled groups, in order."""

    @property
    def free(self) -> tuple[int, ...]:
        """Sizes of the free groups."""

    @property
    def r(self) -> int:
        """Number of labelled and free groups."""

    @property
    def l(self) -> int:  # noqa: E743
        """Deficient number: free groups of one neuron."""

    def describe(self) -> str:
        """Return a short name."""


@dataclass(frozen=True)
class Shape:
    """One orbit: a constant group, sizes of the labelled groups in order, sizes of the free.

    `minus` is empty where sign flips of single neurons are symmetries, or there are none.
    Else it gives the number of minus signs of every labelled group and, the overall sign of a free
    group being no choice, the smaller number of equal signs of every free one.
    """

    constant: ConstantType
    labelled: tuple[int, ...]
    free: tuple[int, ...]
    minus: tuple[int, ...] = ()
    ranks: Ranks | None = None

    @property
    def r(self) -> int:
        """Number of labelled and free groups."""
        return len(self.labelled) + len(self.free)

    @property
    def l(self) -> int:  # noqa: E743
        """Deficient number: free groups of one neuron."""
        return self.free.count(1)

    @property
    def width(self) -> int:
        """Number of neurons."""
        return self.constant.size + sum(self.labelled) + sum(self.free)

    def signs(self, place: int, signed: bool) -> Floats:
        """Return the sign vectors (S, size) of a labelled or free group."""
        size = (*self.labelled, *self.free)[place]
        free = place >= len(self.labelled)
        return sign_choices(size, signed, free, self.minus[place] if self.minus else None)

    def sign_tables(self, signed: bool) -> list[Floats]:
        """Return `signs` of all labelled and free groups."""
        return [self.signs(place, signed) for place in range(self.r)]

    @property
    def n_partitions(self) -> int:
        """Number of ways to put the neurons into the groups."""
        return count_blocks(self.width, self._fixed, self.free, self._marks)

    def n_sets(self, signed: bool) -> int:
        """Return the number of branches of the orbit."""
        choices = prod(len(table) for table in self.sign_tables(signed))
        return self.n_partitions * choices * len(self.constant.variants)

    @property
    def _marks(self) -> tuple[int, ...]:
        return self.minus[len(self.labelled) :]

    @property
    def _fixed(self) -> tuple[int, ...]:
        return (self.constant.size, *self.labelled)

    def blocks(self, rank: int) -> Blocks:
        """Return the groups of a partition: the constant one, labelled ones, free ones."""
        return unrank_blocks(self.width, self._fixed, self.free, rank, self._marks)

    def all_blocks(self) -> Iterator[Blocks]:
        """Yield the groups of all partitions, in the order of their ranks."""
        return iterate_blocks(self.width, self._fixed, self.free, self._marks)

    def rank(self, blocks: Blocks) -> int:
        """Return the number of a partition; inverse of `blocks`."""
        return rank_blocks(self.width, self._fixed, self.free, blocks, self._marks)

    def describe(self) -> str:
        """Return a short name: sizes of the groups, ``labelled 2, 1 | free 1 | constant 1``.

        Where signs matter, ``labelled 2+1-`` has two plus and one minus sign, ``labelled 2-``
        minus signs only, ``ranks 1, 2`` the ranks.
        """
        parts, m0 = [], len(self.labelled)
        if self.labelled:
            words = _with_signs(self.labelled, self.minus[:m0])
            parts.append("labelled " + ", ".join(words))
        if self.free:
            parts.append("free " + ", ".join(_with_signs(self.free, self.minus[m0:])))
        if self.constant.size:
            word = "silent" if self.constant.kind == SILENT else f"constant ({self.constant.kind})"
            parts.append(f"{word} {self.constant.size}")
        if self.ranks:
            parts.append("ranks {}, {}".format(*self.ranks))
        return " | ".join(parts)


def _with_signs(sizes: tuple[int, ...], minus: tuple[int, ...]) -> list[str]:
    words = []
    for size, count in zip(sizes, minus or (0,) * len(sizes), strict=True):
        plus = f"{size - count}+" if 0 < count < size else str(size - count)
        words.append(plus * (count < size) + f"{count}-" * (count > 0))
    return words


def constant_types(setting: Setting, has_constant: bool, most: int) -> Iterator[ConstantType]:
    """Yield the constant groups of at most `most` neurons, smallest first.

    Parameters
    ----------
    setting : Setting
        The student.
    has_constant : bool
        Whether the target has a constant part C0 != 0.
    most : int
        Neurons that no target neuron needs.

    Notes
    -----
    Theory, "The constant group". Which of these sets lie in the closure of another, and
    therefore are missing here, is checked by brute force in ``test_components.py``.
    """
    free_output = setting.output_bias
    if free_output or not has_constant:
        yield ConstantType(EMPTY, 0)
    if not setting.bias:
        if setting.silent:
            yield from (ConstantType(SILENT, q) for q in range(1, most + 1))
        elif free_output:
            yield from (ConstantType(LEVEL, q) for q in range(1, most + 1))
        return
    for q in range(1, most + 1):
        if free_output or q >= 2:
            yield ConstantType(CURVED, q)
        if free_output:
            continue
        if has_constant and q == 1:
            yield from sheet_types(setting)
        if not has_constant and q <= setting.outputs:
            yield from zero_types(setting, q)


def sheet_types(setting: Setting) -> Iterator[ConstantType]:
    """Yield the single neurons that make C0 != 0, one for each interval between zeros."""
    yield from (ConstantType(SHEET, 1, sheets) for sheets in _sheet_orbits(setting))


def zero_types(setting: Setting, q: int) -> Iterator[ConstantType]:
    """Yield the q neurons that sit at zeros of sigma."""
    yield from (ConstantType(ZEROS, q, rows) for rows in _zero_orbits(setting, q))


def _mirror(setting: Setting, z: float) -> float:
    """Return the zero nearest to the reflection of z in the centre."""
    return min(setting.zeros, key=lambda other: abs(2 * setting.centre - z - other))


def _zero_orbits(setting: Setting, q: int) -> Iterator[tuple[Variant, ...]]:
    single = [(z,) for z in setting.zeros]
    pairs = [tuple(sorted({z, _mirror(setting, z)})) for z in setting.zeros]
    classes = list(dict.fromkeys(pairs if setting.mirrored else single))
    for chosen in combinations_with_replacement(classes, q):
        orders = dict.fromkeys(permutations(chosen))
        yield tuple(row for order in orders for row in product(*order))


def _sheet_orbits(setting: Setting) -> Iterator[tuple[Variant, ...]]:
    ends = (-float("inf"), *setting.zeros, float("inf"))
    sheets = list(pairwise(ends))
    if not setting.mirrored:
        yield from ((sheet,) for sheet in sheets)
        return
    # reflection in the centre reverses the order of the intervals
    for first in range((len(sheets) + 1) // 2):
        last = len(sheets) - 1 - first
        yield (sheets[first],) if first == last else (sheets[first], sheets[last])


def shapes(setting: Setting, m0: int, has_constant: bool) -> Iterator[Shape]:
    """Yield the orbits: by size of the constant group, then r, then sizes."""
    m = setting.width
    for constant in constant_types(setting, has_constant, m - m0):
        rest = m - constant.size
        for r in range(m0, rest + 1):
            for labelled, free in group_sizes(rest, m0, r - m0):
                yield Shape(constant, labelled, free)


def group_sizes(rest: int, m0: int, free: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield the sizes of m0 labelled and of `free` free groups of `rest` neurons."""
    for spent in range(m0, rest - free + 1):
        for labelled in compositions(spent, m0):
            for sizes in integer_partitions(rest - spent, free):
                yield labelled, sizes


def count_sets(
    setting: Setting, m0: int, has_constant: bool, r: int | None, deficient: int | None
) -> int:
    """Return the number of branches, exactly and without listing orbits."""
    m, total = setting.width, 0
    for constant in constant_types(setting, has_constant, m - m0):
        rest = m - constant.size
        for groups in range(m0, rest + 1) if r is None else (r,):
            if not m0 <= groups <= rest:
                continue
            free = groups - m0
            signs = 2 ** (rest - free) if setting.signed else 1
            ways = count_labelled(rest, m0, free, deficient)
            total += comb(m, rest) * ways * signs * len(constant.variants)
    return total
