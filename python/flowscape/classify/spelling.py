"""Whether a network is the target neuron by neuron: sufficient for any activation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.problem import TwoLayer

__all__ = ["spells_target"]

Floats = NDArray[np.float64]


def spells_target(prob: Problem, theta: Floats, tol: float) -> bool:
    """Return whether student minus target vanishes term by term.

    The neurons of both, the target's with outgoing weights of opposite sign, are put into groups
    of equal incoming vectors. If the outgoing weights of every group add up to zero, and the
    output biases agree, the functions are equal whatever the activation. The converse does not
    hold: an activation with relations of its own has other perfect networks.

    Parameters
    ----------
    prob : Problem
        With a teacher of the same activation, else the answer is False.
    theta : (P,) ndarray
    tol : float
        Vectors and sums are compared to this part of 1 + their size.
    """
    teacher = prob.teacher
    if teacher is None or teacher.net.activation != prob.net.activation:
        return False
    student_a, student_v, student_c = _neurons(prob.net, theta)
    target_a, target_v, target_c = _neurons(teacher.net, teacher.theta)
    outgoing = np.concatenate([student_a, -target_a])
    incoming = np.concatenate([student_v, target_v])
    left = np.ones(len(outgoing), dtype=np.bool_)
    while left.any():
        vector = incoming[np.argmax(left)]
        bound = tol * (1.0 + np.abs(vector).max())
        group = left & (np.abs(incoming - vector).max(axis=1) <= bound)
        left &= ~group
        total = np.abs(outgoing[group].sum(axis=0)).max()
        if total > tol * (1.0 + np.abs(outgoing[group]).max()):
            return False
    return bool((np.abs(student_c - target_c) <= tol * (1.0 + np.abs(target_c))).all())


def _neurons(net: TwoLayer, theta: Floats) -> tuple[Floats, Floats, Floats]:
    """Return outgoing weights (m, K), incoming vectors with bias (m, d + 1), output biases (K,)."""
    parts = net.unpack(theta)
    bias = np.zeros(net.width) if parts.b is None else parts.b
    constant = np.zeros(net.outputs) if parts.c is None else parts.c
    return (
        parts.a.reshape(net.width, net.outputs),
        np.concatenate([parts.w, bias[:, None]], axis=1),
        constant,
    )
