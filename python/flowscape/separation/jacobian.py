"""The rank of the Jacobian at a given point, with certificates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.setting import Setting
from flowscape.errors import check_count
from flowscape.problem.inputs import as_inputs
from flowscape.problem.network import TwoLayer
from flowscape.separation.features import EPS, extended, sigma_with_error
from flowscape.separation.multiprecision import exact_jacobian, rank_by_elimination
from flowscape.separation.samples import one_network, plain_setting
from flowscape.separation.shared_features import shared_features

__all__ = ["JacobianRank", "jacobian_rank"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JacobianRank:
    """Rank of the Jacobian of all outputs f(theta, x_i) at one point.

    Attributes
    ----------
    rank : int
    certified : bool
        Proven from both sides: `rank` singular values exceed their error bound, and the columns
        span no more, because neurons share incoming vectors or have a = 0.
    most : int
        That upper bound, min(n O, rank of the shared features).
    gap : float
        Ratio of the last singular value (or pivot) that counts to the first that does not;
        infinity if the rank is n O or P.
    digits : int
        16, or the digits of the multiprecision run that decided.
    """

    rank: int
    certified: bool
    most: int
    gap: float
    digits: int


def jacobian_rank(
    net: TwoLayer, theta: ArrayLike, x: ArrayLike, *, digits: int | None = None
) -> JacobianRank:
    """Return the rank of the Jacobian at a point.

    Parameters
    ----------
    net : TwoLayer
        Any smooth activation.
    theta : (P,) array_like
    x : (n, d) array_like
    digits : int, optional
        Use this many digits (needs mpmath). By default doubles, and 50 digits only where doubles
        do not prove the rank, if mpmath is there.

    Notes
    -----
    At a generic point of a branch, with separating inputs, the rank is min(n, r + (r - l) D)
    (Local Recovery, section 4); for exp with bias min(n, r + (r - l) d), as a e^b is one parameter.
    For several outputs see ``docs/separation.md``: n samples give n O equations, and a group adds
    O and D times the number of dimensions that its outgoing weights span.
    """
    setting, row = plain_setting(net), one_network(net, theta)
    inputs = as_inputs("x", x, net.inputs)
    most = min(len(inputs) * net.outputs, shared_features(net, row))
    jacobian, error = _jacobian(setting, row, inputs)
    values = np.linalg.svd(jacobian, compute_uv=False)
    rounding = 10.0 * EPS * max(jacobian.shape) * values[0]
    bound = float(np.sqrt((error**2).sum())) + rounding
    proven = int((values > bound).sum())
    least = max(bound / 10.0, float(np.finfo(np.float64).tiny))
    ratios = values[:-1] / np.maximum(values[1:], least)
    gap = float(ratios[proven - 1]) if 0 < proven < len(values) else np.inf
    if digits is None and (proven == most or not _has_mpmath()):
        return JacobianRank(proven, proven == most, most, gap, 16)
    digits = 50 if digits is None else check_count("digits", digits, minimum=20)
    rank, gap = rank_by_elimination(exact_jacobian(net, row, inputs, digits), digits)
    return JacobianRank(rank, rank == most, most, gap, digits)


def _jacobian(setting: Setting, row: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return the Jacobian (n O, P), outputs the fast index, and bounds on its entries' errors."""
    inputs = extended(setting, x)
    outgoing, incoming, _ = (part[0] for part in setting.split(row[None]))
    size = (len(x), setting.outputs)
    unit = np.broadcast_to(np.eye(setting.outputs), (len(x), setting.outputs, setting.outputs))
    columns, errors = [], []
    for a, vector in zip(outgoing, incoming, strict=True):
        z, spread = inputs @ vector, np.abs(inputs) @ np.abs(vector)
        (value, slope, _), error = sigma_with_error(setting, z, spread)
        columns += [value[:, None, None] * unit]
        columns += [a[:, None] * (slope[:, None] * inputs)[:, None, :]]
        wrong = (error + 2 * EPS * np.abs(slope))[:, None] * np.abs(inputs)
        errors += [error[:, None, None] * unit, np.abs(a)[:, None] * wrong[:, None, :]]
    if setting.output_bias:
        columns.append(unit)
        errors.append(np.zeros_like(unit))
    jacobian, error = (np.concatenate(parts, axis=2) for parts in (columns, errors))
    return jacobian.reshape(size[0] * size[1], -1), error.reshape(size[0] * size[1], -1)


def _has_mpmath() -> bool:
    import importlib.util

    return importlib.util.find_spec("mpmath") is not None
