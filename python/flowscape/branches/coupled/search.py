"""The nearest set of every orbit of a coupled family, for a whole batch of points.

The squared distance to a set is not a sum over its groups here, but at least that sum: the
equation that couples the groups can only add to it. So sets are taken up by falling promise, and
those that cannot be the nearest are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.branch import Branch
from flowscape.branches.groups import project_free, project_labelled, squared_norm
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = ["CoupledSearch"]


class CoupledSearch:
    """One batch of points; costs of groups are computed once.

    Parameters
    ----------
    setting, target : Setting, Reduced
    branch_at : callable
        (orbit, rank within it) to the branch.
    batch : (B, P) ndarray
        Finite.
    """

    def __init__(
        self,
        setting: Setting,
        target: Reduced,
        branch_at: Callable[[int, int], Branch],
        batch: Floats,
    ) -> None:
        self.setting = setting
        self.target = target
        self.branch_at = branch_at
        self.batch = batch
        self.outgoing, self.incoming, _ = setting.split(batch)
        self._memo: dict[tuple[tuple[int, ...], int | None, tuple[float, ...]], Floats] = {}

    def nearest(self, orbit: int, shape: Shape) -> tuple[Floats, Ints]:
        """Return the distances (B,) to the nearest set of an orbit, and its rank (B,)."""
        bounds = self._bounds(shape)
        size = len(self.batch)
        best, rank = np.full(size, np.inf), np.zeros(size, dtype=np.int64)
        first = np.argmin(bounds, axis=0)
        for which in np.unique(first):
            self._try(orbit, shape, int(which), np.flatnonzero(first == which), best, rank)
        for which in np.argsort(bounds.min(axis=1, initial=np.inf), kind="stable"):
            rows = np.flatnonzero((bounds[which] < best) & (first != which))
            if len(rows):
                self._try(orbit, shape, int(which), rows, best, rank)
        return np.sqrt(best), rank

    def _try(
        self, orbit: int, shape: Shape, which: int, rows: Ints, best: Floats, rank: Ints
    ) -> None:
        count = len(shape.constant.variants)
        for variant in range(count):
            branch = self.branch_at(orbit, which * count + variant)
            cost = branch.distance(self.batch[rows]) ** 2
            better = cost < best[rows]
            best[rows[better]], rank[rows[better]] = cost[better], which * count + variant

    def _bounds(self, shape: Shape) -> Floats:
        """Return lower bounds (partitions and signs, B), in the order of the ranks."""
        tables = shape.sign_tables(True)
        m0, base = len(shape.labelled), prod(len(table) for table in tables)
        found = np.zeros((shape.n_partitions, base, len(self.batch)))
        for partition, blocks in enumerate(shape.all_blocks()):
            flat = self.incoming[:, list(blocks[0]), : self.setting.inputs]
            found[partition] += squared_norm(flat)
            repeat, after = 1, base
            for place, (table, block) in enumerate(zip(tables, blocks[1:], strict=True)):
                label = place if place < m0 else None
                costs = np.stack([self._group(block, label, tuple(row)) for row in table.tolist()])
                after //= len(table)
                # the signs of the first group change fastest
                spread = found[partition].reshape(after, len(table), repeat, -1)
                spread += costs[None, :, None, :]
                repeat *= len(table)
        return found.reshape(-1, len(self.batch))

    def _group(self, block: tuple[int, ...], label: int | None, row: tuple[float, ...]) -> Floats:
        key = block, label, row
        if key not in self._memo:
            k, signs = list(block), np.array(row)
            a, v, pull = self.outgoing[:, k], self.incoming[:, k], self.setting.pull(signs)
            if label is None:
                new = project_free(a, v, signs, pull)
            else:
                weight, vector = self.target.outgoing[label], self.target.incoming[label]
                new = project_labelled(a, v, signs, pull, weight, vector)
            self._memo[key] = squared_norm(new[0] - a) + squared_norm(new[1] - v)
        return self._memo[key]
