"""Mixed labels slide along a relation between them until one is uniform; no neuron is spare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.balance import CONSTANT
from flowscape.critical.gathered import NOBODY, Gathered
from flowscape.critical.pair_walk import PairWalk

__all__ = ["make_uniform", "slide"]

Floats = NDArray[np.float64]

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
    hits: list[tuple[Floats, int, int]] = []
    factors = []
    for t, change in zip(mixed, relation.tolist(), strict=True):
        if t == CONSTANT:
            factors.append(change * s.setting.slope / s.made(s.constant))
            ends = [(np.zeros(1), 0)]
            now = s.outgoing[s.constant]
        else:
            factors.append(-0.5 * change)
            ends = [(np.zeros(1), 1), (b.weights[t], -1)]
            now = s.outgoing[s.sides[t][1]]
        if abs(change) > _SMALL:
            hits += [((end - now) / factors[-1], t, sign) for end, sign in ends]
    time, hit, sign = min(hits, key=lambda found: float(np.linalg.norm(found[0])))
    for t, factor in zip(mixed, factors, strict=True):
        if t == CONSTANT:
            s.outgoing[s.constant] += time * factor
        else:
            plus, minus = s.sides[t]
            s.outgoing[minus] += time * factor
            s.outgoing[plus] = b.weights[t] - s.outgoing[minus]
    make_uniform(s, hit, sign)
    _end_others(s)
    walk.step("mixed groups change along a relation, until one is one-sided")


def _end_others(s: Gathered) -> None:
    """Make labels uniform that have reached an end at the same time."""
    for t in s.mixed:
        if t == CONSTANT:
            if np.linalg.norm(s.outgoing[s.constant]) <= _END:
                make_uniform(s, t, 1)
            continue
        weight, minus = s.balance.weights[t], s.sides[t][1]
        for end, sign in ((0.0, 1), (weight, -1)):
            off = np.linalg.norm(s.outgoing[minus] - end)
            if off <= _END * (1.0 + np.linalg.norm(weight)):
                make_uniform(s, t, sign)
                break


def _slide_level(walk: PairWalk, mixed: list[int]) -> None:
    """Let the first mixed label make what all others do."""
    s = walk.state
    for t in mixed[1:]:
        make_uniform(s, t, 1)
    plus, minus = s.sides[mixed[0]]
    s.outgoing[[plus, minus]] += 0.5 * s.gap()
    walk.step("one mixed group takes up what the others make")


def make_uniform(s: Gathered, t: int, sign: int) -> None:
    """Give a mixed label the weights of a uniform one with a sign, the constant none."""
    if t == CONSTANT:
        s.outgoing[s.constant] = 0.0
        s.constant = NOBODY
        return
    plus, minus = s.sides[t]
    own, other = (plus, minus) if sign == 1 else (minus, plus)
    s.outgoing[own], s.outgoing[other] = s.full(t, sign), 0.0
    s.sides[t][1 if sign == 1 else 0] = NOBODY
