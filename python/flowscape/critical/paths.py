"""Paths of zero loss where every group of neurons stands by itself."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.reduce import CONSTANT, SILENT, Reduced, reduce_network
from flowscape.branches.setting import Setting
from flowscape.critical.curves import BiasCurve, Curve
from flowscape.critical.zero_loss_path import ZeroLossPath
from flowscape.errors import ProblemError

__all__ = ["connect_groups"]

Floats = NDArray[np.float64]

_CONSTANT_LABEL = -1


def connect_groups(
    setting: Setting, target: Reduced, theta_a: Floats, theta_b: Floats, *, tol: float
) -> ZeroLossPath:
    """Implement `connect` where groups share their incoming vectors; see there."""
    first, last = (
        _End(setting, target, theta, name, tol)
        for name, theta in (("theta_a", theta_a), ("theta_b", theta_b))
    )
    _choose_carriers(first, last)
    walk = _Walk(first)
    walk.add(first.gathered(), "outgoing weights of every group move to one neuron")
    spare = setting.width - len(first.carrier)
    if not _same_carriers(first, last):
        if spare:
            _exchange(walk, first, last)
        else:
            _change_bias(walk, first, last)
    goal = last.gathered()
    walk.add(goal, "neurons with a = 0 move their incoming vectors")
    walk.add((last.outgoing, last.incoming, last.constant), "outgoing weights spread out again")
    return walk.path()


class _End:
    """One end of the path, group by group."""

    def __init__(
        self, setting: Setting, target: Reduced, theta: Floats, name: str, tol: float
    ) -> None:
        s = self.setting = setting
        self.target, self.theta = target, theta
        parts = (part[0] for part in s.split(theta[None]))
        self.outgoing, self.incoming, self.constant = parts
        found = reduce_network(s, theta, tol)
        self.signs = found.signs.astype(np.float64)
        self.members: dict[int, list[int]] = {}
        groups: dict[int, list[int]] = {}
        for k, g in enumerate(found.group.tolist()):
            groups.setdefault(g, []).append(k)
        self.flat = groups.pop(SILENT, []) + groups.pop(CONSTANT, [])
        vectors = {g: found.vectors[g] for g in groups}
        if self.flat and not (s.bias or s.output_bias or s.silent):
            groups[-9], self.flat = self.flat, []  # w = 0 is a vector like any other
            vectors[-9] = np.zeros(s.incoming)
        for g, block in groups.items():
            self._label(vectors[g], block, name, tol)
        missing = [t for t in range(self.target.m0) if t not in self.members]
        gap = float(np.abs(found.constant - self._own_constant()).max())
        if missing or gap > tol * (1.0 + float(np.abs(theta).max())):
            raise ProblemError(f"{name} is not a perfect network; give points of Q*")
        if self._needs_constant:
            values = np.abs(s.sigma(self.incoming[self.flat, -1] + s.centre)[0])
            order = np.argsort(-values)
            self.members[_CONSTANT_LABEL] = [self.flat[int(i)] for i in order]
        self.carrier: dict[int, int] = {}

    @property
    def target_labels(self) -> list[int]:
        """The labels of target neurons."""
        return [t for t in self.carrier if t != _CONSTANT_LABEL]

    @property
    def _needs_constant(self) -> bool:
        return self.target.has_constant and not self.setting.output_bias

    def _own_constant(self) -> Floats:
        """Return the constant part that the reduction of this end must have."""
        s, target = self.setting, self.target
        if s.bias or s.output_bias or s.silent:
            return target.constant
        flat = [t for t in range(target.m0) if not target.incoming[t].any()]
        return s.at_zero * target.outgoing[flat].sum(axis=0)

    def _label(self, vector: Floats, block: list[int], name: str, tol: float) -> None:
        pull = self.setting.pull
        total = (pull(self.signs[block])[:, None] * self.outgoing[block]).sum(axis=0)
        for t in range(self.target.m0):
            for sign in (1.0, -1.0) if self.setting.signed else (1.0,):
                if np.linalg.norm(sign * vector - self.target.incoming[t]) <= tol:
                    self.signs[block] *= sign
                    if np.linalg.norm(pull(sign) * total - self.target.outgoing[t]) <= tol:
                        self.members[t] = block
                        return
        if np.linalg.norm(total) > tol:
            raise ProblemError(
                f"{name} has a group of neurons with outgoing sum {total.tolist()} that is no "
                "target neuron; give points of Q*"
            )

    def vector(self, label: int) -> Floats:
        """Return the incoming vector of a label at its carrier."""
        k = self.carrier[label]
        if label == _CONSTANT_LABEL:
            vector = np.zeros(self.setting.incoming)
            vector[-1] = self.incoming[k, -1]
            return vector
        return self.signs[k] * self.target.incoming[label]

    def weight(self, label: int) -> Floats:
        """Return the outgoing weight of a label at its carrier."""
        if label == _CONSTANT_LABEL:
            at = self.incoming[self.carrier[label], -1] + self.setting.centre
            value: Floats = self.target.constant / float(self.setting.sigma(np.array([at]))[0][0])
            return value
        pull = self.setting.pull(self.signs[self.carrier[label]])
        return np.asarray(pull * self.target.outgoing[label])

    def gathered(self) -> tuple[Floats, Floats, Floats]:
        """Return this end with every label on its carrier and all other outgoing weights 0."""
        outgoing, incoming = np.zeros_like(self.outgoing), self.incoming.copy()
        for label, k in self.carrier.items():
            outgoing[k], incoming[k] = self.weight(label), self.vector(label)
        constant = self.target.constant if self.setting.output_bias else self.constant
        return outgoing, incoming, constant.copy()


def _choose_carriers(first: _End, last: _End) -> None:
    """Let a label be carried by the same neuron with the same vector at both ends if possible."""
    for label, block in first.members.items():
        other = last.members[label]
        shared = [k for k in block if k in other]
        alike = [k for k in shared if first.signs[k] == last.signs[k]]
        if label == _CONSTANT_LABEL:
            first.carrier[label], last.carrier[label] = block[0], other[0]
            continue
        kept = alike or shared
        first.carrier[label] = kept[0] if kept else block[0]
        last.carrier[label] = kept[0] if kept else other[0]


def _same_carriers(first: _End, last: _End) -> bool:
    return all(_in_place(first, last, t, first.carrier[t], first.vector(t)) for t in first.carrier)


def _in_place(first: _End, last: _End, label: int, k: int, vector: Floats) -> bool:
    return k == last.carrier[label] and bool(np.array_equal(vector, last.vector(label)))


class _Walk:
    """Collects vertices."""

    def __init__(self, first: _End) -> None:
        self.setting = first.setting
        self.state = (first.outgoing, first.incoming, first.constant)
        self.vertices = [first.theta]
        self.notes: list[str] = []
        self.curves: dict[int, Curve] = {}

    def add(self, state: Iterable[Floats], note: str) -> None:
        outgoing, incoming, constant = (np.array(part) for part in state)
        self.state = (outgoing, incoming, constant)
        theta = self.setting.join(outgoing[None], incoming[None], constant[None])[0]
        if not np.array_equal(theta, self.vertices[-1]):
            self.vertices.append(theta)
            self.notes.append(note)

    def curve(self, curve: BiasCurve, state: Iterable[Floats]) -> None:
        self.curves[len(self.notes)] = curve
        self.add(state, "the constant neuron changes its bias")

    def path(self) -> ZeroLossPath:
        if len(self.vertices) == 1:
            return ZeroLossPath(np.stack([self.vertices[0]] * 2), ("nothing to do",))
        return ZeroLossPath(np.stack(self.vertices), tuple(self.notes), self.curves)


def _change_bias(walk: _Walk, first: _End, last: _End) -> None:
    """Let the neuron that makes the constant do so with another bias: all there is to change."""
    s, constant = first.setting, _CONSTANT_LABEL
    stays = [
        _in_place(first, last, t, first.carrier[t], first.vector(t)) for t in first.target_labels
    ]
    k = first.carrier.get(constant)
    if k is not None and all(stays) and k == last.carrier[constant]:
        start, end = (float(one.vector(constant)[-1]) for one in (first, last))
        low, high = sorted((start + s.centre, end + s.centre))
        if not any(low <= zero <= high for zero in s.zeros):
            walk.curve(BiasCurve(s, *walk.state, k, end), last.gathered())
            return
    raise ProblemError(
        f"theta_a and theta_b are in different connected components of Q*: width={s.width} leaves "
        "no neuron to spare, so every neuron keeps its target neuron; use a wider student"
    )


def _exchange(walk: _Walk, first: _End, last: _End) -> None:
    """Hand labels over between neurons until all are where the last end has them."""
    at = dict(first.carrier)
    vectors = {label: first.vector(label) for label in at}
    while True:
        wrong = [t for t in at if not _in_place(first, last, t, at[t], vectors[t])]
        if not wrong:
            return
        ready = [t for t in wrong if last.carrier[t] not in at.values()]
        if ready:
            label = ready[0]
            k, vector, weight = last.carrier[label], last.vector(label), last.weight(label)
        else:  # a cycle: the first of it steps aside
            label = wrong[0]
            k = next(k for k in range(walk.setting.width) if k not in at.values())
            vector, weight = last.vector(label), last.weight(label)
        outgoing, incoming, constant = (part.copy() for part in walk.state)
        incoming[k] = vector
        walk.add((outgoing, incoming, constant), f"neuron {k + 1} (a = 0) moves to its new place")
        outgoing[at[label]], outgoing[k] = 0.0, weight
        word = "the constant" if label == _CONSTANT_LABEL else f"target neuron {label + 1}"
        walk.add((outgoing, incoming, constant), f"{word} goes from {at[label] + 1} to {k + 1}")
        at[label], vectors[label] = k, vector
