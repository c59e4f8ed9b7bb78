"""Paths of zero loss for positively homogeneous activations: neurons are scaled to |w| = 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.balance import line_balance
from flowscape.branches.lines.family import LineBranches
from flowscape.critical.coupled_paths import connect_gathered, output_bias_of
from flowscape.critical.curves import ScalingCurve
from flowscape.critical.zero_loss_path import ZeroLossPath, joined
from flowscape.errors import ProblemError

__all__ = ["connect_lines"]

Floats = NDArray[np.float64]


def connect_lines(
    family: LineBranches, theta_a: Floats, theta_b: Floats, *, tol: float
) -> ZeroLossPath:
    """Implement `connect` for a `LineBranches`; see there.

    (a, w) and (a/s, s w) are one function, so both ends are first walked to where every neuron
    that counts has |w| = 1. There sigma is alpha |z| plus lambda z on lines: even plus linear.
    """
    setting = replace(family.setting, signed=True, even=True, slope=1.0)
    balance = line_balance(family.setting, family.lines)
    scaled = [_to_unit(family, theta, tol) for theta in (theta_a, theta_b)]
    constant = output_bias_of(family.setting, family.target)
    for name, theta in (("theta_a", theta_a), ("theta_b", theta_b)):
        given = family.setting.split(theta[None])[2][0]
        if family.setting.output_bias and abs(given[0] - family.lines.constant) > tol:
            raise ProblemError(f"{name} is not a perfect network; give points of Q*")
    ends = tuple(path.vertices[-1] for path in scaled)
    middle = connect_gathered(setting, balance, constant, ends, tol=tol)
    return joined([scaled[0], middle, scaled[1].reversed()])


def _to_unit(family: LineBranches, theta: Floats, tol: float) -> ZeroLossPath:
    """Return the path along which neurons with w = 0 get a = 0, and all others |w| = 1."""
    s = family.setting
    outgoing, incoming, constant = (part[0] for part in s.split(theta[None]))
    lengths = np.linalg.norm(incoming, axis=1)
    counts = (np.abs(outgoing[:, 0]) * lengths > 0.0) & (lengths > 0.0)
    still = np.where(counts[:, None], outgoing, 0.0)
    rates = np.where(counts, np.log(np.where(counts, lengths, 1.0)), 0.0)
    curve = ScalingCurve(s, still, incoming, constant, rates)
    vertices = np.stack([theta, *curve.at(np.array([0.0, 1.0]))])
    notes = "neurons with w = 0 lose their weights", "neurons keep their products a w"
    return joined([ZeroLossPath(vertices, notes, {1: curve})])
