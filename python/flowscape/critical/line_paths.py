"""Paths of zero loss for positively homogeneous activations: neurons are scaled to |v| = 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.balance import line_balance
from flowscape.branches.lines.family import LineBranches
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.critical.coupled_paths import connect_gathered, output_bias_of
from flowscape.critical.curves import ScalingCurve
from flowscape.critical.paths import connect_groups
from flowscape.critical.zero_loss_path import ZeroLossPath, joined
from flowscape.errors import ProblemError

__all__ = ["connect_lines"]

Floats = NDArray[np.float64]


def connect_lines(
    family: LineBranches, theta_a: Floats, theta_b: Floats, *, tol: float
) -> ZeroLossPath:
    """Implement `connect` for a `LineBranches`; see there.

    (a, v) and (a/s, s v) are one function, so both ends are first walked to where every neuron
    that counts has |v| = 1. There sigma is alpha |z| plus lambda z on lines, z from the kink: even
    plus linear, also where w = 0.
    """
    setting, target = _as_even(family)
    scaled = [_to_unit(setting, theta) for theta in (theta_a, theta_b)]
    for name, theta in (("theta_a", theta_a), ("theta_b", theta_b)):
        given = setting.split(theta[None])[2][0]
        no_bias = setting.output_bias and not setting.bias
        wrong = float(np.linalg.norm(given - family.lines.constant))
        if no_bias and wrong > tol:
            raise ProblemError(f"{name} is not a perfect network; give points of Q*")
    first, last = (path.vertices[-1] for path in scaled)
    if setting.bias and family.lines.linear is None:
        middle = connect_groups(setting, target, first, last, tol=tol)
    else:
        balance = line_balance(setting, family.lines)
        constant = output_bias_of(setting, target)
        middle = connect_gathered(setting, balance, constant, (first, last), tol=tol)
    return joined([scaled[0], middle, scaled[1].reversed()])


def _as_even(family: LineBranches) -> tuple[Setting, Reduced]:
    """Return the student as even plus linear, and the target with the constant of its even part.

    The kink is the one zero of sigma that all of them have: a constant neuron cannot pass it.
    """
    s, lines = family.setting, family.lines
    slope = 0.0 if lines.linear is None else 0.5 * (lines.gains[0] - lines.gains[1])
    zeros = (s.centre,) if s.bias and not s.output_bias else ()
    setting = replace(s, signed=True, even=True, slope=slope, zeros=zeros)
    target = family.target
    if s.bias and lines.linear is not None:
        target = replace(target, constant=slope * lines.linear[:, -1])
    return setting, target


def _to_unit(setting: Setting, theta: Floats) -> ZeroLossPath:
    """Return the path along which neurons with v = 0 get a = 0, and all others |v| = 1."""
    s = setting
    outgoing, incoming, constant = (part[0] for part in s.split(theta[None]))
    lengths = np.linalg.norm(incoming, axis=1)
    counts = (np.linalg.norm(outgoing, axis=1) * lengths > 0.0) & (lengths > 0.0)
    still = np.where(counts[:, None], outgoing, 0.0)
    rates = np.where(counts, np.log(np.where(counts, lengths, 1.0)), 0.0)
    curve = ScalingCurve(s, still, incoming, constant, rates)
    vertices = np.stack([theta, *curve.at(np.array([0.0, 1.0]))])
    notes = "neurons with v = 0 lose their weights", "neurons keep their products a v"
    return joined([ZeroLossPath(vertices, notes, {1: curve})])
