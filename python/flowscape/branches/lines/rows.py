"""Values and derivatives of the equations of lines, collected row by row at one point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]


class LineRows:
    """Collects values and derivatives of equations at a point (P,) of a student."""

    def __init__(self, setting: Setting, theta: Floats) -> None:
        self.s = setting
        outgoing, incoming, constant = (part[0] for part in setting.split(theta[None]))
        self.a, self.w, self.c = outgoing, incoming, constant
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
        for o in range(self.s.outputs):
            self._add(self.a[k, o])[self.s.a_index(k, o)] = 1.0

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
        self, block: tuple[int, ...], signs: Sequence[int], line: Floats, weight: Floats
    ) -> None:
        """Demand sum eps_k a_k (line . w_k) = weight."""
        along = {k: signs[k] * float(self.w[k] @ line) for k in block}
        for o in range(self.s.outputs):
            row = self._add(sum(self.a[k, o] * along[k] for k in block) - weight[o])
            for k in block:
                row[self.s.a_index(k, o)] = along[k]
                row[self._slot(k)] = signs[k] * self.a[k, o] * line

    def free_sum(self, block: tuple[int, ...], signs: Sequence[int], first: int) -> None:
        """Demand sum eps_k a_k (w_k . w_first) = 0."""
        u = self.w[first]
        along = {k: signs[k] * float(self.w[k] @ u) for k in block}
        for o in range(self.s.outputs):
            row = self._add(sum(self.a[k, o] * along[k] for k in block))
            for k in block:
                row[self.s.a_index(k, o)] = along[k]
                row[self._slot(k)] += signs[k] * self.a[k, o] * u
                row[self._slot(first)] += signs[k] * self.a[k, o] * self.w[k]

    def affine(
        self, matrices: Floats, total: Floats, tilt: float, turns: Floats, output: float
    ) -> None:
        """Demand <M, tilt sum a_k v_k^T + (sum turns_k a_k b_k + output c) e^T - total> = 0.

        For every M (O, D) of `matrices`; e is the last unit vector.
        """
        s, a, v = self.s, self.a, self.w
        gap = tilt * (a.T @ v) - total
        gap[:, -1] += a.T @ (turns * v[:, -1]) + output * self.c
        for matrix in matrices:
            row = self._add(float((matrix * gap).sum()))
            for k in range(s.width):
                factor = tilt * matrix
                factor[:, -1] += turns[k] * matrix[:, -1]
                row[s.a_index(k, 0) : s.a_index(k, 0) + s.outputs] = factor @ v[k]
                row[self._slot(k)] = a[k] @ factor
            if s.output_bias:
                row[s.c_index(0) : s.c_index(0) + s.outputs] = output * matrix[:, -1]

    def constant(self, value: Floats) -> None:
        """Demand c = value."""
        for o in range(self.s.outputs):
            self._add(self.c[o] - value[o])[self.s.c_index(o)] = 1.0

    def arrays(self) -> tuple[Floats, Floats]:
        """Return values (E,) and derivative (E, P)."""
        return np.array(self._values), np.array(self._rows).reshape(-1, self.s.n_params)
