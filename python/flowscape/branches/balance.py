"""The equation that couples all groups, and which perfect networks a path can join.

Where turning a neuron round adds a constant or a linear function, all neurons together obey
sum a_k x_k = right: x_k = 1 for an odd activation plus a constant, the incoming vector for an even
one plus a linear function, or positively homogeneous. A perfect network is *gathered* when every
side of every group has its weight on one neuron. Then there are uniform labels, mixed ones (a
neuron on each side), pairs u, -u, perhaps one neuron that makes a constant, and spare ones with
a = 0. What follows from their numbers is proven in ``docs/connectedness.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.rules import LevelRules, LinearRules
from flowscape.branches.lines.target import LineTarget
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError

__all__ = ["CONSTANT", "Balance", "Class", "balance_of", "line_balance"]

Floats = NDArray[np.float64]
Pattern = tuple[int, ...]
"""The sign of every label, 0 where it is mixed."""

CONSTANT = -1
"""The neuron that makes a constant, among the labels."""

_RANK = 1e-10
"""Sines below this are 0."""


@dataclass(frozen=True)
class Class:
    """A connected component of Q*, as far as the numbers of sides tell.

    Attributes
    ----------
    kind : str
        ``all`` (one component), ``signs`` (one for every `pattern`), ``pair`` (one for each
        arrangement of the neurons and sign of the pair's weight), ``alone`` (one for each
        arrangement, and interval of the constant neuron's bias).
    pattern : tuple of int
        Of ``signs``: the first of the patterns that it joins.
    """

    kind: str
    pattern: Pattern = ()


@dataclass(frozen=True)
class Balance:
    """What the neurons of a perfect network add up to.

    Attributes
    ----------
    width : int
        m.
    weights, vectors : ndarray
        (m0, O) and (m0, D): the target's neurons.
    columns : (m0, E) ndarray or None
        x_t; None for an odd activation plus a constant, where all are 1.
    right : (O, E) or (O,) ndarray
        The right side: sum a_k x_k^T, or sum a_k; empty where nothing is coupled.
    makes_constant : bool
        Whether a neuron with zero input weight takes part.
    tol : float
        Norms up to this are 0.
    """

    width: int
    weights: Floats
    vectors: Floats
    columns: Floats | None
    right: Floats
    makes_constant: bool
    tol: float

    @property
    def m0(self) -> int:
        """Number of labels."""
        return len(self.weights)

    @property
    def extra(self) -> int:
        """Neurons beyond one for every label."""
        return self.width - self.m0

    @property
    def is_level(self) -> bool:
        """Whether the sum of all a_k is prescribed."""
        return self.columns is None

    @property
    def is_free(self) -> bool:
        """Whether nothing is prescribed."""
        return self.right.size == 0

    @property
    def equations(self) -> int:
        """E, the length of x_t."""
        return self.right.shape[-1]

    @property
    def is_matrix(self) -> bool:
        """Whether several outputs have to be made up for: a pair makes rank one only."""
        return self.columns is not None and self.weights.shape[1] > 1 and not self.is_free

    @property
    def enough(self) -> int:
        """From so many extra neurons on there is one component, however they are placed."""
        rank = min(self.weights.shape[1], self.equations)
        return max(self.equations + rank - 1, 2 * rank) + 1

    @cached_property
    def turning(self) -> tuple[int, ...]:
        """The labels that have two sides."""
        return tuple(t for t in range(self.m0) if self.vectors[t].any())

    @cached_property
    def elements(self) -> tuple[int, ...]:
        """What one neuron more can make flexible: labels, and a constant."""
        return (*self.turning, CONSTANT) if self.makes_constant else self.turning

    def column(self, element: int) -> Floats:
        """Return x of a label or of the constant, (E,)."""
        assert self.columns is not None
        if element == CONSTANT:
            return np.eye(self.equations)[-1]
        column: Floats = self.columns[element]
        return column

    def rest(self, pattern: Pattern) -> Floats:
        """Return what uniform labels with these signs leave; 0 if it is round-off."""
        signs = np.array(pattern, dtype=np.float64)
        if self.columns is None:
            made = signs @ self.weights
        else:
            made = (signs[:, None] * self.weights).T @ self.columns
        rest: Floats = self.right - made
        return rest if np.linalg.norm(rest) > self.tol else np.zeros_like(rest)

    def along(self, element: int, matrix: Floats) -> bool:
        """Return whether an (O, E) matrix is g x^T, x of a label or of the constant."""
        if self.columns is None or self.is_free:
            return True
        column = self.column(element)
        across = matrix - np.outer(matrix @ column, column) / (column @ column)
        return bool(np.linalg.norm(across) <= max(self.tol, _RANK * float(np.linalg.norm(matrix))))

    def kernel(self, elements: Iterable[int]) -> Floats:
        """Return a basis (n, k) of the relations between the x of some elements."""
        chosen = list(elements)
        if self.columns is None:
            raise ValueError("all x are 1")
        matrix = np.array([self.column(t) for t in chosen]).reshape(len(chosen), -1).T
        sizes = np.linalg.norm(matrix, axis=0)
        _, values, rows = np.linalg.svd(matrix / sizes)
        rank = int((values > _RANK).sum())
        return np.asarray(rows[rank:].T / sizes[:, None])

    def independent(self, elements: Iterable[int]) -> bool:
        """Return whether the x of some elements are independent."""
        chosen = tuple(elements)
        if self.is_free:
            return not chosen
        if self.columns is None:
            return len(chosen) <= 1
        return self.kernel(chosen).shape[1] == 0

    def turns(self, pattern: Pattern) -> Iterator[tuple[int, Pattern]]:
        """Yield the elements on whose line the rest is, with the pattern that has it turned."""
        rest = self.rest(pattern)
        for t in self.elements:
            if self.along(t, rest):
                other = pattern if t == CONSTANT else (*pattern[:t], -pattern[t], *pattern[t + 1 :])
                yield t, other

    def joined(self, pattern: Pattern) -> dict[Pattern, tuple[Pattern, int] | None]:
        """Return the patterns that turns lead to, each with the one before it and the turn."""
        before: dict[Pattern, tuple[Pattern, int] | None] = {pattern: None}
        queue = [pattern]
        while queue:
            at = queue.pop(0)
            for t, other in self.turns(at):
                if other not in before:
                    before[other] = at, t
                    queue.append(other)
        return before

    def class_of(self, pattern: Pattern, constant: bool) -> Class:
        """Return the component of a gathered network.

        Parameters
        ----------
        pattern : tuple of int
            The sign of every label, 0 if it is mixed.
        constant : bool
            Whether a neuron makes a constant other than 0.
        """
        mixed = [t for t, sign in enumerate(pattern) if sign == 0]
        mixed += [CONSTANT] if constant else []
        e = self.extra
        if e == 0:
            return Class("alone")
        if self.is_free:
            return Class("all")
        if e == len(mixed) and self.independent(mixed):
            return Class("alone")
        if e >= 3:
            return Class("all")
        if e == 1:
            return Class("signs", pattern)
        if self.is_level:
            return Class("all")
        plain = tuple(sign or 1 for sign in pattern)
        if not self.rest(plain).any() or next(self.turns(plain), None) is not None:
            return Class("signs", max(self.joined(plain)))
        return Class("pair")


def balance_of(setting: Setting, target: Reduced) -> Balance:
    """Return the balance of an odd plus constant or even plus linear student.

    Raises
    ------
    ProblemError
        If the student is even plus linear and has several outputs, and its number of extra neurons
        is among those for which components are not derived.
    """
    s, none = setting, np.zeros(0)
    parts = s.width, target.outgoing, target.incoming
    if s.level:
        if s.output_bias:
            return Balance(*parts, None, none, makes_constant=False, tol=0.0)
        rules = LevelRules(s, target)
        return Balance(*parts, None, rules.wanted, makes_constant=True, tol=rules.tol)
    linear = LinearRules(s, target)
    right, rows = target.linear, s.inputs
    alone = s.bias and not s.output_bias
    if alone:
        constants = target.constant[:, None] / s.slope
        right, rows = np.concatenate([right, constants], axis=1), s.incoming
    found = Balance(*parts, target.incoming[:, :rows], right, makes_constant=alone, tol=linear.tol)
    _check_outputs(s, found)
    return found


def _check_outputs(setting: Setting, balance: Balance) -> None:
    """Refuse the numbers of neurons between few and enough, with several outputs."""
    if balance.is_matrix and 3 <= balance.extra < balance.enough:
        few, enough = balance.m0 + 2, balance.m0 + balance.enough
        raise ProblemError(
            f"width={setting.width} with outputs={setting.outputs} and activation="
            f"{str(setting.activation)!r}: what neurons add when they turn round is a matrix, and "
            f"which of these {balance.extra} extra neurons can make is not derived; use width <= "
            f"{few} or width >= {enough}, or one output"
        )


def line_balance(setting: Setting, lines: LineTarget) -> Balance:
    """Return the balance of a positively homogeneous student, neurons scaled to |v| = 1.

    Not for lambda = 0 with hidden biases alone, where constants have an equation of their own.
    Several outputs: |z| only, where nothing is to be balanced.
    """
    s, real = setting, np.linalg.norm(lines.weights, axis=1) > lines.tol
    alone = s.bias and not s.output_bias
    right = np.zeros(0) if lines.linear is None else lines.linear[0]
    right = right if alone else right[: s.inputs]  # an output bias takes up constants
    right = right[None] if right.size else right
    vectors, weights = lines.lines[real], lines.weights[real]
    columns = vectors[:, : right.shape[-1]]
    return Balance(s.width, weights, vectors, columns, right, alone, lines.tol)
