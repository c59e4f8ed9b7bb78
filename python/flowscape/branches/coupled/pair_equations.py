"""The equations of mixed groups in coordinates in which distances are Euclidean.

z holds, in this order, (s - s0) / |n| of the mixed labelled groups, (q - q0) / |n| of the free
ones, sqrt(g) (u - u0) of their incoming vectors and, where the level is shared, a - a0 and b - b0
of the constant neurons and c - c0. A step z moves theta by |z|, and keeps the groups' equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.coupling import Mixed, Parts
from flowscape.branches.groups import add_up
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairEquations:
    """matrix s + rows U q = right, and the level.

    Attributes
    ----------
    setting : Setting
    labelled, free : tuple of Mixed
    matrix, right, rows : ndarray
        (E, b), (E,) and (E, number of the components of u that take part).
    level : ((b,) ndarray, float) or None
        Where it is shared: lambda beta, C''.
    """

    setting: Setting
    labelled: tuple[Mixed, ...]
    free: tuple[Mixed, ...]
    matrix: Floats
    right: Floats
    rows: Floats
    level: tuple[Floats, float] | None

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
        size = len(outgoing)
        return PairPoint(
            self,
            parts,
            constants,
            np.stack(sums, axis=1) if sums else np.zeros((size, 0)),
            np.stack(pairs, axis=1) if pairs else np.zeros((size, 0)),
            np.stack(vectors, axis=1) if vectors else np.zeros((size, 0, self.setting.incoming)),
        )


def _signed_sum(outgoing: Floats, group: Mixed) -> Floats:
    return add_up(outgoing[:, list(group.neurons), 0] * np.array(group.signs, dtype=np.float64))


@dataclass(frozen=True)
class PairPoint:
    """`PairEquations` around a batch of points; callable as `bilinear.Equations`."""

    equations: PairEquations
    parts: Parts
    constants: tuple[int, ...]
    s: Floats
    q: Floats
    u: Floats

    @cached_property
    def _cuts(self) -> list[int]:
        b, pairs, flat = self.s.shape[1], self.q.shape[1], len(self.constants)
        shared = self.equations.level is not None
        last = int(shared and self.equations.setting.output_bias)
        return list(np.cumsum([b, pairs, pairs * self.u.shape[2], flat, flat, last]))

    @property
    def n_variables(self) -> int:
        """Length of z."""
        return int(self._cuts[-1])

    @property
    def scale(self) -> Floats:
        """Size (B,) of the numbers that the equations are made of."""
        size = len(self.s)
        parts = [part.reshape(size, -1) for part in (self.s, self.q, self.u, *self.parts)]
        found = 1.0 + np.abs(np.concatenate(parts, axis=1)).max(axis=1)
        return np.asarray(found + np.abs(self.equations.right).max(initial=0.0))

    def values(self, z: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
        """Return s, q, u, a and b of the constant neurons, c (B,)."""
        e, (outgoing, incoming, constant) = self.equations, self.parts
        ds, dq, du, da, db, dc = np.split(z, self._cuts[:-1], axis=1)
        room, heads = e.rooms, e.heads
        k = list(self.constants)
        c = constant[:, 0] + dc[:, 0] if dc.shape[1] else constant[:, 0]
        return (
            self.s + ds * room[0],
            self.q + dq * room[1],
            self.u + du.reshape(self.u.shape) / heads[:, None],
            outgoing[:, k, 0] + da,
            incoming[:, k, -1] + db if k else db,
            c,
        )

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return the residuals (B, k) and their derivative (B, k, n)."""
        e = self.equations
        s, q, u, a, b, c = self.values(z)
        heads = e.rows.shape[1]
        vectors = add_up(np.swapaxes(u, 1, 2)[:, :heads, :, None] * e.rows.T[:, None, :])
        made = add_up(s[:, :, None] * e.matrix.T) + add_up(q[:, :, None] * vectors)
        residual = made - e.right
        count = len(e.right)
        jacobian = np.zeros((len(z), count + (e.level is not None), self.n_variables))
        at = [0, *self._cuts]
        room, weight = e.rooms, q / e.heads
        jacobian[:, :count, : at[1]] = e.matrix * room[0]
        jacobian[:, :count, at[1] : at[2]] = np.swapaxes(vectors, 1, 2) * room[1]
        by_vector = np.zeros((len(z), jacobian.shape[1], *u.shape[1:]))
        by_vector[:, :count, :, :heads] = e.rows[None, :, None, :] * weight[:, None, :, None]
        if e.level is not None:
            tail, wanted = e.level
            value, slope = e.setting.sigma(b + e.setting.centre)
            scale = e.setting.slope
            level = add_up(s * tail) + scale * add_up(q * u[:, :, -1]) + add_up(a * value) + c
            residual = np.concatenate([residual, (level - wanted)[:, None]], axis=1)
            jacobian[:, -1, : at[1]] = tail * room[0]
            jacobian[:, -1, at[1] : at[2]] = scale * u[:, :, -1] * room[1]
            by_vector[:, -1, :, -1] = scale * weight
            jacobian[:, -1, at[3] : at[4]] = value
            jacobian[:, -1, at[4] : at[5]] = a * slope
            jacobian[:, -1, at[5] :] = 1.0
        jacobian[:, :, at[2] : at[3]] = by_vector.reshape(len(z), jacobian.shape[1], -1)
        return residual, jacobian

    def write(self, z: Floats) -> Parts:
        """Return the points that z stands for."""
        e = self.equations
        outgoing, incoming, constant = (part.copy() for part in self.parts)
        s, q, u, a, b, c = self.values(z)
        moves = np.concatenate([s - self.s, q - self.q], axis=1)
        for column, g in zip(moves.T, (*e.labelled, *e.free), strict=True):
            outgoing[:, list(g.neurons), 0] += column[:, None] / g.room * g.direction
        for j, g in enumerate(e.free):
            signs = np.array(g.signs, dtype=np.float64)
            incoming[:, list(g.neurons)] = signs[:, None] * u[:, j, None, :]
        k = list(self.constants)
        outgoing[:, k, 0] = a
        if k:
            incoming[:, k, -1] = b
        constant[:, 0] = c
        return outgoing, incoming, constant
