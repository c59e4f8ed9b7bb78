"""Where closures of an even plus linear activation meet, one output; docs/intersections.md.

The points where all linear equations and sum t u = L hold are, with q the free t of the free
classes, s those at target vectors, U the free vectors and kappa what constants make,

    W s + U q (+ kappa e) = L'.

Where q != 0 the closures' conditions on ranks hold by themselves: one piece, a bundle. Where q = 0
they are conditions on U beside linear equations: further pieces, if these are not limits of q != 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.conditions import Condition, conditions, orthonormal
from flowscape.branches.coupled.joined import Joined, NeuronClass
from flowscape.branches.coupled.linear import LinearCoupling
from flowscape.branches.intersections.bilinear import BilinearSubspace
from flowscape.branches.intersections.curved import bias_intervals
from flowscape.branches.intersections.curved_subspace import CurvedSubspace
from flowscape.branches.intersections.cut import Cut, CutSubspace, Members
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.intersections.union import UnionOfPieces
from flowscape.branches.parts import BranchParts
from flowscape.branches.strata import solutions
from flowscape.errors import ProblemError

__all__ = ["Meeting", "intersect_linear"]

Floats = NDArray[np.float64]
Flat = AffineSubspace | CurvedSubspace
Meeting = AffineSubspace | CurvedSubspace | BilinearSubspace | CutSubspace | UnionOfPieces
Intervals = tuple[tuple[int, float, float], ...]

_GENERIC = 1e-9
"""Singular values of unit vectors in general position are larger."""


def intersect_linear(
    branches: Sequence[BranchParts], couplings: Sequence[LinearCoupling]
) -> Meeting | None:
    """Return the intersection of branches of one even plus linear family, None if it is empty.

    Raises
    ------
    ProblemError
        If conditions on ranks overlap; see `conditions`.
    """
    joined = Joined(branches)
    if not joined.consistent:
        return None
    found: list[BilinearSubspace | CutSubspace | AffineSubspace | CurvedSubspace] = []
    if joined.pairs:
        found.append(_bundle(joined))
    found += _rest(joined, couplings)
    if len(found) < 2:
        return found[0] if found else None
    return UnionOfPieces(tuple(sorted(found, key=lambda piece: -piece.dim)))


def _members(one: NeuronClass) -> Members:
    return tuple(zip(one.neurons, one.signs, strict=True))


def _flat(joined: Joined) -> tuple[int, ...]:
    return tuple(k for one in joined.classes if one.flat for k in one.neurons)


def _bundle(joined: Joined) -> BilinearSubspace:
    """Return the piece where q != 0: its last incoming vector solves the equation."""
    s, span = joined.setting, orthonormal(joined.span)
    inside = solutions(joined.span, joined.right, joined.rules.tol) is not None
    ranked = inside and len(joined.pairs) + span.shape[1] <= s.incoming
    pairs = tuple(_members(one) for one in joined.pairs)
    linear, dim = joined.linear((), (), 0), joined.dim - s.incoming
    return BilinearSubspace(s, linear, _flat(joined), joined.whole, pairs, span, ranked, dim)


def _rest(
    joined: Joined, couplings: Sequence[LinearCoupling]
) -> list[CutSubspace | AffineSubspace | CurvedSubspace]:
    """Return the pieces with q = 0 that are not limits of q != 0."""
    intervals = None if joined.biases is None else bias_intervals(joined.branches, joined.biases)
    if intervals is None and joined.biases is not None:
        return []
    span, d = orthonormal(joined.span), joined.setting.incoming
    if joined.pairs and len(joined.pairs) + span.shape[1] > d:
        return []
    if solutions(joined.span, joined.right, joined.rules.tol) is None:
        return []
    held = conditions(joined, couplings)
    if held is None or (joined.pairs and _is_limit(joined, held, span)):
        return []
    if pinned := [k for one in held if one.classes[0].flat for k in one.classes[0].neurons]:
        again = Joined(joined.branches, pinned)
        return _rest(again, couplings) if again.consistent else []
    base = _base(joined, held, intervals or ())
    cuts = tuple(
        Cut(tuple(_members(c) for c in one.classes), one.space)
        for one in held
        if len(one.classes) > 1
    )
    codim = sum(one.codim for one in held if len(one.classes) > 1)
    if not cuts:
        return list(base)
    return [CutSubspace(joined.setting, piece, cuts, piece.dim - codim) for piece in base]


def _is_limit(joined: Joined, held: Sequence[Condition], span: Floats) -> bool:
    """Whether generic vectors that obey the conditions are, in `pairs`, dependent modulo `span`.

    Almost surely decided by one random choice of them.
    """
    rng, d = np.random.default_rng(0), joined.setting.incoming
    vectors = {one: rng.normal(size=d) for one in joined.free}
    for condition in held:
        inside = condition.space @ rng.normal(size=condition.space.shape[1])
        for one in condition.classes[1:]:
            inside = inside + rng.normal() * vectors[one]
        vectors[condition.classes[0]] = inside
    columns = np.array([vectors[one] for one in joined.pairs]).T
    columns = columns - span @ (span.T @ columns)
    values = np.linalg.svd(columns, compute_uv=False)
    return bool(values[-1] <= _GENERIC)


def _base(joined: Joined, held: Sequence[Condition], intervals: Intervals) -> tuple[Flat, ...]:
    """Return the pieces of q = 0 under all but the conditions on several vectors."""
    s, d = joined.setting, joined.setting.incoming
    heads = d - int(joined.level_free)
    rows = [joined.outgoing_row(one.tilt) for one in joined.pairs]
    right, rank = [0.0] * len(rows), len(rows)
    forms = [joined.outgoing_row(one.tilt) for one in joined.labelled]
    for j in range(heads):
        rows.append(
            sum((x * f for x, f in zip(joined.columns[j], forms, strict=True)), _no(joined))
        )
        right.append(float(joined.right[j]))
    rank += orthonormal(joined.columns[:heads]).shape[1]
    for condition in held:
        if len(condition.classes) > 1:
            continue
        k = condition.classes[0].neurons[0]
        across = np.linalg.svd(condition.space)[0][:, condition.space.shape[1] :]
        for normal in across.T:
            row = _no(joined)
            row[s.v_index(k, 0) : s.v_index(k, 0) + d] = normal
            rows.append(row)
            right.append(s.centre * float(normal[-1]) if s.bias else 0.0)
            rank += 1
    if not joined.level_free:
        return (joined.linear(rows, right, rank),)
    return _level(joined, rows, right, rank, intervals)


def _no(joined: Joined) -> Floats:
    return np.zeros(joined.setting.n_params)


def _level(
    joined: Joined, rows: list[Floats], right: list[float], rank: int, intervals: Intervals
) -> tuple[Flat, ...]:
    """Return the pieces with the equation of the constant.

    c + sum a_k sigma(b_k) over zero input weights + lambda sum s_t beta_t = C''
    """
    s = joined.setting
    others = np.zeros(s.width)
    for one in joined.classes:
        if one.vector is not None and not one.flat:
            others[list(one.neurons)] = s.slope * np.array(one.signs) * one.vector[-1]
    if s.output_bias and not joined.moving:
        row = _no(joined)
        row[[s.a_index(k, 0) for k in range(s.width)]] = others
        row[s.c_index(0)] = 1.0
        wanted = float(joined.target.constant[0])
        return (joined.linear([*rows, row], [*right, wanted], rank + 1),)
    linear, flat = joined.linear(rows, right, rank), _flat(joined)
    whole = CurvedSubspace(
        s,
        linear,
        flat,
        joined.target.constant,
        linear.dim - 1,
        intervals,
        others=tuple(others.tolist()),
    )
    made = _fixed_level(joined)
    if s.output_bias or made is None or len(joined.moving) > 1 or intervals:
        return (whole,)
    return _split(joined, whole, joined.moving[0], bool(made))


def _fixed_level(joined: Joined) -> float | None:
    """Return what constant neurons must make, None if other neurons can move it; 0 if round-off."""
    columns, right = joined.columns, joined.right
    found = solutions(columns[:-1], right[:-1], joined.rules.tol)
    assert found is not None
    made = found.fixed(columns[-1], 1e-12) if columns.size else np.zeros(())
    if made is None:
        return None
    rest = float(right[-1]) - float(made)
    return rest if abs(rest) > joined.rules.tol else 0.0


def _split(
    joined: Joined, whole: CurvedSubspace, one: NeuronClass, has_constant: bool
) -> tuple[Flat, ...]:
    """Return the pieces of A sigma(b) = C for one class with zero input weight.

    In the class, A e(b) + lambda T b = C with A = sum a_k and T = sum eps_k a_k.
    """
    assert one.vector is not None
    if not np.isnan(one.vector[-1]):
        return (whole,)
    total, tilt = joined.sums.value(one.total), joined.sums.value(one.tilt)
    k, sign = one.neurons[0], one.signs[0]
    side = 0
    if total is None and tilt is None:
        for s in (1, -1):
            rest = {j: v - s * one.total[j] for j, v in one.tilt.items()}
            if joined.sums.value(rest) is not None:
                side = s  # T = s A: the equation is A sigma(s b) = C
        if not side:
            return (whole,)
        form, zeros = one.total, tuple(side * (z - joined.setting.centre) for z in _zeros(joined))
    elif total is not None:
        form, zeros = one.tilt, (0.0,)
    else:
        names = ", ".join(branch.name for branch in joined.branches)
        raise ProblemError(
            f"the intersection of {names} is a curve A e(b) = C, e the even part of sigma, whose "
            "pieces are not known; intersect fewer branches"
        )
    centre = joined.setting.centre
    if has_constant:
        ends = (-np.inf, *sorted(zeros), np.inf)
        sides = [sorted((sign * low, sign * high)) for low, high in pairwise(ends)]
        sheets = [((k, low + centre, high + centre),) for low, high in sides]
        return tuple(replace(whole, intervals=sheet) for sheet in sheets) if zeros else (whole,)
    at = _no(joined)
    at[joined.setting.v_index(k, joined.setting.inputs)] = 1.0
    more = [(joined.outgoing_row(form), 0.0), *((at, centre + sign * z) for z in zeros)]
    linear = whole.linear
    return tuple(
        AffineSubspace(
            np.concatenate([linear.matrix, row[None]]), np.append(linear.right, value), whole.dim
        )
        for row, value in more
    )


def _zeros(joined: Joined) -> tuple[float, ...]:
    return joined.setting.zeros
