"""How the neurons of one branch of a positively homogeneous student are put on lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.fibres import Ranks
from flowscape.branches.lines.strata import Stratum, stratum
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.partitions import Blocks
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]

_TARGET = 1e-9
"""A network is the target up to this part of its terms."""


@dataclass(frozen=True)
class LineGroups:
    """The neurons of one branch of a positively homogeneous student, on their lines and sides.

    Attributes
    ----------
    setting : Setting
        The student; biases are counted from its centre, which is 0 here.
    target : LineTarget
    blocks : tuple of tuple of int
        Silent or constant neurons, labelled groups, free groups.
    signs : tuple of int
        eps_k.
    silent : bool
        Whether the neurons of the first block are silent: v = 0.
    ranks : (int, int) or None
        Of the component (`strata.components`), for several outputs and mixed free groups.
    """

    setting: Setting
    target: LineTarget
    blocks: Blocks
    signs: tuple[int, ...]
    silent: bool
    ranks: Ranks | None = None

    @property
    def labelled(self) -> Blocks:
        """The labelled groups."""
        return self.blocks[1 : 1 + self.m0]

    @property
    def free(self) -> Blocks:
        """The free groups."""
        return self.blocks[1 + self.m0 :]

    @property
    def m0(self) -> int:
        """Number of labelled groups."""
        return 0 if self.silent else self.target.m0

    @cached_property
    def mixed_free(self) -> tuple[tuple[int, ...], ...]:
        """The free groups with neurons on both sides."""
        return tuple(b for b in self.free if len({self.signs[k] for k in b}) == 2)

    @cached_property
    def constants(self) -> tuple[int, ...]:
        """The constant neurons that are not 0."""
        block = () if self.silent else self.blocks[0]
        return tuple(k for k in block if self.gain(k) != 0.0)

    def gain(self, k: int) -> float:
        """Return the constant that neuron k makes with a = 1 and |b| = 1."""
        return self.target.gains[0 if self.signs[k] > 0 else 1]

    @cached_property
    def free_level(self) -> bool:
        """Whether there are constants that can be anything."""
        return not self.silent and (self.target.level_free or bool(self.constants))

    @cached_property
    def stratum(self) -> Stratum | None:
        """The linear condition; None if lambda = 0 or all neurons are silent."""
        if self.target.linear is None or self.silent:
            return None
        sides = [{self.signs[k] for k in block} for block in self.labelled]
        pattern = tuple(0 if len(s) == 2 else s.pop() for s in sides)
        return stratum(self.target, pattern, self.free_level)

    def a(self, theta: Floats, k: int) -> Floats:
        """Return a_k of a point (P,), as a view."""
        first = self.setting.a_index(k, 0)
        return theta[first : first + self.setting.outputs]

    def v(self, theta: Floats, k: int) -> Floats:
        """Return v_k of a point (P,), as a view."""
        first = self.setting.v_index(k, 0)
        return theta[first : first + self.setting.incoming]

    def size(self, theta: Floats) -> float:
        """Return the size of the sums that the equations are made of, at a point (P,)."""
        made = sum(
            float(np.linalg.norm(self.a(theta, k)) * np.linalg.norm(self.v(theta, k)))
            for k in range(self.setting.width)
        )
        return made + self.target.size + float(np.linalg.norm(self.target.constant))

    def is_target(self, theta: Floats, before: float) -> bool:
        """Whether a network (P,) and the target agree at some inputs X.

        Up to a part of the size of its terms, or of those at the point that it was found from.
        """
        s, target = self.setting, self.target
        x = np.cos(np.arange(4.0 * s.incoming**2)).reshape(-1, s.incoming)
        x[:, -1] = np.abs(x[:, -1])  # of (x, 1), with biases
        outgoing, v, c = (part[0] for part in s.split(theta[None]))
        alpha, slope = target.alpha, 0.5 * (target.gains[0] - target.gains[1])
        z, along = x @ v.T, np.abs(x @ target.lines.T)
        gap = (alpha * np.abs(z) + slope * z) @ outgoing - alpha * along @ target.weights
        if target.linear is not None:
            gap -= slope * x @ target.linear.T
        if s.bias:
            gap += x[:, -1:] * (c - target.constant)
        size = (abs(alpha) + abs(slope)) * max(before, self.size(theta))
        return bool(np.abs(gap).max() <= _TARGET * (size + float(np.linalg.norm(c))))

    def along(self, theta: Floats, block: Sequence[int]) -> Floats:
        """Return the unit vector of the line of a free group."""
        v = max((self.v(theta, k) for k in block), key=lambda one: float(one @ one))
        return np.asarray(v / max(float(np.linalg.norm(v)), 1e-300))
