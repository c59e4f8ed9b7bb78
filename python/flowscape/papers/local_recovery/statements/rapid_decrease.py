"""Assumption 3.1 and Proposition 3.1: activations that fall rapidly."""

from __future__ import annotations

from collections.abc import Callable
from math import perm

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, holds_if, no_exception
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import draw, rank
from flowscape.problem import Activation

Floats = NDArray[np.float64]
_Tail = Callable[[Floats], Floats]


def _sigmoid_1(x: Floats) -> Floats:
    e = np.exp(-np.abs(x))
    return e / (1.0 + e) ** 2


_TAILS: dict[str, _Tail] = {
    "exp(-x^2)": lambda x: np.exp(-(x**2)),
    "exp(-|x|)": lambda x: np.exp(-np.abs(x)),
    "sigmoid'": _sigmoid_1,
    "softplus''": _sigmoid_1,
    "tanh'": lambda x: 4.0 * _sigmoid_1(2.0 * x),
}


def _shifted(tail: _Tail, shift: float) -> _Tail:
    return lambda x: tail(x - shift)


def _values(activation: Activation) -> _Tail:
    return lambda z: activation.values(z, 0)[0]


def _falls_rapidly(tail: _Tail) -> bool:
    """Return whether min |s(y)/s(x)| over |x| - |y| >= gap grows without bound with the gap."""
    sizes = np.array([4.0, 8.0, 12.0, 16.0])
    least = []
    for gap in (2.0, 4.0, 8.0):
        ratios = [
            tail(np.array([s * y]))[0] / tail(np.array([t * (y + gap)]))[0]
            for y in sizes
            for s in (-1.0, 1.0)
            for t in (-1.0, 1.0)
        ]
        least.append(min(ratios))
    return bool(least[1] > 2 * least[0] > 0 and least[2] > 2 * least[1])


@STATEMENTS.measured(
    "examples-3-1",
    "Section 3.1, examples of Assumption 3.1",
    "exp(-x^2), exp(-|x|), sigmoid', softplus'' and tanh fall rapidly; as even functions they are "
    "asymptotically symmetric; shifted by b they satisfy both parts of the assumption",
    correction="tanh' falls rapidly (s = 1), tanh tends to 1; the shift must not be 0",
    mutation={"shift": 0.0},
    mutation_says="the shift is 0",
)
def examples_3_1(shift: float = 0.4) -> Finding:
    """Look at ratios far out."""
    wrong = []
    for name, tail in _TAILS.items():
        moved = _shifted(tail, shift)
        far = np.array([9.0, 10.0, 11.0])
        wrong += [] if _falls_rapidly(tail) else [f"{name} does not fall"]
        wrong += [] if np.all(tail(far) == tail(-far)) else [f"{name} is not even"]
        wrong += [] if _falls_rapidly(moved) else [f"{name} shifted does not fall"]
        wrong += [] if (moved(far) / moved(-far)).min() >= 1.1 else [f"{name} shifted is symmetric"]
    return Finding(
        "no exception",
        ", ".join(wrong) or "no exception",
        0.0,
        4 * len(_TAILS),
        holds_if(not wrong),
        holds_if(_falls_rapidly(np.tanh)),
        {},
    )


STATEMENTS.cited(
    "remark-3-2",
    "Remark 3.2",
    "a rapidly falling function tends to 0",
    used="examples-3-1: every tail there is below 1e-3 from x = 9 on",
)


@STATEMENTS.measured(
    "proposition-3-1",
    "Proposition 3.1 and the text after it",
    "rapid fall and asymmetry: sigma(w_1.x), ..., sigma(w_r.x) are independent for distinct w_k "
    "!= 0; "
    "rapid fall alone suffices if w_k + w_j != 0",
    mutation={"mirrored": True},
    mutation_says="w_2 = -w_1 without asymmetry",
)
def proposition_3_1(mirrored: bool = False) -> Finding:
    """Find ranks on 200 inputs; s = 0 for the tails, s = 1 and 2 for sigmoid and softplus."""
    bad, instances = 0, 0
    for name in ("exp(-x^2)", "exp(-|x|)"):
        tail = _TAILS[name]
        for shift, mirror in ((0.4, True), (0.0, mirrored)):
            for r, d in ((2, 1), (3, 1), (4, 2)):
                bad += _tails_depend(_shifted(tail, shift), r, d, mirror)
                instances += 1
    for spec in ("sigmoid", "softplus"):
        for shift, mirror in ((-0.4, True), (0.0, False)):
            one = Activation.of({"name": spec, "h": shift})
            bad += _tails_depend(_values(one), 4, 2, mirror)
            instances += 1
    return no_exception(bad, instances=instances)


def _tails_depend(tail: _Tail, r: int, d: int, mirror: bool) -> bool:
    rng = draw(r, d, 32)
    w = rng.normal(size=(r, d))
    if mirror:
        w[1] = -w[0]
    x = 1.5 * rng.normal(size=(200, d))
    return rank(tail(x @ w.T)) < r


@STATEMENTS.measured(
    "remark-3-3",
    "Remark 3.3",
    "exp(-x^2) + (d/dx)^2 1/(1+exp(-x)) satisfies Assumption 2.1, falls rapidly, and "
    "sigma(x)/sigma(-x) -> -1",
    mutation={"order": 1},
    mutation_says="the first derivative of the sigmoid",
)
def remark_3_3(order: int = 2) -> Finding:
    """Look at the Taylor coefficients, and at the ratios where exp(-x^2) is below rounding."""
    sigmoid = Activation.of("sigmoid").taylor(43)
    even = Activation.of("gauss").taylor(41)
    c = np.array([even[j] + perm(j + order, order) * sigmoid[j + order] for j in range(42)])
    tail = np.abs(c[31:])
    generic = c[0] != 0 and tail[::2].max() > 0 and tail[1::2].max() > 0

    def sigma(x: Floats) -> Floats:
        s = 1.0 / (1.0 + np.exp(-np.abs(x)))
        first = s * (1.0 - s)
        derivative = first if order == 1 else -np.sign(x) * first * (2.0 * s - 1.0)
        return np.exp(-(x**2)) + derivative

    x = np.array([8.0, 12.0, 20.0])
    ratio = sigma(x) / sigma(-x)
    falls = _falls_rapidly(lambda z: np.abs(sigma(z)))
    tolerance = 1e-9
    return Finding(
        -1.0,
        float(ratio[-1]),
        tolerance,
        1,
        holds_if(generic and falls and abs(ratio[-1] + 1.0) <= tolerance),
        None,
        {
            "ratio_at_8": float(ratio[0]),
            "falls_rapidly": falls,
            "largest_odd_coefficient_beyond_30": float(tail[::2].max()),
            "largest_even_coefficient_beyond_30": float(tail[1::2].max()),
        },
    )
