"""Section 3.1: power series, linear independence of neurons, Assumption 3.1."""

from __future__ import annotations

from fractions import Fraction
from math import factorial, prod

import numpy as np

from flowscape.papers.finding import Finding, compare, holds_if, search
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import SHIFTED, stream
from flowscape.problem import TwoLayer
from flowscape.separation.assumptions import (
    generic_activation,
    linear_independence,
    rapid_decrease,
)

_MINUS_Z = ["exp", {"name": "identity", "c": -1.0}]


@STATEMENTS.measured(
    "lemma-3-1",
    "Lemma 3.1",
    "with infinitely many odd and even c_j, the series in p_k and j (j-1) ... is a polynomial only "
    "if all alpha vanish",
    mutation={"even_only": True},
    mutation_says="only even coefficients c_j are kept",
)
def lemma_3_1(even_only: bool = False) -> Finding:
    """Exact ranks: no alpha cancels the coefficients of 2 r l consecutive orders beyond any bound.

    p = +-1, +-2: with even coefficients alone the columns of p and -p are dependent.
    """
    points, order, low = (1, -1, 2, -2), 2, 7
    columns = [(t, p) for t in range(order) for p in points]
    rows = []
    for j in range(low, low + 4 * len(columns)):
        if even_only and j % 2:
            continue
        rows.append(
            [Fraction(prod(range(j - t + 1, j + 1)) * p ** (j - order), 1) for t, p in columns]
        )
    return compare(float(len(columns)), float(_rank(rows)), 0.0, instances=len(rows))


def _rank(rows: list[list[Fraction]]) -> int:
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            ratio = rows[i][column] / rows[rank][column]
            rows[i] = [x - ratio * y for x, y in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


@STATEMENTS.measured(
    "corollary-3-1",
    "Corollary 3.1 and Remark 3.1",
    "sigma(w_1.x), ..., sigma(w_r.x) are independent for all distinct w exactly under Assumption "
    "2.1; for other analytic ones if also w_k + w_j != 0",
    mutation={"mirrored": False},
    mutation_says="sets with w and -w are left out, so that every activation looks generic",
)
def corollary_3_1(mirrored: bool = True) -> Finding:
    """Compare Assumption 2.1 with independence of neurons at three w and their negatives."""
    rng, wrong, instances = stream(2), 0, 0
    for activation in ("exp", SHIFTED, "tanh", "sigmoid", "softplus", "gauss", "gelu"):
        net = TwoLayer(1, 1, activation, bias=False)
        w = rng.normal(size=(3, 1))
        everything = np.concatenate([w, -w]) if mirrored else w
        found = linear_independence(net, everything, derivatives=False)
        wrong += found.independent != generic_activation(activation).holds
        instances += 1
        if mirrored:  # Remark 3.1
            wrong += not linear_independence(net, w, derivatives=False).independent
            instances += 1
    return compare(0.0, float(wrong), 0.0, instances=instances)


@STATEMENTS.measured(
    "corollary-3-2",
    "Corollary 3.2",
    "for a generic activation and distinct w there are separating inputs",
    correction="sigma'(0) != 0, or no w is 0: e^x - x satisfies Assumption 2.1, and at w = 0 the "
    "column sigma'(0) x vanishes",
    mutation={"allow_flat": True},
    mutation_says="e^x - x with a zero weight is let in",
)
def corollary_3_2(allow_flat: bool = False) -> Finding:
    """Seek inputs with full rank of neurons and derivatives, proven by singular values."""
    rng, cases = stream(3), []
    for activation in ("exp", SHIFTED, {"name": "sigmoid", "h": 0.4}):
        for r, d in ((1, 1), (2, 1), (2, 2), (3, 2)):
            w = rng.normal(size=(r, d))
            w[-1] = 0.0
            cases.append((TwoLayer(1, d, activation, bias=False), w))
    flat = (TwoLayer(1, 1, _MINUS_Z, bias=False), np.array([[0.0], [1.0]]))
    assert generic_activation(_MINUS_Z).holds
    missing = sum(not linear_independence(net, w).independent for net, w in cases)
    printed = linear_independence(*flat).independent
    missing += allow_flat and not printed
    return compare(0.0, float(missing), 0.0, instances=len(cases), printed=holds_if(printed))


@STATEMENTS.measured(
    "examples-3-1",
    "examples after Assumption 3.1",
    "gauss (s = 0), sigmoid and tanh (s = 1), softplus (s = 2) decrease rapidly, are symmetric, "
    "and a shift makes them asymmetric",
    mutation={"lower": 1},
    mutation_says="s is one lower (for gauss: exp, which does not decrease)",
)
def examples_3_1(lower: int = 0) -> Finding:
    """Test both parts of Assumption 3.1 on 8 <= |x| <= 32."""
    wrong, cases = 0, (("gauss", 0), ("sigmoid", 1), ("tanh", 1), ("softplus", 2))
    for name, s in cases:
        if s < lower:
            wrong += not rapid_decrease("exp")[0].rapid
            continue
        plain = rapid_decrease(name)[s - lower]
        wrong += not plain.rapid or plain.asymmetric
        wrong += name != "gauss" and not rapid_decrease({"name": name, "h": 0.4})[s - lower].holds
    return compare(0.0, float(wrong), 0.0, instances=2 * len(cases) - 1)


@STATEMENTS.searched(
    "proposition-3-1",
    "Proposition 3.1",
    "under Assumption 3.1, sigma(w_1.x), ..., sigma(w_r.x) are independent for distinct w != 0",
)
def proposition_3_1() -> Finding:
    """Look for dependent sets among random ones, half of them with w and -w."""
    rng, dependent, budget = stream(4), 0, 0
    for name in ("sigmoid", "tanh", "softplus"):
        activation = {"name": name, "h": 0.4}
        assert any(found.holds for found in rapid_decrease(activation))
        for d in (1, 2):
            for number in range(4):
                w = rng.normal(size=(2, d))
                w = np.concatenate([w, -w]) if number % 2 else w
                net = TwoLayer(1, d, activation, bias=False)
                dependent += not linear_independence(net, w, derivatives=False).independent
                budget += 1
    return search(dependent, budget, looked_for="dependent set")


@STATEMENTS.measured(
    "remark-3-3",
    "Remark 3.3",
    "exp(-x^2) + (1/(1+e^-x))'' satisfies Assumption 2.1 and decreases rapidly, and "
    "sigma(x)/sigma(-x) -> -1",
    mutation={"derivative": 1},
    mutation_says="the first derivative instead of the second",
)
def remark_3_3(derivative: int = 2) -> Finding:
    """Evaluate the ratio at x = 12 and the Taylor coefficients of both parts at 0."""
    from flowscape.problem import Activation

    part = Activation.of("sigmoid")

    def sigma(x: float) -> float:
        rest = part.taylor(derivative, x)[derivative] * factorial(derivative)
        return float(np.exp(-x * x) + rest)

    gauss = Activation.of("gauss").taylor(30)
    shifted = part.taylor(30 + derivative)[derivative:]
    odd = int((shifted[1::2] != 0.0).sum())
    even = int((gauss[::2] + shifted[::2] != 0.0).sum())
    ratio = sigma(12.0) / sigma(-12.0)
    return compare(-1.0, ratio, 1e-4, instances=1, odd_coefficients=odd, even_coefficients=even)
