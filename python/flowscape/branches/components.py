"""The connected components of the set of perfect networks, by integers and target numbers alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np

from flowscape.branches.balance import Balance, balance_of, line_balance
from flowscape.branches.exponential.family import ExponentialBranches
from flowscape.branches.family import Branches, check_family
from flowscape.branches.lines.family import LineBranches
from flowscape.branches.lines.shapes import LineShape
from flowscape.branches.shapes import ZEROS, Shape
from flowscape.errors import ProblemError

__all__ = ["check_known_paths", "connected_components"]

MOST_LISTED: int = 100_000
"""Largest family whose branches are put into components."""


def connected_components(family: Branches) -> list[tuple[int, ...]]:
    """Return the connected components of Q* as sorted tuples of branch indices.

    Parameters
    ----------
    family : Branches
        Of the student and the target.

    Returns
    -------
    list of tuple of int
        One tuple for every component; each has a path of zero loss between any two of its points
        (`connect`). A branch that falls into two pieces, each a component, stands in two of them.

    Raises
    ------
    ProblemError
        If there are more than `MOST_LISTED` branches, or the activation is even plus a linear
        function and several outputs have a number of extra neurons that is not derived.

    Notes
    -----
    Where groups are not coupled Q* is connected if a neuron can be spared (Simsek et al. 2021), and
    every branch is a component if not: m0! points for m = m0 and a generic activation. Elsewhere
    see ``docs/connectedness.md``. Exponential activations with a bias have the components of their
    images.
    """
    check_family(family)
    check_known_paths(family)
    if isinstance(family, ExponentialBranches):
        return connected_components(family.image)
    if family.count() > MOST_LISTED:
        raise ProblemError(
            f"width={family.net.width} gives {family.count()} branches and must give at most "
            f"{MOST_LISTED} to put them into components; use `connect` for two points"
        )
    s = family.setting
    if isinstance(family, LineBranches):
        keys = _line_keys(family)
    elif s.level or s.slope:
        keys = _coupled_keys(family, balance_of(s, family.target))
    else:
        keys = _plain_keys(family)
    groups: dict[Hashable, list[int]] = {}
    for key, index in keys:
        groups.setdefault(key, []).append(index)
    return sorted(tuple(group) for group in groups.values())


def _plain_keys(family: Branches) -> Iterator[tuple[Hashable, int]]:
    """Yield the component of every branch where groups are not coupled."""
    s = family.setting
    carries = family.target.has_constant and s.bias and not s.output_bias
    spare = s.width - family.target.m0 - int(carries)
    for index in range(family.count()):
        yield (None if spare else index), index


def check_known_paths(family: Branches) -> None:
    """Refuse families whose connected components are not derived."""
    if not isinstance(family, LineBranches) or family.setting.outputs == 1:
        return
    if family.setting.bias or family.lines.linear is not None:
        what = "constants and " if family.setting.bias else ""
        raise ProblemError(
            f"outputs={family.setting.outputs} with activation={str(family.net.activation)!r}: "
            f"{what}what neurons add when they turn round are vectors and matrices, and which of "
            "these the spare neurons can make is not derived; use one output"
        )


def _line_keys(family: LineBranches) -> Iterator[tuple[Hashable, int]]:
    s, lines = family.setting, family.lines
    if s.bias and lines.linear is None:
        yield from _plain_keys(family)
        return
    if s.incoming > 1 or lines.linear is None:
        yield from _coupled_keys(family, line_balance(s, lines))
        return
    # on the one line of d = 1 both sides have sums of their own
    linear = lines.linear[:, 0]
    sums = lines.weights[0] + linear, lines.weights[0] - linear
    needed = sum(float(np.linalg.norm(total)) > lines.tol for total in sums)
    for index in range(family.count()):
        yield (None if s.width > needed else index), index


def _coupled_keys(family: Branches, balance: Balance) -> Iterator[tuple[Hashable, int]]:
    """Yield the component of every branch; the same for all branches of an orbit, or its own."""
    start = 0
    for shape, end in zip(family.shapes, family.ends, strict=True):
        constant = balance.makes_constant and _has_constant(family, shape)
        found = balance.class_of(_pattern(shape, balance), constant)
        for index in range(start, end):
            shared = found.kind in ("all", "signs")
            yield (found if shared else index), index
            if found.kind == "pair":  # its weight may be positive or negative
                yield (index, "negative"), index
        start = end


def _has_constant(family: Branches, shape: Shape | LineShape) -> bool:
    """Whether neurons with zero input weight make constants other than 0."""
    if isinstance(shape, LineShape):
        assert isinstance(family, LineBranches)
        return any(family.lines.levels(shape.constant_sides))
    return shape.constant.size > 0 and shape.constant.kind != ZEROS


def _pattern(shape: Shape | LineShape, balance: Balance) -> tuple[int, ...]:
    """Return the sign of every label, 0 if its group has both."""
    if isinstance(shape, LineShape):
        return shape.pattern[: balance.m0]
    if not shape.minus:  # signs are symmetries
        return (1,) * balance.m0
    pairs = zip(shape.labelled, shape.minus, strict=False)
    return tuple(1 if minus == 0 else -1 if minus == size else 0 for size, minus in pairs)
