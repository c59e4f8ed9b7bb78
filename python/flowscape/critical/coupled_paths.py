"""Paths of zero loss where turning a neuron round costs something; ``docs/connectedness.md``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.balance import CONSTANT, Balance, Class
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.critical.arrange import arrange
from flowscape.critical.gathered import NOBODY, Gathered, gather
from flowscape.critical.matrix_pairs import to_pairs, write_pairs
from flowscape.critical.pair_walk import PairWalk
from flowscape.critical.sliding import slide
from flowscape.critical.zero_loss_path import ZeroLossPath, joined
from flowscape.errors import InternalError, ProblemError

__all__ = ["connect_gathered", "output_bias_of"]

Floats = NDArray[np.float64]
Pattern = tuple[int, ...]
OutputBias = Callable[[Floats, Floats], Floats]

_SAME = 1e-9


def output_bias_of(setting: Setting, target: Reduced) -> OutputBias:
    """Return the output bias that goes with the neurons, where those with w = 0 have a = 0."""
    s = setting

    def constant(outgoing: Floats, incoming: Floats) -> Floats:
        if not s.output_bias:
            return np.zeros(s.outputs)
        found = target.constant - s.level * outgoing.sum(axis=0)
        if s.bias and s.slope:
            found = found - s.slope * outgoing.T @ incoming[:, -1]
        return np.asarray(found)

    return constant


@dataclass(frozen=True)
class _End:
    """One end of the path, gathered."""

    theta: Floats
    state: Gathered
    walk: PairWalk
    found: Class


def connect_gathered(
    setting: Setting,
    balance: Balance,
    constant: OutputBias,
    ends: tuple[Floats, Floats],
    *,
    tol: float,
) -> ZeroLossPath:
    """Return a path between two perfect networks of a coupled family.

    Raises
    ------
    ProblemError
        If an end is not perfect, or they are in different connected components.
    """
    first, last = (
        _read(setting, balance, constant, theta, name, tol)
        for name, theta in zip(("theta_a", "theta_b"), ends, strict=True)
    )
    if np.array_equal(*ends):
        return ZeroLossPath(np.stack(ends), ("nothing to do",))
    if first.found != last.found or (
        first.found.kind in ("alone", "pair") and not _same_place(first.state, last.state)
    ):
        raise ProblemError(_apart(first, last))
    if first.found.kind in ("alone", "pair"):
        _stay(first.walk, last.state)
    else:
        for end in (first, last):
            _to_standard(end.walk, end.found)
    to, back = (_from(end) for end in (first, last))
    gap = float(np.abs(to.vertices[-1] - back.vertices[-1]).max())
    if gap > _SAME * (1.0 + float(np.abs(to.vertices[-1]).max())):
        raise InternalError(f"the two halves of a path end {gap:.1e} apart")
    return joined([to, back.reversed()])


def _read(
    setting: Setting, balance: Balance, constant: OutputBias, theta: Floats, name: str, tol: float
) -> _End:
    outgoing, incoming, given = (part[0] for part in setting.split(theta[None]))
    state = gather(setting, balance, outgoing, incoming, name, tol)
    walk = PairWalk(state, constant)
    _check_output_bias(setting, walk, (outgoing, incoming, given), name, tol)
    found = balance.class_of(state.pattern, state.constant != NOBODY)
    return _End(theta, state, walk, found)


def _check_output_bias(
    setting: Setting, walk: PairWalk, parts: tuple[Floats, Floats, Floats], name: str, tol: float
) -> None:
    """Refuse a network with a wrong constant."""
    if not setting.output_bias:
        return
    outgoing, incoming, given = parts
    s = setting
    flat = np.linalg.norm(incoming[:, : s.inputs], axis=1) <= tol
    made = given.copy()
    for k in range(s.width):
        if flat[k]:
            at = incoming[k, -1] + s.centre if s.bias else 0.0
            made = made + outgoing[k] * float(s.sigma(np.array([at]))[0][0])
        else:
            tilt = s.slope * incoming[k, -1] if s.bias else 0.0
            made = made + outgoing[k] * (s.level + tilt)
    wanted = walk.output_bias(np.zeros_like(outgoing), np.zeros_like(incoming))
    size = 1.0 + float(np.abs(outgoing).max()) * (1.0 + float(np.abs(incoming).max()))
    if np.abs(made - wanted).max() > tol * size:
        raise ProblemError(f"{name} is not a perfect network; give points of Q*")


def _from(end: _End) -> ZeroLossPath:
    """Return the path from an end to where its walk ends."""
    walked = end.walk.path()
    start = ZeroLossPath(
        np.stack([end.theta, walked.vertices[0]]),
        ("outgoing weights of every side of every group move to one neuron",),
    )
    return joined([start, walked])


def _same_place(one: Gathered, other: Gathered) -> bool:
    """Whether two networks without a neuron to spare have the same one for every role."""
    if one.arrangement != other.arrangement:
        return False
    if one.constant == NOBODY:
        return True
    centre = one.setting.centre
    low, high = sorted(float(state.incoming[state.constant, -1]) + centre for state in (one, other))
    return not any(low <= zero <= high for zero in one.setting.zeros)


def _apart(first: _End, last: _End) -> str:
    reasons = {
        "alone": "no neuron can be spared, so every neuron keeps its target neuron and its side",
        "pair": (
            "two neurons beyond the target's make a pair u, -u that is on the line of no target "
            "neuron, so it can never be parted, and the sign of its weight stays"
        ),
        "signs": (
            "too few neurons can be spared to make up for what target neurons add when they turn "
            "round, so their sides stay"
        ),
        "all": "the other one is in the large component",
    }
    text = reasons[first.found.kind if first.found.kind != "all" else last.found.kind]
    return (
        f"theta_a and theta_b are in different connected components of Q*: {text}; use a wider "
        "student, or points of one component (`connected_components`)"
    )


def _stay(walk: PairWalk, goal: Gathered) -> None:
    """Go to a network with the same neuron for every role."""
    s = walk.state
    for pair in s.pairs:
        other = next(p for p in goal.pairs if set(p) == set(pair))
        sizes = (np.linalg.norm(g.outgoing[p[0]]) for g, p in ((goal, other), (s, pair)))
        rate = float(np.log(next(sizes) / next(sizes)))
        walk.scale({pair[0]: rate, pair[1]: rate})
    if s.constant != NOBODY:
        walk.change_bias(float(goal.incoming[goal.constant, -1]))
    spare = s.spares
    s.incoming[:], s.outgoing[:] = goal.incoming, goal.outgoing
    walk.step("neurons with a = 0 move" if spare else "what is left is linear")


def _to_standard(walk: PairWalk, found: Class) -> None:
    """Go to the network that stands for the component."""
    s, b = walk.state, walk.state.balance
    plus = (1,) * b.m0
    if b.is_free:
        walk.absorb()
        arrange(walk, plus)
    elif b.extra == 1:
        arrange(walk, s.pattern)
    elif b.is_matrix and b.extra >= b.enough:
        to_pairs(walk)
        arrange(walk, plus)
    else:
        _one_pair(walk)
        if b.extra >= 3 and not b.is_level:
            arrange(walk, plus)
        else:
            _turn(walk, plus if b.is_level else found.pattern)
    _write_standard(walk)


def _one_pair(walk: PairWalk) -> None:
    """Make all labels one-sided, with one pair; none if its weight would be 0."""
    s, b = walk.state, walk.state.balance
    while not s.pairs:
        free = len(s.spares)
        if free >= 2:
            if not s.mixed and b.extra == 2 and not b.is_level:
                return
            walk.new_pair()
        elif free == 1:
            t = s.mixed[0]
            if t == CONSTANT:
                walk.split_constant()
            else:
                walk.split(t, 1)
        else:
            slide(walk)
    if not b.is_level:
        plus, minus = s.pairs[0]
        rate = -np.log(np.linalg.norm(s.outgoing[plus]))
        walk.scale({plus: rate, minus: rate})
    walk.absorb()


def _turn(walk: PairWalk, goal: Pattern) -> None:
    """Turn labels round one by one where the pair meets them, and end where it meets one."""
    s, b = walk.state, walk.state.balance
    if b.is_level:
        turns = [t for t, sign in enumerate(s.pattern) if sign != goal[t]]
    else:
        turns, at = [], goal
        before = b.joined(s.pattern)
        while (found := before[at]) is not None:
            at = found[0]
            turns.insert(0, found[1])
    for t in turns:
        sign = -s.pattern[t]
        walk.merge(t)
        walk.split(t, sign)
        _drop_nothing(walk)
    last = next((t for t, _ in b.turns(goal)), None)
    _drop_nothing(walk)
    if s.pairs and last is not None:
        walk.merge(last)
        if last != CONSTANT:
            goal = (*goal[:last], 0, *goal[last + 1 :])
    arrange(walk, goal)
    if s.constant != NOBODY:
        walk.pass_constant(s.spares[0])
        arrange(walk, goal)


def _drop_nothing(walk: PairWalk) -> None:
    s = walk.state
    if s.pairs and not s.balance.rest(s.pattern).any():
        walk.drop_pair()


def _write_standard(walk: PairWalk) -> None:
    """Write what the place of every neuron says, with all others at a = 0, v = 0."""
    s, b = walk.state, walk.state.balance
    if s.pairs:
        if not b.rest(s.pattern).any():
            walk.drop_pair()
        elif not b.is_matrix:
            ((plus, minus),) = s.pairs
            size = float(np.linalg.norm(b.rest(s.pattern)))
            rate = np.log(np.sqrt(0.5 * size) / abs(s.outgoing[plus, 0]))
            walk.scale({plus: rate, minus: rate})
    for k in s.spares:
        s.incoming[k], s.outgoing[k] = 0.0, 0.0
    for t, (plus, minus) in enumerate(s.sides):
        for k, sign in ((plus, 1), (minus, -1)):
            if k != NOBODY:
                s.incoming[k] = sign * b.vectors[t]
        if NOBODY in (plus, minus):
            sign = s.pattern[t]
            s.outgoing[max(plus, minus)] = s.full(t, sign)
    if b.is_matrix:
        write_pairs(s)
    for plus, minus in s.pairs:
        if b.equations < s.setting.incoming:  # an output bias takes up the rest of u
            s.incoming[plus, b.equations :] = 0.0
            s.incoming[minus, b.equations :] = 0.0
        s.settle()
    walk.step("neurons with a = 0 move to v = 0")
