"""What several branches of an even plus linear activation demand together; docs/intersections.md.

Neurons that some branch puts into one group form *classes* with one incoming vector u up to sign.
Every group lies in one class, so what the branches demand of the outgoing weights does not mix
classes: in each the sum t of eps_k a_k is fixed or free. With them one vector equation is shared
by all branches, sum t u = L, whose last component, with hidden biases, is that of constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.coupled.rules import LinearRules
from flowscape.branches.intersections.group_equations import GroupEquations
from flowscape.branches.intersections.signed_union import ZERO, join_incoming
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.intersections.sums import Sums
from flowscape.branches.parts import BranchParts

Floats = NDArray[np.float64]

_ZERO_OF_SIGMA = 1e-12


@dataclass(frozen=True, eq=False)
class NeuronClass:
    """Neurons with equal incoming vectors, up to sign.

    Attributes
    ----------
    neurons, signs : tuple of int
    vector : (D,) ndarray or None
        u, centred, if it is fixed; with zero input weight and a free bias the last entry is NaN.
    flat : bool
        Whether the input weight is 0.
    """

    neurons: tuple[int, ...]
    signs: tuple[int, ...]
    vector: Floats | None
    flat: bool

    @property
    def tilt(self) -> dict[int, int]:
        """The row of t = sum eps_k a_k."""
        return dict(zip(self.neurons, self.signs, strict=True))

    @property
    def total(self) -> dict[int, int]:
        """The row of sum a_k."""
        return dict.fromkeys(self.neurons, 1)


class Joined:
    """The classes of several branches, and the linear equations.

    Parameters
    ----------
    branches : sequence of Branch
    pinned : sequence of int, optional
        Neurons whose incoming vectors must be 0 (about the centre).

    Attributes
    ----------
    consistent : bool
        Whether the linear equations have a solution.
    classes : tuple of NeuronClass
    """

    def __init__(self, branches: Sequence[BranchParts], pinned: Sequence[int] = ()) -> None:
        self.branches = branches
        self.setting, self.target = branches[0].setting, branches[0].target
        self.rules = LinearRules(self.setting, self.target)
        s = self.setting
        self.weights = join_incoming(branches, bias=False)
        self.biases = join_incoming(branches, bias=True) if s.bias else None
        for k in pinned:
            assert self.biases is not None
            self.biases.fix(k, ZERO)
        groups = GroupEquations(branches)
        # with hidden biases what makes constants is part of the shared equation
        kept = [i for i, (_, right) in enumerate(groups.rights) if self._is_linear(right)]
        self.rows = [groups.rows[i] for i in kept]
        self.rights = [groups.rights[i][1] for i in kept]
        self.sums = Sums(self.rows, self.rights)
        self.edges = groups.edges
        vectors = self.weights.consistent and (self.biases is None or self.biases.consistent)
        self.consistent = vectors and self.sums.consistent
        self.classes = tuple(self._classes()) if self.consistent else ()

    def _is_linear(self, right: str | int | None) -> bool:
        return right != "constant" or not self.setting.bias

    def _classes(self) -> list[NeuronClass]:
        found: dict[int, list[tuple[int, int]]] = {}
        for k in range(self.setting.width):
            root, sign = self.weights.find(k)
            found.setdefault(root, []).append((k, sign))
        result = []
        for root, members in found.items():
            head = self.weights.value.get(root)
            tail = None if self.biases is None else self.biases.value.get(root)
            flat = head == ZERO
            vector = None
            if head is not None:
                vector = np.zeros(self.setting.incoming)
                vector[: self.setting.inputs] = 0.0 if flat else head
                if self.setting.bias:
                    vector[-1] = np.nan if tail is None else tail[0] if tail else 0.0
            neurons, signs = zip(*members, strict=True)
            result.append(NeuronClass(neurons, signs, vector, flat))
        return result

    @cached_property
    def free(self) -> tuple[NeuronClass, ...]:
        """The classes whose u is free."""
        return tuple(c for c in self.classes if c.vector is None)

    @cached_property
    def pairs(self) -> tuple[NeuronClass, ...]:
        """Those of `free` whose t is free: J of them."""
        return tuple(c for c in self.free if self.sums.value(c.tilt) is None)

    @cached_property
    def labelled(self) -> tuple[NeuronClass, ...]:
        """The classes at target vectors whose t is free."""
        return tuple(c for c in self._fixed_vectors if self.sums.value(c.tilt) is None)

    @cached_property
    def _fixed_vectors(self) -> tuple[NeuronClass, ...]:
        return tuple(c for c in self.classes if c.vector is not None and not c.flat)

    @cached_property
    def moving(self) -> tuple[NeuronClass, ...]:
        """The classes with zero input weight that can make constants."""
        return tuple(c for c in self.classes if c.flat and self.setting.bias and self._moves(c))

    def _moves(self, one: NeuronClass) -> bool:
        assert one.vector is not None
        b, s = float(one.vector[-1]), self.setting
        if np.isnan(b):
            return None in (self.sums.value(one.total), self.sums.value(one.tilt))
        # at a bias that is fixed a_k makes a_k sigma(eps_k b); sigma(b) = 0 but for b = 0
        made = {
            k: sign
            for k, sign in zip(one.neurons, one.signs, strict=True)
            if abs(float(s.sigma(np.array([s.centre + sign * b]))[0][0])) > _ZERO_OF_SIGMA
        }
        return self.sums.value(dict.fromkeys(made, 1)) is None

    @property
    def level_free(self) -> bool:
        """Whether output bias or constant neurons can make any constant."""
        return self.setting.bias and (self.setting.output_bias or bool(self.moving))

    @cached_property
    def columns(self) -> Floats:
        """W: the vectors of `labelled`, (D, b)."""
        vectors = [c.vector for c in self.labelled if c.vector is not None]
        return np.array(vectors).reshape(-1, self.setting.incoming).T

    @cached_property
    def span(self) -> Floats:
        """W and, if constants are free, the last unit vector."""
        last = np.eye(self.setting.incoming)[:, -1:]
        return np.concatenate([self.columns, last], axis=1) if self.level_free else self.columns

    @cached_property
    def right(self) -> Floats:
        """L': what the fixed t leave of the target's linear part, (D,)."""
        rest = self.whole.copy()
        for one in self._fixed_vectors:
            made = self.sums.value(one.tilt)
            assert one.vector is not None
            for name, factor in (made or {}).items():
                rest -= float(factor) * self.target.outgoing[int(name), 0] * one.vector
        rest[np.abs(rest) <= self.rules.tol] = 0.0
        return rest

    @property
    def whole(self) -> Floats:
        """L: the target's linear part and, with hidden biases, its constant over lambda, (D,)."""
        linear = self.rules.linear[:, 0]
        if not self.setting.bias:
            return np.array(linear)
        return np.concatenate([linear, self.target.constant / self.setting.slope])

    @property
    def dim(self) -> int:
        """Dimension of the space of the linear equations."""
        s, biases = self.setting, self.biases
        vectors = s.inputs * self.weights.n_free + (biases.n_free if biases else 0)
        return vectors + self.edges - self.sums.rank

    def linear(self, more: Sequence[Floats], rights: Sequence[float], rank: int) -> AffineSubspace:
        """Return the space of the linear equations and of further rows (P,) of a given rank."""
        s = self.setting
        rows, right = list(more), list(rights)
        for one in self.classes:
            for place, (k, sign) in enumerate(zip(one.neurons, one.signs, strict=True)):
                for j in range(s.incoming):
                    value = np.nan if one.vector is None else float(one.vector[j])
                    if np.isnan(value) and place == 0:
                        continue
                    row = np.zeros(s.n_params)
                    row[s.v_index(k, j)] = 1.0
                    centre = s.centre if s.bias and j == s.incoming - 1 else 0.0
                    if np.isnan(value):
                        factor = sign * one.signs[0]
                        row[s.v_index(one.neurons[0], j)] = -factor
                        rows.append(row)
                        right.append(centre * (1 - factor))
                    else:
                        rows.append(row)
                        right.append(centre + sign * value)
        for terms, name in zip(self.rows, self.rights, strict=True):
            row, made = self.outgoing_row(terms), 0.0
            if name == "constant":
                row, made = self._constant_row(terms), float(self.target.constant[0])
            elif name is not None:
                made = float(self.target.outgoing[int(name), 0])
            rows.append(row)
            right.append(made)
        matrix = np.array(rows).reshape(-1, s.n_params)
        return AffineSubspace(matrix, np.array(right), self.dim - rank)

    def outgoing_row(self, terms: dict[int, int]) -> Floats:
        """Return a form of the a_k as a row (P,)."""
        row = np.zeros(self.setting.n_params)
        for k, value in terms.items():
            row[self.setting.a_index(k, 0)] = value
        return row

    def _constant_row(self, terms: dict[int, int]) -> Floats:
        """Return c + sigma(0) sum a of the neurons with w = 0."""
        s = self.setting
        row = self.outgoing_row({k: 1 for k in terms if k < s.width}) * s.at_zero
        row[s.c_index(0)] = 1.0
        return row
