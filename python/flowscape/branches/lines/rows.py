"""Values and derivatives of the equations of lines, collected row by row at one point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]


class LineRows:
    """Collects values and derivatives of equations at a point (P,) of a student with one output."""

    def __init__(self, setting: Setting, theta: Floats) -> None:
        self.s = setting
        outgoing, incoming, constant = (part[0] for part in setting.split(theta[None]))
        self.a, self.w, self.c = outgoing[:, 0], incoming, constant
        self._values: list[float] = []
        self._rows: list[Floats] = []

    def length(self, k: int) -> float:
        """Return |w_k|^2."""
        return float(self.w[k] @ self.w[k])

    def _add(self, value: float) -> Floats:
        row = np.zeros(self.s.n_params)
        self._values.append(float(value))
        self._rows.append(row)
        return row

    def _slot(self, k: int) -> slice:
        first = self.s.v_index(k, 0)
        return slice(first, first + self.s.incoming)

    def vector(self, k: int, matrix: Floats) -> None:
        """Demand matrix @ w_k = 0."""
        for normal in matrix:
            self._add(normal @ self.w[k])[self._slot(k)] = normal

    def silence(self, k: int) -> None:
        """Demand a_k = 0."""
        self._add(self.a[k])[self.s.a_index(k, 0)] = 1.0

    def parallel(self, k: int, first: int) -> None:
        """Demand w_k parallel to w_first != 0: the minors with its largest component."""
        w, u = self.w[k], self.w[first]
        i = int(np.argmax(np.abs(u)))
        for j in range(self.s.incoming):
            if j != i:
                row = self._add(w[j] * u[i] - w[i] * u[j])
                row[self.s.v_index(k, j)], row[self.s.v_index(k, i)] = u[i], -u[j]
                row[self.s.v_index(first, i)], row[self.s.v_index(first, j)] = w[j], -w[i]

    def labelled_sum(
        self, block: tuple[int, ...], signs: Sequence[int], line: Floats, weight: float
    ) -> None:
        """Demand sum eps_k a_k (line . w_k) = weight."""
        along = {k: signs[k] * float(self.w[k] @ line) for k in block}
        row = self._add(sum(self.a[k] * along[k] for k in block) - weight)
        for k in block:
            row[self.s.a_index(k, 0)] = along[k]
            row[self._slot(k)] = signs[k] * self.a[k] * line

    def free_sum(self, block: tuple[int, ...], signs: Sequence[int], first: int) -> None:
        """Demand sum eps_k a_k (w_k . w_first) = 0."""
        u = self.w[first]
        along = {k: signs[k] * float(self.w[k] @ u) for k in block}
        row = self._add(sum(self.a[k] * along[k] for k in block))
        for k in block:
            row[self.s.a_index(k, 0)] = along[k]
            row[self._slot(k)] += signs[k] * self.a[k] * u
            row[self._slot(first)] += signs[k] * self.a[k] * self.w[k]

    def affine(
        self, matrix: Floats, total: Floats, tilt: float, turns: Floats, output: float
    ) -> None:
        """Demand matrix @ (tilt sum a_k v_k + e (sum turns_k a_k b_k + output c) - total) = 0.

        e is the last unit vector.
        """
        a, v = self.a, self.w
        gap = tilt * (a @ v) - total
        gap[-1] += (turns * a) @ v[:, -1] + output * self.c[0]
        for normal in matrix:
            row = self._add(normal @ gap)
            for k in range(self.s.width):
                factor = tilt * normal
                factor[-1] += turns[k] * normal[-1]
                row[self.s.a_index(k, 0)] = factor @ v[k]
                row[self._slot(k)] = a[k] * factor
            if self.s.output_bias:
                row[self.s.c_index(0)] = output * normal[-1]

    def constant(self, value: float) -> None:
        """Demand c = value."""
        self._add(self.c[0] - value)[self.s.c_index(0)] = 1.0

    def arrays(self) -> tuple[Floats, Floats]:
        """Return values (E,) and derivative (E, P)."""
        return np.array(self._values), np.array(self._rows).reshape(-1, self.s.n_params)
