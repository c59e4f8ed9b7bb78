"""Groups of exponential neurons with biases: nearest points, and the search for a whole batch.

Arrays as in `groups`: outgoing (B, g, O) and incoming (B, g, d + 1) of the g neurons of a group.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.constant_group import ConstantGroup, Point
from flowscape.branches.groups import Projected, add_up, squared_norm
from flowscape.branches.location.search import Search
from flowscape.branches.location.subsets import members
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import CURVED, ConstantType

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = 1e-13  # of a sum, relative to its absolute terms
_MARGIN = 1.0 + 1e-9


def project_exponential(
    setting: Setting, outgoing: Floats, incoming: Floats, weight: Floats, vector: Floats | None
) -> Projected:
    """Return the nearest (a, w, b) with equal w and sum a_k e^{k b_k} = weight.

    Parameters
    ----------
    setting : Setting
        Of the student.
    outgoing, incoming : (B, g, O) and (B, g, d + 1) ndarray
    weight : (O,) ndarray
    vector : (d,) ndarray or None
        The common w; None if it is free.

    Notes
    -----
    The input weights are found exactly. (a, b) obey the equation of a constant group, and its local
    search finds them: a member, and the nearest one near the set.
    """
    alone = replace(setting, output_bias=False)
    group = ConstantGroup(alone, CURVED, (), setting.at_zero * weight)
    point = Point(outgoing, incoming, np.zeros((len(outgoing), setting.outputs)))
    found = _project(group, point)
    fixed = found.incoming.copy()
    w = incoming[:, :, : setting.inputs]
    mean = (add_up(w) / w.shape[1])[:, None, :] if vector is None else vector
    fixed[:, :, : setting.inputs] = np.broadcast_to(mean, w.shape)
    return found.outgoing, fixed


def project_level(setting: Setting, point: Point, target: Floats) -> Point:
    """Return the nearest point with w = 0 and c + sum a_k sigma(b_k) = target."""
    return _project(ConstantGroup(setting, CURVED, (), target), point)


def _project(group: ConstantGroup, point: Point) -> Point:
    """Project; NaN where a sum of a_k e^{k b_k} overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        values, _ = group.setting.sigma(point.incoming[:, :, -1])
        size = np.abs(point.outgoing).sum(axis=(1, 2)) + 1.0
        good = np.flatnonzero(np.isfinite(squared_norm(values) * size**2))
        found = group.project(Point(*(part[good] for part in point)))
    result = Point(*(np.full_like(part, np.nan) for part in point))
    for new, part in zip(result, found, strict=True):
        new[good] = part
    return result


class ExponentialCosts:
    """Tables of squared distances to groups, as `GroupCosts`, by the search of `project`."""

    def __init__(
        self,
        setting: Setting,
        target: Reduced,
        outgoing: Floats,
        incoming: Floats,
        most: float = np.inf,
    ) -> None:
        self.setting, self.target, self.most = setting, target, most
        self.outgoing, self.incoming = outgoing, incoming

    def labelled(self, label: int, size: int) -> Floats:
        """Return the distances to label `label`: (count, B)."""
        vector = self.target.incoming[label, : self.setting.inputs]
        return self._table(size, self.target.outgoing[label], vector)

    def free(self, size: int) -> Floats:
        """Return the distances to free groups: (count, B)."""
        return self._table(size, np.zeros(self.setting.outputs), None)

    def _table(self, size: int, weight: Floats, vector: Floats | None) -> Floats:
        rows = []
        for k in members(self.setting.width, size):
            cost = np.full(len(self.outgoing), np.inf)
            near = np.flatnonzero(
                self._within(self.outgoing[:, k], self.incoming[:, k], weight, vector)
            )
            before = self.outgoing[near][:, k], self.incoming[near][:, k]
            after = project_exponential(self.setting, *before, weight, vector)
            cost[near] = _cost(after, before)
            rows.append(cost)
        return np.stack(rows)

    def _within(
        self, outgoing: Floats, incoming: Floats, weight: Floats, vector: Floats | None
    ) -> NDArray[np.bool_]:
        """Return whether the distance may be at most `most`: (B,).

        The input weights have their own part of it. If no a_k and b_k moves by more than delta, a
        term a_k sigma(b_k) changes by at most sigma(b_k) (delta e^t + |a_k| (e^t - 1)), t = |k|
        delta.
        """
        if not np.isfinite(self.most):
            return np.ones(len(outgoing), dtype=np.bool_)
        w = incoming[:, :, : self.setting.inputs]
        mean = (add_up(w) / w.shape[1])[:, None, :] if vector is None else vector
        with np.errstate(over="ignore", invalid="ignore"):
            values, slopes = self.setting.sigma(np.append(incoming[:, :, -1].ravel(), 0.0))
            t = abs(slopes[-1] / values[-1]) * self.most
            size = np.abs(values[:-1]).reshape(w.shape[:2])
            signed = values[:-1].reshape(w.shape[:2])
            gap = np.abs(add_up(outgoing * signed[:, :, None]) - self.setting.at_zero * weight)
            room = self.most * np.exp(t) + np.abs(outgoing) * np.expm1(t)
            most = add_up(size[:, :, None] * room) + _ROUNDING * (
                add_up(np.abs(outgoing) * size[:, :, None]) + np.abs(self.setting.at_zero * weight)
            )
            near: NDArray[np.bool_] = squared_norm(w - mean) <= _MARGIN * self.most**2
            return near & ~(gap > most).any(axis=1)


class ExponentialSearch(Search):
    """`Search` with the distances of exponential groups; meetings of closures stay ambiguous."""

    decides_meetings = False

    def _group_costs(self, most: float) -> ExponentialCosts:
        return ExponentialCosts(self.setting, self.target, self.outgoing, self.incoming, most)

    def _constant(self, kind: ConstantType) -> tuple[Floats, Ints]:
        if kind.size == 0:
            return super()._constant(kind)
        if kind not in self._constants:
            rows = []
            for k in members(self.setting.width, kind.size):
                before = Point(self.outgoing[:, k], self.incoming[:, k], self.constant)
                rows.append(
                    _cost(project_level(self.setting, before, self.target.constant), before)
                )
            costs = np.stack(rows)
            self._constants[kind] = costs, np.zeros(costs.shape, dtype=np.int64)
        return self._constants[kind]


def _cost(after: tuple[Floats, ...], before: tuple[Floats, ...]) -> Floats:
    """Return the squared distance; infinity where e^{kb} overflowed."""
    pairs = zip(after, before, strict=True)
    cost = sum((squared_norm(new - old) for new, old in pairs), np.zeros(len(before[0])))
    return np.where(np.isnan(cost), np.inf, cost)
