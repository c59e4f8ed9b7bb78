r"""Targets of positively homogeneous activations: lines, their weights, and a linear part.

sigma(z) = alpha |z| + lambda z. With v_k = w_k and X = x, or with hidden biases v_k = (w_k, b_k)
and X = (x, 1),

.. math:: f(x) = \alpha \sum_k a_k |v_k \cdot X| + \lambda \Big(\sum_k a_k v_k\Big) \cdot X + c,

and only the lines of the v_k, the sums of a_k |v_k| on each of them and an affine function matter.
With O outputs a_k, these sums and the constant are vectors, and the linear part is a matrix.
With biases the neurons with w_k = 0 are constants, which belong to the affine function
(``docs/families-by-chart.md``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.reduce import Reduced
from flowscape.branches.target import TEACHER_TOL
from flowscape.brief import Brief
from flowscape.errors import ProblemError
from flowscape.problem.network import TwoLayer
from flowscape.problem.symmetry import Symmetry, SymmetryClass, symmetry
from flowscape.problem.teacher import Teacher

Floats = NDArray[np.float64]

_ROUNDING = 1e-12
"""Vectors and weights of a target below this part of its size are round-off."""


@dataclass(frozen=True, repr=False)
class LineTarget(Brief):
    """A target as its student sees it.

    Attributes
    ----------
    lines : (m0, D) ndarray
        Unit vectors of the lines, each in the direction of its first neuron; different up to sign.
    weights : (m0, O) ndarray
        Sums of a_k |v_k| on the lines; not 0, except for D = 1, where the one line there is is
        always listed.
    linear : (O, D) ndarray or None
        Sum of a_k v_k^T, with biases also the constants divided by lambda in the last column;
        None if lambda = 0, where it has no meaning.
    constant : (O,) ndarray
        What `linear` does not know of the constants: the output bias without hidden biases, all
        constants if lambda = 0, else 0.
    gains : (float, float)
        sigma(1) and sigma(-1) about the kink: what constant neurons with b > 0 and b < 0 make.
    bias : bool
        Whether the student has hidden biases.
    output_bias : bool
        Whether the student has an output bias.
    group : (m,) ndarray of int
        The line of every neuron of the teacher before lines were dropped; -1: w = 0.
    notes : tuple of str
        What was merged or dropped.
    """

    lines: Floats
    weights: Floats
    linear: Floats | None
    constant: Floats
    gains: tuple[float, float]
    bias: bool
    output_bias: bool
    group: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def m0(self) -> int:
        """Number of lines."""
        return len(self.lines)

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return self.weights.shape[1]

    @property
    def size(self) -> float:
        """Scale of weights and linear part."""
        linear = 0.0 if self.linear is None else float(np.linalg.norm(self.linear))
        return float(np.linalg.norm(self.weights, axis=1).sum()) + linear

    @property
    def tol(self) -> float:
        """Norms of vectors of this kind that are round-off."""
        return _ROUNDING * self.size

    @property
    def is_zero(self) -> bool:
        """Whether the target is 0, up to an output bias."""
        return self.size == 0.0 and not (self.bias and self.constant.any())

    @property
    def level_free(self) -> bool:
        """Whether the output bias takes up all constants that neurons make."""
        return self.bias and self.output_bias

    @property
    def alpha(self) -> float:
        """Factor of |z|."""
        return 0.5 * (self.gains[0] + self.gains[1])

    @property
    def per_constant(self) -> float:
        """What a constant 1 adds to the last component of `linear`, or to `constant`."""
        return 1.0 if self.linear is None else 2.0 / (self.gains[0] - self.gains[1])

    def levels(self, sides: tuple[int, int]) -> tuple[bool, bool]:
        """Return which signs of b, + and -, occur among constant neurons that are not 0."""
        plus, minus = sides
        return (plus > 0 and self.gains[0] != 0.0, minus > 0 and self.gains[1] != 0.0)

    def has_silent(self, width: int) -> bool:
        """Whether the networks of so many neurons, all with v = 0, are a component.

        They are limits of others if constants that add up to 0, or each is 0, can be made with
        any outgoing weights: more than O vectors are dependent, with factors of any signs.
        """
        if not self.is_zero or self.level_free:
            return False
        both = self.gains[0] * self.gains[1]
        return not self.bias or both > 0.0 or (both < 0.0 and width <= self.outputs)

    def is_small(self, vector: Floats) -> bool:
        """Whether a vector or matrix of the size of the weights is round-off."""
        return bool(np.linalg.norm(vector) <= self.tol)


def is_homogeneous(net: TwoLayer) -> bool:
    """Whether sigma(z) = alpha |z| + lambda z in the neurons of a network."""
    return symmetry(net.activation, net.bias).kind is SymmetryClass.HOMOGENEOUS


def line_target(net: TwoLayer, teacher: Teacher) -> LineTarget:
    """Return the target of a student.

    Raises
    ------
    ProblemError
        If teacher and student do not fit.
    """
    theirs: TwoLayer = teacher.net
    for name in ("inputs", "outputs", "activation"):
        if getattr(net, name) != getattr(theirs, name):
            raise ProblemError(
                f"teacher has {name}={getattr(theirs, name)} and the student "
                f"{name}={getattr(net, name)}; branches are known for equal ones only"
            )
    if theirs.bias and not net.bias:
        raise ProblemError(
            "teacher has bias=True and the student bias=False; give the student a bias"
        )
    found = symmetry(net.activation, net.bias)
    gains = _gains(net, found)
    a, v, constant = neurons_of(theirs, np.asarray(teacher.theta, dtype=np.float64), net.bias)
    heads = np.linalg.norm(v[:, : net.inputs], axis=1)
    lengths = np.linalg.norm(v, axis=1)
    # with biases a neuron whose kink is that far away is a constant
    group, lines, notes = _group(v, lengths, heads > TEACHER_TOL * lengths)
    live = group >= 0
    weights = a * lengths[:, None]
    total = float(np.linalg.norm(weights[live], axis=1).sum())
    sums = np.array([weights[group == t].sum(axis=0) for t in range(len(lines))])
    sums = sums.reshape(-1, net.outputs)
    keep = np.linalg.norm(sums, axis=1) > _ROUNDING * total
    if dropped := int((~keep).sum()):
        notes.append(f"{dropped} line(s) with weight 0 dropped; what they add is linear")
    unit_lines = np.array(lines).reshape(-1, v.shape[1])
    if v.shape[1] == 1:
        unit_lines, sums = np.ones((1, 1)), sums[keep].sum(axis=0)[None]
    else:
        unit_lines, sums = unit_lines[keep], sums[keep]
    linear = a[live].T @ v[live]
    if net.bias:
        made = _made(gains, v[:, -1]) * ~live
        levels = np.concatenate([a * made[:, None], constant[None]])
        size = float(np.linalg.norm(levels, axis=1).sum())
        constant = _clean_vector(levels.sum(axis=0), size + np.hypot(*gains) * total)
        if found.slope != 0.0:
            linear[:, -1] += constant / found.slope
            total += size / abs(found.slope)
            constant = np.zeros(net.outputs)
    linear = np.where(np.linalg.norm(linear) > _ROUNDING * total, linear, 0.0)
    return LineTarget(
        lines=unit_lines,
        weights=sums,
        linear=linear if found.slope != 0.0 else None,
        constant=constant,
        gains=gains,
        bias=net.bias,
        output_bias=net.output_bias,
        group=group,
        notes=tuple(notes),
    )


def neurons_of(
    net: TwoLayer, theta: Floats, bias: bool | None = None
) -> tuple[Floats, Floats, Floats]:
    """Return a (m, O), v (m, D) with biases counted from the kink, and the output bias (O,).

    Parameters
    ----------
    net : TwoLayer
    theta : (P,) ndarray
    bias : bool, optional
        Whether v has a last component; by default if the network has biases.
    """
    parts = net.unpack(theta)
    a = parts.a.reshape(net.width, net.outputs)
    constant = np.zeros(net.outputs) if parts.c is None else parts.c.reshape(net.outputs)
    if not (net.bias if bias is None else bias):
        return a, parts.w, constant
    biases = np.zeros(net.width) if parts.b is None else parts.b
    centre = symmetry(net.activation, True).centre
    return a, np.concatenate([parts.w, (biases - centre)[:, None]], axis=1), constant


def _group(
    v: Floats, lengths: Floats, live: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], list[Floats], list[str]]:
    """Return the line of every neuron, -1 without one, the lines, and notes."""
    notes = []
    if silent := int((~live).sum()):
        notes.append(f"{silent} neuron(s) with zero input weight silent or constant, dropped")
    group = np.full(len(v), -1)
    lines: list[Floats] = []
    for k in np.flatnonzero(live):
        unit = v[k] / lengths[k]
        near = [t for t, line in enumerate(lines) if _parallel(unit, line)]
        if not near:
            lines.append(unit)
        group[k] = near[0] if near else len(lines) - 1
    for t in range(len(lines)):
        if (members := int((group == t).sum())) > 1:
            notes.append(f"{members} neurons on one line merged")
    return group, lines, notes


def _gains(net: TwoLayer, found: Symmetry) -> tuple[float, float]:
    """Return sigma(1) and sigma(-1) about the kink, exactly 0 where they are round-off."""
    values = net.activation.values(found.centre + np.array([1.0, -1.0]), 0)[0]
    alpha = 0.5 * float(values.sum())
    size = abs(alpha) + abs(found.slope)
    return _clean(alpha + found.slope, size), _clean(alpha - found.slope, size)


def _made(gains: tuple[float, float], b: Floats) -> Floats:
    """Return sigma about the kink."""
    return np.where(b > 0.0, gains[0] * b, -gains[1] * b)


def _clean(value: float, size: float) -> float:
    return float(value) if abs(value) > _ROUNDING * size else 0.0


def _clean_vector(value: Floats, size: float) -> Floats:
    return np.where(np.linalg.norm(value) > _ROUNDING * size, value, 0.0)


def _parallel(one: Floats, other: Floats) -> bool:
    nearest = min(np.linalg.norm(one - other), np.linalg.norm(one + other))
    return bool(nearest <= TEACHER_TOL)


def reduced_lines(lines: LineTarget) -> Reduced:
    """Return the target as branches list it: unit vectors, and sums of a_k |v_k|."""
    linear = lines.linear
    if linear is None:
        linear = np.zeros((lines.outputs, lines.lines.shape[1]))
    return Reduced(
        outgoing=lines.weights,
        incoming=lines.lines,
        constant=lines.constant,
        group=lines.group,
        signs=np.ones(len(lines.group), dtype=np.int64),
        sums=lines.weights,
        vectors=lines.lines,
        live=np.arange(lines.m0),
        notes=lines.notes,
        linear=linear,
    )
