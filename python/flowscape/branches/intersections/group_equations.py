"""The equations of the outgoing weights of several branches: their rank, by integers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from flowscape.branches.parts import BranchParts
from flowscape.branches.shapes import EMPTY, LEVEL, SILENT

__all__ = ["GroupEquations", "eliminate"]

_CANCELLED = 1e-12


class GroupEquations:
    """The equations of the outgoing weights: one vertex per equation, one edge per neuron.

    Right sides are formal: the index of the target neuron, or "constant", or None for 0. Their
    numbers need not be compared: two target neurons cannot meet, as their incoming vectors differ.
    """

    def __init__(self, branches: Sequence[BranchParts]) -> None:
        setting = branches[0].setting
        self.edges = setting.width + int(setting.output_bias)
        self.rows: list[dict[int, int]] = []
        self.rights: list[tuple[int, str | int | None]] = []  # (branch, right side)
        self.n_branches = len(branches)
        self.level = setting.level
        self.target = branches[0].target
        for number, branch in enumerate(branches):
            m0, pull = len(branch.shape.labelled), setting.pull(branch.signs)
            for place, block in enumerate(branch.blocks[1:]):
                self.rows.append({k: int(pull[k]) for k in block})
                self.rights.append((number, place if place < m0 else None))
            shared = setting.output_bias or setting.level
            if not shared or branch.shape.constant.kind not in (EMPTY, SILENT, LEVEL):
                continue
            # c + sigma(0) sum a = C0, divided by sigma(0): c / sigma(0) is one more edge
            row = {setting.width: 1} if setting.output_bias else {}
            if setting.level:  # kappa takes the place of sigma(0), for all neurons
                row |= dict.fromkeys(range(setting.width), 1)
            elif branch.shape.constant.kind == LEVEL:
                row |= dict.fromkeys(branch.blocks[0], 1)
            self.rows.append(row)
            self.rights.append((number, "constant"))

    def rank(self) -> int | None:
        """Return the rank, None if the equations contradict each other."""
        if self.level:
            return self._eliminated(self._cancels)
        return self._graph_rank() if self.n_branches <= 2 else self._eliminated()

    def _graph_rank(self) -> int | None:
        at: list[list[tuple[int, int]]] = [[] for _ in range(self.edges)]
        for vertex, row in enumerate(self.rows):
            for edge, sign in row.items():
                at[edge].append((vertex, sign))
        switch: dict[int, int] = {}
        rank = 0
        for start in range(len(self.rows)):
            if start in switch:
                continue
            switch[start] = 1
            part, balanced, queue = [start], True, [start]
            while queue:
                vertex = queue.pop()
                for edge, sign in self.rows[vertex].items():
                    others = [pair for pair in at[edge] if pair[0] != vertex]
                    if not others:
                        balanced = False
                        continue
                    ((other, other_sign),) = others
                    # rows of the two branches cancel if their switched signs agree
                    wanted = switch[vertex] * sign * other_sign
                    if other not in switch:
                        switch[other] = wanted
                        part.append(other)
                        queue.append(other)
                    elif switch[other] != wanted:
                        balanced = False
            rank += len(part) - int(balanced)
            if balanced and not self._agrees(part, switch):
                return None
        return rank

    def _agrees(self, part: list[int], switch: dict[int, int]) -> bool:
        total: dict[str | int, int] = {}
        for vertex in part:
            number, right = self.rights[vertex]
            if right is not None:
                sign = switch[vertex] * (1 if number == 0 else -1)
                total[right] = total.get(right, 0) + sign
        return not any(total.values())

    def _cancels(self, names: Sequence[str], factors: Sequence[int]) -> bool:
        """Return whether a combination of right sides is 0; sums of weights may vanish."""
        values = {str(t): weight for t, weight in enumerate(self.target.outgoing)}
        values["constant"] = self.target.constant / self.level
        terms = [factor * values[name] for name, factor in zip(names, factors, strict=True)]
        size = sum(float(np.linalg.norm(term)) for term in terms)
        return bool(np.linalg.norm(np.sum(terms, axis=0)) <= _CANCELLED * size)

    def _eliminated(
        self, cancels: Callable[[Sequence[str], Sequence[int]], bool] | None = None
    ) -> int | None:
        """Return the rank by elimination with integers (no division, rows kept primitive)."""
        names = sorted({str(right) for _, right in self.rights if right is not None})
        rows = []
        for row, (_, right) in zip(self.rows, self.rights, strict=True):
            full = [row.get(edge, 0) for edge in range(self.edges)]
            full += [int(str(right) == name and right is not None) for name in names]
            rows.append(full)
        vanish = None if cancels is None else partial(cancels, names)
        return eliminate(rows, self.edges, vanish)


def eliminate(
    rows: list[list[int]],
    columns: int,
    vanish: Callable[[Sequence[int]], bool] | None = None,
) -> int | None:
    """Return the rank of the first `columns` columns, None if the rest contradicts it.

    Parameters
    ----------
    rows : list of list of int
        Coefficients and, behind them, formal right sides. Changed in place.
    columns : int
        Number of coefficients.
    vanish : callable, optional
        Whether a combination of the right sides is 0; by default only the empty one is.
    """
    rank = 0
    for column in range(columns):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        head = rows[rank]
        for i in range(rank + 1, len(rows)):
            if factor := rows[i][column]:
                row = [head[column] * x - factor * y for x, y in zip(rows[i], head, strict=True)]
                rows[i] = row
        rank += 1
    left = [row[columns:] for row in rows[rank:] if any(row[columns:])]
    return None if any(vanish is None or not vanish(row) for row in left) else rank
