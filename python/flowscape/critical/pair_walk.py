"""Steps of zero loss from one gathered network to another; each is one side of a path."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.balance import CONSTANT
from flowscape.critical.curves import BiasCurve, Curve, ScalingCurve
from flowscape.critical.gathered import NOBODY, Gathered
from flowscape.critical.zero_loss_path import ZeroLossPath

__all__ = ["PairWalk"]

Floats = NDArray[np.float64]

_UNIT = 1e-14
_CLEAR = 0.25
_BIASES = np.array([1.0, -1.0, 1.5])
"""Where constants are made on the way; at one of them sigma is not 0."""


class PairWalk:
    """Moves a gathered network and collects the sides.

    Parameters
    ----------
    state : Gathered
        Where it starts; changed by every step.
    constant : callable
        Gives the output bias (O,) that goes with (outgoing, incoming).
    """

    def __init__(self, state: Gathered, constant: Callable[[Floats, Floats], Floats]) -> None:
        self.state, self.output_bias = state, constant
        self.vertices = [self._theta()]
        self.notes: list[str] = []
        self.curves: dict[int, Curve] = {}

    def path(self) -> ZeroLossPath:
        """Return the sides so far."""
        if not self.notes:
            return ZeroLossPath(np.stack([self.vertices[0]] * 2), ("nothing to do",))
        return ZeroLossPath(np.stack(self.vertices), tuple(self.notes), self.curves)

    def _theta(self) -> Floats:
        s = self.state
        c = self.output_bias(s.outgoing, s.incoming)
        return s.setting.join(s.outgoing[None], s.incoming[None], c[None])[0]

    def step(self, note: str) -> None:
        """Add the state as a vertex."""
        theta = self._theta()
        if not np.array_equal(theta, self.vertices[-1]):
            self.vertices.append(theta)
            self.notes.append(note)

    def _curve(self, curve: Curve, note: str) -> None:
        self.curves[len(self.notes)] = curve
        self.vertices.append(self._theta())
        self.notes.append(note)

    def move_spare(self, neuron: int, vector: Floats) -> None:
        """Move the incoming vector of a neuron with a = 0."""
        self.state.incoming[neuron] = vector
        self.step(f"neuron {neuron + 1} (a = 0) moves")

    def hand_over(self, old: int, new: int, note: str) -> None:
        """Give the weight of a neuron to a spare one, with the same incoming vector."""
        s = self.state
        self.move_spare(new, s.incoming[old].copy())
        s.outgoing[new], s.outgoing[old] = s.outgoing[old].copy(), 0.0
        self.step(note)

    def absorb(self) -> None:
        """Let one pair make all that other pairs, mixed labels and the constant neuron make."""
        s = self.state
        for t in s.mixed:
            if t == CONSTANT:
                s.outgoing[s.constant] = 0.0
                s.constant = NOBODY
            else:
                plus, minus = s.sides[t]
                s.outgoing[plus], s.outgoing[minus] = s.full(t, 1), 0.0
                s.sides[t][1] = NOBODY
        kept = 0 if s.balance.is_free else 1
        for plus, minus in s.pairs[kept:]:
            if s.balance.is_level or s.balance.is_free:
                s.outgoing[[plus, minus]] = 0.0
            else:
                s.incoming[[plus, minus]] = 0.0
        s.settle()
        self.step("one pair takes up what mixed groups make")
        for plus, minus in s.pairs[kept:]:
            s.outgoing[[plus, minus]] = 0.0
        s.pairs = s.pairs[:kept]
        self.step("pairs with v = 0 lose their weights")

    def new_pair(self) -> None:
        """Make a pair with v = 0 of two spare neurons; of no weight if weights are what counts."""
        s = self.state
        plus, minus = s.spares[:2]
        s.incoming[[plus, minus]] = 0.0
        self.step("two neurons with a = 0 move to v = 0")
        if not s.balance.is_level:
            s.outgoing[plus], s.outgoing[minus] = 1.0, -1.0
        s.pairs.append([plus, minus])
        self.step("they become a pair")

    def drop_pair(self) -> None:
        """Take the weights off a pair that makes nothing: v = 0, or no weight."""
        s = self.state
        ((plus, minus),) = s.pairs
        s.outgoing[[plus, minus]] = 0.0
        s.pairs = []
        self.step("the pair loses its weights")

    def split(self, t: int, sign: int) -> None:
        """Make a mixed label uniform with a sign, and what is over a pair; takes a spare neuron."""
        s = self.state
        place = 0 if sign == 1 else 1
        k, own, other = s.spares[0], s.sides[t][place], s.sides[t][1 - place]
        self.move_spare(k, s.incoming[own].copy())
        whole = s.full(t, sign)
        s.outgoing[k], s.outgoing[own] = s.outgoing[own] - whole, whole
        s.sides[t][1 - place] = NOBODY
        s.pairs.append([k, other] if sign == 1 else [other, k])
        self.step(f"target neuron {t + 1} is one-sided, the rest of its group a pair")

    def split_constant(self) -> None:
        """Make a pair of the neuron that makes a constant and a spare one."""
        s = self.state
        old, k = s.constant, s.spares[0]
        if not s.balance.is_level and abs(s.incoming[old, -1]) < _CLEAR:
            self.pass_constant(k)
            old, k = k, old
        self.move_spare(k, -s.incoming[old])
        made = s.outgoing[old] * s.made(old)
        weight = made / (s.made(old) + s.flip * s.made(k))
        s.outgoing[old], s.outgoing[k] = weight, s.flip * weight
        s.constant = NOBODY
        s.pairs.append([old, k])
        self.step("the constant is made by a pair")

    def pass_constant(self, k: int) -> None:
        """Let a spare neuron make the constant, with a bias at which sigma is not small."""
        s = self.state
        vector = np.zeros(s.setting.incoming)
        if s.setting.bias:
            values = s.setting.sigma(_BIASES + s.setting.centre)[0]
            vector[-1] = _BIASES[int(np.argmax(np.abs(values)))]
        self.move_spare(k, vector)
        made = s.outgoing[s.constant] * s.made(s.constant)
        s.outgoing[k], s.outgoing[s.constant] = made / s.made(k), 0.0
        note = f"the constant goes from {s.constant + 1} to {k + 1}"
        s.constant = k
        self.step(note)

    def merge(self, t: int) -> None:
        """Move the pair onto a label on whose line it is, or where the constant is made."""
        s = self.state
        if t == CONSTANT:
            self._merge_constant()
            return
        sign = s.pattern[t]
        vector, place = s.balance.vectors[t], 0 if sign == 1 else 1
        if not s.pairs:
            k = s.spares[0]
            self.move_spare(k, -sign * vector)
            s.sides[t][1 - place] = k
            return
        ((plus, minus),) = s.pairs
        if s.outgoing[plus].any() and not s.balance.is_level:
            x = s.balance.column(t)
            size = float(s.incoming[plus, : len(x)] @ x / (x @ x))
            self.scale({plus: np.log(abs(size)), minus: np.log(abs(size))})
            if size < 0.0:
                plus, minus = minus, plus
        s.incoming[plus], s.incoming[minus] = vector, -vector
        self.step(f"the pair moves onto target neuron {t + 1}")
        same, other = (plus, minus) if sign == 1 else (minus, plus)
        own = s.sides[t][place]
        s.outgoing[own], s.outgoing[same] = s.outgoing[own] + s.outgoing[same], 0.0
        s.sides[t][1 - place] = other
        s.pairs = []
        self.step(f"it joins the group of target neuron {t + 1}")

    def _merge_constant(self) -> None:
        s = self.state
        if not s.pairs:
            return
        ((plus, minus),) = s.pairs
        s.incoming[[plus, minus], : s.setting.inputs] = 0.0
        if s.balance.is_level:
            s.incoming[[plus, minus]] = 0.0
        self.step("the pair moves to w = 0")
        values = [s.made(plus), s.made(minus)]
        total = values[0] * s.outgoing[plus] + values[1] * s.outgoing[minus]
        s.outgoing[[plus, minus]] = 0.0
        s.pairs = []
        if total.any():
            s.constant = plus if abs(values[0]) >= abs(values[1]) else minus
            s.outgoing[s.constant] = total / max(values, key=abs)
        self.step("one neuron makes the constant")

    def scale(self, rates: dict[int, float], note: str = "a pair keeps its products a v") -> None:
        """Scale neurons k through (a e^{rate t}, v e^{-rate t}) to t = 1."""
        if max(map(abs, rates.values()), default=0.0) <= _UNIT:
            return
        s = self.state
        every = np.zeros(s.setting.width)
        every[list(rates)] = list(rates.values())
        start = s.outgoing.copy(), s.incoming.copy(), self.output_bias(s.outgoing, s.incoming)
        s.outgoing *= np.exp(every)[:, None]
        s.incoming /= np.exp(every)[:, None]
        self._curve(ScalingCurve(s.setting, *start, every), note)

    def change_bias(self, end: float) -> None:
        """Let the neuron that makes the constant do so with another centred bias."""
        s = self.state
        k = s.constant
        if k == NOBODY or s.incoming[k, -1] == end:
            return
        start = s.outgoing.copy(), s.incoming.copy(), self.output_bias(s.outgoing, s.incoming)
        made = s.outgoing[k] * s.made(k)
        s.incoming[k, -1] = end
        s.outgoing[k] = made / s.made(k)
        self._curve(BiasCurve(s.setting, *start, k, end), "a constant neuron changes its bias")
