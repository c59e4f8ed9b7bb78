r"""Which sides the neurons of every group may take: the strata that are components.

A group on a line with unit vector u has neurons w_k = eps_k s_k u, s_k > 0. It is *uniform* if all
eps_k are equal, else *mixed*. A uniform group has a fixed part in sum a_k w_k (the target's weight
up to sign, or 0), a mixed labelled one any multiple of its line, a mixed free one any vector v_j:

.. math:: \sum_{t\ mixed} s_t \hat w_t + \sum_{j\ mixed} v_j
          = L' = L - \sum_{t\ uniform} \epsilon_t \bar P_t \hat w_t .

With hidden biases constants that are free, of an output bias or of neurons with w = 0, add any
multiple of the last unit vector to the left side. Proofs: ``docs/families-by-chart.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

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
MANY = 3
"""From so many mixed free groups on, the number of them makes no difference."""


@dataclass(frozen=True)
class Stratum:
    """The linear condition of one pattern of sides.

    Attributes
    ----------
    left : (D,) ndarray
        L'.
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
        return np.ascontiguousarray(left[:, values > _RANK].T)

    @cached_property
    def solutions(self) -> Solutions | None:
        """The s with span @ s = L', None if there are none."""
        return solutions(self.span, self.left, self.tol)


def stratum(target: LineTarget, pattern: Pattern, free_level: bool) -> Stratum:
    """Return the linear condition of a pattern; for a target with a linear part."""
    assert target.linear is not None
    left = target.linear.copy()
    for side, weight, line in zip(pattern, target.weights, target.lines, strict=True):
        left -= side * weight * line
    mixed = [t for t, side in enumerate(pattern) if side == MIXED]
    span = target.lines[mixed].T
    if free_level:
        span = np.concatenate([span, _constant_line(target)[:, None]], axis=1)
    return Stratum(left, span, free_level, target.tol)


def is_component(
    target: LineTarget, pattern: Pattern, mixed_free: int, levels: Levels = (False, False)
) -> bool:
    """Whether networks with these sides, and pairwise different lines, make a component.

    Parameters
    ----------
    target : LineTarget
    pattern : tuple of int
        Sides of the labelled groups.
    mixed_free : int
        Number J of mixed free groups. Uniform ones make no difference.
    levels : (bool, bool)
        Signs of b among the constant neurons that are not 0.
    """
    free_level = target.level_free or any(levels)
    if target.linear is None:
        if not target.bias or target.level_free:
            return True
        return (target.constant != 0.0) == any(levels)
    if target.lines.shape[1] == 1:
        return _on_the_line(target, pattern)
    if mixed_free >= MANY:
        return True
    found = stratum(target, pattern, free_level)
    no_left = target.is_small(found.left)
    if mixed_free == 2:
        return bool(found.span.size) or not no_left
    if mixed_free == 1:
        return not _in_one_line(target, pattern, found, no_left)
    space = found.solutions
    mixed = [t for t, side in enumerate(pattern) if side == MIXED]
    weights = np.concatenate([target.weights[mixed], [np.nan] * free_level])  # constants: no rule
    if space is None or pinned(space, weights, target.tol):
        return False
    return target.level_free or not free_level or all(levels) or not _makes_nothing(space, target)


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
    excess = target.linear - side * target.weights[0] * target.lines[0]
    return side == MIXED or target.is_zero or target.is_small(excess)


def _in_one_line(target: LineTarget, pattern: Pattern, found: Stratum, no_left: bool) -> bool:
    """Whether L' + span is 0 or part of a line that is taken: then v_j has none of its own.

    Taken are those of labelled groups and that of the constants.
    """
    if found.rank >= 2:
        return False
    if found.rank == 0 and no_left:
        return True
    lines = list(found.span.T)
    if not lines:
        lines = [*target.lines, *([_constant_line(target)] if target.bias else [])]
    for line in lines:
        across = found.left - (found.left @ line) * line
        if target.is_small(across):
            return True
    return False


def patterns(target: LineTarget, most_mixed: int) -> list[Pattern]:
    """Return all patterns with at most `most_mixed` mixed groups."""
    every = product((1, -1, MIXED), repeat=target.m0)
    return [pattern for pattern in every if pattern.count(MIXED) <= most_mixed]
