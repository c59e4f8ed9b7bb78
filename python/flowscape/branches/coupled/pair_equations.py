"""The equations of mixed groups in coordinates in which distances are Euclidean.

z holds, in this order, (s - s0) / |n| of the mixed labelled groups, (q - q0) / |n| of the free
ones, sqrt(g) (u - u0) of their incoming vectors and, where the level is shared, a - a0 and b - b0
of the constant neurons and c - c0. A step z moves theta by |z|, and keeps the groups' equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.coupling import Mixed, Parts
from flowscape.branches.groups import add_up
from flowscape.branches.location.least_distance import OfOneSize
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairEquations:
    """rows vec(columns s + U q - right) = 0, and the level.

    Attributes
    ----------
    setting : Setting
    labelled, free : tuple of Mixed
    columns, right : ndarray
        (E, b) and (E, O); E is the number of the components of u that take part.
    rows : (n, E O) ndarray or None
        Combinations of the equations; None for all of them.
    level : ((b,) ndarray, (O,) ndarray) or None
        Where it is shared: lambda beta, C''.
    """

    setting: Setting
    labelled: tuple[Mixed, ...]
    free: tuple[Mixed, ...]
    columns: Floats
    right: Floats
    rows: Floats | None
    level: tuple[Floats, Floats] | None

    @cached_property
    def rooms(self) -> tuple[Floats, Floats]:
        """|n| of the labelled and of the free groups."""
        rooms = [np.sqrt([g.room for g in groups]) for groups in (self.labelled, self.free)]
        return rooms[0], rooms[1]

    @cached_property
    def heads(self) -> Floats:
        """sqrt(g) of the free groups."""
        return np.asarray(np.sqrt([len(g.neurons) for g in self.free]))

    def at(self, parts: Parts, constants: tuple[int, ...]) -> PairPoint:
        """Return the equations around points that obey those of the groups."""
        outgoing, incoming, _ = parts
        sums = [_signed_sum(outgoing, g) for g in self.labelled]
        pairs = [_signed_sum(outgoing, g) for g in self.free]
        vectors = [g.signs[0] * incoming[:, g.neurons[0]] for g in self.free]
        size, outputs = len(outgoing), self.setting.outputs
        return PairPoint(
            self,
            parts,
            constants,
            np.stack(sums, axis=1) if sums else np.zeros((size, 0, outputs)),
            np.stack(pairs, axis=1) if pairs else np.zeros((size, 0, outputs)),
            np.stack(vectors, axis=1) if vectors else np.zeros((size, 0, self.setting.incoming)),
        )


def _signed_sum(outgoing: Floats, group: Mixed) -> Floats:
    signs = np.array(group.signs, dtype=np.float64)
    return add_up(outgoing[:, list(group.neurons)] * signs[:, None])


@dataclass(frozen=True)
class PairPoint(OfOneSize):
    """`PairEquations` around a batch of points; callable as `least_distance.Equations`.

    s (B, b, O), q (B, J, O) and u (B, J, D) are those of the points.
    """

    equations: PairEquations
    parts: Parts
    constants: tuple[int, ...]
    s: Floats
    q: Floats
    u: Floats

    def take(self, index: NDArray[np.int64]) -> PairPoint:
        """Return some of the points."""
        outgoing, incoming, constant = (part[index] for part in self.parts)
        rest = self.s[index], self.q[index], self.u[index]
        return PairPoint(self.equations, (outgoing, incoming, constant), self.constants, *rest)

    @cached_property
    def _cuts(self) -> list[int]:
        outputs, flat = self.equations.setting.outputs, len(self.constants)
        shared = self.equations.level is not None
        last = outputs * int(shared and self.equations.setting.output_bias)
        sizes = [prod(part.shape[1:]) for part in (self.s, self.q, self.u)]
        return list(np.cumsum([*sizes, outputs * flat, flat, last]))

    @property
    def n_variables(self) -> int:
        """Length of z."""
        return int(self._cuts[-1])

    @property
    def part(self) -> tuple[slice, ...]:
        """Where s, q, u, a, b and c are in z."""
        at = [0, *self._cuts]
        return tuple(slice(first, last) for first, last in pairwise(at))

    @cached_property
    def scale(self) -> Floats:  # type: ignore[override]
        """Size (B,) of the numbers that the equations are made of."""
        size = len(self.s)
        parts = [part.reshape(size, -1) for part in (self.s, self.q, self.u, *self.parts)]
        found = 1.0 + np.abs(np.concatenate(parts, axis=1)).max(axis=1)
        return np.asarray(found + np.abs(self.equations.right).max(initial=0.0))

    def values(self, z: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
        """Return s, q, u, a (B, K, O) and b (B, K) of the constant neurons, c (B, O)."""
        e, (outgoing, incoming, constant) = self.equations, self.parts
        ds, dq, du, da, db, dc = np.split(z, self._cuts[:-1], axis=1)
        room, heads = e.rooms, e.heads
        k = list(self.constants)
        a = outgoing[:, k]
        return (
            self.s + ds.reshape(self.s.shape) * room[0][:, None],
            self.q + dq.reshape(self.q.shape) * room[1][:, None],
            self.u + du.reshape(self.u.shape) / heads[:, None],
            a + da.reshape(a.shape),
            incoming[:, k, -1] + db if k else db,
            constant + dc if dc.shape[1] else constant,
        )

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return the residuals (B, k) and their derivative (B, k, n)."""
        e = self.equations
        values, jacobian = self.all_equations(z)
        if e.rows is None:
            return values, jacobian
        count = e.rows.shape[1]
        first = add_up(values[:, :count, None] * e.rows.T)
        return (
            np.concatenate([first, values[:, count:]], axis=1),
            np.concatenate([e.rows @ jacobian[:, :count], jacobian[:, count:]], axis=1),
        )

    def all_equations(self, z: Floats) -> tuple[Floats, Floats]:
        """Return what `__call__` does, without combining: E O equations, then the level's."""
        found = [self._products(z)]
        if self.equations.level is not None:
            found.append(self._levels(z))
        values, slopes = zip(*found, strict=True)
        return np.concatenate(values, axis=1), np.concatenate(slopes, axis=1)

    def _products(self, z: Floats) -> tuple[Floats, Floats]:
        """Return columns s + U q - right and its derivative by z."""
        e, size, outputs = self.equations, len(z), self.equations.setting.outputs
        s, q, u, *_ = self.values(z)
        count, one = len(e.right), np.eye(outputs)
        room, weight = e.rooms, q / e.heads[:, None]
        made = add_up(s[:, :, None] * e.columns.T[:, :, None])
        made = made + add_up(q[:, :, None] * u[:, :, :count, None]) - e.right
        # (component, output) of an equation by (group, output) or (group, component) of z
        by_s = (e.columns * room[0])[:, None, :, None] * one[:, None]
        by_q = np.swapaxes(u[:, :, :count], 1, 2)[:, :, None, :, None] * room[1][:, None]
        by_q = by_q * one[:, None]
        by_u = np.zeros((size, count, outputs, *u.shape[1:]))
        for i in range(count):
            by_u[:, i, :, :, i] = np.swapaxes(weight, 1, 2)
        jacobian = np.zeros((size, count, outputs, self.n_variables))
        in_s, in_q, in_u, *_ = self.part
        jacobian[..., in_s] = by_s.reshape(count, outputs, -1)
        jacobian[..., in_q] = by_q.reshape(size, count, outputs, -1)
        jacobian[..., in_u] = by_u.reshape(size, count, outputs, -1)
        return made.reshape(size, -1), jacobian.reshape(size, count * outputs, -1)

    def _levels(self, z: Floats) -> tuple[Floats, Floats]:
        """Return lambda (s beta + q u_b) + a sigma(b) + c - C'' and its derivative by z."""
        e, size, outputs = self.equations, len(z), self.equations.setting.outputs
        assert e.level is not None
        tail, wanted = e.level
        s, q, u, a, b, c = self.values(z)
        value, slope = e.setting.sigma(b + e.setting.centre)
        room, weight, one = e.rooms, q / e.heads[:, None], np.eye(outputs)
        scale = e.setting.slope
        level = add_up(s * tail[:, None]) + scale * add_up(q * u[:, :, -1:])
        level = level + add_up(a * value[:, :, None]) + c - wanted
        jacobian = np.zeros((size, outputs, self.n_variables))
        in_s, in_q, in_u, in_a, in_b, in_c = self.part
        by_s = (tail * room[0])[:, None] * one[:, None]
        jacobian[..., in_s] = by_s.reshape(outputs, -1)
        by_q = scale * (u[:, None, :, -1] * room[1])[..., None] * one[:, None]
        jacobian[..., in_q] = by_q.reshape(size, outputs, -1)
        by_u = np.zeros((size, outputs, *u.shape[1:]))
        by_u[..., -1] = scale * np.swapaxes(weight, 1, 2)
        jacobian[..., in_u] = by_u.reshape(size, outputs, -1)
        by_a = value[:, None, :, None] * one[:, None]
        jacobian[..., in_a] = by_a.reshape(size, outputs, -1)
        jacobian[..., in_b] = np.swapaxes(a * slope[:, :, None], 1, 2)
        if in_c.stop > in_c.start:
            jacobian[..., in_c] = one
        return level, jacobian

    def write(self, z: Floats) -> Parts:
        """Return the points that z stands for."""
        e = self.equations
        outgoing, incoming, constant = (part.copy() for part in self.parts)
        s, q, u, a, b, c = self.values(z)
        moves = np.concatenate([s - self.s, q - self.q], axis=1)
        for i, g in enumerate((*e.labelled, *e.free)):
            step = g.direction[:, None] / g.room
            outgoing[:, list(g.neurons)] += moves[:, i, None, :] * step
        for j, g in enumerate(e.free):
            signs = np.array(g.signs, dtype=np.float64)
            incoming[:, list(g.neurons)] = signs[:, None] * u[:, j, None, :]
        k = list(self.constants)
        outgoing[:, k] = a
        if k:
            incoming[:, k, -1] = b
        constant[...] = c
        return outgoing, incoming, constant
