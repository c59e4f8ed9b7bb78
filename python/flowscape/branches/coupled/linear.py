"""Even plus lambda z: the equation W s + U q = L' of the mixed groups, and its level.

A flip of one neuron adds a linear function. With s_t = sum eps_k a_k of the mixed labelled groups,
q_j of the mixed free ones and u_j their incoming vectors, Q* asks for W s + U q = L' (``Linear``
of `coupled.rules`), with a hidden bias in part together with the constant neurons. One output.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.constant_group import ConstantGroup, Point
from flowscape.branches.coupled.bilinear import nearest
from flowscape.branches.coupled.coupling import Member, Mixed, Parts, Terms
from flowscape.branches.coupled.pair_equations import PairEquations
from flowscape.branches.coupled.rules import Linear, LinearRules
from flowscape.branches.coupled.stray import nearest_in_closure
from flowscape.branches.shapes import OPEN
from flowscape.branches.strata import Solutions, has_stray_part

Floats = NDArray[np.float64]

_LEAST = 0.3  # least |q| of a sampled pair, so that its incoming vectors stay moderate


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
    def space(self) -> Solutions:
        """The solutions of W s = L'; asked for only where there are some."""
        found = self.rules.space(self.part)
        assert found is not None
        return found

    @cached_property
    def joined(self) -> bool:
        """Whether the level is an equation of its own, which pairs and constants share."""
        shared = self.rules.joined(self.size)
        return shared and self.rules.rigid_constant(self.part, len(self.free)) is None

    @cached_property
    def rows(self) -> Floats:
        """The combinations of the rows of W s + U q = L' that are independent."""
        if self.free:
            return np.eye(len(self.part.right))
        left = np.linalg.svd(self.part.columns)[0]
        return np.ascontiguousarray(left[:, : self.space.rank].T)

    @cached_property
    def constant_group(self) -> ConstantGroup:  # noqa: D102
        s, kind, variant = self.setting, self.member.shape.constant.kind, self.member.variant
        if self.joined:
            return ConstantGroup(s, OPEN, (), np.zeros(1), 0.0)
        wanted = self.member.target.constant
        if s.bias:
            rest = self.rules.rigid_constant(self.part, len(self.free))
            if self.rules.joined(self.size) and rest is not None:
                wanted = np.array([rest])
        return ConstantGroup(s, kind, variant, wanted, float(s.output_bias))

    @property
    def codim(self) -> int:  # noqa: D102
        return len(self.rows) + int(self.joined) + self.constant_group.codim(self.size)

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
        part = self.part
        found = [(self._sums(row @ part.columns), float(row @ part.right)) for row in self.rows]
        if self.joined and self._level_is_linear:
            level = self._sums(self.setting.slope * part.tail)
            found.append(({**level, self.setting.c_index(0): 1.0}, part.constant))
        return found

    def _sums(self, factors: Floats) -> dict[int, float]:
        """Return sum_t factor_t sum eps_k a_k as a linear function of theta."""
        return {
            self.setting.a_index(k, 0): float(factor) * sign
            for g, factor in zip(self.labelled, factors, strict=True)
            for k, sign in zip(g.neurons, g.signs, strict=True)
        }

    @property
    def _level_is_curved(self) -> bool:
        return self.joined and not self._level_is_linear

    def residual(self, parts: Parts) -> Floats:  # noqa: D102
        outgoing, incoming, constant = parts
        a, part = outgoing[:, :, 0], self.part
        total = np.zeros((len(a), self.setting.incoming))
        for g in self.free:
            k = list(g.neurons)
            total += np.einsum("bk,bkj->bj", a[:, k], incoming[:, k])
        sums = [a[:, list(g.neurons)] @ np.array(g.signs) for g in self.labelled]
        s = np.stack(sums, axis=1) if sums else np.zeros((len(a), 0))
        columns = []
        if self.free:
            columns.append(total[:, : len(part.right)] + s @ part.columns.T - part.right)
        if self._level_is_curved:
            k = list(self.member.blocks[0])
            values, _ = self.setting.sigma(incoming[:, k, -1] + self.setting.centre)
            level = self.setting.slope * (total[:, -1] + s @ part.tail)
            level = level + (a[:, k] * values).sum(axis=1) + constant[:, 0] - part.constant
            columns.append(level[:, None])
        return np.concatenate(columns, axis=1) if columns else np.zeros((len(a), 0))

    def jacobian(self, parts: Parts) -> Floats:  # noqa: D102
        s, part = self.setting, self.part
        a, incoming = parts[0][0, :, 0], parts[1][0]
        full = np.zeros((s.incoming, s.n_params))
        for g in self.free:
            for k in g.neurons:
                full[:, s.a_index(k, 0)] = incoming[k]
                for j in range(s.incoming):
                    full[j, s.v_index(k, j)] = a[k]
        rows = []
        if self.free:
            head = full[: len(part.right)].copy()
            for i, row in enumerate(part.columns):
                for place, factor in self._sums(row).items():
                    head[i, place] = factor
            rows.append(head)
        if self._level_is_curved:
            level = s.slope * full[-1]
            for place, factor in self._sums(s.slope * part.tail).items():
                level[place] = factor
            for k in self.member.blocks[0]:
                value, slope = s.sigma(np.array([incoming[k, -1] + s.centre]))
                level[s.a_index(k, 0)] = value[0]
                level[s.v_index(k, s.inputs)] = a[k] * slope[0]
            if s.output_bias:
                level[s.c_index(0)] = 1.0
            rows.append(level[None])
        return np.concatenate(rows) if rows else np.zeros((0, s.n_params))

    @property
    def _equations(self) -> PairEquations:
        part, rows = self.part, self.rows
        level = None
        if self.joined:
            level = self.setting.slope * part.tail, part.constant
        return PairEquations(
            self.setting,
            self.labelled,
            self.free,
            rows @ part.columns,
            rows @ part.right,
            rows,
            level,
        )

    def project(self, parts: Parts) -> Parts:  # noqa: D102
        parts = self._constants(parts)
        if not (self.member.mixed or self.joined):
            return parts
        block = self.member.blocks[0] if self.joined else ()
        start = self._equations.at(parts, block)
        if not has_stray_part(self.part.columns, len(self.free), self.part.right, self.rules.tol):
            zero = np.zeros((len(parts[0]), start.n_variables))
            return start.write(nearest(start, zero, start.scale))
        found = nearest_in_closure(start)
        costs = np.stack([_moved(parts, one) for one in found])
        best = np.argmin(costs, axis=0)
        line = np.arange(len(best))
        chosen = (np.stack(columns)[best, line] for columns in zip(*found, strict=True))
        outgoing, incoming, constant = chosen
        return outgoing, incoming, constant

    def sample(self, parts: Parts, rng: np.random.Generator) -> Parts:  # noqa: D102
        outgoing, incoming, constant = (part.copy() for part in parts)
        if self.setting.output_bias:
            constant = constant + rng.normal(size=constant.shape)
        k = list(self.member.blocks[0])
        point = self.constant_group.sample(rng, len(k))
        outgoing[:, k], incoming[:, k] = point.outgoing, point.incoming
        if not self.joined:
            constant = point.constant
        part, scale = self.part, self.setting.slope
        if self.free:
            s = rng.normal(size=len(self.labelled))
            if has_stray_part(part.columns, len(self.free), part.right, self.rules.tol):
                s = self.space.point + rng.normal(size=len(s))
        else:
            s = self.space.point + self.space.directions @ rng.normal(
                size=len(self.labelled) - self.space.rank
            )
        q = rng.normal(size=len(self.free))
        q += _LEAST * np.sign(q)
        u = np.array([g.signs[0] * incoming[0, g.neurons[0]] for g in self.free])
        u = u.reshape(len(q), self.setting.incoming)
        made = (
            outgoing[0, k, 0] @ self.setting.sigma(incoming[0, k, -1] + self.setting.centre)[0]
            if self.joined
            else 0.0
        )
        if self.free:
            # the pair with the largest |q| makes what is left
            last = int(np.argmax(np.abs(q)))
            q_rest = q.copy()
            q_rest[last] = 0.0
            heads = len(part.right)
            u[last, :heads] = (part.right - part.columns @ s - q_rest @ u[:, :heads]) / q[last]
            if self.joined:
                level = (
                    part.constant
                    - made
                    - constant[0, 0]
                    - scale * (part.tail @ s + q_rest @ u[:, -1])
                )
                u[last, -1] = level / (scale * q[last])
        elif self.joined and self.setting.output_bias:
            constant[0, 0] = part.constant - made - scale * part.tail @ s
        elif self.joined:
            along = self.space.directions.T @ part.tail
            gap = (part.constant - made) / scale - part.tail @ s
            s = s + self.space.directions @ along * gap / (along @ along)
        for g, value in zip(self.member.mixed, [*s, *q], strict=True):
            n = list(g.neurons)
            now = outgoing[0, n, 0] @ np.array(g.signs)
            outgoing[0, n, 0] += (value - now) / g.room * g.direction
        for g, vector in zip(self.free, u, strict=True):
            incoming[0, list(g.neurons)] = np.array(g.signs)[:, None] * vector
        return outgoing, incoming, constant

    def _constants(self, parts: Parts) -> Parts:
        """Project the constant group; where the level is shared, on w = 0 alone."""
        outgoing, incoming, constant = (part.copy() for part in parts)
        k = list(self.member.blocks[0])
        point = self.constant_group.project(Point(outgoing[:, k], incoming[:, k], constant))
        outgoing[:, k], incoming[:, k] = point.outgoing, point.incoming
        return outgoing, incoming, constant if self.joined else point.constant


def _moved(before: Parts, after: Parts) -> Floats:
    steps = [(new - old).reshape(len(old), -1) for old, new in zip(before, after, strict=True)]
    cost: Floats = sum(((step**2).sum(axis=1) for step in steps), np.zeros(len(steps[0])))
    return cost
