"""Several outputs: points of branches group by group (docs/separation.md).

n samples give n O equations. To first order a group g contributes sigma(v_g . x) times any vector
of R^O, and sigma'(v_g . x) x_j times any vector of W_g, the span of its outgoing weights. So the
Jacobian is Phi @ B with a column of Phi for every such pair, n O rows, and B of full row rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.parts import BranchParts
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import CURVED, LEVEL
from flowscape.errors import ProblemError
from flowscape.separation.features import EPS

__all__ = ["PointOfOutputs", "Span", "at_outputs"]

Floats = NDArray[np.float64]

# Outgoing weights this close to spanning less than at generic points are refused.
_APART = 1e-6


@dataclass(frozen=True)
class Span:
    """The neurons of one group, and the space that their outgoing weights span.

    Attributes
    ----------
    members : tuple of int
    vector : (D,) ndarray
        The centred incoming vector that they share; 0 in the constant group.
    basis : (O, rank) ndarray
        Orthonormal basis of W_g.
    error : float
        Bound on the distance between the space and its basis.
    free : bool
    """

    members: tuple[int, ...]
    vector: Floats
    basis: Floats
    error: float
    free: bool

    @property
    def rank(self) -> int:
        """Dimension of W_g."""
        return self.basis.shape[1]


@dataclass(frozen=True)
class PointOfOutputs:
    """A point of a branch, group by group.

    Attributes
    ----------
    setting : Setting
    groups : tuple of Span
        Labelled ones first.
    constant : Span or None
        Of a_k sigma'(b_k) in the constant group: the features x_j, and 1 where `all_ones` is not.
    all_ones : bool
        Whether the feature 1 comes with every vector of R^O.
    turned : bool
        Whether it does with the constant group at rest: by an output bias, or by a group with both
        signs, where sigma is odd plus a constant.
    matrix : (rho, P) ndarray
        B.
    outgoing : (m, O) ndarray
        pull_k a_k.
    slope_signs : (m,) ndarray
        sigma'(v_k . x) = slope_signs_k sigma'(v_g . x).
    constant_slope, constant_curvature : (m,) ndarray
        sigma'(b_k), sigma''(b_k) of the constant neurons, else 0.
    """

    setting: Setting
    groups: tuple[Span, ...]
    constant: Span | None
    all_ones: bool
    turned: bool
    matrix: Floats
    outgoing: Floats
    slope_signs: Floats
    constant_slope: Floats
    constant_curvature: Floats

    @property
    def rank(self) -> int:
        """rho: the rank of the Jacobian where the features have full column rank."""
        return len(self.matrix)

    def moves_of(self, g: int) -> Floats:
        """Return a basis (P, k) of moving the vectors of group g, and weights within W_g."""
        s, group = self.setting, self.groups[g]
        k = list(range(s.width))
        columns = []
        for vector in group.basis.T:
            for i in k:
                column = np.zeros(s.n_params)
                column[[s.a_index(i, o) for o in range(s.outputs)]] = vector
                columns.append(column)
            if s.output_bias:
                column = np.zeros(s.n_params)
                column[[s.c_index(o) for o in range(s.outputs)]] = vector
                columns.append(column)
        unit = np.eye(s.n_params)
        columns += [unit[s.v_index(i, j)] for i in group.members for j in range(s.incoming)]
        return np.stack(columns, axis=1)


def at_outputs(branch: BranchParts, theta: Floats) -> PointOfOutputs:
    """Return the groups and the matrix B of a point (P,) on a branch.

    Raises
    ------
    ProblemError
        If the outgoing weights of a group span less, or almost less, than at generic points.
    """
    s = branch.setting
    outgoing, incoming, _ = (part[0] for part in s.split(theta[None]))
    eps = np.array(branch.signs, dtype=np.float64)
    pull = s.pull(eps)
    weights = pull[:, None] * outgoing
    rows: list[Floats] = []
    groups = []
    for place, block in enumerate(branch.blocks[1:]):
        k = list(block)
        free = place >= len(branch.shape.labelled)
        vector = (eps[k, None] * incoming[k]).mean(axis=0)
        if not free:
            vector = branch.target.incoming[place]
        if s.level and np.all(eps[k] < 0.0):  # as in `at_point`
            vector, eps[k], pull[k], weights[k] = -vector, 1.0, 1.0, outgoing[k]
        generic = min(len(k) - free, s.outputs)
        group = _span(branch, block, vector, weights[k], generic, free=free)
        groups.append(group)
        rows += _a_rows(s, k, pull[k])
        for j in range(s.incoming):
            rows += _v_rows(s, k, j, eps[k, None] * weights[k] @ group.basis)
    slope, curvature, values = _at_biases(branch, incoming)
    k = list(branch.blocks[0])
    pushes = outgoing * slope[:, None]
    constant = None
    if k:
        # sum a_k sigma(b_k) = 0 leaves the outgoing weights one dimension less
        at_rest = branch.constant_group
        bound = at_rest.kind in (CURVED, LEVEL) and not at_rest.is_free
        less = int(bound and not np.any(at_rest.target))
        generic = min(len(k) - less, s.outputs) if slope[k].all() else 0
        if not generic and slope[k].any():
            raise ProblemError(
                f"the branch {branch.name} has constant neurons with and without a slope; the "
                "ranks of such points are not known"
            )
        nothing = np.zeros(s.incoming)
        constant = _span(branch, branch.blocks[0], nothing, pushes[k], generic, free=False)
    # sigma(-z) = 2 kappa - sigma(z)
    shifts = np.where(eps < 0.0, 2.0 * s.level, 0.0)
    turned = s.output_bias or bool(shifts.any())
    all_ones = turned or bool(values[k].any())
    if all_ones:
        rows += _one_rows(s, k, values, pushes, shifts)
    elif constant and s.bias:
        rows += _v_rows(s, k, s.inputs, pushes[k] @ constant.basis)
    for j in range(s.inputs if constant else 0):
        assert constant is not None
        rows += _v_rows(s, k, j, pushes[k] @ constant.basis)
    return PointOfOutputs(
        setting=s,
        groups=tuple(groups),
        constant=constant,
        all_ones=all_ones,
        turned=turned,
        matrix=np.array(rows).reshape(len(rows), s.n_params),
        outgoing=weights,
        slope_signs=eps * pull,
        constant_slope=slope,
        constant_curvature=curvature,
    )


def _span(
    branch: BranchParts,
    members: tuple[int, ...],
    vector: Floats,
    weights: Floats,
    generic: int,
    *,
    free: bool,
) -> Span:
    """Return the span of weights (g, O), which has dimension `generic` at generic points."""
    outputs = branch.setting.outputs
    if generic == 0:
        return Span(members, vector, np.zeros((outputs, 0)), 0.0, free)
    left, values, _ = np.linalg.svd(weights.T)
    if values[generic - 1] <= _APART * values[0] or values[0] == 0.0:
        neurons = ", ".join(str(k + 1) for k in members)
        raise ProblemError(
            f"theta is not a generic point of the branch {branch.name}: the outgoing weights of "
            f"neurons {neurons} span less than {generic} dimensions; take another one, such as "
            "sample(rng)"
        )
    if generic == outputs:
        return Span(members, vector, np.eye(outputs), 0.0, free)
    error = 20.0 * EPS * float(values[0] / values[generic - 1])
    return Span(members, vector, np.ascontiguousarray(left[:, :generic]), error, free)


def _at_biases(branch: BranchParts, incoming: Floats) -> tuple[Floats, Floats, Floats]:
    """Return sigma', sigma'' and what sigma counts as at the constant neurons, (m,) each.

    The value counts where the outgoing weights obey an equation: not at zeros of sigma.
    """
    s = branch.setting
    slope, curvature, values = np.zeros(s.width), np.zeros(s.width), np.zeros(s.width)
    for k in branch.blocks[0]:
        bias = float(incoming[k, -1] + s.centre) if s.bias else 0.0
        value, slope[k], curvature[k] = s.activation.jet(bias)
        if not (s.bias and branch.constant_group.is_affine):
            values[k] = value
    return slope, curvature, values


def _a_rows(s: Setting, k: list[int], pull: Floats) -> list[Floats]:
    rows = [np.zeros(s.n_params) for _ in range(s.outputs)]
    for o, row in enumerate(rows):
        row[[s.a_index(i, o) for i in k]] = pull
    return rows


def _v_rows(s: Setting, k: list[int], j: int, factors: Floats) -> list[Floats]:
    """Return one row per column of factors (g, rank), over component j of the vectors."""
    rows = [np.zeros(s.n_params) for _ in range(factors.shape[1])]
    for row, factor in zip(rows, factors.T, strict=True):
        row[[s.v_index(i, j) for i in k]] = factor
    return rows


def _one_rows(
    s: Setting, k: list[int], values: Floats, pushes: Floats, shifts: Floats
) -> list[Floats]:
    rows = [np.zeros(s.n_params) for _ in range(s.outputs)]
    for o, row in enumerate(rows):
        row[[s.a_index(i, o) for i in range(s.width)]] = shifts
        if s.output_bias:
            row[s.c_index(o)] = 1.0
        for i in k:
            row[s.a_index(i, o)] = values[i]
            if s.bias:
                row[s.v_index(i, s.inputs)] = pushes[i, o]
    return rows
