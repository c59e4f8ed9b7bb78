"""Distances of many points to sets of one orbit at once: every point to a set of its own.

Sets of an orbit differ by the order of the neurons and their sides. With the neurons put in order
and the w_k turned to their sides all obey the same equations. What needs no search is split off:
the parts of the w_k across the target's lines, free lines of one neuron (a = 0), the output bias.
For the others z is the move of, in this order, all a_k, s_k = w_k . u of the labelled groups, and
the vectors of the free ones, rotated such that the longest of its group is along the first axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.groups import add_up, squared_norm
from flowscape.branches.lines.strata import Stratum

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_TINY = 1e-300


@dataclass(frozen=True)
class LineSystem:
    """What all pairs of a point and a set of one orbit have in common.

    Attributes
    ----------
    lines, weights : (m0, d) and (m0,) ndarray
        Of the labelled groups.
    labelled, free : tuple of int
        Sizes; free groups of at least two neurons.
    stratum : Stratum or None
        The linear condition, where there is one.
    mixed : tuple of bool
        Which groups, labelled ones first, have neurons on both sides.
    rows : (rho, d) ndarray
        Combinations of the linear condition that are independent.
    size : float
        Scale of the target.
    """

    lines: Floats
    weights: Floats
    labelled: tuple[int, ...]
    free: tuple[int, ...]
    stratum: Stratum | None
    mixed: tuple[bool, ...]
    rows: Floats
    size: float

    @cached_property
    def places(self) -> list[slice]:
        """Where the neurons of every group are, labelled groups first."""
        ends = np.cumsum([0, *self.labelled, *self.free]).tolist()
        return [slice(i, j) for i, j in pairwise(ends)]

    @property
    def n_labelled(self) -> int:
        """Number of neurons in labelled groups."""
        return sum(self.labelled)

    @property
    def n_equations(self) -> int:
        """Number of equations."""
        d = self.lines.shape[1]
        parallel = sum((size - 1) * (d - 1) for size in self.free)
        return len(self.labelled) + len(self.free) + parallel + len(self.rows)


@dataclass(frozen=True)
class LinePairs:
    """The equations around a batch of points; callable as `least_distance.Equations`.

    Attributes
    ----------
    system : LineSystem
    a, eps : (B, n) ndarray
        Outgoing weights and sides, labelled neurons first.
    s : (B, labelled neurons) ndarray
        eps_k w_k . u_t.
    y : (B, n - labelled neurons, d) ndarray
        eps_k w_k, rotated; the longest one of every group comes first.
    rotation : (B, free groups, d) ndarray
        Unit vectors h of the reflections 1 - 2 h h^T that rotate.
    still : (B, n) ndarray of bool
        Neurons that are held at w_k = 0; their s or y is 0.
    order : (B, n) ndarray of int
        Which neuron of the groups comes where.
    """

    system: LineSystem
    a: Floats
    eps: Floats
    s: Floats
    y: Floats
    rotation: Floats
    still: Bools
    order: Ints

    @property
    def n_variables(self) -> int:
        """Length of z."""
        return self.a.shape[1] + self.s.shape[1] + self.y.shape[1] * self.y.shape[2]

    def take(self, rows: Ints) -> Self:
        """Return the equations of some points."""
        return replace(
            self,
            a=self.a[rows],
            eps=self.eps[rows],
            s=self.s[rows],
            y=self.y[rows],
            rotation=self.rotation[rows],
            still=self.still[rows],
            order=self.order[rows],
        )

    @property
    def scale(self) -> Floats:
        """Size (B,) of the numbers in the equations."""
        parts = [part.reshape(len(self.a), -1) for part in (self.a, self.s, self.y)]
        size = 1.0 + np.abs(np.concatenate(parts, axis=1)).max(axis=1, initial=0.0)
        size = size + np.abs(self.system.weights).max(initial=0.0)
        if self.system.stratum is not None:
            size = size + np.abs(self.system.stratum.left).max(initial=0.0)
        return np.asarray(size)

    def values(self, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Return a, s and y."""
        n, m = self.a.shape[1], self.s.shape[1]
        a, s = self.a + z[:, :n], self.s + z[:, n : n + m]
        return a, s, self.y + z[:, n + m :].reshape(self.y.shape)

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return F (B, k) and its derivative (B, k, n)."""
        system, (a, s, y) = self.system, self.values(z)
        size, d = len(z), self.y.shape[2]
        values = np.zeros((size, system.n_equations))
        jacobian = np.zeros((size, system.n_equations, self.n_variables))
        n, m = self.a.shape[1], self.s.shape[1]
        row = 0
        for t, place in enumerate(system.places[: len(system.labelled)]):
            values[:, row] = add_up(a[:, place] * s[:, place]) - system.weights[t]
            jacobian[:, row, place] = s[:, place]
            jacobian[:, row, n + place.start : n + place.stop] = a[:, place]
            row += 1
        by_y = jacobian[:, :, n + m :].reshape(size, system.n_equations, -1, d)
        for place in system.places[len(system.labelled) :]:
            own = slice(place.start - m, place.stop - m)
            values[:, row] = add_up(a[:, place] * y[:, own, 0])
            jacobian[:, row, place] = y[:, own, 0]
            by_y[:, row, own, 0] = a[:, place]
            row += 1
            for j in range(own.start + 1, own.stop):
                for i in range(1, d):
                    first, other = y[:, own.start], y[:, j]
                    values[:, row] = other[:, i] * first[:, 0] - other[:, 0] * first[:, i]
                    by_y[:, row, j, i], by_y[:, row, j, 0] = first[:, 0], -first[:, i]
                    by_y[:, row, own.start, 0] = other[:, i]
                    by_y[:, row, own.start, i] = -other[:, 0]
                    row += 1
        if len(system.rows):
            self._linear(a, s, y, values[:, row:], jacobian[:, row:], by_y[:, row:])
        jacobian[:, :, n + m :] = by_y.reshape(size, system.n_equations, -1)
        held = self.still
        if held.any():
            jacobian[:, :, n : n + m] *= ~held[:, None, :m]
            jacobian[:, :, n + m :] *= ~np.repeat(held[:, None, m:], d, axis=2)
        return values, jacobian

    def _linear(
        self, a: Floats, s: Floats, y: Floats, values: Floats, by_a: Floats, by_y: Floats
    ) -> None:
        """Put in rows @ (sum over the mixed groups of eps_k a_k y_k - L')."""
        system, n, m = self.system, self.a.shape[1], self.s.shape[1]
        assert system.stratum is not None
        values -= system.rows @ system.stratum.left[:, 0]
        for group, place in enumerate(system.places):
            if not system.mixed[group]:
                continue
            turned = self.eps[:, place] * a[:, place]
            if group < len(system.labelled):
                along = system.rows @ system.lines[group]
                part = self.eps[:, place] * s[:, place]
                values += add_up(turned * s[:, place])[:, None] * along
                by_a[:, :, place] = part[:, None, :] * along[:, None]
                by_a[:, :, n + place.start : n + place.stop] = turned[:, None, :] * along[:, None]
            else:
                h = self.rotation[:, group - len(system.labelled)]
                rows = system.rows - 2.0 * (system.rows @ h.T).T[:, :, None] * h[:, None, :]
                own = slice(place.start - m, place.stop - m)
                # (B, rho, g): rows @ y_k
                seen = add_up(np.moveaxis(rows[:, :, None] * y[:, None, own], 3, 1))
                values += add_up(np.moveaxis(seen * turned[:, None], 2, 1))
                by_a[:, :, place] = seen * self.eps[:, None, place]
                by_y[:, :, own] = rows[:, :, None] * turned[:, None, :, None]


def pairs_at(
    system: LineSystem, a: Floats, y: Floats, eps: Floats, still: Bools
) -> tuple[LinePairs, Floats]:
    """Return the equations around points, and the squared distance that needs no search.

    Parameters
    ----------
    system : LineSystem
    a, y, eps, still : ndarray
        (B, n), (B, n, d), (B, n), (B, n): outgoing weights, incoming vectors turned to their
        sides, sides, and neurons held at w_k = 0; the neurons in the order of the groups.
    """
    m, size = system.n_labelled, len(a)
    y = np.where(still[:, :, None], 0.0, y)
    split, s = np.zeros(size), np.zeros((size, m))
    for t, place in enumerate(system.places[: len(system.labelled)]):
        part = y[:, place]
        s[:, place] = add_up(np.moveaxis(part * system.lines[t], 2, 1))
        rest = part - s[:, place, None] * system.lines[t]
        split += squared_norm(rest)
    order = np.tile(np.arange(a.shape[1]), (size, 1))
    rotation = np.zeros((size, len(system.free), y.shape[2]))
    for group, place in enumerate(system.places[len(system.labelled) :]):
        norms = add_up(np.moveaxis(y[:, place] ** 2, 2, 1))
        longest = place.start + np.argmax(norms, axis=1)
        line = np.arange(size)
        order[:, place.start], order[line, longest] = longest, place.start
        rotation[:, group] = _reflection(y[line, longest])
    a, eps = (np.take_along_axis(part, order, axis=1) for part in (a, eps))
    still = np.take_along_axis(still, order, axis=1)
    turned = np.take_along_axis(y, order[:, :, None], axis=1)[:, m:]
    for group, place in enumerate(system.places[len(system.labelled) :]):
        own, h = slice(place.start - m, place.stop - m), rotation[:, group]
        dot = add_up(np.moveaxis(turned[:, own] * h[:, None], 2, 1))
        turned[:, own] -= 2.0 * dot[:, :, None] * h[:, None]
    return LinePairs(system, a, eps, s, turned, rotation, still, order), split


def _reflection(vector: Floats) -> Floats:
    """Return unit vectors h (B, d) with (1 - 2 h h^T) vector along the first axis."""
    length = np.sqrt(add_up(vector**2))
    h = vector.copy()
    h[:, 0] += np.where(vector[:, 0] < 0.0, -length, length)
    norm = np.sqrt(add_up(h**2))
    h /= np.maximum(norm, _TINY)[:, None]
    return h
