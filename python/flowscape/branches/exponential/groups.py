"""Groups of exponential neurons with biases: nearest points, and the search for a whole batch.

Arrays as in `groups`: outgoing (B, g, O) and incoming (B, g, d + 1) of the g neurons of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.constant_group import ConstantGroup, Point
from flowscape.branches.groups import Projected, add_up, squared_norm
from flowscape.branches.location.search import Search
from flowscape.branches.location.subsets import members
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import CURVED, ConstantType, Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
        self, setting: Setting, target: Reduced, outgoing: Floats, incoming: Floats
    ) -> None:
        self.setting, self.target = setting, target
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
            before = self.outgoing[:, k], self.incoming[:, k]
            after = project_exponential(self.setting, *before, weight, vector)
            rows.append(_cost(after, before))
        return np.stack(rows)


class ExponentialSearch(Search):
    """`Search` with the distances of exponential groups; meetings of closures stay ambiguous."""

    decides_meetings = False

    def __init__(
        self, setting: Setting, target: Reduced, shapes: Sequence[Shape], batch: Floats
    ) -> None:
        super().__init__(setting, target, shapes, batch)
        self._groups = ExponentialCosts(setting, target, self.outgoing, self.incoming)

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
