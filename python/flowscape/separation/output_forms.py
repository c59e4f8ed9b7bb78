"""The quadratic forms of branches with several outputs (docs/separation.md)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.parts import BranchParts
from flowscape.separation.features import EPS
from flowscape.separation.forms import common_root
from flowscape.separation.output_features import OutputFeatures, output_features
from flowscape.separation.outputs import PointOfOutputs
from flowscape.separation.rank import full_rank, left_null_space
from flowscape.separation.result import Reason
from flowscape.separation.silent import OF_ROOTS, Answer

__all__ = ["output_verdicts"]

Floats = NDArray[np.float64]


def output_verdicts(
    branch: BranchParts,
    point: PointOfOutputs,
    theta: Floats,
    stack: Floats,
    rng: np.random.Generator,
) -> Answer:
    """Return verdicts, reasons, margins, and a root of the first set, at one point (P,)."""
    found = output_features(point, stack)
    size = len(stack)
    verdict, reason = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int8)
    margin, root = np.full(size, np.nan), None
    rank = full_rank(found.phi, found.error)
    directions, off = _directions(branch, point, theta)
    for i in range(size):
        if not rank.full[i]:
            reason[i] = Reason.NOT_SEPARATING_INPUTS
            continue
        null_space, wrong = left_null_space(found.phi[i], found.error[i])
        forms, error = _forms(point, directions, null_space, wrong + off, found, i)
        answer = common_root(forms, error, rng)
        reason[i], verdict[i] = OF_ROOTS[answer.roots]
        margin[i] = answer.margin if verdict[i] else np.nan
        if i == 0 and answer.root is not None:
            root = directions @ answer.root
    return verdict, reason, margin, root


def _directions(branch: BranchParts, point: PointOfOutputs, theta: Floats) -> tuple[Floats, float]:
    """Return a basis (P, k) of the kernel of the Jacobian normal to the branch, and its error."""
    stacked = np.concatenate([point.matrix, branch.tangent(theta).T])
    _, values, right = np.linalg.svd(stacked)
    off = 20.0 * len(right) * EPS * float(values[0] / values[-1])
    return right[len(stacked) :].T, off


def _forms(
    point: PointOfOutputs,
    directions: Floats,
    null_space: Floats,
    wrong: float,
    found: OutputFeatures,
    i: int,
) -> tuple[Floats, float]:
    """Return the forms (s, k, k) of sample set i, and a bound on their errors.

    c . D^2 F(v, v) with v = (da, e): sum_k (c_i . a_k) sigma''(v_k . x_i) (e_k . x_i)^2
    + 2 (c_i . da_k) sigma'(v_k . x_i) (e_k . x_i), summed over the samples i.
    """
    s, inputs = point.setting, found.inputs[i]
    n = len(inputs)
    slope = np.repeat(point.constant_slope[:, None], n, axis=1)
    curvature = np.repeat(point.constant_curvature[:, None], n, axis=1)
    # the sign that `outgoing` holds belongs to grouped neurons only
    for g, group in enumerate(point.groups):
        for k in group.members:
            slope[k] = point.slope_signs[k] * found.slope[i][:, g]
            curvature[k] = found.curvature[i][:, g]
    v_rows = [[s.v_index(k, j) for j in range(s.incoming)] for k in range(s.width)]
    a_rows = [[s.a_index(k, o) for o in range(s.outputs)] for k in range(s.width)]
    moved = np.einsum("kjp,ij->kip", directions[v_rows], inputs)
    pushed = directions[a_rows]
    c = null_space.reshape(len(null_space), n, s.outputs)
    weights = np.einsum("sio,ko->ski", c, point.outgoing) * curvature
    forms = np.einsum("ski,kip,kiq->spq", weights, moved, moved)
    crossed = np.einsum("sio,koq,ki,kip->spq", c, pushed, slope, moved, optimize=True)
    forms += crossed + np.swapaxes(crossed, 1, 2)
    # |c_i| <= 1 and directions are orthonormal, so sum_k |e_k|^2 and 2 sum |da_k| |e_k| are <= 1
    long = np.linalg.norm(inputs, axis=1)
    heavy = float(np.linalg.norm(point.outgoing, axis=1).max())
    bulk = heavy * np.abs(curvature).max(axis=0) * long**2 + np.abs(slope).max(axis=0) * long
    doubt = found.doubt[i].max(axis=1, initial=0.0) + 8 * EPS * (
        np.abs(slope) + np.abs(curvature)
    ).max(axis=0)
    rounding = 4 * (n + s.width) * s.outputs * EPS
    error = float(((wrong + rounding) * bulk + doubt * (heavy * long**2 + long)).sum())
    return 0.5 * (forms + np.swapaxes(forms, 1, 2)), 2.0 * error
