"""Which neuron carries what: labels to the first neurons, with given signs, then all others."""

from __future__ import annotations

from dataclasses import dataclass

from flowscape.critical.gathered import NOBODY
from flowscape.critical.pair_walk import PairWalk

__all__ = ["arrange"]


@dataclass
class _Item:
    """What one neuron carries, and where it is to go."""

    neuron: int
    goal: int
    sign: int
    goal_sign: int
    label: int | None


def arrange(walk: PairWalk, pattern: tuple[int, ...]) -> None:
    """Put labels on the first neurons, with these signs (0: both sides), then all others.

    A pair must be there to make up for signs that change, or nothing is coupled.
    """
    s = walk.state
    items = [
        _Item(s.sides[t][0 if now == 1 else 1], t, now, sign, t)
        for t, (now, sign) in enumerate(zip(s.pattern, pattern, strict=True))
        if sign
    ]
    place = s.balance.m0
    for t, sign in enumerate(pattern):
        if sign == 0:
            items.append(_Item(s.sides[t][0], t, 1, 1, None))
            items.append(_Item(s.sides[t][1], place, 1, 1, None))
            place += 1
    for pair in s.pairs:
        given = s.balance.is_matrix or s.flip > 0.0
        ordered = pair if given or s.outgoing[pair[0], 0] >= 0.0 else pair[::-1]
        for k in ordered:
            items.append(_Item(k, place, 1, 1, None))
            place += 1
    if s.constant != NOBODY:
        items.append(_Item(s.constant, place, 1, 1, None))
    _exchange(walk, items)


def _exchange(walk: PairWalk, items: list[_Item]) -> None:
    s = walk.state
    while wrong := [i for i in items if (i.neuron, i.sign) != (i.goal, i.goal_sign)]:
        used = {i.neuron for i in items}
        ready = [i for i in wrong if i.goal not in used]
        item = ready[0] if ready else wrong[0]
        k = item.goal if ready else next(k for k in s.spares)
        _carry(walk, item, k)


def _carry(walk: PairWalk, item: _Item, k: int) -> None:
    s, old = walk.state, item.neuron
    if item.label is not None and item.sign != item.goal_sign:
        t = item.label
        walk.move_spare(k, item.goal_sign * s.balance.vectors[t])
        s.outgoing[k], s.outgoing[old] = s.full(t, item.goal_sign), 0.0
        s.sides[t] = [k, NOBODY] if item.goal_sign == 1 else [NOBODY, k]
        s.settle()
        item.sign = item.goal_sign
        walk.step(f"target neuron {t + 1} turns round, from {old + 1} to {k + 1}")
    else:
        walk.hand_over(old, k, f"the weight of neuron {old + 1} goes to {k + 1}")
        swap = {old: k}
        s.sides = [[swap.get(j, j) for j in side] for side in s.sides]
        s.pairs = [[swap.get(j, j) for j in pair] for pair in s.pairs]
        s.constant = swap.get(s.constant, s.constant)
    item.neuron = k
