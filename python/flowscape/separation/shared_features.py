"""How many different features the neurons of a network have: a bound on the Jacobian's rank."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flowscape.problem.network import TwoLayer
from flowscape.problem.symmetry import Symmetry, SymmetryClass, symmetry
from flowscape.problem.traits import traits

__all__ = ["shared_features"]

Floats = NDArray[np.float64]
Feature = tuple[int, int | str, int]

_FOLDED = (
    SymmetryClass.ODD,
    SymmetryClass.EVEN,
    SymmetryClass.ODD_PLUS_CONSTANT,
    SymmetryClass.EVEN_PLUS_LINEAR,
)


@dataclass
class _Group:
    """Neurons of one incoming vector, up to sign."""

    vector: tuple[Fraction, ...]
    weights: list[list[float]] = field(default_factory=list)
    signs: list[int] = field(default_factory=list)

    @property
    def turned(self) -> bool:
        """Whether both signs occur."""
        return min(self.signs) < max(self.signs)


def shared_features(net: TwoLayer, theta: Floats) -> int:
    """Return an upper bound on the rank of the Jacobian of all outputs at one point (P,).

    A group of neurons with equal incoming vectors v, up to the symmetries of the activation, moves
    the outputs along sigma(v . x~) times any vector, and sigma'(v . x~) x~_j times the span of its
    outgoing weights. Neurons of the other sign, neurons with zero input weight and output biases
    also move affine functions of x; what these and the features have in common is the rank of a
    matrix. Equality and ranks are decided in exact arithmetic on the numbers given.
    """
    found = symmetry(net.activation, net.bias)
    fold = found.kind in _FOLDED
    exponential = net.bias and traits(net.activation).is_exponential
    parts = net.unpack(theta)
    outgoing = parts.a.reshape(net.width, net.outputs)
    groups: dict[tuple[Fraction, ...], _Group] = {}
    affine = _Affine(net, found)
    for k, a in enumerate(outgoing.tolist()):
        bias = float(parts.b[k]) if parts.b is not None else 0.0
        if not parts.w[k].any():
            value, slope, _ = net.activation.jet(bias)
            if bias != 0.0 and bias != found.centre:  # 0 may be underflow or cancellation
                value, slope = value or 1.0, slope or 1.0
            affine.add_silent(a, value, slope)
            continue
        vector = [Fraction(w) for w in parts.w[k].tolist()]
        if net.bias and not exponential:
            vector.append(Fraction(bias) - Fraction(found.centre if fold else 0.0))
        key = vector if not fold else max(vector, [-t for t in vector])
        group = groups.setdefault(tuple(key), _Group(tuple(vector)))
        group.weights.append(a)
        group.signs.append(1 if tuple(vector) == group.vector else -1)
    width = net.inputs if exponential else net.inputs + int(net.bias)
    coupled = found.constant != 0.0 or found.slope != 0.0
    total = 0
    for group in groups.values():
        if coupled and group.turned:
            affine.add_group(group)
        else:
            total += net.outputs + width * exact_rank(group.weights)
    return min(total + affine.rank(), net.n_params)


class _Affine:
    """Rows of the matrix B of everything that moves affine functions; one row per parameter.

    A row maps features, (group or -1 for affine, "value" or component j, output), to factors.
    """

    def __init__(self, net: TwoLayer, found: Symmetry) -> None:
        self.net, self.found = net, found
        self.rows: list[dict[Feature, Fraction]] = []
        self.groups = 0
        if net.output_bias:
            self.rows += [{(-1, net.inputs, o): Fraction(1)} for o in range(net.outputs)]

    def add_silent(self, outgoing: list[float], value: float, slope: float) -> None:
        """Add the parameters of a neuron with zero input weight."""
        d, outputs = self.net.inputs, range(self.net.outputs)
        self.rows += [{(-1, d, o): Fraction(value)} for o in outputs]
        for j in range(d + int(self.net.bias)):
            self.rows.append({(-1, j, o): Fraction(slope) * Fraction(outgoing[o]) for o in outputs})

    def add_group(self, group: _Group) -> None:
        """Add the parameters of a group with both signs.

        sigma(-z) = 2 kappa - sigma(z), or sigma(z) - 2 lambda z.
        """
        g, self.groups = self.groups, self.groups + 1
        kappa, slope = Fraction(self.found.constant), Fraction(self.found.slope)
        for weights, sign in zip(group.weights, group.signs, strict=True):
            minus = sign < 0
            pull = -1 if minus and not slope else 1
            for o in range(self.net.outputs):
                row: dict[Feature, Fraction] = {(g, "value", o): Fraction(pull)}
                if minus and kappa:
                    row[-1, self.net.inputs, o] = 2 * kappa
                elif minus:
                    for j, v in enumerate(group.vector):
                        row[-1, j, o] = -2 * slope * Fraction(v)
                self.rows.append(row)
            for j in range(len(group.vector)):
                row = {}
                for o, a in enumerate(weights):
                    row[g, j, o] = pull * sign * Fraction(a)
                    if minus:
                        row[-1, j, o] = 2 * slope * Fraction(a)
                self.rows.append(row)

    def rank(self) -> int:
        """Return the rank of B, exactly."""
        columns = sorted({key for row in self.rows for key in row}, key=str)
        zero = Fraction(0)
        return exact_rank([[row.get(key, zero) for key in columns] for row in self.rows])


def exact_rank(rows: list[list[float]] | list[list[Fraction]]) -> int:
    """Return the rank of a matrix of numbers that count as exact, by rational elimination."""
    left = [[Fraction(t) for t in row] for row in rows]
    rank = 0
    for column in range(len(left[0]) if left else 0):
        pivot = next((i for i in range(rank, len(left)) if left[i][column]), None)
        if pivot is None:
            continue
        left[rank], left[pivot] = left[pivot], left[rank]
        for i in range(rank + 1, len(left)):
            factor = left[i][column] / left[rank][column]
            if factor:
                left[i] = [t - factor * p for t, p in zip(left[i], left[rank], strict=True)]
        rank += 1
    return rank
