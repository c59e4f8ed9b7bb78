"""Which signs and constant groups give a branch of a coupled family; proofs in docs/families.md.

Odd plus a constant couples all groups by sum a_k, even plus a linear function by sum a_k v_k. A
*pattern* has, for every target neuron, +1 or -1 where its group has equal signs and 0 where the
group is mixed. With the number of mixed free groups and of constant neurons it decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.fibres import Ranks
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
from flowscape.branches.strata import Solutions, level_stratum, linear_pieces, solutions
from flowscape.errors import ProblemError

Floats = NDArray[np.float64]
Pattern = tuple[int, ...]

_RELATIVE = 1e-12


class Piece(NamedTuple):
    """One component of a stratum: its constant group and `Shape.ranks`."""

    constant: ConstantType
    ranks: Ranks | None = None


class LevelRules:
    """Odd plus the constant kappa, without output bias: kappa sum a_k is the target's constant."""

    many = 2
    """From so many mixed free groups on their number makes no difference."""

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

    def pieces(self, pattern: Pattern, pairs: int, size: int) -> tuple[Piece, ...]:
        """Return the components with a constant group of `size` neurons."""
        s = self.setting
        deficit = self.deficit(pattern)
        mixed = self.weights[[t for t, sign in enumerate(pattern) if sign == 0]]
        if size == 0 or not s.bias:
            kind = LEVEL if size else EMPTY
            found = level_stratum(deficit, mixed, pairs + (size > 0), self.tol)
            return (Piece(ConstantType(kind, size)),) if found else ()
        if len(mixed) + pairs > 0:
            return (Piece(ConstantType(CURVED, size)),)
        return tuple(map(Piece, _rigid(s, bool(deficit.any()), size)))


class Linear(NamedTuple):
    """W s + U q = L' and the level lambda (s beta + q u_b) + constant neurons = C''.

    Attributes
    ----------
    columns, right : ndarray
        W (E, b) and L' (E, O): all D components, or the input weights if constant neurons or an
        output bias take part in the last one.
    tail : (b,) ndarray
        beta: the biases of the mixed labelled groups.
    constant : (O,) ndarray
        C''; of use only where the last component is apart.
    weights : (b, O) ndarray
        abar_t of the mixed labelled groups.
    """

    columns: Floats
    right: Floats
    tail: Floats
    constant: Floats
    weights: Floats


class LinearRules:
    """Even plus lambda z: sum a_k v_k^T is the target's linear part.

    Raises
    ------
    ProblemError
        If the components are not known: see `_check_zeros`.
    """

    def __init__(self, setting: Setting, target: Reduced) -> None:
        self.setting = setting
        self.weights = target.outgoing
        self.vectors = target.incoming
        self.linear = target.linear.T
        self.constant = target.constant
        parts = np.linalg.norm(self.weights, axis=1) @ np.linalg.norm(self.vectors, axis=1)
        made = np.linalg.norm(self.linear) + np.linalg.norm(self.constant / setting.slope)
        self.tol = _RELATIVE * float(parts + made)
        _check_zeros(setting, target.m0)

    @property
    def many(self) -> int:
        """From so many mixed free groups on their number makes no difference."""
        s = self.setting
        return 2 if s.outputs == 1 else s.outputs + s.incoming

    def joined(self, size: int) -> bool:
        """Whether constants are made by more than the biases of pairs of neurons."""
        return self.setting.bias and (self.setting.output_bias or size > 0)

    def linear_part(self, pattern: Pattern, size: int) -> Linear:
        """Return the equations of a pattern with `size` constant neurons."""
        s = self.setting
        signs = np.array(pattern, dtype=np.float64)
        mixed = [t for t, sign in enumerate(pattern) if sign == 0]
        wanted = self.linear
        if s.bias:
            wanted = np.concatenate([wanted, self.constant[None] / s.slope])
        rest = wanted - self.vectors.T @ (signs[:, None] * self.weights)
        rest[np.abs(rest) <= self.tol] = 0.0
        columns = self.vectors[mixed].T
        rows = s.inputs if self.joined(size) else s.incoming
        tail = columns[-1] if s.bias else np.zeros(len(mixed))
        constant = s.slope * rest[-1] if s.bias else np.zeros(s.outputs)
        return Linear(columns[:rows], rest[:rows], tail, constant, self.weights[mixed])

    def space(self, part: Linear) -> Solutions | None:
        """Return the solutions s of W s = L'."""
        return solutions(part.columns, part.right, self.tol)

    def rigid_constant(self, part: Linear, pairs: int) -> Floats | None:
        """Return what constant neurons and output bias must make, None if others can move it."""
        if pairs:
            return None
        space = self.space(part)
        made = None if space is None else space.fixed(part.tail, 1e-12)
        if made is None:
            return None
        rest = part.constant - self.setting.slope * made
        small = np.linalg.norm(rest) <= self.tol * abs(self.setting.slope)
        return np.zeros_like(rest) if small else rest

    def pieces(self, pattern: Pattern, pairs: int, size: int) -> tuple[Piece, ...]:
        """Return the components with a constant group of `size` neurons."""
        s = self.setting
        flat = np.linalg.norm(self.vectors[:, : s.inputs], axis=1) == 0.0
        if any(sign != 1 and zero for sign, zero in zip(pattern, flat, strict=True)):
            return ()  # w = 0 has no sign
        if not s.bias and not s.silent and not s.output_bias and size:
            return ()  # w = 0 is an incoming vector like any other
        part = self.linear_part(pattern, size)
        found = linear_pieces(part.columns, part.weights, pairs, part.right, s.inputs, self.tol)
        if s.outputs == 1 or pairs == 0:
            names: list[Ranks | None] = [None] * len(found)
        else:
            names = list(found)
        constants = self._constants(part, pairs, size)
        return tuple(Piece(constant, ranks) for constant in constants for ranks in names)

    def _constants(self, part: Linear, pairs: int, size: int) -> list[ConstantType]:
        s = self.setting
        if not s.bias:
            kind = SILENT if s.silent else LEVEL
            return [ConstantType(kind if size else EMPTY, size)]
        if size == 0:
            return [ConstantType(EMPTY, 0)]
        if not s.output_bias:
            rest = self.rigid_constant(part, pairs)
            if rest is not None:
                return _rigid(s, bool(rest.any()), size)
        return [ConstantType(CURVED, size)]


def _check_zeros(setting: Setting, m0: int) -> None:
    """Refuse constant neurons that sit at zeros of sigma beside pairs that share the level.

    With several outputs, without output bias, sum_K a_k sigma(b_k) + lambda sum_j q_j b_j = C''
    has fewer directions in the q_j than equations, so neurons of K at zeros of sigma can be
    components of their own, with ranks of their own.
    """
    s = setting
    if s.bias and s.outputs > 1 and s.zeros and s.width >= m0 + 3:
        raise ProblemError(
            f"activation={str(s.activation)!r} with bias=True, output_bias=False and "
            f"outputs={s.outputs} has zeros, where constant neurons are silent; beside pairs w, -w "
            "of neurons sum_K a_k sigma(b_k) + lambda sum_j q_j b_j = C is a vector equation whose "
            f"solutions fall apart by the zeros and by rank, from width={m0 + 3} on; give the "
            f"student an output bias, or a width of at most {m0 + 2}"
        )


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
