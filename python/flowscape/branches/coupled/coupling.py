"""What couples all groups of a branch of a coupled family: interface, and the level equation.

Beyond the equations of its own every group contributes to one equation for all of them
(``docs/families.md``). Only *mixed* groups can: in a group with equal signs the contribution is
fixed, in one with both signs it is moved along

    n = eps - (mean of eps),   |n|^2 = 4 p q / g,

p, q the numbers of plus and minus signs, g = p + q. That direction keeps the group's own equation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.constant_group import ConstantGroup, Point
from flowscape.branches.coupled.rules import LevelRules, Pattern
from flowscape.branches.groups import add_up
from flowscape.branches.partitions import Blocks
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import Shape, Variant

Floats = NDArray[np.float64]
Parts = tuple[Floats, Floats, Floats]
Terms = Mapping[int, float]


@dataclass(frozen=True)
class Member:
    """What a coupling needs to know of a branch; attributes as in `Branch`."""

    setting: Setting
    target: Reduced
    shape: Shape
    blocks: Blocks
    signs: tuple[int, ...]
    variant: Variant

    @cached_property
    def pattern(self) -> Pattern:
        """For every target neuron the sign of its group, 0 if both occur."""
        blocks = self.blocks[1 : 1 + len(self.shape.labelled)]
        found = [{self.signs[k] for k in block} for block in blocks]
        return tuple(0 if len(signs) == 2 else signs.pop() for signs in found)

    @cached_property
    def mixed(self) -> tuple[Mixed, ...]:
        """The mixed groups, labelled ones first."""
        m0 = len(self.shape.labelled)
        return tuple(
            Mixed(block, tuple(self.signs[k] for k in block), place if place < m0 else None)
            for place, block in enumerate(self.blocks[1:])
            if len({self.signs[k] for k in block}) == 2
        )


@dataclass(frozen=True)
class Mixed:
    """A group with both signs; `label` is None if it is free."""

    neurons: tuple[int, ...]
    signs: tuple[int, ...]
    label: int | None

    @cached_property
    def direction(self) -> Floats:
        """N for an odd activation with eps of the sum taken out: see the module."""
        eps = np.array(self.signs, dtype=np.float64)
        return eps - eps.mean()

    @cached_property
    def room(self) -> float:
        """|n|^2 = 4 p q / g."""
        return float(self.direction @ self.direction)


class Coupling(Protocol):
    """The equations that a branch obeys beyond those of its labelled and free groups."""

    @property
    def member(self) -> Member:
        """The branch."""
        ...

    @property
    def constant_group(self) -> ConstantGroup:
        """The equations of the neurons with zero input weight."""
        ...

    @property
    def codim(self) -> int:
        """Number of independent equations, those of the constant group included."""
        ...

    @property
    def is_affine(self) -> bool:
        """Whether they are linear, on top of those of the groups."""
        ...

    def slack_terms(self, output: int) -> Terms:
        """Return the slack of the constant group as a linear function of theta."""
        ...

    def linear_rows(self) -> list[tuple[Terms, float]]:
        """Return its own linear equations."""
        ...

    def residual(self, parts: Parts) -> Floats:
        """Return the left minus right sides (B, k) of its own nonlinear equations."""
        ...

    def jacobian(self, parts: Parts) -> Floats:
        """Return the derivative (k, P) of `residual` at one point (batch axis of length 1)."""
        ...

    def project(self, parts: Parts) -> Parts:
        """Return the nearest points, given points that obey the equations of the groups."""
        ...

    def sample(self, parts: Parts, rng: np.random.Generator) -> Parts:
        """Return a random member near one point that obeys the equations of the groups."""
        ...


class LevelCoupling:
    """Odd plus the constant kappa: c + kappa sum a_k = C*, with sigma(b_k) at constant neurons.

    Flipping the sign of a neuron adds a constant, so mixed groups are slack of the constant group
    as an output bias is.
    """

    def __init__(self, member: Member) -> None:
        self.member = member
        self.setting = member.setting

    @cached_property
    def constant_group(self) -> ConstantGroup:  # noqa: D102
        s, shape = self.setting, self.member.shape
        deficit = LevelRules(s, self.member.target).deficit(self.member.pattern)
        slack = float(s.output_bias) + s.level**2 * sum(g.room for g in self.member.mixed)
        wanted = s.level * deficit
        return ConstantGroup(s, shape.constant.kind, self.member.variant, wanted, slack)

    @property
    def codim(self) -> int:  # noqa: D102
        return self.constant_group.codim(self.member.shape.constant.size)

    @property
    def is_affine(self) -> bool:  # noqa: D102
        return self.constant_group.is_affine

    def slack_terms(self, output: int) -> Terms:  # noqa: D102
        s = self.setting
        terms = {s.a_index(k, output): s.level for g in self.member.mixed for k in g.neurons}
        if s.output_bias:
            terms[s.c_index(output)] = 1.0
        return terms

    def linear_rows(self) -> list[tuple[Terms, float]]:  # noqa: D102
        return []

    def residual(self, parts: Parts) -> Floats:  # noqa: D102
        return np.zeros((len(parts[0]), 0))

    def jacobian(self, parts: Parts) -> Floats:  # noqa: D102
        return np.zeros((0, self.setting.n_params))

    def project(self, parts: Parts) -> Parts:  # noqa: D102
        outgoing, incoming, constant = parts
        k = list(self.member.blocks[0])
        slack = self._slack(outgoing, constant)
        found = self.constant_group.project(Point(outgoing[:, k], incoming[:, k], slack))
        return self._with(parts, found, found.constant - slack)

    def sample(self, parts: Parts, rng: np.random.Generator) -> Parts:  # noqa: D102
        slack = self._slack(parts[0], parts[2])
        found = self.constant_group.sample(rng, len(self.member.blocks[0]), slack)
        return self._with(parts, found, found.constant - slack)

    def _slack(self, outgoing: Floats, constant: Floats) -> Floats:
        """Return c + kappa times the sum of a_k over the mixed groups, (B, O)."""
        neurons = [k for g in self.member.mixed for k in g.neurons]
        return constant + self.setting.level * add_up(outgoing[:, neurons])

    def _with(self, parts: Parts, found: Point, step: Floats) -> Parts:
        """Put in the constant group, and a step of the slack by the least change."""
        outgoing, incoming, constant = (part.copy() for part in parts)
        k = list(self.member.blocks[0])
        outgoing[:, k], incoming[:, k] = found.outgoing, found.incoming
        if self.constant_group.slack:
            step = step / self.constant_group.slack
            for g in self.member.mixed:
                # keeps sum eps a; the part of (1, ..., 1) orthogonal to eps
                eps = np.array(g.signs, dtype=np.float64)
                along = 1.0 - eps * eps.mean()
                outgoing[:, list(g.neurons)] += (
                    self.setting.level * along[:, None] * step[:, None, :]
                )
            if self.setting.output_bias:
                constant = constant + step
        return outgoing, incoming, constant
