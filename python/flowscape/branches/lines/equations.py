"""Equations and inequalities of one branch of a positively homogeneous student.

A stratum is given by polynomial equations and by the sides of the neurons: eps_k w_k . u >= 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.lines.rows import LineRows
from flowscape.branches.lines.strata import Stratum, stratum
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.location.nearest import nearest_zero
from flowscape.branches.partitions import Blocks
from flowscape.branches.setting import Setting
from flowscape.branches.strata import has_stray_part

Floats = NDArray[np.float64]

_INSIDE = 1e-12
"""A neuron is on the wrong side beyond this part of 1 + |theta|."""
_LENGTH = 0.1
"""Least length of the w_k where a search begins inside a set."""
_DEPENDENT = 1e-6
"""Unit vectors with a smaller singular value are dependent, at the accuracy of the search."""
_NO_PART = 1e-9
"""A linear part v_j below this part of its group's size is 0."""


@dataclass(frozen=True)
class LineEquations:
    """The equations of one branch.

    Attributes
    ----------
    setting : Setting
        The student, one output.
    target : LineTarget
    blocks : tuple of tuple of int
        Silent neurons, labelled groups, free groups.
    signs : tuple of int
        eps_k.
    """

    setting: Setting
    target: LineTarget
    blocks: Blocks
    signs: tuple[int, ...]

    @property
    def labelled(self) -> Blocks:
        """The labelled groups."""
        return self.blocks[1 : 1 + self._m0]

    @property
    def free(self) -> Blocks:
        """The free groups."""
        return self.blocks[1 + self._m0 :]

    @property
    def _m0(self) -> int:
        return 0 if self.blocks[0] else self.target.m0

    @cached_property
    def mixed_free(self) -> tuple[tuple[int, ...], ...]:
        """The free groups with neurons on both sides."""
        return tuple(b for b in self.free if len({self.signs[k] for k in b}) == 2)

    @cached_property
    def stratum(self) -> Stratum | None:
        """The linear condition; None if lambda = 0 or all neurons are silent."""
        if self.target.linear is None or self.blocks[0]:
            return None
        sides = [{self.signs[k] for k in block} for block in self.labelled]
        return stratum(self.target, tuple(0 if len(s) == 2 else s.pop() for s in sides))

    @cached_property
    def linear_rows(self) -> Floats:
        """Rows R of the equations R (sum a_k w_k - L) = 0, (rho, d)."""
        d = self.setting.inputs
        if self.stratum is None:
            return np.zeros((0, d))
        return np.eye(d) if self.mixed_free else self.stratum.basis.reshape(-1, d)

    @cached_property
    def normals(self) -> list[Floats]:
        """Orthonormal rows (d - 1, d) across the labelled lines."""
        return [np.linalg.svd(line[None])[2][1:] for line in self.target.lines]

    def codim(self) -> int:
        """Return the number of equations."""
        s, d = self.setting, self.setting.inputs
        out = int(s.output_bias)
        if self.blocks[0]:
            return s.width * d + out
        r = len(self.blocks) - 1
        return r + (s.width + self._m0 - r) * (d - 1) + len(self.linear_rows) + out

    def system(self, theta: Floats, still: frozenset[int] = frozenset()) -> tuple[Floats, Floats]:
        """Return values (E,) and derivative (E, P) at a point (P,).

        Parameters
        ----------
        theta : (P,) ndarray
        still : frozenset of int
            Neurons with w_k = 0 in place of the equations of their lines.
        """
        s = self.setting
        rows = LineRows(s, theta)
        for k in (*self.blocks[0], *sorted(still)):
            rows.vector(k, np.eye(s.inputs))
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
        if len(self.linear_rows):
            assert self.target.linear is not None
            rows.linear(self.linear_rows, self.target.linear)
        if s.output_bias:
            rows.constant(self.target.constant)
        return rows.arrays()

    def nearest(self, theta: Floats) -> Floats | None:
        """Return the nearest member of the closure that the local search finds, or None.

        Neurons that end on the wrong side of their line are put to w = 0, which belongs to the
        closure, and the search is repeated. Where that leaves nothing of a group, it begins
        with all neurons on their sides and does not leave them.
        """
        still: frozenset[int] = frozenset()
        while not any(set(block) <= still for block in self.blocks[1:]):
            system = partial(self.system, still=still)
            found = nearest_zero(system, theta, self._start(theta, still))
            if found is None:
                break
            wrong = self._wrong_side(found) - still
            if not wrong and self._in_closure(found):
                return found
            if not wrong:
                break
            still |= wrong
        return nearest_zero(self.system, theta, self._inside(theta), self._is_member)

    def _inside(self, theta: Floats) -> Floats:
        """Return a member with all w_k != 0 on their sides and, if possible, their lengths.

        For given w_k on their lines the equations are linear in a.
        """
        s, start = self.setting, theta.copy()
        lines = self._best_lines(theta)
        if self.mixed_free:
            # the lines of all but one are kept, with linear parts of their own length
            first, *others = (self.blocks[1:].index(block) for block in self.mixed_free)
            rest = np.zeros(s.inputs) if self.stratum is None else self.stratum.left.copy()
            for place in others:
                rest -= max(float(np.linalg.norm(rest)), 1.0) * lines[place]
            if np.linalg.norm(rest) > self.target.tol and self.stratum is not None:
                lines[first] = rest / np.linalg.norm(rest)
        for line, block in zip(lines, self.blocks[1:], strict=True):
            for k in block:
                w = self._w(start, k)
                w[:] = self.signs[k] * max(float(np.linalg.norm(w)), _LENGTH) * line
        for k in self.blocks[0]:
            self._w(start, k)[:] = 0.0
        values, jacobian = self.system(start)
        linear = [s.a_index(k, 0) for k in range(s.width)]
        linear += [s.c_index(0)] if s.output_bias else []
        start[linear] -= np.linalg.lstsq(jacobian[:, linear], values, rcond=None)[0]
        return start

    def _is_member(self, theta: Floats) -> bool:
        """Whether a solution of the equations is in the closure."""
        return not self._wrong_side(theta) and self._in_closure(theta)

    def _best_lines(self, theta: Floats) -> list[Floats]:
        """Return unit vectors: the labelled lines, then the best line of every free group."""
        lines = [*self.target.lines] if self.labelled else []
        for block in self.free:
            stack = np.stack([self._w(theta, k) for k in block])
            lines.append(np.linalg.svd(stack)[2][0])
        return lines

    def _start(self, theta: Floats, still: frozenset[int]) -> Floats:
        """Return the point with every w_k moved to its line, or to 0."""
        start = theta.copy()
        for line, block in zip(self._best_lines(theta), self.blocks[1:], strict=True):
            for k in block:
                w = self._w(start, k)
                w[:] = (w @ line) * line
        for k in (*self.blocks[0], *still):
            self._w(start, k)[:] = 0.0
        return start

    def _w(self, theta: Floats, k: int) -> Floats:
        first = self.setting.v_index(k, 0)
        return theta[first : first + self.setting.inputs]

    def _wrong_side(self, theta: Floats) -> frozenset[int]:
        least = -_INSIDE * (1.0 + float(np.abs(theta).max()))
        wrong = set()
        for label, block in enumerate(self.labelled):
            line = self.target.lines[label]
            wrong |= {k for k in block if self.signs[k] * (self._w(theta, k) @ line) < least}
        for block in self.free:
            if len(block) > 1:
                along = self._along(theta, block)
                lengths = {k: self.signs[k] * (self._w(theta, k) @ along) for k in block}
                if sum(lengths.values()) < 0.0:  # the overall sign of a free line is no choice
                    lengths = {k: -length for k, length in lengths.items()}
                wrong |= {k for k, length in lengths.items() if length < least}
        return frozenset(wrong)

    def _along(self, theta: Floats, block: Sequence[int]) -> Floats:
        """Return the unit vector of the line of a free group."""
        w = max((self._w(theta, k) for k in block), key=lambda v: float(v @ v))
        return np.asarray(w / max(float(np.linalg.norm(w)), 1e-300))

    def _in_closure(self, theta: Floats) -> bool:
        """Whether a solution is a limit of points of the stratum.

        Where all w_k of a group with the sum 0 of a_k |w_k| vanish, small w_k != 0 can keep
        that sum only if the a_k have both signs, or vanish.

        The equations may also hold where the linear parts of all mixed free groups are 0 and
        their lines are anything; such points are limits only if the lines allow a small step off:
        if they and the span of the mixed labelled ones are dependent.
        """
        if not all(self._can_balance(theta, block) for block in self._balanced):
            return False
        found, number = self.stratum, len(self.mixed_free)
        if found is None or not has_stray_part(found.span, number, found.left, found.tol):
            return True
        lines = []
        for block in self.mixed_free:
            parts = [theta[self.setting.a_index(k, 0)] * self._w(theta, k) for k in block]
            size = sum(float(np.linalg.norm(part)) for part in parts)
            if np.linalg.norm(sum(parts)) > _NO_PART * max(size, self.target.size):
                return True
            lines.append(self._along(theta, block))
        columns = np.concatenate(
            [self.stratum.basis.T.reshape(-1, self.stratum.rank), np.array(lines).T], 1
        )
        return bool(np.linalg.matrix_rank(columns, tol=1e-6) < columns.shape[1])

    @cached_property
    def _balanced(self) -> Blocks:
        """Neurons whose a_k |w_k| add up to 0."""
        found = list(self.free)
        if self.setting.inputs > 1 or not self.labelled:
            return tuple(found)
        block, (weight,) = self.labelled[0], self.target.weights
        if self.target.linear is None:
            return (block,) if weight == 0.0 else ()
        for sign in (1, -1):
            side = tuple(k for k in block if self.signs[k] == sign)
            total = 0.5 * (weight + sign * self.target.linear)
            if side and np.linalg.norm(total) <= self.target.tol:
                found.append(side)
        return tuple(found)

    def _can_balance(self, theta: Floats, block: tuple[int, ...]) -> bool:
        tiny = _NO_PART * (1.0 + float(np.abs(theta).max()))
        if any(np.linalg.norm(self._w(theta, k)) > tiny for k in block):
            return True
        a = theta[[self.setting.a_index(k, 0) for k in block]]
        return bool((a > tiny).any() == (a < -tiny).any())
