"""Squared distances of every group of neurons to a label, and to a common incoming vector.

For all subsets of one size at once, from three things that are computed once per point: distances
of incoming vectors to the target's and to each other, and sums of outgoing weights. With g
neurons, signs eps_k and `pull` as in `Setting.pull`,

    labelled:  sum_k |eps_k v_k - vbar|^2 + |sum_k pull_k a_k - abar|^2 / g
    free:      sum_(j<k) |eps_j v_j - eps_k v_k|^2 / g + |sum_k pull_k a_k|^2 / g.

The second one is sum_k |eps_k v_k - mean|^2: no difference of large numbers is taken. Both are
least over the signs. Points are on the last axis; every entry is computed on its own, so that
its bits do not depend on the batch.
"""

from __future__ import annotations

from functools import cached_property
from math import comb
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.location.subsets import members, parents
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]


def most_rows(setting: Setting, m0: int) -> int:
    """Return the number of rows of the largest table of `GroupCosts`, at least 1."""
    signs = 2 if setting.signed else 1
    sizes = range(1, setting.width - m0 + 2)
    return max((comb(setting.width, g) * signs**g for g in sizes), default=1)


class Costs(Protocol):
    """Tables (subsets of one size, B) of least squared distances to groups."""

    def labelled(self, label: int, size: int) -> Floats:
        """Return the distances to label `label`."""

    def free(self, size: int) -> Floats:
        """Return the distances to free groups."""


class GroupCosts:
    """Tables (subsets of one size, B) of least squared distances.

    Parameters
    ----------
    setting, target : Setting, Reduced
    outgoing, incoming : (B, m, O) and (B, m, D) ndarray
        As `Setting.split` returns them.
    """

    def __init__(
        self, setting: Setting, target: Reduced, outgoing: Floats, incoming: Floats
    ) -> None:
        self.setting = setting
        self.target = target
        self.outgoing = np.ascontiguousarray(outgoing.transpose(1, 2, 0))
        self.incoming = np.ascontiguousarray(incoming.transpose(1, 2, 0))
        self._sums: dict[int, Floats] = {}
        self._apart: dict[tuple[int, int], Floats] = {}
        self._spread: dict[int, Floats] = {}

    @property
    def _both(self) -> tuple[float, ...]:
        return (1.0, -1.0) if self.setting.signed else (1.0,)

    def labelled(self, label: int, size: int) -> Floats:
        """Return the distances to label `label`: (count, B)."""
        weight = self.target.outgoing[label]
        return _least(self._labels(label, size) + self._weights(size, weight))

    def free(self, size: int) -> Floats:
        """Return the distances to free groups: (count, B)."""
        weights = self._weights(size, np.zeros(self.setting.outputs))
        if weights.shape[1] > 1:  # a free group keeps its first sign
            weights = weights[:, : weights.shape[1] // 2]
        return _least(self._pairs(size) / size + weights)

    def _weights(self, size: int, wanted: Floats) -> Floats:
        """Return |sum pull_k a_k - wanted|^2 / g: (count, signs, B); one sign if all pull alike."""
        gaps = self._sum(size) - wanted[:, None]
        total = gaps[:, :, 0] ** 2
        for o in range(1, len(wanted)):
            total += gaps[:, :, o] ** 2
        return total / size

    def _sum(self, size: int) -> Floats:
        """Return the sums of outgoing weights (count, signs, O, B), last sign fastest."""
        if size not in self._sums:
            last = self.outgoing[members(self.setting.width, size)[:, -1]]
            flips = self.setting.signed and not self.setting.even
            step = np.stack([last, -last], axis=1) if flips else last[:, None]
            if size > 1:
                old = self._sum(size - 1)[parents(self.setting.width, size)]
                step = _every_sign(old, step)
            self._sums[size] = step
        return self._sums[size]

    def _labels(self, label: int, size: int) -> Floats:
        """Return sum_k |eps_k v_k - vbar|^2: (count, signs, B)."""
        if (label, size) not in self._apart:
            step = self._to_label[label][members(self.setting.width, size)[:, -1]]
            if size > 1:
                old = self._labels(label, size - 1)[parents(self.setting.width, size)]
                step = _every_sign(old, step)
            self._apart[label, size] = step
        return self._apart[label, size]

    def _pairs(self, size: int) -> Floats:
        """Return sum_(j<k) |eps_j v_j - eps_k v_k|^2: (count, signs with the first +, B)."""
        if size not in self._spread:
            width = self.setting.width
            rows = members(width, size)
            signs = np.arange(2 ** (size - 1) if self.setting.signed else 1)
            total = np.zeros((len(rows), len(signs), self.incoming.shape[2]))
            if size > 1:
                old = self._pairs(size - 1)[parents(width, size)]
                total += np.repeat(old, len(signs) // old.shape[1], axis=1)
            for place in range(size - 1):
                pairs = self._to_neuron[rows[:, place], rows[:, -1]]
                differ = (signs >> (size - 1 - place) ^ signs) & 1
                total += pairs[:, differ]
            self._spread[size] = total
        return self._spread[size]

    @cached_property
    def _to_label(self) -> Floats:
        """|eps v_k - vbar_t|^2: (labels, m, signs, B); for even sigma the least over the signs."""
        vectors = self.target.incoming
        size = (len(vectors), len(self.incoming), len(self._both), self.incoming.shape[2])
        table = np.zeros(size)
        for t, vector in enumerate(vectors):
            for place, sign in enumerate(self._both):
                for i, value in enumerate(vector):
                    table[t, :, place] += (sign * self.incoming[:, i] - value) ** 2
        return table.min(axis=2, keepdims=True) if self.setting.even else table

    @cached_property
    def _to_neuron(self) -> Floats:
        """|v_j - v_k|^2 and |v_j + v_k|^2: (m, m, signs, B)."""
        width, count = len(self.incoming), self.incoming.shape[2]
        table = np.zeros((width, width, len(self._both), count))
        for place, sign in enumerate(self._both):
            for i in range(self.setting.incoming):
                v = self.incoming[:, i]
                table[:, :, place] += (v[:, None] - sign * v) ** 2
        return table


def _every_sign(old: Floats, step: Floats) -> Floats:
    """Add the terms (count, t, ...) of the last neuron to (count, s, ...): (count, s t, ...)."""
    both = old[:, :, None] + step[:, None]
    return both.reshape(len(old), -1, *old.shape[2:])


def _least(table: Floats) -> Floats:
    """Return the least over axis 1."""
    least = table[:, 0].copy()
    for s in range(1, table.shape[1]):
        np.minimum(least, table[:, s], out=least)
    return least
