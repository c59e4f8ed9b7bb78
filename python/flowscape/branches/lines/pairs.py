"""Distances of many points to sets of one orbit at once: every point to a set of its own.

With the neurons in the order of `LineSets` and the v_k turned to their sides all sets obey the
same equations. What needs no search is split off: the parts of the v_k across known lines, free
lines of one neuron (a = 0), an output bias that is given. For the others z is the move of, in this
order, all a_k, s_k = v_k . u of the labelled and constant neurons, the vectors of the free ones,
rotated such that the longest of its group is along the first axis, and an output bias.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.groups import add_up, squared_norm
from flowscape.branches.lines.sets import LineSystem

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_TINY = 1e-300


@dataclass(frozen=True)
class LinePairs:
    """The equations around a batch of points; see `least_distance.Equations`.

    Attributes
    ----------
    system : LineSystem
    a, eps, lengths : (B, n) ndarray
        Outgoing weights, sides and |v_k|, neurons on known lines first.
    s : (B, neurons on known lines) ndarray
        eps_k v_k . u.
    y : (B, the others, D) ndarray
        eps_k v_k, rotated; the longest one of every group comes first.
    rotation : (B, free groups, D) ndarray
        Unit vectors h of the reflections 1 - 2 h h^T that rotate.
    still : (B, n) ndarray of bool
        Neurons that are held at v_k = 0; their s or y is 0.
    order : (B, n) ndarray of int
        Which neuron of the groups comes where.
    level : (B, 0 or 1) ndarray
        An output bias that takes part.
    """

    system: LineSystem
    a: Floats
    eps: Floats
    lengths: Floats
    s: Floats
    y: Floats
    rotation: Floats
    still: Bools
    order: Ints
    level: Floats

    @property
    def n_variables(self) -> int:
        """Length of z."""
        rest = self.y.shape[1] * self.y.shape[2] + self.level.shape[1]
        return self.a.shape[1] + self.s.shape[1] + rest

    def take(self, rows: Ints) -> Self:
        """Return the equations of some points."""
        names = [field.name for field in fields(self) if field.name != "system"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @property
    def sizes(self) -> Floats:
        """Sizes (B, n) of the numbers that z is added to."""
        m, d = self.s.shape[1], self.y.shape[2]
        free = np.repeat(self.lengths[:, m:], d, axis=1)
        return np.concatenate(
            [np.abs(self.a), self.lengths[:, :m], free, np.abs(self.level)], axis=1
        )

    def terms(self, z: Floats, jacobian: Floats) -> Floats:
        """Return the sizes (B, k) of the terms of the equations."""
        system = self.system
        sizes = self.sizes + np.abs(z).max(axis=1, initial=0.0)[:, None]
        found: Floats = (np.abs(jacobian) @ sizes[:, :, None])[:, :, 0]
        found[:, : len(system.labelled)] += np.abs(system.weights)
        found[:, len(system.labelled) + system.n_free :] += system.size
        return found

    def values(self, z: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return a, s, y and the output bias."""
        n, m, last = self.a.shape[1], self.s.shape[1], self.level.shape[1]
        end = z.shape[1] - last
        a, s = self.a + z[:, :n], self.s + z[:, n : n + m]
        return a, s, self.y + z[:, n + m : end].reshape(self.y.shape), self.level + z[:, end:]

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return F (B, k) and its derivative (B, k, n)."""
        system, (a, s, y, level) = self.system, self.values(z)
        size, d = len(z), self.y.shape[2]
        values = np.zeros((size, system.n_equations))
        jacobian = np.zeros((size, system.n_equations, self.n_variables))
        n, m, end = self.a.shape[1], self.s.shape[1], self.n_variables - self.level.shape[1]
        row = 0
        for t, place in enumerate(system.places[: len(system.labelled)]):
            values[:, row] = add_up(a[:, place] * s[:, place]) - system.weights[t]
            jacobian[:, row, place] = s[:, place]
            jacobian[:, row, n + place.start : n + place.stop] = a[:, place]
            row += 1
        by_y = np.zeros((size, system.n_equations, y.shape[1], d))
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
            self._lines(a, s, y, values[:, row:], jacobian[:, row:], by_y[:, row:])
            self._constants(a, s, level, values[:, row:], jacobian[:, row:])
        if y.shape[1]:
            jacobian[:, :, n + m : end] = by_y.reshape(size, system.n_equations, -1)
        held = self.still
        if held.any():
            jacobian[:, :, n : n + m] *= ~held[:, None, :m]
            jacobian[:, :, n + m : end] *= ~np.repeat(held[:, None, m:], d, axis=2)
        return values, jacobian

    def _lines(
        self, a: Floats, s: Floats, y: Floats, values: Floats, by_a: Floats, by_y: Floats
    ) -> None:
        """Put in rows @ (sum over the mixed groups of eps_k a_k y_k - L')."""
        system, n, m = self.system, self.a.shape[1], self.s.shape[1]
        values -= system.rows @ system.left
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

    def _constants(
        self, a: Floats, s: Floats, level: Floats, values: Floats, jacobian: Floats
    ) -> None:
        """Add what constant neurons and the output bias make."""
        system, n, up = self.system, self.a.shape[1], self.system.rows[:, -1]
        if level.shape[1]:
            values += system.output * level * up
            jacobian[:, :, -1] = system.output * up
        if system.constants:
            place = system.flat
            gains = np.where(self.eps[:, place] > 0.0, *system.gains)
            by_a, by_s = gains * s[:, place], gains * a[:, place]
            values += add_up(by_a * a[:, place])[:, None] * up
            jacobian[:, :, place] = by_a[:, None, :] * up[:, None]
            jacobian[:, :, n + place.start : n + place.stop] = by_s[:, None, :] * up[:, None]


def pairs_at(
    system: LineSystem, a: Floats, y: Floats, eps: Floats, level: Floats, still: Bools
) -> tuple[LinePairs, Floats]:
    """Return the equations around points, and the squared distance that needs no search.

    Parameters
    ----------
    system : LineSystem
    a, y, eps, still : ndarray
        (B, n), (B, n, D), (B, n), (B, n): outgoing weights, incoming vectors turned to their
        sides, sides, and neurons held at v_k = 0; the neurons in the order of the groups.
    level : (B, 0 or 1) ndarray
        The output bias where it takes part.
    """
    m, size = system.n_straight, len(a)
    lengths = np.sqrt(add_up(np.moveaxis(y**2, 2, 1)))
    y = np.where(still[:, :, None], 0.0, y)
    split, s = np.zeros(size), np.zeros((size, m))
    for t, place in enumerate(system.places[: len(system.labelled)]):
        part = y[:, place]
        s[:, place] = add_up(np.moveaxis(part * system.lines[t], 2, 1))
        rest = part - s[:, place, None] * system.lines[t]
        split += squared_norm(rest)
    if system.constants:
        s[:, system.flat] = y[:, system.flat, -1]
        split += squared_norm(y[:, system.flat, :-1])
    order = np.tile(np.arange(a.shape[1]), (size, 1))
    rotation = np.zeros((size, len(system.free), y.shape[2]))
    if not system.free:
        return LinePairs(system, a, eps, lengths, s, y[:, m:], rotation, still, order, level), split
    for group, place in enumerate(system.places[len(system.labelled) :]):
        norms = add_up(np.moveaxis(y[:, place] ** 2, 2, 1))
        longest = place.start + np.argmax(norms, axis=1)
        line = np.arange(size)
        order[:, place.start], order[line, longest] = longest, place.start
        rotation[:, group] = _reflection(y[line, longest])
    a, eps, lengths, still = (
        np.take_along_axis(part, order, axis=1) for part in (a, eps, lengths, still)
    )
    turned = np.take_along_axis(y, order[:, :, None], axis=1)[:, m:]
    for group, place in enumerate(system.places[len(system.labelled) :]):
        own, h = slice(place.start - m, place.stop - m), rotation[:, group]
        dot = add_up(np.moveaxis(turned[:, own] * h[:, None], 2, 1))
        turned[:, own] -= 2.0 * dot[:, :, None] * h[:, None]
    return LinePairs(system, a, eps, lengths, s, turned, rotation, still, order, level), split


def _reflection(vector: Floats) -> Floats:
    """Return unit vectors h (B, d) with (1 - 2 h h^T) vector along the first axis."""
    length = np.sqrt(add_up(vector**2))
    h = vector.copy()
    h[:, 0] += np.where(vector[:, 0] < 0.0, -length, length)
    norm = np.sqrt(add_up(h**2))
    h /= np.maximum(norm, _TINY)[:, None]
    return h
