"""Several outputs: features on samples, and one group that moves alone (docs/separation.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.separation.features import EPS, extended, sigma_with_error
from flowscape.separation.outputs import PointOfOutputs
from flowscape.separation.rank import full_rank

__all__ = ["OutputFeatures", "output_features"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class OutputFeatures:
    """Features of a stack of S sample sets.

    Attributes
    ----------
    phi, error : (S, n O, rho) ndarray
        The features and bounds on the errors of their entries; outputs are the fast index.
    value, slope, curvature, doubt : (S, n, G) ndarray
        sigma, sigma', sigma'' at v_g . x~, and one bound on the errors of all three.
    inputs : (S, n, D) ndarray
        x~.
    """

    phi: Floats
    error: Floats
    value: Floats
    slope: Floats
    curvature: Floats
    doubt: Floats
    inputs: Floats

    def alone(self, point: PointOfOutputs) -> tuple[Bools, Floats]:
        """Return where moving one group alone gives imperfect zeros, and margins: (S, G) each.

        Move the vectors of group g, and all outgoing weights by vectors of W_g. The residual stays
        in W_g, n rank equations. If sigma of all groups, sigma' x of this one (and 1, with an
        output bias or a group of both signs) have rank n, its zeros are a manifold; those of the
        branch are fewer if (n - r, less 1 with 1) rank < D g, g less one for a free group.
        """
        s = point.setting
        size, n, count = self.value.shape
        found, margin = np.zeros((size, count), dtype=np.bool_), np.full((size, count), np.nan)
        one = np.ones((size, n, int(point.turned)))
        spare = n - count - int(point.turned)
        for g, group in enumerate(point.groups):
            moving = len(group.members) - int(group.free)
            if group.rank == 0 or spare * group.rank >= s.incoming * moving or spare > s.incoming:
                continue
            steep = self.slope[..., g, None] * self.inputs
            error = self.doubt[..., g, None] + 2 * EPS * np.abs(self.slope[..., g, None])
            rank = full_rank(
                np.concatenate([self.value, one, steep], axis=-1),
                np.concatenate([self.doubt, 0.0 * one, error * np.abs(self.inputs)], axis=-1),
            )
            found[:, g] = rank.full
            margin[:, g] = np.where(rank.full, rank.smallest - rank.bound, np.nan)
        return found, margin


def output_features(point: PointOfOutputs, x: Floats) -> OutputFeatures:
    """Return the features of a stack of sample sets (S, n, d)."""
    s = point.setting
    inputs = extended(s, x)
    size, n = x.shape[:2]
    shape = (size, n, len(point.groups))
    value, slope, curvature, doubt = (np.empty(shape) for _ in range(4))
    columns, errors = [], []
    unit = np.eye(s.outputs)
    for g, group in enumerate(point.groups):
        z = inputs @ group.vector + s.centre
        spread = np.abs(inputs) @ np.abs(group.vector) + abs(s.centre)
        parts, error = sigma_with_error(s, z, spread)
        value[..., g], slope[..., g], curvature[..., g] = parts
        doubt[..., g] = error
        columns.append(_times(parts[0][..., None], unit))
        errors.append(_times(error[..., None], unit))
        steep = parts[1][..., None] * inputs
        wrong = (error + 2 * EPS * np.abs(parts[1]))[..., None] * np.abs(inputs)
        columns.append(_times(steep, group.basis))
        errors.append(_times(wrong, np.abs(group.basis)))
        errors[-1] = errors[-1] + group.error * _times(np.abs(steep), np.ones_like(group.basis))
    one = np.ones((size, n, 1))
    parts_of_constant: list[tuple[Floats, Floats, float]] = []
    if point.all_ones:
        parts_of_constant.append((one, unit, 0.0))
    elif point.constant and s.bias:
        parts_of_constant.append((one, point.constant.basis, point.constant.error))
    if point.constant:
        parts_of_constant.append((x, point.constant.basis, point.constant.error))
    for factor, basis, off in parts_of_constant:
        columns.append(_times(factor, basis))
        errors.append((off + EPS) * _times(np.abs(factor), np.ones_like(basis)))
    return OutputFeatures(
        np.concatenate(columns, axis=-1),
        np.concatenate(errors, axis=-1),
        value,
        slope,
        curvature,
        doubt,
        inputs,
    )


def _times(factors: Floats, basis: Floats) -> Floats:
    """Return factors (S, n, j) times vectors (O, c): (S, n O, j c), c the fast index."""
    size, n = factors.shape[:2]
    product = factors[:, :, None, :, None] * basis[:, None, :]
    return product.reshape(size, n * len(basis), -1)
