"""The target of a student: checked against it and reduced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flowscape.branches.reduce import Reduced, reduce_network
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError, describe
from flowscape.problem.network import TwoLayer
from flowscape.problem.teacher import Teacher

TEACHER_TOL = 1e-12
"""Weights of a target that differ by less are equal up to round-off.

Sums of outgoing weights and constants relative to their terms, incoming vectors relative to the
largest entry of all, or 1: an input weight of 1e-13 makes nothing but a constant.
"""


_LARGEST = 1e150
"""Numbers with larger sizes have squares that overflow."""


_COUPLED = (
    "sums of target weights with signs count as equal if they differ by round-off, which decides "
    "which sign patterns are branches (docs/families.md)"
)


def reduced_teacher(setting: Setting, teacher: Teacher) -> Reduced:
    """Return the reduced target, all neurons with zero input weight in its constant part.

    Parameters
    ----------
    setting : Setting
        The student.
    teacher : Teacher
        Of any width, with the student's inputs, outputs and activation; with bias only if
        the student has one.

    Raises
    ------
    ProblemError
        If teacher and student do not fit.
    """
    if not isinstance(teacher, Teacher):
        raise ProblemError(f"teacher={describe(teacher)} must be a Teacher; give the target")
    net: TwoLayer = teacher.net
    for name in ("inputs", "outputs", "activation"):
        mine, theirs = getattr(setting, name), getattr(net, name)
        if mine != theirs:
            raise ProblemError(
                f"teacher has {name}={theirs} and the student {name}={mine}; branches are known "
                "for equal ones only"
            )
    if net.bias and not setting.bias:
        raise ProblemError(
            "teacher has bias=True and the student bias=False; give the student a bias"
        )
    parts = net.unpack(np.asarray(teacher.theta, dtype=np.float64))
    common = replace(setting, width=net.width, output_bias=True)
    incoming = parts.w
    if setting.bias:
        biases = parts.b if parts.b is not None else np.zeros(net.width)
        incoming = np.concatenate([incoming, biases[:, None]], axis=1)
    neurons = np.concatenate([parts.a.reshape(net.width, -1), incoming], axis=1)
    constant = parts.c if parts.c is not None else np.zeros(net.outputs)
    theta = np.concatenate([neurons.ravel(), constant])
    # two scales: the function is linear in outgoing weights, so these say nothing about w and b
    tol = TEACHER_TOL * max(1.0, float(np.abs(incoming).max()))
    if setting.slope:
        weights = np.concatenate([parts.a.ravel(), constant])
        _check_products(float(np.abs(weights).max()), float(np.abs(incoming).max()))
    return reduce_network(common, theta, tol, TEACHER_TOL)


def _check_products(weight: float, vector: float) -> None:
    """Refuse weights whose products a_k v_k, the linear part, have squares that overflow."""
    if max(1.0, weight) > _LARGEST / max(1.0, vector):
        raise ProblemError(
            f"teacher has outgoing weights up to {weight:.1e} and incoming ones up to "
            f"{vector:.1e}; their products make its linear part and must be at most "
            f"{_LARGEST:.0e}, or their squares overflow; give smaller weights"
        )


def target_of(setting: Setting, teacher: Teacher) -> Reduced:
    """Return the reduced target as branches count it; arguments as in `reduced_teacher`.

    If the student's single way to make a constant is a neuron with zero input weight (no
    bias, no output bias, sigma(0) != 0), the constant part becomes such a neuron, which there
    is a neuron like all others.
    """
    target = reduced_teacher(setting, teacher)
    if setting.level or setting.slope:
        notes = (*target.notes, _COUPLED) if setting.coupled else target.notes
        target = replace(target, notes=notes)
    no_bias = not (setting.bias or setting.output_bias)
    if setting.even and setting.slope == 0.0 and target.has_constant and no_bias:
        raise ProblemError(
            f"activation={str(setting.activation)!r} is even and the target has a constant part, "
            "made by neurons with w = 0 whose signs say nothing; give the student an output bias"
        )
    if setting.bias or setting.output_bias or setting.silent or not target.has_constant:
        return target
    if setting.level:
        return target  # neurons of any input weight make it
    weight = target.constant[None] / setting.at_zero
    return replace(
        target,
        outgoing=np.concatenate([target.outgoing, weight]),
        incoming=np.concatenate([target.incoming, np.zeros((1, setting.incoming))]),
        constant=np.zeros_like(target.constant),
        notes=(*target.notes, "the constant part is kept as a neuron with zero input weight"),
    )
