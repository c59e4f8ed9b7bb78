"""Lower bounds on squared distances to groups of neurons on a line, for batches of points.

What the neurons of a group must move by so that they are on one line, on their sides, and so that
their sum has its value. Of a product, |a' s' - a s| <= rho delta + delta^2 / 2 for a move of
length delta from a point with norm rho: a sum that is wrong by `gap` needs at least

    delta = 2 gap / (sqrt(rho^2 + 2 gap) + rho).

All are sums of squares, no difference of large numbers is taken: at a member they are round-off
squared.
"""

from __future__ import annotations

from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.target import LineTarget

Floats = NDArray[np.float64]
Group = tuple[int, ...]


class LineBounds:
    """Bounds (B,) for all groups; what they share is computed once. Points are on the last axis.

    Parameters
    ----------
    lines : LineTarget
    a, v : (B, m, O) and (B, m, D) ndarray
        Outgoing weights and incoming vectors.
    """

    def __init__(self, lines: LineTarget, a: Floats, v: Floats) -> None:
        self.lines = lines
        self.a = np.ascontiguousarray(a.transpose(1, 2, 0))
        self.v = np.ascontiguousarray(v.transpose(1, 2, 0))
        self._memo: dict[tuple[Group, int | None, Group], Floats] = {}

    def silent(self, block: Group) -> Floats:
        """Return the squared distance to v = 0."""
        return _total([self._norms[k] for k in block], self.a.shape[2])

    def constant(self, block: Group, signs: Group) -> Floats:
        """Return the squared distance to w = 0 and the given signs of b."""
        parts = [self._heads[k] for k in block]
        parts += [
            np.minimum(sign * self.v[k, -1], 0.0) ** 2 for k, sign in zip(block, signs, strict=True)
        ]
        return _total(parts, self.a.shape[2])

    def group(self, block: Group, signs: Group, label: int | None) -> Floats:
        """Return a bound for a group with these sides; on a free line if `label` is None."""
        key = block, label, signs
        if key not in self._memo:
            pairs = list(zip(block, signs, strict=True))
            self._memo[key] = self._free(pairs) if label is None else self._labelled(pairs, label)
        return self._memo[key]

    def _labelled(self, pairs: list[tuple[int, int]], label: int) -> Floats:
        """Bound for a group on a line of the target; pairs of neuron and side."""
        made, bound = -self.lines.weights[label][:, None], np.zeros(self.a.shape[2])
        squared, wrong = np.zeros_like(bound), np.zeros_like(bound)
        for k, side in pairs:
            bound += self._across[label, k]
            wrong += self._behind[side][label, k]
            squared += self._squared[label, k]
            made = made + side * self._made[label, k]
        bound += np.maximum(wrong, _move(np.sqrt(np.sum(made**2, axis=0)), squared))
        return bound

    def _free(self, pairs: list[tuple[int, int]]) -> Floats:
        """Bound for a group on any line, with sum 0."""
        if len(pairs) == 1:
            return np.asarray(self._weights[pairs[0][0]])
        apart = np.zeros(self.a.shape[2])
        for (j, one), (k, other) in combinations(pairs, 2):
            apart += self._pair(j, k, one == other)
        apart /= len(pairs) - 1
        gap = np.zeros_like(apart)
        for o, i in np.ndindex(self._parts.shape[1:3]):
            made = sum((side * self._parts[k, o, i] for k, side in pairs), np.zeros_like(apart))
            gap += made**2
        squared = sum((self._weights[k] + self._norms[k] for k, _ in pairs), np.zeros_like(apart))
        return np.maximum(apart, _move(np.sqrt(gap), squared))

    def _pair(self, j: int, k: int, together: bool) -> Floats:
        """Return the squared distance of v_j and v_k, or v_j and -v_k, to one half line.

        At an acute angle that is the smaller eigenvalue of their Gram matrix.
        """
        dot, acute = self._angles[j, k]
        shorter = np.minimum(self._norms[j], self._norms[k])
        return np.where(dot > 0.0 if together else dot < 0.0, acute, shorter)

    @cached_property
    def _angles(self) -> dict[tuple[int, int], tuple[Floats, Floats]]:
        """v_j . v_k, and the smaller eigenvalue of the Gram matrix."""
        found, (width, d) = {}, self.v.shape[:2]
        for j, k in combinations(range(width), 2):
            dot, wedge = np.zeros((2, self.a.shape[2]))
            for i in range(d):
                dot += self.v[j, i] * self.v[k, i]
                for l in range(i):  # noqa: E741
                    wedge += (self.v[j, i] * self.v[k, l] - self.v[j, l] * self.v[k, i]) ** 2
            one, two = self._norms[j], self._norms[k]
            largest = 0.5 * (one + two + np.sqrt((one - two) ** 2 + 4.0 * dot**2))
            found[j, k] = dot, np.divide(wedge, largest, out=wedge, where=largest > 0.0)
            found[k, j] = found[j, k]
        return found

    @cached_property
    def _weights(self) -> Floats:
        """|a_k|^2: (m, B)."""
        return np.asarray(np.sum(self.a**2, axis=1))

    @cached_property
    def _heads(self) -> Floats:
        """|w_k|^2 without the last component."""
        return np.asarray(np.sum(self.v[:, :-1] ** 2, axis=1))

    @cached_property
    def _norms(self) -> Floats:
        """|v_k|^2: (m, B)."""
        return np.asarray(self._heads + self.v[:, -1] ** 2)

    @cached_property
    def _parts(self) -> Floats:
        """a_k v_k^T: (m, O, D, B)."""
        return np.asarray(self.a[:, :, None] * self.v[:, None])

    @cached_property
    def _along(self) -> Floats:
        """v_k . line_t: (m0, m, B)."""
        columns = [line[None, :, None] * self.v for line in self.lines.lines]
        shape = -1, len(self.v), self.v.shape[2]
        return np.array([column.sum(axis=1) for column in columns]).reshape(shape)

    @cached_property
    def _across(self) -> Floats:
        """|v_k - line_t line_t . v_k|^2: (m0, m, B)."""
        found = np.zeros_like(self._along)
        for t, line in enumerate(self.lines.lines):
            for i, value in enumerate(line):
                found[t] += (self.v[:, i] - value * self._along[t]) ** 2
        return found

    @cached_property
    def _behind(self) -> dict[int, Floats]:
        """How far the v_k are on the wrong side, squared, by side: (m0, m, B)."""
        return {side: np.minimum(side * self._along, 0.0) ** 2 for side in (1, -1)}

    @cached_property
    def _made(self) -> Floats:
        """a_k v_k . line_t: (m0, m, O, B)."""
        return np.asarray(self.a * self._along[:, :, None])

    @cached_property
    def _squared(self) -> Floats:
        """|a_k|^2 + (v_k . line_t)^2: (m0, m, B)."""
        return np.asarray(self._weights + self._along**2)


def _total(parts: list[Floats], size: int) -> Floats:
    return np.asarray(sum(parts, np.zeros(size)))


def _move(gap: Floats, squared: Floats) -> Floats:
    """Return delta^2 for a wrong sum; 0 where nothing is wrong."""
    gap += gap
    delta = np.sqrt(squared + gap) + np.sqrt(squared)
    np.divide(gap, delta, out=delta, where=gap > 0.0)
    delta[gap == 0.0] = 0.0
    return np.asarray(delta**2)
