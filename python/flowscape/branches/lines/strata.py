r"""Which sides the neurons of every group may take: the strata that are components.

A group on a line with unit vector u has neurons w_k = eps_k s_k u, s_k > 0. It is *uniform* if all
eps_k are equal, else *mixed*. A uniform group has a fixed part in sum a_k w_k (the target's weight
up to sign, or 0), a mixed labelled one any multiple of its line, a mixed free one any vector v_j:

.. math:: \sum_{t\ mixed} s_t \hat w_t + \sum_{j\ mixed} v_j
          = L' = L - \sum_{t\ uniform} \epsilon_t \bar P_t \hat w_t .

The rules are proven in ``docs/families-by-chart.md``.
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
    left : (d,) ndarray
        L'.
    span : (d, M) ndarray
        The lines of the mixed labelled groups.
    tol : float
        Norms up to this are 0.
    """

    left: Floats
    span: Floats

    tol: float

    @property
    def rank(self) -> int:
        """Dimension of the span."""
        return len(self.basis)

    @cached_property
    def basis(self) -> Floats:
        """Orthonormal rows that span it, (rank, d)."""
        left, values, _ = np.linalg.svd(self.span, full_matrices=False)
        return np.ascontiguousarray(left[:, values > _RANK].T)

    @cached_property
    def solutions(self) -> Solutions | None:
        """The s with span @ s = L', None if there are none."""
        return solutions(self.span, self.left, self.tol)


def stratum(target: LineTarget, pattern: Pattern) -> Stratum:
    """Return the linear condition of a pattern; for a target with a linear part."""
    assert target.linear is not None
    left = target.linear.copy()
    for side, weight, line in zip(pattern, target.weights, target.lines, strict=True):
        left -= side * weight * line
    mixed = [t for t, side in enumerate(pattern) if side == MIXED]
    return Stratum(left, target.lines[mixed].T, target.tol)


def is_component(target: LineTarget, pattern: Pattern, mixed_free: int) -> bool:
    """Whether networks with these sides, and pairwise different lines, make a component.

    Parameters
    ----------
    target : LineTarget
    pattern : tuple of int
        Sides of the labelled groups.
    mixed_free : int
        Number J of mixed free groups. Uniform ones make no difference.
    """
    if target.linear is None:
        return True
    if target.lines.shape[1] == 1:
        return _on_the_line(target, pattern)
    if mixed_free >= MANY:
        return True
    found = stratum(target, pattern)
    no_left = target.is_small(found.left)
    if mixed_free == 2:
        return bool(found.span.size) or not no_left
    if mixed_free == 1:
        return not _in_one_line(target, pattern, found, no_left)
    space = found.solutions
    mixed = [t for t, side in enumerate(pattern) if side == MIXED]
    return space is not None and not pinned(space, target.weights[mixed], target.tol)


def _on_the_line(target: LineTarget, pattern: Pattern) -> bool:
    """D = 1: both half lines have their own sum, and an empty half must have the sum 0."""
    assert target.linear is not None
    side = pattern[0]
    excess = target.linear - side * target.weights[0] * target.lines[0]
    return side == MIXED or target.is_zero or target.is_small(excess)


def _in_one_line(target: LineTarget, pattern: Pattern, found: Stratum, no_left: bool) -> bool:
    """Whether L' + span is 0 or part of a labelled line: then v_j has no line of its own."""
    if found.rank >= 2:
        return False
    mixed = [t for t, side in enumerate(pattern) if side == MIXED]
    if not mixed and no_left:
        return True
    lines = target.lines[mixed] if mixed else target.lines
    for line in lines:
        across = found.left - (found.left @ line) * line
        if target.is_small(across):
            return True
    return False


def patterns(target: LineTarget, most_mixed: int) -> list[Pattern]:
    """Return all patterns with at most `most_mixed` mixed groups."""
    every = product((1, -1, MIXED), repeat=target.m0)
    return [pattern for pattern in every if pattern.count(MIXED) <= most_mixed]
