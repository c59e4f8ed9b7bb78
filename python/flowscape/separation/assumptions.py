"""The paper's assumptions on the activation, tested; linear independence of given neurons.

Local Recovery, Assumptions 2.1 and 3.1, Corollary 3.1, Proposition 3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.brief import Brief
from flowscape.errors import check_count, finite_array
from flowscape.problem.activation import Activation, ActivationSpec
from flowscape.problem.network import TwoLayer
from flowscape.problem.symmetry import SymmetryClass, symmetry
from flowscape.problem.traits import traits
from flowscape.separation.multiprecision import exact_jacobian, rank_by_elimination
from flowscape.separation.samples import separating_inputs

__all__ = [
    "GenericActivation",
    "Independence",
    "RapidDecrease",
    "generic_activation",
    "linear_independence",
    "rapid_decrease",
]

Floats = NDArray[np.float64]

_ROUNDING = 1e-12
_FAR = (8.0, 32.0)
_HIGHEST = 4


@dataclass(frozen=True, repr=False)
class GenericActivation(Brief):
    """Assumption 2.1: analytic, c_0 != 0, infinitely many odd and even Taylor coefficients != 0.

    Attributes
    ----------
    holds : bool
        As printed.
    holds_corrected : bool
        With sigma'(0) != 0 in addition (errata LR 10): without it, a neuron with zero weight
        breaks Corollary 3.2.
    analytic : bool
        No kink.
    kind : SymmetryClass
        Of sigma about 0: infinitely many odd and even coefficients are != 0 exactly if sigma is
        neither even nor odd up to a polynomial, which is the class GENERIC.
    coefficients : (N + 1,) ndarray
        Taylor coefficients at 0; empty at a kink.
    last_odd, last_even : int
        Highest orders up to N with a coefficient that is not round-off; -1 if there is none.
    agree : bool
        The coefficients do not contradict the class: for GENERIC both parities go on to the end of
        the list, otherwise one of them stops.
    """

    holds: bool
    holds_corrected: bool
    analytic: bool
    kind: SymmetryClass
    coefficients: Floats
    last_odd: int
    last_even: int
    agree: bool


def generic_activation(spec: ActivationSpec, order: int = 60) -> GenericActivation:
    """Test Assumption 2.1 by the symmetry class and by Taylor coefficients to order `order`."""
    activation = Activation.of(spec)
    order = check_count("order", order, "ask for 8 to 100", minimum=8, maximum=100)
    kind = symmetry(activation, False).kind
    properties = traits(activation)
    analytic = not properties.has_kink
    series, sizes = np.zeros(0), np.zeros(0)
    if analytic:
        series = activation.taylor(order)
        sizes = sum(
            (np.abs(Activation((term,)).taylor(order)) for term in activation.terms),
            np.zeros(order + 1),
        )
        # a coefficient is measured against its neighbours too: functions of one parity round
        sizes = np.maximum(sizes, _neighbours(sizes))
    seen = np.abs(series) > _ROUNDING * sizes
    last = [max((int(k) for k in np.flatnonzero(seen) if k % 2 == p), default=-1) for p in (0, 1)]
    both = min(last) >= order - 3
    holds = analytic and properties.value_at_zero != 0.0 and kind is SymmetryClass.GENERIC
    return GenericActivation(
        holds=holds,
        holds_corrected=holds and properties.slope_at_zero != 0.0,
        analytic=analytic,
        kind=kind,
        coefficients=series,
        last_odd=last[1],
        last_even=last[0],
        agree=not analytic or both == (kind is SymmetryClass.GENERIC),
    )


def _neighbours(sizes: Floats) -> Floats:
    """Return the geometric mean of both neighbours, the size that a smooth sequence would have."""
    padded = np.concatenate([sizes[1:2], sizes, sizes[-2:-1]])
    mean: Floats = np.sqrt(padded[:-2] * padded[2:])
    return mean


@dataclass(frozen=True)
class RapidDecrease:
    """Assumption 3.1 for one derivative s, judged on 8 <= abs(x) <= 32 (or where it underflows).

    Attributes
    ----------
    s : int
    rapid : bool
        -log|sigma^(s)| grows at both ends with a rate that does not fade, and the two ends stay
        within a bounded ratio: then |sigma^(s)(y)| / |sigma^(s)(x)| is unbounded as |x| - |y| is.
    asymmetric : bool
        The ratio of both ends stays away from 1: for c = `ratio`.
    ratio : float
        At the largest abs(x), at least 1.
    rate : float
        The smaller of the two rates there.
    """

    s: int
    rapid: bool
    asymmetric: bool
    ratio: float
    rate: float

    @property
    def holds(self) -> bool:
        """Both parts of the assumption."""
        return self.rapid and self.asymmetric


def rapid_decrease(spec: ActivationSpec, highest: int = _HIGHEST) -> list[RapidDecrease]:
    """Test Assumption 3.1 for s = 0 ... `highest`: numerical evidence, not proof."""
    activation = Activation.of(spec)
    highest = check_count("highest", highest, minimum=0, maximum=20)
    return [_decrease(activation, s) for s in range(highest + 1)]


def _decrease(activation: Activation, s: int) -> RapidDecrease:
    nothing = RapidDecrease(s, False, False, math.nan, 0.0)
    places = np.linspace(*_FAR, 49)
    depths = np.array([[_depth(activation, s, sign * t) for t in places] for sign in (1.0, -1.0)])
    usable = np.isfinite(depths).all(axis=0)
    if not usable[:8].all():
        return nothing
    end = len(places) if usable.all() else int(np.argmin(usable))
    places, depths = places[:end], depths[:, :end]
    rates = np.diff(depths, axis=1) / np.diff(places)
    early, late = rates[:, : end // 4].mean(axis=1), rates[:, -(end // 4) :].mean(axis=1)
    apart = depths[0] - depths[1]
    drift = abs(apart[-1] - apart[end // 2]) / (places[-1] - places[end // 2])
    # a power of x has a rate 1/x, which falls to half or less over this range
    steady = bool(rates.min() > 0.05 and np.all(late > 0.8 * early))
    rapid = steady and drift < 0.02
    ratio = math.exp(min(abs(float(apart[-1])), 700.0))
    return RapidDecrease(s, rapid, ratio > 1.0 + 1e-6, ratio, float(late.min()))


def _depth(activation: Activation, s: int, z: float) -> float:
    """Return -log|sigma^(s)(z)|; infinity where it vanishes or drowns in round-off."""
    if traits(activation).has_kink and s > 0:
        return math.inf
    value = activation.taylor(s, z)[s] if s else activation.jet(z)[0]
    size = activation.scale(z) if s == 0 else 0.0
    if abs(value) <= 1e-14 * size or abs(value) < 1e-280 or not math.isfinite(value):
        return math.inf
    return -math.log(abs(float(value)) * math.factorial(s))


@dataclass(frozen=True)
class Independence:
    """Linear independence of neurons as functions of x, with or without their derivatives.

    Attributes
    ----------
    independent : bool
    certified : bool
        Independent: proven by inputs at which the matrix has full rank. Dependent: always False;
        the rank stayed lower at more random inputs than functions, with 50 digits.
    rank, functions : int
    """

    independent: bool
    certified: bool
    rank: int
    functions: int


def linear_independence(
    net: TwoLayer, incoming: ArrayLike, *, derivatives: bool = True, seed: int = 0
) -> Independence:
    """Test sigma(v_t . (x, 1)), and their derivatives by v_t, for linear independence.

    Parameters
    ----------
    net : TwoLayer
        Its activation, inputs and bias are meant; its width is not.
    incoming : (r, D) array_like
        Different vectors (w_t, b_t).
    derivatives : bool
        Whether sigma'(v_t . x) x_j (and sigma'(v_t . x) with bias) are among the functions.
    seed : int
        Of the random inputs.

    Notes
    -----
    Local Recovery, Corollaries 3.1 and 3.2, Proposition 3.1.
    """
    vectors = np.atleast_2d(
        finite_array("incoming", incoming, ("r", net.neuron_inputs), (net.neuron_inputs,))
    )
    count = len(vectors)
    wide = TwoLayer(count, net.inputs, net.activation, net.bias)
    weights = np.ones((count, 1)) if derivatives else np.zeros((count, 1))
    theta = np.concatenate([weights, vectors], axis=1).ravel()
    rng = np.random.default_rng(seed)
    different = len(np.unique(vectors, axis=0)) == count
    functions = count * (1 + wide.neuron_inputs) if derivatives else count
    if derivatives and different:
        for spread in (1.0, 2.0, 4.0):
            x = spread * rng.normal(size=(functions, net.inputs))
            if separating_inputs(wide, theta, x).certified:
                return Independence(True, True, functions, functions)
    x = 2.0 * rng.normal(size=(functions + 4, net.inputs))
    rows = exact_jacobian(wide, theta, x, 50)
    if not derivatives:
        block = 1 + wide.neuron_inputs
        rows = [[row[k * block] for k in range(count)] for row in rows]
    rank, gap = rank_by_elimination(rows, 50)
    return Independence(rank == functions, rank == functions and gap > 1e8, rank, functions)
