"""The features of a point of a branch on samples, with bounds on their rounding errors.

Near a point of a branch the residual of sample x changes to first order by a combination of
*features*: sigma(v_g . x~) and sigma'(v_g . x~) x~ of every group g, 1 and x of a constant group
(x~ = (x, 1) with bias). Neurons of one group share them, so the Jacobian is Phi @ B with
Phi (n, rho) the features and B (rho, P) of full row rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.parts import BranchParts
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import ZEROS
from flowscape.errors import ProblemError
from flowscape.problem.activation import Activation

Floats = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
# Roundings behind one feature: two of the compiled function, the argument's, the product's.
_ROUNDINGS = 8.0 * EPS


@dataclass(frozen=True)
class Group:
    """One labelled or free group at a point.

    Attributes
    ----------
    members : tuple of int
        Its neurons.
    outgoing : (g,) ndarray
        eps_k a_k; a_k if the activation is even. With an added constant or linear function a group
        whose signs are all -1 is turned round first, so that sigma itself is its feature.
    vector : (D,) ndarray
        The centred incoming vector that they share.
    free : bool
        Whether no target neuron belongs to it.
    """

    members: tuple[int, ...]
    outgoing: Floats
    vector: Floats
    free: bool

    @property
    def live(self) -> bool:
        """Whether sigma' is a feature: some outgoing weight is not 0."""
        return bool(np.any(self.outgoing != 0.0))


@dataclass(frozen=True)
class PointOfBranch:
    """A point of a branch, group by group. One output.

    Attributes
    ----------
    setting : Setting
    groups : tuple of Group
        Labelled ones first.
    has_one, has_slope : bool
        Whether 1 and x are features: of a constant group or an output bias, or of a group with
        both signs, where sigma is odd plus a constant or even plus a linear function.
    matrix : (rho, P) ndarray
        B; its rows are independent.
    """

    setting: Setting
    groups: tuple[Group, ...]
    has_one: bool
    has_slope: bool
    matrix: Floats

    @property
    def rank(self) -> int:
        """rho: the rank of the Jacobian on sufficiently many separating inputs."""
        return len(self.matrix)


def at_point(branch: BranchParts, theta: Floats) -> PointOfBranch:
    """Return the groups and the matrix B of a point (P,) on a branch with one output.

    Raises
    ------
    ProblemError
        If the neurons of a group do not share their incoming vectors.
    """
    if not branch.shares_incoming:
        raise ProblemError(
            f"the neurons of a group of {branch.name} have different incoming vectors, so its "
            "features are not known here; use `Branch.separation`, which says what is known"
        )
    s = branch.setting
    outgoing, incoming, _ = (part[0] for part in s.split(theta[None]))
    eps = np.array(branch.signs, dtype=np.float64)
    pull = s.pull(eps)
    groups, rows = [], []
    for place, block in enumerate(branch.blocks[1:]):
        k = list(block)
        free = place >= len(branch.shape.labelled)
        vector = (eps[k, None] * incoming[k]).mean(axis=0)
        if not free:
            vector = branch.target.incoming[place]
        if (s.level or s.slope) and np.all(eps[k] < 0.0):
            vector, eps[k], pull[k] = -vector, 1.0, 1.0
        group = Group(block, pull[k] * outgoing[k, 0], vector, free)
        groups.append(group)
        row = np.zeros(s.n_params)
        row[[s.a_index(i, 0) for i in k]] = pull[k]
        rows.append(row)
        for j in range(s.incoming if group.live else 0):
            row = np.zeros(s.n_params)
            row[[s.v_index(i, j) for i in k]] = eps[k] * pull[k] * outgoing[k, 0]
            rows.append(row)
    one, slopes = _constant_rows(branch, outgoing[:, 0], incoming)
    if s.level or s.slope:
        turned = [k for block in branch.blocks[1:] for k in block if eps[k] < 0.0]
        _add_turned(s, turned, outgoing[:, 0], incoming, one, slopes)
    has_one, has_slope = bool(one.any()), bool(slopes.any())
    rows += [one] * has_one + list(slopes) * has_slope
    matrix = np.array(rows).reshape(len(rows), s.n_params)
    return PointOfBranch(s, tuple(groups), has_one, has_slope, matrix)


def _constant_rows(branch: BranchParts, a: Floats, incoming: Floats) -> tuple[Floats, Floats]:
    """Return the rows of B for the features 1, (P,), and x, (d, P)."""
    s = branch.setting
    one, slopes = np.zeros(s.n_params), np.zeros((s.inputs, s.n_params))
    if s.output_bias:
        one[s.c_index(0)] = 1.0
    members = list(branch.blocks[0])
    if not members:
        return one, slopes
    biases = incoming[members, -1] + s.centre if s.bias else np.zeros(len(members))
    values, derivatives = s.sigma(biases)
    if not s.bias or branch.shape.constant.kind != ZEROS:
        one[[s.a_index(k, 0) for k in members]] = values
    for k, slope in zip(members, a[members] * derivatives, strict=True):
        if s.bias:
            one[s.v_index(k, s.inputs)] = slope
        for j in range(s.inputs):
            slopes[j, s.v_index(k, j)] = slope
    return one, slopes


def _add_turned(
    s: Setting, neurons: list[int], a: Floats, incoming: Floats, one: Floats, slopes: Floats
) -> None:
    """Add what neurons with a minus sign make of 1 and x, in place.

    sigma(-z) = 2 kappa - sigma(z), or sigma(z) - 2 lambda z.
    """
    for k in neurons:
        one[s.a_index(k, 0)] += 2.0 * s.level
        if s.bias:
            one[s.a_index(k, 0)] += 2.0 * s.slope * incoming[k, -1]
            one[s.v_index(k, s.inputs)] += 2.0 * s.slope * a[k]
        for j in range(s.inputs):
            slopes[j, s.a_index(k, 0)] += 2.0 * s.slope * incoming[k, j]
            slopes[j, s.v_index(k, j)] += 2.0 * s.slope * a[k]


@dataclass(frozen=True)
class Features:
    """Features of a stack of sample sets.

    Attributes
    ----------
    phi, error : (S, n, rho) ndarray
        The features and bounds on the errors of their entries.
    curvature, curvature_error : (S, n, G) ndarray
        sigma''(v_g . x~) of the groups.
    inputs : (S, n, D) ndarray
        x~.
    """

    phi: Floats
    error: Floats
    curvature: Floats
    curvature_error: Floats
    inputs: Floats


def extended(setting: Setting, x: Floats) -> Floats:
    """Return x~: the inputs (..., d), with a last component 1 if there is a bias."""
    if not setting.bias:
        return x
    return np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)


def features(point: PointOfBranch, x: Floats) -> Features:
    """Return the features of a stack of sample sets (S, n, d)."""
    s = point.setting
    inputs = extended(s, x)
    shape, count = x.shape[:2], len(point.groups)
    curvature, curvature_error = (np.empty((*shape, count)) for _ in range(2))
    columns, errors = [], []
    for g, group in enumerate(point.groups):
        z = inputs @ group.vector + s.centre
        spread = np.abs(inputs) @ np.abs(group.vector) + abs(s.centre)
        (value, slope, second), error = sigma_with_error(s, z, spread)
        curvature[..., g], curvature_error[..., g] = second, error
        columns.append(value[..., None])
        errors.append(error[..., None])
        if group.live:
            columns.append(slope[..., None] * inputs)
            errors.append((error + 2 * EPS * np.abs(slope))[..., None] * np.abs(inputs))
    if point.has_one:
        columns.append(np.ones((*shape, 1)))
        errors.append(np.zeros((*shape, 1)))
    if point.has_slope:
        columns.append(x)
        errors.append(np.zeros_like(x))
    phi = np.concatenate(columns, axis=-1)
    return Features(phi, np.concatenate(errors, axis=-1), curvature, curvature_error, inputs)


def sigma_with_error(
    setting: Setting, z: Floats, spread: Floats
) -> tuple[tuple[Floats, Floats, Floats], Floats]:
    """Return sigma, sigma', sigma'' at z, and one bound on the errors of all three.

    Parameters
    ----------
    setting : Setting
    z, spread : ndarray
        Arguments, and the sums of the absolute terms that make them.

    Notes
    -----
    The bound is eight roundings of the sum over the terms of |value|, |slope| and |curvature|,
    times 1 plus the absolute terms of the scaled argument: shifting the argument by a relative
    rounding changes value and slope by the next derivative, and sigma'' by the third, which for
    all named functions is at most a few times the sum of the first three.
    """
    value, slope, second = setting.activation.compiled_values(z, 2)
    size = np.zeros_like(z)
    for term in setting.activation.terms:
        parts: tuple[Floats, ...] = (value, slope, second)
        if len(setting.activation.terms) > 1:
            parts = Activation((term,)).compiled_values(z, 2)
        size += np.abs(parts[0]) + np.abs(parts[1]) + np.abs(parts[2])
    steepest = max(abs(term.s) for term in setting.activation.terms)
    shift = max(abs(term.h) for term in setting.activation.terms)
    size *= _ROUNDINGS * (1.0 + shift + steepest * spread)
    return (value, slope, second), size
