"""Which lines of a target the neurons of a positively homogeneous network are on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.target import LineTarget, line_target, neurons_of
from flowscape.branches.reduce import CONSTANT, FREE, SILENT
from flowscape.problem.network import TwoLayer
from flowscape.problem.teacher import Teacher

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LineMatching:
    """The neurons of one network on the lines of a target; entries as in `Matching`."""

    labels: Ints
    groups: Ints
    signs: Ints
    incoming_error: Floats
    outgoing_error: Floats
    free_error: float
    constant_error: float
    linear_error: float
    notes: tuple[str, ...]
    target: LineTarget


def match_lines(net: TwoLayer, theta: Floats, teacher: Teacher, tol: float) -> LineMatching:
    """Match the neurons of a network (P,) to the lines of a target.

    Neurons of one line (unit vectors within `tol`, up to sign) are a group with the sum of
    p = a |v|. Groups and target lines are paired in the order of their distance, of unit vectors
    and sums together. With hidden biases neurons with |w| <= tol |v| are constants.
    """
    target = line_target(net, teacher)
    a, v, constant = neurons_of(net, theta)
    lengths = np.linalg.norm(v, axis=1)
    p = a * lengths[:, None]
    silent = (lengths <= tol) & (np.linalg.norm(p, axis=1) <= tol)
    heads = np.linalg.norm(v[:, : net.inputs], axis=1)
    level = ~silent & (heads <= tol * lengths) if net.bias else np.zeros_like(silent)
    units = v / np.where(silent, 1.0, lengths)[:, None]
    groups, firsts = _on_lines(units, ~silent & ~level, tol)
    sums = np.array([p[groups == g].sum(axis=0) for g in range(len(firsts))])
    sums = sums.reshape(-1, net.outputs)
    signs = np.ones(net.width, dtype=np.int64)
    for g, first in enumerate(firsts):
        members = groups == g
        signs[members] = np.where(units[members] @ units[first] >= 0.0, 1, -1)
    labels = np.where(groups >= 0, FREE, np.where(level, CONSTANT, SILENT))
    incoming, outgoing = np.full(target.m0, np.inf), np.linalg.norm(target.weights, axis=1)
    pairs = _pair(units[firsts], sums, target)
    for g, t in pairs:
        members = groups == g
        signs[members] = np.where(units[members] @ target.lines[t] >= 0.0, 1, -1)
        labels[members] = t
        turned = units[members] * signs[members, None]
        incoming[t] = np.linalg.norm(turned - target.lines[t], axis=1).max()
        outgoing[t] = np.linalg.norm(sums[g] - target.weights[t])
    free = [g for g in range(len(firsts)) if all(g != other for other, _ in pairs)]
    heads_off, level_off = _affine_errors(target, net, a, v, level, constant)
    return LineMatching(
        labels=labels,
        groups=np.where(groups >= 0, groups, labels),
        signs=signs,
        incoming_error=incoming,
        outgoing_error=outgoing,
        free_error=float(np.linalg.norm(sums[free], axis=1).max(initial=0.0)),
        constant_error=level_off,
        linear_error=heads_off,
        notes=_notes(silent, level, groups),
        target=target,
    )


def _on_lines(units: Floats, live: NDArray[np.bool_], tol: float) -> tuple[Ints, list[int]]:
    """Return the line of every neuron, -1 without one, and the first neuron of every line."""
    groups, firsts = np.full(len(units), -1), list[int]()
    for k in np.flatnonzero(live):
        for g, first in enumerate(firsts):
            apart = (np.linalg.norm(units[k] - side * units[first]) for side in (1.0, -1.0))
            if min(apart) <= tol:
                groups[k] = g
                break
        else:
            groups[k] = len(firsts)
            firsts.append(int(k))
    return groups, firsts


def _pair(units: Floats, sums: Floats, target: LineTarget) -> list[tuple[int, int]]:
    """Return (group, target line) of the greedy one-to-one pairing."""
    offers = []
    for g, unit in enumerate(units):
        for t, line in enumerate(target.lines):
            apart = min(np.linalg.norm(unit - line), np.linalg.norm(unit + line))
            wrong = np.linalg.norm(sums[g] - target.weights[t])
            offers.append((float(np.hypot(apart, wrong)), g, t))
    pairs: list[tuple[int, int]] = []
    for _, g, t in sorted(offers):
        if all(g != other and t != label for other, label in pairs):
            pairs.append((g, t))
    return pairs


def _affine_errors(
    target: LineTarget,
    net: TwoLayer,
    a: Floats,
    v: Floats,
    level: NDArray[np.bool_],
    constant: Floats,
) -> tuple[float, float]:
    """Return how far the affine functions are apart, the linear part and the constant."""
    slope = 0.5 * (target.gains[0] - target.gains[1])
    total = slope * (a[~level].T @ v[~level])
    if target.linear is not None:
        total = total - slope * target.linear
    if not net.bias:
        return float(np.linalg.norm(total)), float(np.linalg.norm(constant - target.constant))
    # a constant neuron is affine where its kink is far away: slope sigma'(b)
    slopes = np.where(v[level, -1] >= 0.0, target.gains[0], -target.gains[1])
    total = total + (a[level] * slopes[:, None]).T @ v[level]
    left = total[:, -1] + constant - target.constant
    return float(np.linalg.norm(total[:, :-1])), float(np.linalg.norm(left))


def _notes(silent: NDArray[np.bool_], level: NDArray[np.bool_], groups: Ints) -> tuple[str, ...]:
    found = []
    if silent.any():
        found.append(f"{int(silent.sum())} neuron(s) with zero input weight silent, dropped")
    if level.any():
        found.append(f"{int(level.sum())} neuron(s) with zero input weight count as constants")
    for g in range(int(groups.max(initial=-1)) + 1):
        if (members := int((groups == g).sum())) > 1:
            found.append(f"{members} neurons on one line merged")
    return tuple(found)
