r"""Targets of positively homogeneous activations: lines, their weights, and a linear part.

sigma(z) = alpha |z| + lambda z, so without hidden bias

.. math:: f(x) = \alpha \sum_k a_k |w_k \cdot x| + \lambda \Big(\sum_k a_k w_k\Big) \cdot x + c,

and only the lines of the w_k, the sums of a_k |w_k| on each of them and the vector sum a_k w_k
matter (``docs/families-by-chart.md``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.target import TEACHER_TOL
from flowscape.errors import ProblemError
from flowscape.problem.network import TwoLayer
from flowscape.problem.symmetry import SymmetryClass, symmetry
from flowscape.problem.teacher import Teacher

Floats = NDArray[np.float64]

_ROUNDING = 1e-10
"""Vectors and weights of a target below this part of its size are round-off."""


@dataclass(frozen=True)
class LineTarget:
    """A target as its student sees it.

    Attributes
    ----------
    lines : (m0, d) ndarray
        Unit vectors of the lines, each in the direction of its first neuron; different up to sign.
    weights : (m0,) ndarray
        Sums of a_k |w_k| on the lines; not 0, except for d = 1, where the one line there is is
        always listed.
    linear : (d,) ndarray or None
        Sum of a_k w_k; None if lambda = 0, where it has no meaning.
    constant : float
        Output bias.
    group : (m,) ndarray of int
        The line of every neuron of the teacher before lines were dropped; -1: w = 0.
    notes : tuple of str
        What was merged or dropped.
    """

    lines: Floats
    weights: Floats
    linear: Floats | None
    constant: float
    group: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def m0(self) -> int:
        """Number of lines."""
        return len(self.lines)

    @property
    def size(self) -> float:
        """Scale of weights and linear part."""
        linear = 0.0 if self.linear is None else float(np.linalg.norm(self.linear))
        return float(np.abs(self.weights).sum()) + linear

    @property
    def tol(self) -> float:
        """Norms of vectors of this kind that are round-off."""
        return _ROUNDING * self.size

    @property
    def is_zero(self) -> bool:
        """Whether the target is constant."""
        return self.size == 0.0

    def is_small(self, vector: Floats) -> bool:
        """Whether a vector of the size of the weights is round-off."""
        return bool(np.linalg.norm(vector) <= self.tol)


def is_homogeneous(net: TwoLayer) -> bool:
    """Whether sigma(z) = alpha |z| + lambda z in the neurons of a network."""
    return symmetry(net.activation, net.bias).kind is SymmetryClass.HOMOGENEOUS


def line_target(net: TwoLayer, teacher: Teacher) -> LineTarget:
    """Return the target of a student without hidden biases and with one output.

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
    if theirs.bias:
        raise ProblemError(
            "teacher has bias=True and the student bias=False; for a homogeneous activation "
            "branches are known without biases only"
        )
    parts = theirs.unpack(np.asarray(teacher.theta, dtype=np.float64))
    lengths = np.linalg.norm(parts.w, axis=1)
    weights, linear = parts.a * lengths, parts.a @ parts.w
    notes: list[str] = []
    tiny = TEACHER_TOL * max(1.0, float(lengths.max()))
    if silent := int((lengths <= tiny).sum()):
        notes.append(f"{silent} neuron(s) with zero input weight silent, dropped")
    group, lines = np.full(theirs.width, -1), []
    for k in np.flatnonzero(lengths > tiny):
        unit = parts.w[k] / lengths[k]
        near = [t for t, line in enumerate(lines) if _parallel(unit, line)]
        if not near:
            lines.append(unit)
        group[k] = near[0] if near else len(lines) - 1
    sums = np.array([weights[group == t].sum() for t in range(len(lines))])
    sizes = np.array([np.abs(weights[group == t]).sum() for t in range(len(lines))])
    for t in range(len(lines)):
        if (members := int((group == t).sum())) > 1:
            notes.append(f"{members} neurons on one line merged")
    total = float(sizes.sum())
    keep = np.abs(sums) > _ROUNDING * total
    if dropped := int((~keep).sum()):
        notes.append(f"{dropped} line(s) with weight 0 dropped; what they add is linear")
    found = np.array(lines).reshape(-1, net.inputs)
    if net.inputs == 1:
        found = np.ones((1, 1))
        sums = np.array([sums[keep].sum()])
    else:
        found, sums = found[keep], sums[keep]
    linear = np.where(np.linalg.norm(linear) > _ROUNDING * total, linear, 0.0)
    tilted = symmetry(net.activation, False).slope != 0.0
    return LineTarget(
        lines=found,
        weights=sums,
        linear=linear if tilted else None,
        constant=float(parts.c[0]) if parts.c is not None else 0.0,
        group=group,
        notes=tuple(notes),
    )


def _parallel(one: Floats, other: Floats) -> bool:
    nearest = min(np.linalg.norm(one - other), np.linalg.norm(one + other))
    return bool(nearest <= TEACHER_TOL)
