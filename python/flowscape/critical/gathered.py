"""A perfect network with the weight of every side of every group on one neuron."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.balance import CONSTANT, Balance
from flowscape.branches.reduce import CONSTANT as FLAT
from flowscape.branches.reduce import SILENT, reduce_network
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError

__all__ = ["NOBODY", "Gathered", "gather"]

Floats = NDArray[np.float64]

NOBODY = -1
_ROUND_OFF = 1e-12


@dataclass
class Gathered:
    """See the module; a neuron with no role is spare and has a = 0.

    Attributes
    ----------
    setting : Setting
        The student.
    balance : Balance
        What the neurons add up to.
    outgoing, incoming : ndarray
        (m, O) and centred (m, D).
    sides : list of [int, int]
        For every label the neurons on its plus and its minus side, or `NOBODY`.
    pairs : list of [int, int]
        Neurons at u and -u. Their weights are q, q for an odd activation, else q, -q.
    constant : int
        The neuron with zero input weight that makes a constant, or `NOBODY`.
    """

    setting: Setting
    balance: Balance
    outgoing: Floats
    incoming: Floats
    sides: list[list[int]]
    pairs: list[list[int]] = field(default_factory=list)
    constant: int = NOBODY

    @property
    def flip(self) -> float:
        """Factor of the weights of a pair: +1 if the activation is odd, else -1."""
        return -1.0 if self.setting.even else 1.0

    @property
    def spares(self) -> list[int]:
        """The neurons with no role."""
        used = {k for side in self.sides for k in side} | {k for pair in self.pairs for k in pair}
        return [k for k in range(self.setting.width) if k not in used | {self.constant}]

    @property
    def pattern(self) -> tuple[int, ...]:
        """The sign of every label, 0 if it is mixed."""
        return tuple(
            0 if NOBODY not in (plus, minus) else 1 if minus == NOBODY else -1
            for plus, minus in self.sides
        )

    @property
    def mixed(self) -> list[int]:
        """The mixed labels, and CONSTANT."""
        found = [t for t, sign in enumerate(self.pattern) if sign == 0]
        return found if self.constant == NOBODY else [*found, CONSTANT]

    @property
    def arrangement(self) -> tuple[object, ...]:
        """Which neuron does what; of a pair with E(u) the one with positive weight first."""
        ahead = self.outgoing[:, 0]
        if self.balance.is_matrix and self.pairs:  # along what uniform labels leave of a column
            rest = self.balance.rest(tuple(sign or 1 for sign in self.pattern))
            ahead = self.outgoing @ rest[:, np.argmax(np.linalg.norm(rest, axis=0))]
        pairs = sorted(tuple(sorted(p, key=lambda k: -ahead[k])) for p in self.pairs)
        return tuple(map(tuple, self.sides)), tuple(pairs), self.constant

    def full(self, label: int, sign: int) -> Floats:
        """Return the weight of a label that is uniform with this sign."""
        weight = self.balance.weights[label]
        return np.asarray(weight if self.setting.even else sign * weight)

    def made(self, neuron: int) -> float:
        """Return sigma at the bias of a neuron with zero input weight."""
        s = self.setting
        at = self.incoming[neuron, -1] + s.centre if s.bias else 0.0
        return float(s.sigma(np.array([at]))[0][0])

    def gap(self) -> Floats:
        """Return the right side of the balance minus what the neurons make."""
        b, s = self.balance, self.setting
        others = [k for k in range(s.width) if k != self.constant]
        if b.columns is None:
            total = self.outgoing[others].sum(axis=0)
        else:
            total = self.outgoing[others].T @ self.incoming[others, : b.equations]
        if self.constant != NOBODY:
            made = self.outgoing[self.constant] * self.made(self.constant)
            if b.columns is None:
                total = total + made / s.level
            else:
                total[:, -1] += made / s.slope
        return np.asarray(b.right - total) if not b.is_free else np.zeros(0)

    def settle(self) -> None:
        """Let the first pair make what is missing, by its vector or, where 1 counts, weight."""
        if self.balance.is_free or not self.pairs:
            return
        plus, minus = self.pairs[0]
        if self.balance.is_level:
            self.outgoing[[plus, minus]] += 0.5 * self.gap()
            return
        rows, weight = self.balance.equations, self.outgoing[plus]
        if not weight.any():
            return
        self.incoming[plus, :rows] += 0.5 * weight @ self.gap() / (weight @ weight)
        self.incoming[minus] = -self.incoming[plus]


def gather(
    setting: Setting, balance: Balance, outgoing: Floats, incoming: Floats, name: str, tol: float
) -> Gathered:
    """Return a perfect network gathered, up to a straight line.

    Raises
    ------
    ProblemError
        If it is not the target, up to `tol`.
    """
    s = setting
    theta = s.join(outgoing[None], incoming[None], np.zeros((1, s.outputs)))[0]
    found = reduce_network(s, theta, tol)
    empty = [[NOBODY, NOBODY] for _ in range(balance.m0)]
    result = Gathered(s, balance, outgoing.copy(), incoming.copy(), empty)
    groups: dict[int, list[int]] = {}
    for k, g in enumerate(found.group.tolist()):
        groups.setdefault(g, []).append(k)
    flat = groups.pop(SILENT, []) + groups.pop(FLAT, [])
    vectors = {g: found.vectors[g] for g in groups}
    signs = found.signs.copy()
    if flat and not (s.bias or s.output_bias or s.silent or s.level):
        groups[-9], vectors[-9], flat = flat, np.zeros(s.incoming), []  # a vector like any other
    reader = _Reader(result, name, tol, signs)
    reader.read_constants(flat)
    for g, block in groups.items():
        reader.read(block, vectors[g])
    missing = [t for t, pair in enumerate(result.sides) if pair == [NOBODY, NOBODY]]
    size = 1.0 + float(np.abs(theta).max()) ** 2
    if missing or np.linalg.norm(result.gap()) > tol * size:
        raise ProblemError(f"{name} is not a perfect network; give points of Q*")
    result.pairs.sort(key=lambda pair: -float(np.linalg.norm(result.outgoing[pair[0]])))
    result.settle()
    return result


class _Reader:
    """Gathers group by group."""

    def __init__(self, result: Gathered, name: str, tol: float, signs: NDArray[np.int64]) -> None:
        self.result, self.name, self.tol, self.signs = result, name, tol, signs
        self.size = 1.0 + float(np.abs(result.outgoing).max())

    def read_constants(self, flat: list[int]) -> None:
        r = self.result
        if not flat:
            return
        values = np.array([r.made(k) for k in flat])
        total = values @ r.outgoing[flat]
        best = int(np.argmax(np.abs(values)))
        r.outgoing[flat] = 0.0
        r.incoming[flat, : r.setting.inputs] = 0.0
        if r.balance.makes_constant and np.linalg.norm(total) > _ROUND_OFF * self.size:
            r.constant = flat[best]
            r.outgoing[r.constant] = total / values[best]

    def read(self, block: list[int], vector: Floats) -> None:
        """Gather one group with the incoming vector eps_k v_k = vector."""
        r, s = self.result, self.result.setting
        label, sign = self._label(block, vector)
        eps = (self.signs[block] * sign).astype(np.float64)
        vector = sign * vector if label is None else r.balance.vectors[label]
        off = np.linalg.norm(eps[:, None] * r.incoming[block] - vector, axis=1).max()
        sums = [r.outgoing[block][eps == one].sum(axis=0) for one in (1.0, -1.0)]
        pull = 1.0 if s.even else -1.0
        total = sums[0] + pull * sums[1]
        wanted = np.zeros(s.outputs) if label is None else r.balance.weights[label]
        gap = float(np.linalg.norm(total - wanted))
        if gap > self.tol * self.size:
            raise ProblemError(
                f"{self.name} has a group of neurons with outgoing sum {total.tolist()} that is "
                "no target neuron; give points of Q*"
            )
        chosen = [
            int(
                np.array(block)[eps == one][
                    np.argmax(np.linalg.norm(r.outgoing[block][eps == one], axis=1))
                ]
            )
            if (eps == one).any()
            else NOBODY
            for one in (1.0, -1.0)
        ]
        least = _ROUND_OFF * self.size + 4.0 * (gap + off)
        present = [float(np.linalg.norm(part)) > least for part in sums]
        r.outgoing[block] = 0.0
        if label is None:
            if all(present):
                r.pairs.append(chosen)
                weight = 0.5 * (sums[0] + r.flip * sums[1])
                self._put(chosen[0], weight, vector)
                self._put(chosen[1], r.flip * weight, -vector)
            return
        if all(present):
            r.sides[label] = chosen
            self._put(chosen[0], wanted - pull * sums[1], vector)
            self._put(chosen[1], sums[1], -vector)
            return
        place = 0 if present[0] else 1
        one = 1 - 2 * place
        r.sides[label][place] = chosen[place]
        self._put(chosen[place], r.full(label, one), one * vector)

    def _put(self, neuron: int, weight: Floats, vector: Floats) -> None:
        self.result.outgoing[neuron] = weight
        self.result.incoming[neuron] = vector

    def _label(self, block: list[int], vector: Floats) -> tuple[int | None, int]:
        """Return the label whose target neuron has this vector, and the sign that makes it so."""
        b = self.result.balance
        for t in range(b.m0):
            for sign in (1, -1):
                if np.linalg.norm(sign * vector - b.vectors[t]) <= self.tol:
                    if not b.vectors[t].any():
                        self.signs[block] = 1
                    return t, sign
        return None, 1
