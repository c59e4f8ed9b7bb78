"""Separating inputs and the rank of the Jacobian at a given point, with certificates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError, check_count, finite_array
from flowscape.problem.inputs import as_inputs
from flowscape.problem.network import TwoLayer
from flowscape.problem.symmetry import SymmetryClass, symmetry
from flowscape.problem.traits import traits
from flowscape.separation.features import EPS, extended, sigma_with_error
from flowscape.separation.multiprecision import exact_jacobian, rank_by_elimination
from flowscape.separation.rank import full_rank

__all__ = ["JacobianRank", "SeparatingInputs", "jacobian_rank", "separating_inputs"]

Floats = NDArray[np.float64]

_TRIES = 32


@dataclass(frozen=True)
class SeparatingInputs:
    """Whether inputs are separating for the different incoming vectors of a network.

    Attributes
    ----------
    x : (n, d) ndarray
    certified : bool
        The matrix (sigma(w_t . x_i), sigma'(w_t . x_i) x_i) has full rank, proven: its smallest
        singular value exceeds its error bound.
    smallest : float
        That singular value.
    gap : float
        Its ratio to the bound; above 1 if certified.
    shape : (int, int)
        n and (D + 1) r.
    """

    x: Floats
    certified: bool
    smallest: float
    gap: float
    shape: tuple[int, int]


def separating_inputs(
    net: TwoLayer,
    theta: ArrayLike,
    x: ArrayLike | None = None,
    *,
    n: int | None = None,
    rng: np.random.Generator | None = None,
) -> SeparatingInputs:
    """Judge inputs, or find good ones, for the incoming vectors of a network.

    Parameters
    ----------
    net : TwoLayer
        With one output.
    theta : (P,) array_like
        Equal incoming vectors count once; outgoing weights do not matter.
    x : (n, d) array_like, optional
        Inputs to judge. By default the best of 32 Gaussian sets is taken.
    n : int, optional
        Number of inputs to find; by default (D + 1) r.
    rng : Generator, optional
        Of the Gaussian sets.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument breaks its rule.

    Notes
    -----
    Local Recovery, Definition 3.1; they exist for generic activations (Corollary 3.2), and almost
    all inputs are separating (Lemma 3.4).
    """
    setting, row = _plain_setting(net), _row(net, theta)
    _, incoming, _ = setting.split(row[None])
    vectors = np.unique(incoming[0], axis=0)
    count = len(vectors) * (1 + setting.incoming)
    if x is not None:
        return _judge(setting, vectors, as_inputs("x", x, net.inputs))
    size = count if n is None else check_count("n", n, "give the number of inputs")
    rng = np.random.default_rng(0) if rng is None else rng
    found = [_judge(setting, vectors, rng.normal(size=(size, net.inputs))) for _ in range(_TRIES)]
    return max(found, key=lambda one: one.gap)


def _judge(setting: Setting, vectors: Floats, x: Floats) -> SeparatingInputs:
    inputs = extended(setting, x)
    columns, errors = [], []
    for vector in vectors:
        z = inputs @ vector
        spread = np.abs(inputs) @ np.abs(vector)
        (value, slope, _), error = sigma_with_error(setting, z, spread)
        columns += [value[:, None], slope[:, None] * inputs]
        errors += [error[:, None], (error + 2 * EPS * np.abs(slope))[:, None] * np.abs(inputs)]
    matrix, error = np.concatenate(columns, axis=1), np.concatenate(errors, axis=1)
    rank = full_rank(matrix[None], error[None])
    smallest, bound = float(rank.smallest[0]), float(rank.bound[0])
    gap = smallest / bound if bound > 0.0 else np.inf
    return SeparatingInputs(x, bool(rank.full[0]), smallest, gap, matrix.shape)


@dataclass(frozen=True)
class JacobianRank:
    """Rank of the Jacobian (f(theta, x_i))_i at one point.

    Attributes
    ----------
    rank : int
    certified : bool
        Proven from both sides: `rank` singular values exceed their error bound, and the columns
        span no more, because neurons share incoming vectors or have a = 0.
    most : int
        That upper bound, min(n, rank of the shared features).
    gap : float
        Ratio of the last singular value (or pivot) that counts to the first that does not;
        infinity if the rank is n or P.
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
        With one output; any smooth activation.
    theta : (P,) array_like
    x : (n, d) array_like
    digits : int, optional
        Use this many digits (needs mpmath). By default doubles, and 50 digits only where doubles
        do not prove the rank, if mpmath is there.

    Notes
    -----
    At a generic point of a branch, with separating inputs, the rank is min(n, r + (r - l) D)
    (Local Recovery, section 4); for exp with bias min(n, r + (r - l) d), as a e^b is one parameter.
    """
    setting, row = _plain_setting(net), _row(net, theta)
    inputs = as_inputs("x", x, net.inputs)
    most = min(len(inputs), _shared_features(net, setting, row))
    jacobian, error = _jacobian(setting, row, inputs)
    values = np.linalg.svd(jacobian, compute_uv=False)
    rounding = 10.0 * EPS * max(jacobian.shape) * values[0]
    bound = float(np.sqrt((error**2).sum())) + rounding
    proven = int((values > bound).sum())
    ratios = values[:-1] / np.maximum(values[1:], bound / 10.0)
    gap = float(ratios[proven - 1]) if 0 < proven < len(values) else np.inf
    if digits is None and (proven == most or not _has_mpmath()):
        return JacobianRank(proven, proven == most, most, gap, 16)
    digits = 50 if digits is None else check_count("digits", digits, minimum=20)
    rank, gap = rank_by_elimination(exact_jacobian(net, row, inputs, digits), digits)
    return JacobianRank(rank, rank == most, most, gap, digits)


def _jacobian(setting: Setting, row: Floats, x: Floats) -> tuple[Floats, Floats]:
    inputs = extended(setting, x)
    outgoing, incoming, _ = (part[0] for part in setting.split(row[None]))
    columns, errors = [], []
    for a, vector in zip(outgoing[:, 0], incoming, strict=True):
        z, spread = inputs @ vector, np.abs(inputs) @ np.abs(vector)
        (value, slope, _), error = sigma_with_error(setting, z, spread)
        columns += [value[:, None], (a * slope)[:, None] * inputs]
        size = abs(a) * (error + 2 * EPS * np.abs(slope))
        errors += [error[:, None], size[:, None] * np.abs(inputs)]
    if setting.output_bias:
        columns.append(np.ones((len(x), 1)))
        errors.append(np.zeros((len(x), 1)))
    return np.concatenate(columns, axis=1), np.concatenate(errors, axis=1)


_FOLDED = (
    SymmetryClass.ODD,
    SymmetryClass.EVEN,
    SymmetryClass.ODD_PLUS_CONSTANT,
    SymmetryClass.EVEN_PLUS_LINEAR,
)


def _shared_features(net: TwoLayer, setting: Setting, row: Floats) -> int:
    """Return an upper bound on the rank: different features, up to the symmetries known."""
    outgoing, incoming, _ = (part[0] for part in setting.split(row[None]))
    found = symmetry(net.activation, net.bias)
    fold = found.kind in _FOLDED
    exponential = net.bias and traits(net.activation).is_exponential
    d = net.inputs
    groups: dict[tuple[float, ...], bool] = {}
    sides: dict[tuple[float, ...], tuple[float, ...]] = {}
    turned = False
    constants: list[tuple[float, float]] = []
    for a, vector in zip(outgoing[:, 0].tolist(), incoming, strict=True):
        if not vector[:d].any():
            bias = float(vector[-1]) if net.bias else 0.0
            value, slope, _ = net.activation.jet(bias)
            constants.append((value, a * slope))
            continue
        shifted = vector.copy()
        if net.bias:
            shifted[-1] -= found.centre if fold else 0.0
        key = tuple((vector[:d] if exponential else shifted).tolist())
        if fold:
            side, key = key, max(key, tuple(-t + 0.0 for t in key))
            turned |= sides.setdefault(key, side) != side
        groups[key] = groups.get(key, False) or a != 0.0
    width = d if exponential else setting.incoming
    total = sum(1 + width * live for live in groups.values())
    linear = turned and found.slope != 0.0
    one = (turned and found.constant != 0.0) or (linear and net.bias)
    one |= net.output_bias or any(v != 0.0 or (net.bias and s != 0.0) for v, s in constants)
    slope = linear or any(s != 0.0 for _, s in constants)
    return min(total + int(one) + d * int(slope), net.n_params)


def _plain_setting(net: TwoLayer) -> Setting:
    """Return a setting for evaluation only: no signs, no claim about relations."""
    if net.outputs != 1:
        raise ProblemError(f"outputs={net.outputs} must be 1; ranks are known for one output")
    if traits(net.activation).has_kink:
        raise ProblemError(
            f"activation={str(net.activation)!r} has a kink; ranks need a smooth activation"
        )
    return Setting(
        width=net.width,
        inputs=net.inputs,
        outputs=1,
        bias=net.bias,
        output_bias=net.output_bias,
        signed=False,
        centre=0.0,
        silent=False,
        at_zero=0.0,
        zeros=(),
        activation=net.activation,
    )


def _row(net: TwoLayer, theta: ArrayLike) -> Floats:
    return finite_array("theta", theta, (net.n_params,), remedy="give one network")


def _has_mpmath() -> bool:
    import importlib.util

    return importlib.util.find_spec("mpmath") is not None
