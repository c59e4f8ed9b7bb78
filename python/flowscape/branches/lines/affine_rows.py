"""The equations of one branch on the affine function of all neurons.

With several outputs they are those of a matrix, sum a_k v_k^T + .. = L. Where mixed free groups
have small ranks some of them follow from others: which ones depends on the point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.fibres import Ranks, fibre_components
from flowscape.branches.lines.groups import LineGroups
from flowscape.branches.lines.rows import LineRows

Floats = NDArray[np.float64]

LENGTH = 0.1
"""Least length of the v_k where a search begins inside a set."""
_OBEYED = 1e-11
"""Values of equations below this part of the squared size are round-off."""


@dataclass(frozen=True)
class AffineRows(LineGroups):
    """The equations of one branch on affine functions; attributes as in `LineGroups`."""

    @cached_property
    def linear_rows(self) -> Floats:
        """Combinations M of the equations on the affine function of all neurons, (rho, O, D).

        Independent at points whose ranks are those of the component and whose ranges are in
        general position to the directions that are left out.
        """
        unit, outputs = np.eye(self.setting.incoming), np.eye(self.setting.outputs)
        if self.stratum is None:
            return _products(outputs, unit[-1:] if self.free_level else unit[:0])
        if not self.mixed_free:
            return _products(outputs, self.stratum.basis.reshape(-1, len(unit)))
        if self.ranks is None:
            return _products(outputs, unit)
        return self._without_corner(self.stratum.outputs, self.stratum.off)

    def _without_corner(self, outputs: Floats, off: Floats) -> Floats:
        """Return the products of rows that are independent for the ranks (i, k).

        The last O - i rows of `outputs` by the last rows of `off` but k follow from the others.
        """
        assert self.stratum is not None
        assert self.ranks is not None
        i, k = self.ranks
        inside = self.stratum.basis.reshape(-1, self.setting.incoming)
        parts = [_products(outputs, inside), _products(outputs[:i], off)]
        return np.concatenate([*parts, _products(outputs[i:], off[:k])])

    def add_affine(self, rows: LineRows, matrices: Floats) -> None:
        """Demand the target's affine function: of lines, constant neurons, and an output bias."""
        target, s = self.target, self.setting
        turns = np.zeros(s.width)
        for k in self.blocks[0]:
            turns[k] = self.signs[k] * target.alpha * target.per_constant
        total = target.linear
        tilt = 0.0 if total is None else 1.0
        if total is None:
            total = np.outer(target.constant, np.eye(s.incoming)[-1])
        output = target.per_constant if target.level_free else 0.0
        rows.affine(matrices, total, tilt, turns, output)

    def rows_at(self, theta: Floats) -> Floats | None:
        """Return combinations as `linear_rows` that are independent near a point.

        For its own ranges of s_j and u_j, by the size of their singular values.
        """
        found = self.stratum
        if self.ranks is None or found is None:
            return None
        lines = np.array([self.along(theta, block) for block in self.mixed_free])
        tilts = [
            sum(self.a(theta, k) * (self.v(theta, k) @ line) for k in block)
            for line, block in zip(lines, self.mixed_free, strict=True)
        ]
        turned = []
        for basis, factor in ((found.outputs, np.array(tilts)), (found.off, lines)):
            head, rest = basis[: found.off_rank], basis[found.off_rank :]
            turned.append(np.concatenate([head, np.linalg.svd(rest @ factor.T)[0].T @ rest]))
        return self._without_corner(*turned)

    @property
    def all_rows(self) -> Floats | None:
        """All combinations, where they are not independent."""
        s = self.setting
        return None if self.ranks is None else _products(np.eye(s.outputs), np.eye(s.incoming))

    @property
    def pair_ranks(self) -> Ranks:
        """The ranks of a component with mixed free groups, for one output, too."""
        assert self.stratum is not None
        if self.ranks is not None:
            return self.ranks
        sizes = 1, len(self.stratum.off), len(self.mixed_free), self.stratum.off_rank
        (found,) = (ranks for ranks in fibre_components(*sizes) if ranks[0] > 0)
        return found

    def solvable(self, lines: Floats) -> Floats:
        """Return lines (J, D) near some for which the s_j can solve the linear condition.

        Off the span they must have rank k, and what is off in L' among their combinations.
        """
        found, (_, k) = self.stratum, self.pair_ranks
        assert found is not None
        across, rank = lines @ found.off.T, found.off_rank
        more = np.linalg.svd(across[:, rank:])[2][: k - rank] @ found.off[rank:]
        frame = np.concatenate([found.off[:rank], more])
        basis = np.concatenate([found.basis.reshape(-1, lines.shape[1]), frame])
        parts = lines @ basis.T
        least = np.linalg.svd(lines @ frame.T, compute_uv=False).min(initial=1.0)
        if min(least, float(np.linalg.norm(parts, axis=1).min())) < LENGTH:
            parts += 0.5 * np.cos(1.0 + np.arange(parts.size)).reshape(parts.shape)
        moved = parts @ basis
        return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))

    def obeys(self, theta: Floats) -> bool:
        """Whether equations hold that follow from the others at generic points only."""
        if self.ranks is None:
            return True
        s = self.setting
        rows = LineRows(s, theta)
        self.add_affine(rows, _products(np.eye(s.outputs), np.eye(s.incoming)))
        size = 1.0 + float(np.abs(theta).max()) + self.target.size
        return bool(np.abs(rows.arrays()[0]).max() <= _OBEYED * size**2)


def _products(outputs: Floats, rows: Floats) -> Floats:
    """Return all matrices o r^T, (n, O, D)."""
    every = outputs[None, :, :, None] * rows[:, None, None, :]
    return np.asarray(every.reshape(-1, outputs.shape[1], rows.shape[1]))
