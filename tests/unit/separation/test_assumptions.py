"""Assumptions 2.1 and 3.1 and linear independence, against what is known of each function."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from flowscape.problem import TwoLayer
from flowscape.problem.symmetry import SymmetryClass
from flowscape.separation.assumptions import (
    generic_activation,
    linear_independence,
    rapid_decrease,
)

SHIFTED = {"name": "tanh", "h": 0.3}
MINUS_Z = ["exp", {"name": "identity", "c": -1.0}]


@pytest.mark.parametrize(
    ("activation", "printed", "corrected"),
    [
        ("exp", True, True),
        (SHIFTED, True, True),
        ({"name": "sigmoid", "h": 0.4}, True, True),
        ({"name": "softplus", "h": -0.7}, True, True),
        (MINUS_Z, True, False),  # errata LR 10: the slope at 0 vanishes
        ("tanh", False, False),
        ("sigmoid", False, False),
        ("softplus", False, False),
        ("gauss", False, False),
        ("gelu", False, False),
        ("silu", False, False),
        ("relu", False, False),
        ("sin", False, False),
        ("identity", False, False),
        (["exp", {"name": "const", "c": -1.0}], False, False),  # sigma(0) = 0
    ],
)
def test_assumption_2_1(activation, printed, corrected):
    found = generic_activation(activation)
    assert (found.holds, found.holds_corrected) == (printed, corrected)
    assert found.agree
    if found.analytic and activation != "identity" and found.kind is SymmetryClass.GENERIC:
        assert min(found.last_odd, found.last_even) >= 57


def test_the_last_coefficients_are_those_of_multiprecision():
    """softplus: only order 1 is odd. With forty digits, from mpmath's own Taylor series."""
    found = generic_activation("softplus", 24)
    with mp.workdps(60):
        exact = mp.taylor(lambda z: mp.log1p(mp.exp(z)), 0, 24)
    seen = [k for k, c in enumerate(exact) if abs(c) > mp.mpf(10) ** -30]
    assert max(k for k in seen if k % 2) == found.last_odd == 1
    assert max(k for k in seen if k % 2 == 0) == found.last_even == 24
    np.testing.assert_allclose(found.coefficients, [float(c) for c in exact], atol=1e-16)


@pytest.mark.parametrize(
    ("activation", "first"),
    [("gauss", 0), ("sigmoid", 1), ("tanh", 1), ("softplus", 2), ("silu", 2), ("gelu", 2)],
)
def test_rapid_decrease_but_symmetric(activation, first):
    """The examples after Assumption 3.1, and two more. tanh, sigmoid: s = 1, softplus: s = 2."""
    found = rapid_decrease(activation)
    assert [d.rapid for d in found[: first + 1]] == [False] * first + [True]
    assert not found[first].asymmetric
    assert found[first].ratio == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "h", "s", "ratio"), [("sigmoid", 0.5, 1, np.e), ("softplus", -0.5, 2, np.e)]
)
def test_a_shift_satisfies_assumption_3_1(name, h, s, ratio):
    found = rapid_decrease({"name": name, "h": h})[s]
    assert found.holds
    # sigma^(s)(x + h) ~ e^{-|x| - h sign(x)}: the ratio of the ends is e^{2|h|}
    assert found.ratio == pytest.approx(ratio, rel=1e-6)


@pytest.mark.parametrize("activation", ["exp", "rational", "arctan", "sin", "relu", "identity"])
def test_slow_or_growing_functions_are_not_rapid(activation):
    assert not any(d.rapid for d in rapid_decrease(activation))


def test_remark_3_3_cannot_decide_the_sign():
    """exp(-x^2) plus the second derivative of sigmoid: |ratio of the ends| tends to 1."""
    # sigmoid'' = s(1-s)(1-2s) has no name; its odd tail is that of tanh's second derivative
    with mp.workdps(30):

        def sigma(x):
            s = 1 / (1 + mp.exp(-x))
            return mp.exp(-x * x) + s * (1 - s) * (1 - 2 * s)

        for x in (10, 20, 40):
            assert float(sigma(mp.mpf(x)) / sigma(-mp.mpf(x))) == pytest.approx(-1.0, abs=1e-8)


def test_independence_of_given_neurons(rng):
    vectors = rng.normal(size=(3, 2))
    mirrored = np.concatenate([vectors, -vectors[:1]])
    generic, odd = TwoLayer(1, 2, SHIFTED, False), TwoLayer(1, 2, "tanh", False)
    for net, rows, wanted in (
        (generic, mirrored, True),
        (odd, vectors, True),
        (odd, mirrored, False),
        (generic, np.concatenate([vectors, vectors[:1]]), False),
    ):
        for derivatives in (False, True):
            found = linear_independence(net, rows, derivatives=derivatives)
            assert found.independent is wanted
            assert found.certified is wanted
            assert (found.rank == found.functions) is wanted
    # exp with bias: the derivative by b is the function itself
    net = TwoLayer(1, 1, "exp", True)
    assert linear_independence(net, [[0.5, 0.2]], derivatives=True).rank == 2
    # errata LR 10: e^x - x and a zero weight
    net = TwoLayer(1, 1, MINUS_Z, False)
    assert not linear_independence(net, [[0.0], [1.0]], derivatives=True).independent
    assert linear_independence(net, [[0.0], [1.0]], derivatives=False).independent
