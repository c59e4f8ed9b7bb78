r"""Which sides the neurons of every group may take: the strata that are components.

A group on a line with unit vector u has neurons w_k = eps_k s_k u, s_k > 0. It is *uniform* if all
eps_k are equal, else *mixed*. A uniform group has a fixed part in sum a_k w_k (the target's weight
up to sign, or 0), a mixed labelled one any multiple of its line, a mixed free one any vector v_j:

.. math:: \sum_{t\ mixed} s_t \hat w_t + \sum_{j\ mixed} v_j
          = L' = L - \sum_{t\ uniform} \epsilon_t \bar P_t \hat w_t .

With hidden biases constants that are free, of an output bias or of neurons with w = 0, add any
multiple of the last unit vector to the left side. With O outputs the P_t and s_t are vectors of
R^O, s_t w_t and v_j matrices, v_j of rank one: the pairs of matrices with a given product
(`fibres`) have components of different ranks. Proofs: ``docs/families-by-chart.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.fibres import Ranks, fibre_components
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.strata import Solutions, pinned, solutions

Floats = NDArray[np.float64]
Pattern = tuple[int, ...]
"""Per labelled group +1 or -1 if it is uniform with that side, MIXED if it is mixed."""

Levels = tuple[bool, bool]
"""Whether there are constant neurons with b > 0 and with b < 0 that are not 0."""

_RANK = 1e-9
"""Unit vectors that are dependent up to this are dependent."""
MIXED = 0
PLAIN: Ranks = (0, 0)
"""The ranks of a component without mixed free groups, or without a linear condition."""


@dataclass(frozen=True)
class Stratum:
    """The linear condition of one pattern of sides.

    Attributes
    ----------
    left : (D, O) ndarray
        L', transposed: a column for each output.
    span : (D, M) or (D, M + 1) ndarray
        The lines of the mixed labelled groups; where constants are free, the last unit vector.
    free_level : bool
        Whether constants are free.
    tol : float
        Norms up to this are 0.
    """

    left: Floats
    span: Floats
    free_level: bool
    tol: float

    @property
    def rank(self) -> int:
        """Dimension of the span."""
        return len(self.basis)

    @cached_property
    def basis(self) -> Floats:
        """Orthonormal rows that span it, (rank, D)."""
        left, values, _ = np.linalg.svd(self.span, full_matrices=False)
        return np.ascontiguousarray(left[:, : int((values > _RANK).sum())].T)

    @cached_property
    def _across(self) -> tuple[Floats, Floats, int]:
        left, _, _ = np.linalg.svd(self.basis.T)
        off = left[:, self.rank :]
        turned, sizes, outputs = np.linalg.svd(off.T @ self.left)
        return (off @ turned).T, outputs, int((sizes > self.tol).sum())

    @property
    def off(self) -> Floats:
        """Orthonormal rows (D - rank, D) off the span; first those of what is off in L'."""
        return self._across[0]

    @property
    def outputs(self) -> Floats:
        """Orthonormal rows (O, O); the first `off_rank` span the outputs of what is off in L'."""
        return self._across[1]

    @property
    def off_rank(self) -> int:
        """Rank of the part of L' off the span."""
        return self._across[2]

    @cached_property
    def solutions(self) -> Solutions | None:
        """The s with span @ s = L', None if there are none."""
        return solutions(self.span, self.left, self.tol)


def stratum(target: LineTarget, pattern: Pattern, free_level: bool) -> Stratum:
    """Return the linear condition of a pattern; for a target with a linear part."""
    assert target.linear is not None
    left = target.linear.T.copy()
    for side, weight, line in zip(pattern, target.weights, target.lines, strict=True):
        left -= side * np.outer(line, weight)
    mixed = [t for t, side in enumerate(pattern) if side == MIXED]
    span = target.lines[mixed].T
    if free_level:
        span = np.concatenate([span, _constant_line(target)[:, None]], axis=1)
    return Stratum(left, span, free_level, target.tol)


def components(
    target: LineTarget, pattern: Pattern, mixed_free: int, levels: Levels = (False, False)
) -> tuple[Ranks, ...]:
    """Return the components that networks with these sides, and different lines, make.

    Parameters
    ----------
    target : LineTarget
    pattern : tuple of int
        Sides of the labelled groups.
    mixed_free : int
        Number J of mixed free groups. Uniform ones make no difference.
    levels : (bool, bool)
        Signs of b among the constant neurons that are not 0.

    Returns
    -------
    tuple of (int, int)
        For every component the ranks of the vectors s_j and of the lines u_j off the span of
        the mixed labelled lines; `PLAIN` where there are none. Empty: no component.
    """
    if target.linear is None:
        rigid = target.bias and not target.level_free
        return (PLAIN,) * (not rigid or bool(target.constant.any()) == any(levels))
    if target.lines.shape[1] == 1:
        return (PLAIN,) * _on_the_line(target, pattern)
    free_level = target.level_free or any(levels)
    found = stratum(target, pattern, free_level)
    if mixed_free:
        return _with_pairs(target, pattern, mixed_free, found)
    space = found.solutions
    weights = target.weights[[t for t, side in enumerate(pattern) if side == MIXED]]
    if free_level:  # no rule for constants
        weights = np.concatenate([weights, np.full((1, target.outputs), np.nan)])
    if space is None or pinned(space, weights, target.tol):
        return ()
    cancelling = free_level and not target.level_free and not all(levels)
    return () if cancelling and _makes_nothing(space, target) else (PLAIN,)


def is_component(
    target: LineTarget, pattern: Pattern, mixed_free: int, levels: Levels = (False, False)
) -> bool:
    """Whether there are `components`; arguments as there."""
    return bool(components(target, pattern, mixed_free, levels))


def _with_pairs(
    target: LineTarget, pattern: Pattern, mixed_free: int, found: Stratum
) -> tuple[Ranks, ...]:
    """Return the components with s_j != 0 and lines u_j that differ from all others.

    The u_j are generic along the span and generic among vectors of rank k off it.
    """
    sizes = target.outputs, len(found.off), mixed_free, found.off_rank
    ranks = [pair for pair in fibre_components(*sizes) if pair[0] > 0]
    if found.rank >= 2:
        return tuple(ranks)
    if found.rank == 1:  # its own line is taken
        return tuple(pair for pair in ranks if pair[1] > 0)
    if mixed_free > 1:
        return tuple(pair for pair in ranks if pair[1] > 1)
    # one line: that of L', which has rank 1
    return tuple(ranks) if ranks == [(1, 1)] and not _is_taken(target, found) else ()


def _makes_nothing(space: Solutions, target: LineTarget) -> bool:
    """Whether the constants add up to 0 in all solutions.

    With one sign of b they are then limits of a free line that turns to the constants.
    """
    last = np.zeros(len(space.point))
    last[-1] = 1.0
    value = space.fixed(last, _RANK)
    return value is not None and bool(np.all(np.abs(value) <= target.tol))


def _constant_line(target: LineTarget) -> Floats:
    """Return (0, .., 0, 1), the line of neurons without a kink."""
    line = np.zeros(target.lines.shape[1])
    line[-1] = 1.0
    return line


def _on_the_line(target: LineTarget, pattern: Pattern) -> bool:
    """D = 1: both half lines have their own sum, and an empty half must have the sum 0."""
    assert target.linear is not None
    side = pattern[0]
    excess = target.linear[:, 0] - side * target.weights[0] * target.lines[0]
    return side == MIXED or target.is_zero or target.is_small(excess)


def _is_taken(target: LineTarget, found: Stratum) -> bool:
    """Whether L', of rank 1, is on the line of a labelled group or of the constants."""
    lines = [*target.lines, *([_constant_line(target)] if target.bias else [])]
    across = (found.left - np.outer(line, line @ found.left) for line in lines)
    return any(target.is_small(part) for part in across)


def patterns(target: LineTarget, most_mixed: int) -> list[Pattern]:
    """Return all patterns with at most `most_mixed` mixed groups."""
    every = product((1, -1, MIXED), repeat=target.m0)
    return [pattern for pattern in every if pattern.count(MIXED) <= most_mixed]
