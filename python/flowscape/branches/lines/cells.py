"""The cells in which closures of lines meet: which neurons are still, and what the others share.

A neuron with v_k = 0 ("still") obeys all that a branch asks of its line. So an intersection is cut
by the set of still neurons. All others that some branch puts on one line form a class with one line
u, sides included; sums of p_k = a_k |v_k| over groups lie in one class each; and all branches ask
the same of the linear part, sum p_k eps_k u = L. See ``docs/intersections.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.intersections.signed_union import SignedUnion
from flowscape.branches.intersections.sums import Sums
from flowscape.branches.lines.groups import LineGroups
from flowscape.branches.strata import Solutions, solutions

Floats = NDArray[np.float64]

_RANK = 1e-9
"""Unit vectors, and sums of gains, that are dependent up to this are dependent."""


@dataclass(frozen=True, eq=False)
class LineClass:
    """Neurons on one line.

    Attributes
    ----------
    neurons, signs : tuple of int
    line : (D,) ndarray or None
        Its unit vector if that is fixed.
    constant : bool
        Whether it is the line of neurons with zero input weight.
    """

    neurons: tuple[int, ...]
    signs: tuple[int, ...]
    line: Floats | None
    constant: bool

    @property
    def tilt(self) -> dict[int, int]:
        """The row of t = sum eps_k p_k."""
        return dict(zip(self.neurons, self.signs, strict=True))


class Cell:
    """What branches ask of the neurons that move, for one set of still neurons.

    Attributes
    ----------
    systems : sequence of LineGroups
        The branches.
    still : frozenset of int
    consistent : bool
        False if there is no such point.
    classes : tuple of LineClass
    """

    def __init__(self, systems: Sequence[LineGroups], still: frozenset[int]) -> None:
        self.systems, self.still = systems, still
        self.target, self.setting = systems[0].target, systems[0].setting
        self.union = SignedUnion(self.setting.width)
        rows: list[dict[int, int]] = []
        rights: list[int | None] = []
        for system in systems:
            for k in system.blocks[0]:
                if k not in still and not system.silent:
                    self.union.fix(k, self._value(np.eye(self.setting.incoming)[-1], system, k))
            for place, block in enumerate(system.blocks[1:]):
                awake = [k for k in block if k not in still]
                for k in awake[1:]:
                    self.union.join(k, awake[0], system.signs[k] * system.signs[awake[0]])
                label = place < system.m0
                if awake and label:
                    line = self.target.lines[place]
                    self.union.fix(awake[0], self._value(line, system, awake[0]))
                rows.append(dict.fromkeys(awake, 1))
                rights.append(place if label and self.target.weights[place, 0] != 0.0 else None)
        self.sums = Sums(rows, rights)
        silent = any(system.silent for system in systems)
        moving = range(self.setting.width)
        clash = any(
            not any(self.union.value.get(self.union.find(k)[0], (1.0,)))
            for k in moving
            if k not in still
        )
        self.consistent = self.sums.consistent and self.union.consistent and not clash
        self.consistent &= not (silent and len(still) < self.setting.width)
        self.classes = tuple(self._classes()) if self.consistent else ()

    @staticmethod
    def _value(line: Floats, system: LineGroups, k: int) -> tuple[float, ...]:
        return tuple((system.signs[k] * line + 0.0).tolist())

    def _classes(self) -> list[LineClass]:
        found: dict[int, list[tuple[int, int]]] = {}
        for k in range(self.setting.width):
            if k not in self.still:
                root, sign = self.union.find(k)
                found.setdefault(root, []).append((k, sign))
        result: list[LineClass] = []
        last = tuple(np.eye(self.setting.incoming)[-1].tolist())
        constants: list[tuple[int, int]] = []
        for root, members in found.items():
            value = self.union.value.get(root)
            neurons, signs = zip(*members, strict=True)
            if value is not None and self.setting.bias and tuple(map(abs, value)) == last:
                turn = 1 if value[-1] > 0.0 else -1
                constants += [(k, sign * turn) for k, sign in members]
                continue
            result.append(
                LineClass(neurons, signs, None if value is None else np.array(value), False)
            )
        if constants:  # one line for all of them
            neurons, signs = zip(*constants, strict=True)
            result.append(LineClass(neurons, signs, np.array(last), True))
        return result

    @cached_property
    def free(self) -> tuple[LineClass, ...]:
        """The classes whose line is free."""
        return tuple(c for c in self.classes if c.line is None)

    @cached_property
    def pairs(self) -> tuple[LineClass, ...]:
        """Those of `free` whose t is free, if sigma has a linear part."""
        if self.target.linear is None:
            return ()
        return tuple(c for c in self.free if self.sums.value(c.tilt) is None)

    @cached_property
    def _labelled(self) -> tuple[LineClass, ...]:
        return tuple(c for c in self.classes if c.line is not None and not c.constant)

    @cached_property
    def mixed(self) -> tuple[LineClass, ...]:
        """The classes on labelled lines whose t is free."""
        return tuple(c for c in self._labelled if self.sums.value(c.tilt) is None)

    @cached_property
    def gains(self) -> Floats:
        """What p_k of a constant neuron adds to the constant, (m,); 0 for all others."""
        found = np.zeros(self.setting.width)
        for one in self.classes:
            if one.constant:
                plus, minus = self.target.gains
                found[list(one.neurons)] = np.where(np.array(one.signs) > 0, plus, minus)
        return found

    @cached_property
    def level_free(self) -> bool:
        """Whether an output bias or constant neurons can make any constant."""
        if self.target.level_free:
            return True
        rows = self.rows
        rest = self.gains - np.linalg.pinv(rows, rcond=_RANK) @ (rows @ self.gains)
        return bool(np.linalg.norm(rest) > _RANK * max(np.hypot(*self.target.gains), 1e-300))

    @cached_property
    def rows(self) -> Floats:
        """The equations of the groups as forms of p, (E, m)."""
        found = np.zeros((0, self.setting.width))
        for system in self.systems:
            for block in system.blocks[1:]:
                row = np.zeros((1, self.setting.width))
                row[0, [k for k in block if k not in self.still]] = 1.0
                found = np.concatenate([found, row])
        return found

    @cached_property
    def span(self) -> Floats:
        """Lines that can make linear functions, (D, w): of `mixed`, and of constants."""
        lines = [c.line for c in self.mixed if c.line is not None]
        if self.level_free and self.target.bias:
            lines.append(np.eye(self.setting.incoming)[-1])
        return np.array(lines).reshape(-1, self.setting.incoming).T

    @cached_property
    def right(self) -> Floats:
        """L': what fixed t leave of the target's linear part, (D,)."""
        assert self.target.linear is not None
        rest = self.target.linear[0].copy()
        for one in self._labelled:
            assert one.line is not None
            for name, factor in (self.sums.value(one.tilt) or {}).items():
                rest -= float(factor) * float(self.target.weights[int(name), 0]) * one.line
        return rest

    @cached_property
    def solutions(self) -> Solutions | None:
        """Of span @ s = L'."""
        return solutions(self.span, self.right, self.target.tol)

    @property
    def rank(self) -> int:
        """Rank of `span`."""
        return int((np.linalg.svd(self.span, compute_uv=False) > _RANK).sum())

    @property
    def dim(self) -> int:
        """Dimension without what is asked of the affine part; still neurons not counted."""
        awake = self.setting.width - len(self.still)
        lines = (self.setting.incoming - 1) * len(self.free)
        return 2 * awake + lines - self.sums.rank + int(self.target.level_free)

    def codim_apart(self) -> int | None:
        """Return the equations of the affine part where all t of `pairs` are 0, None if empty."""
        target = self.target
        if target.linear is not None:
            return None if self.solutions is None else len(self.pairs) + self.rank
        if not target.bias:
            return 0
        if self.level_free:
            return 1
        return None if target.constant.any() else 0

    def codim_bundle(self) -> int | None:
        """Return the equations of the affine part where a t of `pairs` is not 0, None if empty."""
        if not self.pairs:
            return None
        alone = len(self.pairs) == 1 and not self.span.size and self.target.is_small(self.right)
        return None if alone else self.setting.incoming
