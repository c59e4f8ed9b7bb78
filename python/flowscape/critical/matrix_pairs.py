"""Pairs that make a matrix, for even plus linear students with several outputs.

A pair with weights q, -q at u, -u adds 2 q u^T to sum a_k x_k^T, a mixed label s_t x_t^T, a
constant c e^T. Relations between the right factors let weights move, relations between the q_j let
the u_j move, both on straight lines; either way something becomes superfluous. Neurons are enough
for that if `Balance.enough` says so. Proofs: ``docs/connectedness.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.balance import CONSTANT
from flowscape.critical.gathered import NOBODY, Gathered
from flowscape.critical.pair_walk import PairWalk
from flowscape.critical.sliding import make_uniform
from flowscape.errors import InternalError

__all__ = ["to_pairs", "write_pairs"]

Floats = NDArray[np.float64]

_ROUND_OFF = 1e-13
"""Unit vectors with a smaller singular value are dependent; what is smaller is nothing."""
_PART = 1e-3
"""A label with a smaller part in a relation is not moved by it."""


def to_pairs(walk: PairWalk) -> None:
    """Make all labels uniform on their plus side, with the pairs that stand for the component."""
    s = walk.state
    size = float(np.linalg.norm(s.balance.right)) + float(_products(s).sum())
    least = _ROUND_OFF * (size + float(np.abs(s.outgoing).max() * np.abs(s.incoming).max()))
    _reduce(walk, least)
    while s.mixed:
        t = s.mixed[0]
        if t == CONSTANT:
            walk.split_constant()
        else:
            walk.split(t, 1)
        _reduce(walk, least)
    for t, sign in enumerate(s.pattern):
        if sign == -1:
            _turn(walk, t)
            _reduce(walk, least)
    _to_standard_factors(walk)


def write_pairs(s: Gathered) -> None:
    """Write the standard factors of what uniform labels leave, one pair for each."""
    if not s.pairs:
        return
    weights, vectors = _standard_factors(s)
    for (plus, minus), q, u in zip(s.pairs, weights, vectors, strict=True):
        s.outgoing[plus], s.outgoing[minus] = q, -q
        s.incoming[plus] = 0.0
        s.incoming[plus, : len(u)] = u
        s.incoming[minus] = -s.incoming[plus]


def _reduce(walk: PairWalk, least: float) -> None:
    """Free neurons until no relation is left."""
    while _by_weights(walk, least) or _by_vectors(walk) or _by_label(walk):
        pass


def _relation(columns: Floats) -> tuple[Floats, Floats] | None:
    """Return c with columns @ c = 0, and its part (unit norm) along unit columns."""
    if columns.shape[1] == 0:
        return None
    sizes = np.linalg.norm(columns, axis=0)
    _, values, rows = np.linalg.svd(columns / sizes)
    if int((values > _ROUND_OFF).sum()) == columns.shape[1]:
        return None
    return rows[-1] / sizes, rows[-1]


def _by_weights(walk: PairWalk, least: float) -> bool:
    """Move weights along a relation of the right factors; one element becomes superfluous."""
    s, b = walk.state, walk.state.balance
    _drop(walk, least)
    mixed = s.mixed
    columns = [b.column(t) for t in mixed]
    columns += [s.incoming[plus, : b.equations] for plus, _ in s.pairs]
    found = _relation(np.array(columns).reshape(-1, b.equations).T)
    if found is None:
        return False
    relation, parts = found
    at = int(np.argmax(np.abs(parts[: len(mixed)]))) if mixed else 0
    sign = 1
    if mixed and abs(parts[at]) > _PART:
        change, sign = min(_ends(s, mixed[at]), key=lambda end: float(np.linalg.norm(end[0])))
    else:
        at = len(mixed) + int(np.argmax(np.abs(parts[len(mixed) :])))
        change = -2.0 * s.outgoing[s.pairs[at - len(mixed)][0]]
    for i, factor in enumerate(relation / relation[at]):
        if i < len(mixed):
            _shift(s, mixed[i], factor * change)
        else:
            plus, minus = s.pairs[i - len(mixed)]
            s.outgoing[plus] += 0.5 * factor * change
            s.outgoing[minus] = -s.outgoing[plus]
    if at < len(mixed):
        make_uniform(s, mixed[at], sign)
    else:
        s.outgoing[s.pairs.pop(at - len(mixed))] = 0.0
    walk.step("weights move along a relation of the vectors, and a neuron is spared")
    return True


def _by_vectors(walk: PairWalk) -> bool:
    """Move the vectors of pairs along a relation of their weights, until one is 0."""
    s = walk.state
    found = _relation(s.outgoing[[plus for plus, _ in s.pairs]].T) if s.pairs else None
    if found is None:
        return False
    relation, parts = found
    at = int(np.argmax(np.abs(parts)))
    step = -s.incoming[s.pairs[at][0]] / relation[at]
    for (plus, minus), factor in zip(s.pairs, relation, strict=True):
        s.incoming[plus] += factor * step
        s.incoming[minus] = -s.incoming[plus]
    s.incoming[s.pairs[at]] = 0.0
    walk.step("pairs move along a relation of their weights, one of them to v = 0")
    s.outgoing[s.pairs.pop(at)] = 0.0
    walk.step("it loses its weights")
    return True


def _by_label(walk: PairWalk) -> bool:
    """Make a mixed label uniform if the vectors of pairs can make up for it."""
    s, b = walk.state, walk.state.balance
    if not s.pairs:
        return False
    weights = s.outgoing[[plus for plus, _ in s.pairs]].T
    spans = len(s.pairs) == s.setting.outputs
    for t in s.mixed:
        for change, sign in _ends(s, t):
            factors = np.linalg.lstsq(weights, change, rcond=_ROUND_OFF)[0]
            off = float(np.linalg.norm(weights @ factors - change))
            if off > _ROUND_OFF * np.linalg.norm(change) and not spans:
                continue
            for (plus, minus), factor in zip(s.pairs, factors, strict=True):
                s.incoming[plus, : b.equations] -= 0.5 * factor * b.column(t)
                s.incoming[minus] = -s.incoming[plus]
            make_uniform(s, t, sign)
            walk.step("pairs make up for a mixed group that becomes one-sided")
            return True
    return False


def _products(s: Gathered) -> Floats:
    """Return |q| |u| of all pairs."""
    plus = [pair[0] for pair in s.pairs]
    lengths = np.linalg.norm(s.incoming[plus, : s.balance.equations], axis=1)
    return np.asarray(np.linalg.norm(s.outgoing[plus], axis=1) * lengths)


def _drop(walk: PairWalk, least: float) -> None:
    """Take the weights off pairs that make no more than round-off."""
    s = walk.state
    small = [pair for pair, made in zip(s.pairs, _products(s), strict=True) if made <= least]
    for pair in small:
        s.outgoing[pair] = 0.0
        s.pairs.remove(pair)
    if small:
        walk.step("pairs that make nothing lose their weights")


def _ends(s: Gathered, t: int) -> list[tuple[Floats, int]]:
    """Return by how much the left factor of a mixed label changes to either end, and the sign."""
    if t == CONSTANT:
        return [(-s.outgoing[s.constant] * s.made(s.constant) / s.setting.slope, 1)]
    plus, minus = s.sides[t]
    now = s.outgoing[plus] - s.outgoing[minus]
    return [(sign * s.balance.weights[t] - now, sign) for sign in (1, -1)]


def _shift(s: Gathered, t: int, change: Floats) -> None:
    """Add to the left factor of a mixed label or of the constant."""
    if t == CONSTANT:
        s.outgoing[s.constant] += change * s.setting.slope / s.made(s.constant)
        return
    plus, minus = s.sides[t]
    s.outgoing[minus] -= 0.5 * change
    s.outgoing[plus] = s.balance.weights[t] - s.outgoing[minus]


def _turn(walk: PairWalk, t: int) -> None:
    """Turn a label from its minus to its plus side; pairs make up for it."""
    s, b = walk.state, walk.state.balance
    own, k, weight = s.sides[t][1], s.spares[0], b.weights[t]
    walk.move_spare(k, b.vectors[t].copy())
    if len(s.spares) >= 3:
        pair = s.spares[1:3]
        s.incoming[pair] = 0.0
        walk.step("two neurons with a = 0 move to v = 0")
        s.outgoing[pair[0]], s.outgoing[pair[1]] = weight, -weight
        s.pairs.append(pair)
        walk.step("they become a pair")
        s.incoming[pair[0]], s.incoming[pair[1]] = -b.vectors[t], b.vectors[t]
    else:
        _make_up(s, t)
    s.outgoing[k], s.outgoing[own] = weight, 0.0
    s.sides[t] = [k, NOBODY]
    walk.step(f"target neuron {t + 1} turns round, from {own + 1} to {k + 1}")


def _make_up(s: Gathered, t: int) -> None:
    """Let the pairs there are make -abar_t x_t^T, by their vectors or by their weights."""
    b = s.balance
    plus, minus = (list(side) for side in zip(*s.pairs, strict=True))
    weights, vectors = s.outgoing[plus], s.incoming[plus, : b.equations]
    if len(plus) == s.setting.outputs:
        factors = np.linalg.solve(weights.T, b.weights[t])
        s.incoming[plus, : b.equations] -= np.outer(factors, b.column(t))
        s.incoming[minus] = -s.incoming[plus]
    elif len(plus) == b.equations:
        factors = np.linalg.solve(vectors.T, b.column(t))
        s.outgoing[plus] -= np.outer(factors, b.weights[t])
        s.outgoing[minus] = -s.outgoing[plus]
    else:
        raise InternalError("too few neurons to turn a target neuron round")


def _standard_factors(s: Gathered) -> tuple[Floats, Floats]:
    """Return q (J, O) and u (J, E) with 2 sum q u^T = what uniform labels leave."""
    left, values, right = np.linalg.svd(0.5 * s.balance.rest(s.pattern))
    size, roots = len(s.pairs), np.sqrt(values[: len(s.pairs)])[:, None]
    return left.T[:size] * roots, right[:size] * roots


def _to_standard_factors(walk: PairWalk) -> None:
    """Go to the standard factors by row operations, each a straight line, and scaling."""
    s, b = walk.state, walk.state.balance
    if not s.pairs:
        return
    plus, minus = (list(side) for side in zip(*s.pairs, strict=True))
    if b.equations < s.setting.incoming:  # an output bias takes up the rest of u
        s.incoming[plus, b.equations :] = 0.0
        s.incoming[minus] = -s.incoming[plus]
        walk.step("pairs move along the bias")
    _, standard = _standard_factors(s)
    now = s.incoming[plus, : b.equations] @ np.linalg.pinv(standard)

    def add(factors: Floats, j: int) -> None:
        """Add multiples of row j to the others; their weights go to that of j."""
        now[:] += np.outer(factors, now[j])
        s.incoming[plus] += np.outer(factors, s.incoming[plus[j]])
        s.outgoing[plus[j]] -= factors @ s.outgoing[plus]
        s.incoming[minus], s.outgoing[minus] = -s.incoming[plus], -s.outgoing[plus]
        walk.step("pairs share what they make in another way")

    for j in range(len(plus)):
        i = j + int(np.argmax(np.abs(now[j:, j])))
        if i != j:
            factors = np.zeros(len(plus))
            factors[j] = 1.0 if now[i, j] * now[j, j] >= 0.0 else -1.0
            add(factors, i)
        factors = -now[:, j] / now[j, j]
        factors[j] = 0.0
        add(factors, j)
    rates: dict[int, float] = {}
    for j, size in enumerate(np.diag(now)):
        if size < 0.0:
            s.pairs[j] = s.pairs[j][::-1]
        rates |= dict.fromkeys(s.pairs[j], float(np.log(abs(size))))
    walk.scale(rates)
