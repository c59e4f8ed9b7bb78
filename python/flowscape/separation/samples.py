"""Separating inputs, with certificates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.setting import Setting
from flowscape.brief import Brief
from flowscape.errors import ProblemError, check_count, finite_array
from flowscape.problem.inputs import as_inputs
from flowscape.problem.network import TwoLayer, check_network
from flowscape.problem.streams import generator_or_default
from flowscape.problem.traits import traits
from flowscape.separation.features import EPS, extended, sigma_with_error
from flowscape.separation.rank import full_rank

__all__ = ["SeparatingInputs", "one_network", "plain_setting", "separating_inputs"]

Floats = NDArray[np.float64]

_TRIES = 32


@dataclass(frozen=True, repr=False)
class SeparatingInputs(Brief):
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
        With any number of outputs: each sees the same features.
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
    setting, row = plain_setting(net), one_network(net, theta)
    rng = generator_or_default(rng)
    if n is not None:
        n = check_count("n", n, "give the number of inputs")
    _, incoming, _ = setting.split(row[None])
    vectors = np.unique(incoming[0], axis=0)
    count = len(vectors) * (1 + setting.incoming)
    if x is not None:
        return _judge(setting, vectors, as_inputs("x", x, net.inputs))
    shape = (count if n is None else n, net.inputs)
    found = [_judge(setting, vectors, rng.normal(size=shape)) for _ in range(_TRIES)]
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


def plain_setting(net: TwoLayer) -> Setting:
    """Return a setting for evaluation only: no signs, no claim about relations."""
    check_network(net)
    if traits(net.activation).has_kink:
        raise ProblemError(
            f"activation={str(net.activation)!r} has a kink; ranks need a smooth activation"
        )
    return Setting.unsigned(net)


def one_network(net: TwoLayer, theta: ArrayLike) -> Floats:
    """Return theta (P,), checked."""
    return finite_array("theta", theta, (net.n_params,), remedy="give one network")
