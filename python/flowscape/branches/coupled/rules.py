"""Which signs and constant groups give a branch of a coupled family; proofs in docs/families.md.

Odd plus a constant couples all groups by sum a_k, even plus a linear function by sum a_k v_k. A
*pattern* has, for every target neuron, +1 or -1 where its group has equal signs and 0 where the
group is mixed. With the number of mixed free groups and of constant neurons it decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import (
    CURVED,
    EMPTY,
    LEVEL,
    SILENT,
    ConstantType,
    sheet_types,
    zero_types,
)
from flowscape.branches.strata import (
    Solutions,
    level_stratum,
    linear_stratum,
    solutions,
)

Floats = NDArray[np.float64]
Pattern = tuple[int, ...]

_RELATIVE = 1e-12


class LevelRules:
    """Odd plus the constant kappa, without output bias: kappa sum a_k is the target's constant."""

    def __init__(self, setting: Setting, target: Reduced) -> None:
        self.setting = setting
        self.weights = target.outgoing
        self.wanted = target.constant / setting.level
        size = np.linalg.norm(self.weights, axis=1).sum() + np.linalg.norm(self.wanted)
        self.tol = _RELATIVE * float(size)

    def deficit(self, pattern: Pattern) -> Floats:
        """Return what the uniform labelled groups leave of the sum of all a_k; 0 if round-off."""
        rest = self.wanted - np.array(pattern) @ self.weights if pattern else self.wanted
        return rest if np.linalg.norm(rest) > self.tol else np.zeros_like(rest)

    def constants(self, pattern: Pattern, pairs: int, size: int) -> tuple[ConstantType, ...]:
        """Return the constant groups of `size` neurons that make components."""
        s = self.setting
        deficit = self.deficit(pattern)
        mixed = self.weights[[t for t, sign in enumerate(pattern) if sign == 0]]
        if size == 0 or not s.bias:
            kind = LEVEL if size else EMPTY
            found = level_stratum(deficit, mixed, pairs + (size > 0), self.tol)
            return (ConstantType(kind, size),) if found else ()
        if len(mixed) + pairs > 0:
            return (ConstantType(CURVED, size),)
        return tuple(_rigid(s, bool(deficit.any()), size))


class Linear(NamedTuple):
    """W s + U q = L' and the level lambda (beta . s + q . u_b) + constant neurons = C''.

    Attributes
    ----------
    columns, right : ndarray
        W (E, b) and L' (E,): all D components, or the input weights if constant neurons or an
        output bias take part in the last one.
    tail : (b,) ndarray
        beta: the biases of the mixed labelled groups.
    constant : float
        C''; of use only where the last component is apart.
    weights : (b,) ndarray
        abar_t of the mixed labelled groups.
    """

    columns: Floats
    right: Floats
    tail: Floats
    constant: float
    weights: Floats


class LinearRules:
    """Even plus lambda z, one output: sum a_k v_k is the target's linear part."""

    def __init__(self, setting: Setting, target: Reduced) -> None:
        self.setting = setting
        self.weights = target.outgoing[:, 0]
        self.vectors = target.incoming
        self.linear = target.linear[0]
        self.constant = float(target.constant[0])
        parts = np.abs(self.weights) @ np.linalg.norm(self.vectors, axis=1)
        rest = np.linalg.norm(self.linear) + abs(self.constant / setting.slope)
        self.tol = _RELATIVE * float(parts + rest)

    def joined(self, size: int) -> bool:
        """Whether constants are made by more than the biases of pairs of neurons."""
        return self.setting.bias and (self.setting.output_bias or size > 0)

    def linear_part(self, pattern: Pattern, size: int) -> Linear:
        """Return the equations of a pattern with `size` constant neurons."""
        s = self.setting
        signs = np.array(pattern, dtype=np.float64)
        mixed = [t for t, sign in enumerate(pattern) if sign == 0]
        made = (signs * self.weights) @ self.vectors if pattern else np.zeros(s.incoming)
        wanted = self.linear
        if s.bias:
            wanted = np.append(wanted, self.constant / s.slope)
        rest = wanted - made[: len(wanted)]
        rest[np.abs(rest) <= self.tol] = 0.0
        columns = self.vectors[mixed].T
        rows = s.inputs if self.joined(size) else s.incoming
        tail = columns[-1] if s.bias else np.zeros(len(mixed))
        constant = s.slope * rest[-1] if s.bias else 0.0
        return Linear(columns[:rows], rest[:rows], tail, constant, self.weights[mixed])

    def space(self, part: Linear) -> Solutions | None:
        """Return the solutions s of W s = L'."""
        return solutions(part.columns, part.right, self.tol)

    def rigid_constant(self, part: Linear, pairs: int) -> float | None:
        """Return what constant neurons and output bias must make, None if others can move it."""
        if pairs:
            return None
        space = self.space(part)
        made = None if space is None else space.fixed(part.tail, 1e-12)
        if made is None:
            return None
        rest = part.constant - self.setting.slope * made
        return rest if abs(rest) > self.tol * abs(self.setting.slope) else 0.0

    def constants(self, pattern: Pattern, pairs: int, size: int) -> tuple[ConstantType, ...]:
        """Return the constant groups of `size` neurons that make components."""
        s = self.setting
        flat = np.linalg.norm(self.vectors[:, : s.inputs], axis=1) == 0.0
        if any(sign != 1 and zero for sign, zero in zip(pattern, flat, strict=True)):
            return ()  # w = 0 has no sign
        if not s.bias and not s.silent and not s.output_bias and size:
            return ()  # w = 0 is an incoming vector like any other
        part = self.linear_part(pattern, size)
        if not linear_stratum(part.columns, part.weights, pairs, part.right, s.inputs, self.tol):
            return ()
        if not s.bias:
            kind = SILENT if s.silent else LEVEL
            return (ConstantType(kind if size else EMPTY, size),)
        if size == 0:
            return (ConstantType(EMPTY, 0),)
        rest = None if s.output_bias else self.rigid_constant(part, pairs)
        if rest is None:
            return (ConstantType(CURVED, size),)
        return tuple(_rigid(s, rest != 0.0, size))


Rules = LevelRules | LinearRules


def rules_of(setting: Setting, target: Reduced) -> Rules:
    """Return the rules of a coupled family."""
    return LinearRules(setting, target) if setting.slope else LevelRules(setting, target)


def _rigid(setting: Setting, has_constant: bool, size: int) -> list[ConstantType]:
    """Return the constant groups that make a constant by themselves, without output bias."""
    found = [ConstantType(CURVED, size)] if size >= 2 else []
    if has_constant and size == 1:
        found += sheet_types(setting)
    if not has_constant and size <= setting.outputs:
        found += zero_types(setting, size)
    return found
