"""Mixed labels slide along a relation between them until one is uniform; no neuron is spare."""

from __future__ import annotations

import numpy as np

from flowscape.branches.balance import CONSTANT
from flowscape.critical.gathered import NOBODY, Gathered
from flowscape.critical.pair_walk import PairWalk

__all__ = ["slide"]

_SMALL = 1e-9
"""Relations smaller than this part of the largest entry are round-off."""
_END = 1e-12


def slide(walk: PairWalk) -> None:
    """Move along a relation of the mixed labels until one of them is uniform."""
    s, b = walk.state, walk.state.balance
    mixed = s.mixed
    if b.is_level:
        _slide_level(walk, mixed)
        return
    relation = b.kernel(mixed)[:, 0]
    relation /= np.abs(relation).max()
    hits: list[tuple[float, int, int]] = []
    factors = []
    for t, change in zip(mixed, relation.tolist(), strict=True):
        if t == CONSTANT:
            factors.append(change * s.setting.slope / s.made(s.constant))
            ends = [(0.0, 0)]
            now = float(s.outgoing[s.constant, 0])
        else:
            factors.append(-0.5 * change)
            ends = [(0.0, 1), (float(b.weights[t, 0]), -1)]
            now = float(s.outgoing[s.sides[t][1], 0])
        if abs(change) > _SMALL:
            hits += [((end - now) / factors[-1], t, sign) for end, sign in ends]
    time, hit, sign = min(hits, key=lambda found: abs(found[0]))
    for t, factor in zip(mixed, factors, strict=True):
        if t == CONSTANT:
            s.outgoing[s.constant] += time * factor
        else:
            plus, minus = s.sides[t]
            s.outgoing[minus] += time * factor
            s.outgoing[plus] = b.weights[t] - s.outgoing[minus]
    _make_uniform(s, hit, sign)
    _end_others(s)
    walk.step("mixed groups change along a relation, until one is one-sided")


def _end_others(s: Gathered) -> None:
    """Make labels uniform that have reached an end at the same time."""
    for t in s.mixed:
        if t == CONSTANT:
            if abs(s.outgoing[s.constant, 0]) <= _END:
                _make_uniform(s, t, 1)
            continue
        weight, minus = float(s.balance.weights[t, 0]), s.sides[t][1]
        for end, sign in ((0.0, 1), (weight, -1)):
            if abs(s.outgoing[minus, 0] - end) <= _END * (1.0 + abs(weight)):
                _make_uniform(s, t, sign)
                break


def _slide_level(walk: PairWalk, mixed: list[int]) -> None:
    """Let the first mixed label make what all others do."""
    s = walk.state
    for t in mixed[1:]:
        _make_uniform(s, t, 1)
    plus, minus = s.sides[mixed[0]]
    s.outgoing[[plus, minus]] += 0.5 * s.gap()
    walk.step("one mixed group takes up what the others make")


def _make_uniform(s: Gathered, t: int, sign: int) -> None:
    if t == CONSTANT:
        s.outgoing[s.constant] = 0.0
        s.constant = NOBODY
        return
    plus, minus = s.sides[t]
    own, other = (plus, minus) if sign == 1 else (minus, plus)
    s.outgoing[own], s.outgoing[other] = s.full(t, sign), 0.0
    s.sides[t][1 if sign == 1 else 0] = NOBODY
