"""Even plus lambda z: the equation W s + U q = L' of the mixed groups, and its level.

A flip of one neuron adds a linear function. With s_t = sum eps_k a_k of the mixed labelled groups,
q_j of the mixed free ones and u_j their incoming vectors, Q* asks for W s + U q = L' (``Linear``
of `coupled.rules`), with a hidden bias in part together with the constant neurons. With several
outputs s and q have a column for each of them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.constant_group import ConstantGroup, Point
from flowscape.branches.coupled.coupling import Member, Mixed, Parts, Terms
from flowscape.branches.coupled.pair_equations import PairEquations, PairPoint
from flowscape.branches.coupled.ranked import RankedClosure
from flowscape.branches.coupled.rules import Linear, LinearRules
from flowscape.branches.fibres import Ranks, fibre_codim
from flowscape.branches.groups import squared_norm
from flowscape.branches.location.least_distance import nearest
from flowscape.branches.shapes import OPEN
from flowscape.branches.strata import Split, linear_pieces, split

Floats = NDArray[np.float64]

_LEAST = 0.5  # least singular value of sampled outgoing sums, so that vectors stay moderate


class LinearCoupling:
    """See the module; methods as in `Coupling`."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.setting = member.setting
        self.rules = LinearRules(member.setting, member.target)
        self.size = member.shape.constant.size

    @cached_property
    def part(self) -> Linear:
        """W, L', beta and C''."""
        return self.rules.linear_part(self.member.pattern, self.size)

    @cached_property
    def labelled(self) -> tuple[Mixed, ...]:
        """The mixed labelled groups."""
        return tuple(g for g in self.member.mixed if g.label is not None)

    @cached_property
    def free(self) -> tuple[Mixed, ...]:
        """The mixed free groups."""
        return tuple(g for g in self.member.mixed if g.label is None)

    @cached_property
    def ranks(self) -> Ranks:
        """Generic ranks of q and of U off the span of W; (0, 0) without mixed free groups."""
        if self.member.shape.ranks:
            return self.member.shape.ranks
        part, s, tol = self.part, self.setting, self.rules.tol
        (found,) = linear_pieces(
            part.columns, part.weights, len(self.free), part.right, s.inputs, tol
        )
        return found

    @cached_property
    def split(self) -> Split:
        """L' along and off the span of W."""
        return split(self.part.columns, self.part.right, self.rules.tol)

    @property
    def ranks_matter(self) -> bool:
        """Whether the equations alone do not tell the closure, or depend on each other."""
        outputs, rest, free = self.setting.outputs, self.split.off.shape[1], len(self.free)
        i, k = self.ranks
        most = i == min(outputs, free) and k == min(rest, free)
        return free > 0 and not (most and (i == outputs or k == rest))

    @cached_property
    def joined(self) -> bool:
        """Whether the level is an equation of its own, which pairs and constants share."""
        shared = self.rules.joined(self.size)
        return shared and self.rules.rigid_constant(self.part, len(self.free)) is None

    @cached_property
    def rows(self) -> Floats:
        """The combinations of the equations vec(W s + U q) = vec(L') that are independent.

        Where q and U have small ranks, (O - i)(E - k) of them follow from the others at points
        whose ranges are in general position to the directions left out.
        """
        count, outputs = self.part.right.shape
        (i, k), found = self.ranks, self.split
        inside = found.span.shape[1]
        if fibre_codim(outputs, count - inside, self.ranks) == outputs * (count - inside):
            return np.eye(count * outputs)
        across = np.concatenate([found.span, found.off], axis=1)
        kept = [
            np.kron(across[:, e], found.outputs[:, o])
            for e in range(count)
            for o in range(outputs)
            if e < inside + k or o < i
        ]
        return np.array(kept).reshape(-1, count * outputs)

    @cached_property
    def constant_group(self) -> ConstantGroup:  # noqa: D102
        s, kind, variant = self.setting, self.member.shape.constant.kind, self.member.variant
        if self.joined:
            return ConstantGroup(s, OPEN, (), np.zeros(s.outputs), 0.0)
        wanted = self.member.target.constant
        if s.bias:
            rest = self.rules.rigid_constant(self.part, len(self.free))
            if self.rules.joined(self.size) and rest is not None:
                wanted = rest
        return ConstantGroup(s, kind, variant, wanted, float(s.output_bias))

    @property
    def _own_codim(self) -> int:
        return len(self.rows) + int(self.joined) * self.setting.outputs

    @property
    def codim(self) -> int:  # noqa: D102
        return self._own_codim + self.constant_group.codim(self.size)

    @property
    def _level_is_linear(self) -> bool:
        return not self.free and self.size == 0

    @property
    def is_affine(self) -> bool:  # noqa: D102
        level = not self.joined or self._level_is_linear
        return not self.free and level and self.constant_group.is_affine

    def slack_terms(self, output: int) -> Terms:  # noqa: D102
        s = self.setting
        return {s.c_index(output): 1.0} if s.output_bias and not self.joined else {}

    def linear_rows(self) -> list[tuple[Terms, float]]:  # noqa: D102
        if self.free:
            return []
        s, part = self.setting, self.part
        found: list[tuple[Terms, float]] = []
        for row in self.rows:
            matrix = row.reshape(part.right.shape)
            terms: dict[int, float] = {}
            for o in range(s.outputs):
                terms |= self._sums(matrix[:, o] @ part.columns, o)
            found.append((terms, float((matrix * part.right).sum())))
        if self.joined and self._level_is_linear:
            for o in range(s.outputs):
                level = self._sums(s.slope * part.tail, o)
                found.append(({**level, s.c_index(o): 1.0}, float(part.constant[o])))
        return found

    def _sums(self, factors: Floats, output: int) -> dict[int, float]:
        """Return sum_t factor_t sum eps_k a_k as a linear function of theta."""
        return {
            self.setting.a_index(k, output): float(factor) * sign
            for g, factor in zip(self.labelled, factors, strict=True)
            for k, sign in zip(g.neurons, g.signs, strict=True)
        }

    @property
    def _level_is_curved(self) -> bool:
        return self.joined and not self._level_is_linear

    def residual(self, parts: Parts) -> Floats:  # noqa: D102
        outgoing, incoming, constant = parts
        part, size = self.part, len(outgoing)
        total = np.zeros((size, self.setting.incoming, self.setting.outputs))
        for g in self.free:
            k = list(g.neurons)
            total += np.einsum("bko,bkj->bjo", outgoing[:, k], incoming[:, k])
        s = np.zeros((size, len(self.labelled), self.setting.outputs))
        for t, g in enumerate(self.labelled):
            s[:, t] = np.einsum("bko,k->bo", outgoing[:, list(g.neurons)], np.array(g.signs))
        columns = []
        if self.free:
            made = total[:, : len(part.right)] + part.columns @ s - part.right
            columns.append(made.reshape(size, -1) @ self.rows.T)
        if self._level_is_curved:
            k = list(self.member.blocks[0])
            values, _ = self.setting.sigma(incoming[:, k, -1] + self.setting.centre)
            level = self.setting.slope * (total[:, -1] + part.tail @ s)
            level = level + np.einsum("bko,bk->bo", outgoing[:, k], values)
            columns.append(level + constant - part.constant)
        return np.concatenate(columns, axis=1) if columns else np.zeros((size, 0))

    def jacobian(self, parts: Parts) -> Floats:  # noqa: D102
        s, part = self.setting, self.part
        a, incoming = parts[0][0], parts[1][0]
        full = np.zeros((s.incoming, s.outputs, s.n_params))
        for g in self.free:
            for k in g.neurons:
                for o in range(s.outputs):
                    full[:, o, s.a_index(k, o)] = incoming[k]
                for j in range(s.incoming):
                    full[j, :, s.v_index(k, j)] = a[k]
        level = s.slope * full[-1]
        rows = []
        if self.free:
            head = full[: len(part.right)]
            for i, row in enumerate(part.columns):
                for o in range(s.outputs):
                    for place, factor in self._sums(row, o).items():
                        head[i, o, place] = factor
            rows.append(self.rows @ head.reshape(-1, s.n_params))
        if self._level_is_curved:
            for o in range(s.outputs):
                for place, factor in self._sums(s.slope * part.tail, o).items():
                    level[o, place] = factor
                for k in self.member.blocks[0]:
                    value, slope = s.sigma(np.array([incoming[k, -1] + s.centre]))
                    level[o, s.a_index(k, o)] = value[0]
                    level[o, s.v_index(k, s.inputs)] = a[k, o] * slope[0]
                if s.output_bias:
                    level[o, s.c_index(o)] = 1.0
            rows.append(level)
        return np.concatenate(rows) if rows else np.zeros((0, s.n_params))

    def _around(self, parts: Parts) -> PairPoint:
        """Return the equations around points that obey those of the groups."""
        part, level = self.part, None
        if self.joined:
            level = self.setting.slope * part.tail, part.constant
        groups = self.labelled, self.free
        rows = None if self.free else self.rows
        equations = PairEquations(self.setting, *groups, part.columns, part.right, rows, level)
        return equations.at(parts, self.member.blocks[0] if self.joined else ())

    def _closure(self, point: PairPoint) -> RankedClosure:
        return RankedClosure(point, self.split, self.ranks, self._own_codim)

    def project(self, parts: Parts) -> Parts:  # noqa: D102
        parts = self._constants(parts)
        if not (self.member.mixed or self.joined):
            return parts
        start = self._around(parts)
        if not self.ranks_matter:
            zero = np.zeros((len(parts[0]), start.n_variables))
            return start.write(nearest(start, zero))
        found = np.stack(self._closure(start).nearest())
        with np.errstate(invalid="ignore"):
            costs = np.stack([squared_norm(z) for z in found])
        return start.write(found[np.argmin(costs, axis=0), np.arange(found.shape[1])])

    def sample(self, parts: Parts, rng: np.random.Generator) -> Parts:  # noqa: D102
        outgoing, incoming, constant = (part.copy() for part in parts)
        if self.setting.output_bias:
            constant = constant + rng.normal(size=constant.shape)
        k = list(self.member.blocks[0])
        point = self.constant_group.sample(rng, len(k))
        outgoing[:, k], incoming[:, k] = point.outgoing, point.incoming
        if not self.joined:
            constant = point.constant
        start = self._around((outgoing, incoming, constant))
        z = np.zeros((1, start.n_variables))
        if self.free:
            q = self._random_sums(rng) - start.q[0]
            z[0, start.part[1]] = (q / start.equations.rooms[1][:, None]).ravel()
            z, _ = self._closure(start).lift(z, 0)
        else:
            z = nearest(start, z)
        return start.write(z)

    def _random_sums(self, rng: np.random.Generator) -> Floats:
        """Return random q (J, O) of rank i whose span contains what L' needs."""
        rank, needed = self.ranks[0], self.split.rank
        span = self.split.outputs[:, :needed]
        wild = rng.normal(size=(self.setting.outputs, rank - needed))
        span, _ = np.linalg.qr(np.concatenate([span, wild], axis=1))
        turned, _ = np.linalg.qr(rng.normal(size=(rank, rank)))
        rows, _ = np.linalg.qr(rng.normal(size=(len(self.free), rank)))
        sizes = rng.normal(size=rank)
        sizes += _LEAST * np.sign(sizes)
        return np.asarray((rows * sizes) @ (span @ turned).T)

    def _constants(self, parts: Parts) -> Parts:
        """Project the constant group; where the level is shared, on w = 0 alone."""
        outgoing, incoming, constant = (part.copy() for part in parts)
        k = list(self.member.blocks[0])
        point = self.constant_group.project(Point(outgoing[:, k], incoming[:, k], constant))
        outgoing[:, k], incoming[:, k] = point.outgoing, point.incoming
        return outgoing, incoming, constant if self.joined else point.constant
