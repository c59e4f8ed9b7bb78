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
from flowscape.branches.location.bounded import nearest_by_bounds
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = ["CoupledSearch"]

_MARGIN = 1.0 + 1e-9


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

    def nearest(self, orbit: int, shape: Shape, most: float = np.inf) -> tuple[Floats, Ints]:
        """Return the distances (B,) to the nearest set of an orbit, and its rank (B,).

        Distances beyond `most` may be infinity, with rank -1.
        """
        variants = len(shape.constant.variants)
        kinds = prod(len(table) for table in shape.sign_tables(True)) * variants
        first = [k for block in shape.blocks(0) for k in block]
        orders: dict[int, Ints] = {}

        def costs(rows: Ints, ranks: Ints) -> Floats:
            # sets with equal signs differ by a permutation of the neurons
            partition, kind = np.divmod(ranks, kinds)
            asked, place = np.unique(partition, return_inverse=True)
            for which in asked.tolist():
                if which not in orders:
                    orders[which] = np.empty(shape.width, dtype=np.int64)
                    orders[which][first] = [k for block in shape.blocks(which) for k in block]
            points = self._in_order(rows, np.stack([orders[w] for w in asked.tolist()])[place])
            found = np.empty(len(rows))
            for one in np.unique(kind):
                mine = kind == one
                found[mine] = self.branch_at(orbit, int(one)).distance(points[mine]) ** 2
            return found

        bounds = np.repeat(self._bounds(shape), variants, axis=0)
        best, rank = nearest_by_bounds(bounds, costs, (_MARGIN * most) ** 2)
        return np.sqrt(best), rank

    def _in_order(self, rows: Ints, order: Ints) -> Floats:
        """Return points with their neurons put in another order: (rows, P)."""
        s = self.setting
        end = s.width * (s.outputs + s.incoming)
        points = self.batch[rows]
        neurons = points[:, :end].reshape(len(rows), s.width, -1)
        moved = np.take_along_axis(neurons, order[:, :, None], axis=1)
        return np.concatenate([moved.reshape(len(rows), end), points[:, end:]], axis=1)

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
