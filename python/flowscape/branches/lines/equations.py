"""Equations and inequalities of one branch of a positively homogeneous student.

A stratum is given by polynomial equations and by the sides of the neurons: eps_k v_k . u >= 0, and
eps_k b_k >= 0 for constant neurons. Biases count from the kink.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.affine_rows import LENGTH, AffineRows
from flowscape.branches.lines.closure import BOTH, Edge
from flowscape.branches.lines.limits import VectorEdge
from flowscape.branches.lines.rows import LineRows
from flowscape.branches.location.nearest import nearest_zero
from flowscape.branches.partitions import Blocks

Floats = NDArray[np.float64]

_INSIDE = 1e-12
"""A neuron is on the wrong side beyond this part of |v_k|."""


@dataclass(frozen=True)
class LineEquations(AffineRows):
    """The equations of one branch; attributes as in `LineGroups`."""

    @cached_property
    def normals(self) -> list[Floats]:
        """Orthonormal rows (D - 1, D) across the labelled lines."""
        return [np.linalg.svd(line[None])[2][1:] for line in self.target.lines]

    def codim(self) -> int:
        """Return the number of equations."""
        s, d = self.setting, self.setting.incoming
        out = s.outputs * int(s.output_bias and not self.free_level)
        if self.silent:
            return s.width * d + out
        r = len(self.blocks) - 1
        return r * s.outputs + (s.width + self.m0 - r) * (d - 1) + len(self.linear_rows) + out

    def system(
        self,
        theta: Floats,
        still: frozenset[int] = frozenset(),
        affine: Floats | None = None,
    ) -> tuple[Floats, Floats]:
        """Return values (E,) and derivative (E, P) at a point (P,).

        Parameters
        ----------
        theta : (P,) ndarray
        still : frozenset of int
            Neurons with v_k = 0 in place of the equations of their lines.
        affine : (rho, O, D) ndarray, optional
            Other combinations than `linear_rows`.
        """
        s, every = self.setting, np.eye(self.setting.incoming)
        rows = LineRows(s, theta)
        for k in self.blocks[0]:
            if k not in still:
                rows.vector(k, every if self.silent else every[:-1])
        for k in sorted(still):
            rows.vector(k, every)
        for label, block in enumerate(self.labelled):
            line = self.target.lines[label]
            for k in block:
                if k not in still:
                    rows.vector(k, self.normals[label])
            rows.labelled_sum(block, self.signs, line, self.target.weights[label])
        for block in self.free:
            if len(block) == 1:
                rows.silence(block[0])
                continue
            first = max((k for k in block if k not in still), key=rows.length)
            for k in block:
                if k != first and k not in still:
                    rows.parallel(k, first)
            rows.free_sum(block, self.signs, first)
        affine = self.linear_rows if affine is None else affine
        if len(affine):
            self.add_affine(rows, affine)
        if s.output_bias and not self.free_level:
            rows.constant(self.target.constant)
        return rows.arrays()

    def nearest(self, theta: Floats, size: Floats) -> Floats | None:
        """Return `_search` if it is the target; over 16 decades of |v_k| rounding may hide it."""
        found = self._search(theta, size)
        return found if found is not None and self.is_target(found, self.size(theta)) else None

    def _search(self, theta: Floats, size: Floats) -> Floats | None:
        """Return the nearest member of the closure that the local search finds, or None.

        Neurons that end on the wrong side of their line are put to v = 0, which belongs to the
        closure, and the search is repeated. Where that leaves nothing of a group, it begins
        with all neurons on their sides and does not leave them.

        Parameters
        ----------
        theta : (P,) ndarray
        size : (P,) ndarray
            What the parameters were rounded as.
        """
        still: frozenset[int] = frozenset()
        room = _INSIDE * np.array([np.linalg.norm(self.v(size, k)) for k in range(len(self.signs))])
        before, affine = self.size(theta), self.rows_at(self._start(theta, still))
        while not any(set(block) <= still for block in self.blocks[1:]):
            system = partial(self.system, still=still, affine=affine)
            found = nearest_zero(system, theta, self._start(theta, still), size=size)
            if found is None:
                break
            wrong = self._wrong_side(found, room) - still
            if not wrong and self._in_closure(found, before):
                return found
            if not wrong:
                break
            still |= wrong

        def allowed(at: Floats) -> bool:
            return not self._wrong_side(at, room) and self._in_closure(at, before)

        inside = self._inside(theta)
        system = partial(self.system, affine=self.rows_at(inside))
        return nearest_zero(system, theta, inside, allowed, size=size)

    def _inside(self, theta: Floats) -> Floats:
        """Return a member with all v_k != 0 on their sides and, if possible, their lengths.

        For given v_k on their lines the equations are linear in a.
        """
        s, start = self.setting, theta.copy()
        lines, least = self._best_lines(theta), LENGTH * float(np.sqrt(self.size(theta) or 1.0))
        if self.mixed_free and self.stratum is not None:
            places = [self.blocks[1:].index(block) for block in self.mixed_free]
            kept = self.solvable(np.array([lines[place] for place in places]))
            for place, line in zip(places, kept, strict=True):
                lines[place] = line
        for line, block in zip(lines, self.blocks[1:], strict=True):
            for k in block:
                v = self.v(start, k)
                v[:] = self.signs[k] * max(float(np.linalg.norm(v)), least) * line
        for k in self.blocks[0]:
            v = self.v(start, k)
            v[:-1] = 0.0
            v[-1] = 0.0 if self.silent else self.signs[k] * max(abs(float(v[-1])), least)
        values, jacobian = self.system(start, affine=self.all_rows)
        linear = [s.a_index(k, o) for k in range(s.width) for o in range(s.outputs)]
        linear += [s.c_index(o) for o in range(s.outputs)] if s.output_bias else []
        start[linear] -= np.linalg.lstsq(jacobian[:, linear], values, rcond=None)[0]
        return start

    def _best_lines(self, theta: Floats) -> list[Floats]:
        """Return unit vectors: the labelled lines, then the best line of every free group."""
        lines = [*self.target.lines] if self.labelled else []
        for block in self.free:
            stack = np.stack([self.v(theta, k) for k in block])
            lines.append(np.linalg.svd(stack)[2][0])
        return lines

    def _start(self, theta: Floats, still: frozenset[int]) -> Floats:
        """Return the point with every v_k moved to its line, or to 0."""
        start = theta.copy()
        for line, block in zip(self._best_lines(theta), self.blocks[1:], strict=True):
            for k in block:
                v = self.v(start, k)
                v[:] = (v @ line) * line
        for k in self.blocks[0]:
            self.v(start, k)[: None if self.silent else -1] = 0.0
        for k in still:
            self.v(start, k)[:] = 0.0
        return start

    def _wrong_side(self, theta: Floats, room: Floats) -> frozenset[int]:
        """Return the neurons that are farther than `room` (m,) on the wrong side."""
        along: dict[int, float] = {}
        if not self.silent:
            along |= {k: float(self.signs[k] * self.v(theta, k)[-1]) for k in self.blocks[0]}
        for label, block in enumerate(self.labelled):
            line = self.target.lines[label]
            along |= {k: float(self.signs[k] * (self.v(theta, k) @ line)) for k in block}
        for block in self.free:
            if len(block) > 1:
                line = self.along(theta, block)
                lengths = {k: float(self.signs[k] * (self.v(theta, k) @ line)) for k in block}
                if sum(lengths.values()) < 0.0:  # the overall sign of a free line is no choice
                    lengths = {k: -length for k, length in lengths.items()}
                along |= lengths
        return frozenset(k for k, length in along.items() if length < -room[k])

    def _in_closure(self, theta: Floats, before: float) -> bool:
        """Whether a solution on the right sides is a limit of points of the stratum.

        `before` is the size of the point that the search came from.
        """
        if self.silent:
            return True
        if self.setting.outputs > 1:
            return self.obeys(theta) and VectorEdge(self, theta, before).is_limit(self.balanced)
        edge = Edge(self, theta, before)
        for block in self.balanced:
            if edge.way(block) != BOTH:
                return False
        if self.stratum is None:
            return True
        moves = edge.moves()
        return moves is None or moves.exist()

    @cached_property
    def balanced(self) -> Blocks:
        """Neurons whose a_k |v_k| add up to 0."""
        found = list(self.free)
        if self.setting.incoming > 1 or not self.labelled:
            return tuple(found)
        block, (weight,) = self.labelled[0], self.target.weights
        if self.target.linear is None:
            return () if weight.any() else (block,)
        for sign in (1, -1):
            side = tuple(k for k in block if self.signs[k] == sign)
            total = 0.5 * (weight + sign * self.target.linear[:, 0])
            if side and np.linalg.norm(total) <= self.target.tol:
                found.append(side)
        return tuple(found)
