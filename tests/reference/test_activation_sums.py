"""Sums of activations c sigma(s z + h), and polynomials."""

import mpmath as mp
import numpy as np
import pytest
from activation_table import stated_errors

from flowscape import _core
from flowscape.testing.activation_errors import DIGITS, NAMES, REFERENCES


@pytest.fixture(autouse=True)
def precision():
    with mp.workdps(DIGITS):
        yield


def activation(name, coefficients=()):
    return _core.Activation([(name, 1.0, 1.0, 0.0, list(coefficients))])


# Dyadic s and h and arguments with few bits: s z + h is exact, so only the functions, the
# products with c, c s, c s² and the additions round.
SUMS = {
    "scaled": [("tanh", 0.75, -2.0, 0.5)],
    "two sigmoids": [("sigmoid", 1.0, 4.0, 0.0), ("softplus", 1.0, 1.0, 0.0)],
    "many": [
        ("tanh", 1.5, 0.5, 1.0),
        ("gelu", -0.3, 2.0, 0.0),
        ("const", 0.7, 1.0, 0.0),
        ("sin", 1e-3, -4.0, 0.25),
        ("rational", 7.0, 0.25, -3.0),
        ("const", -0.1, 1.0, 0.0),
    ],
    "plain pair": [("erf", 1.0, 1.0, 0.0), ("arctan", 1.0, 1.0, 0.0)],
}


@pytest.mark.parametrize("terms", SUMS.values(), ids=SUMS.keys())
def test_sums_are_as_accurate_as_their_terms(terms):
    stated = stated_errors()
    z = np.random.default_rng(3).integers(-(2**12), 2**12, 700) / 2.0**9
    act = _core.Activation([(*term, []) for term in terms])
    computed = _core.activation_values(act, z, 2)
    for i, argument in enumerate(z.tolist()):
        for order in range(3):
            exact, size, allowed = mp.mpf(0), mp.mpf(0), 0.0
            for name, c, s, h in terms:
                if name == "const":
                    value, scale, bound = mp.mpf(c), abs(mp.mpf(c)), 0.0
                    factor = mp.mpf(order == 0)
                else:
                    bounds = stated[name]
                    value, scale = REFERENCES[name](mp.mpf(s) * mp.mpf(argument) + mp.mpf(h))[order]
                    bound, factor = bounds[order], mp.mpf(c) * mp.mpf(s) ** order
                exact += factor * value
                size += abs(factor) * scale
                # An ulp is at most 2^-52 of the value; two roundings for the factor.
                allowed += float((bound + 1) * abs(factor) * scale) * 2.0**-52
            allowed += len(terms) * float(size) * 2.0**-53
            error = abs(mp.mpf(float(computed[order][i])) - exact)
            assert error <= allowed, (argument, order)


def test_a_constant_alone_is_constant():
    act = _core.Activation([("const", 2.5, 1.0, 0.0, []), ("const", -1.0, 1.0, 0.0, [])])
    f, f1, f2 = _core.activation_values(act, np.linspace(-9.0, 9.0, 11), 2)
    assert set(f) == {1.5}
    assert set(f1) == set(f2) == {0.0}


def test_unit_factors_change_no_bit():
    z = np.random.default_rng(4).normal(size=300)
    for name in NAMES:
        plain = _core.activation_values(activation(name), z, 2)
        act = _core.Activation([(name, 1.0, 1.0, 0.0, []), ("const", 0.0, 1.0, 0.0, [])])
        for part, expected in zip(_core.activation_values(act, z, 2), plain, strict=True):
            np.testing.assert_array_equal(part, expected)


def test_integer_polynomials_of_small_arguments_are_exact():
    coefficients = [3.0, -1.0, 0.0, 2.0, -5.0]
    z = np.arange(-64, 65) / 8.0
    computed = _core.activation_values(activation("polynomial", coefficients), z, 2)
    expected = np.polynomial.Polynomial(coefficients)
    for order, part in enumerate(computed):
        np.testing.assert_array_equal(part, expected.deriv(order)(z) if order else expected(z))


def test_polynomials_are_within_the_bound_of_horners_rule():
    rng = np.random.default_rng(6)
    coefficients = rng.normal(size=10).tolist()
    c, s, h = 1.75, -0.5, 0.25
    z = rng.integers(-(2**10), 2**10, 300) / 2.0**8
    act = _core.Activation([("polynomial", c, s, h, coefficients)])
    computed = _core.activation_values(act, z, 2)
    for i, argument in enumerate(z.tolist()):
        u = mp.mpf(s) * mp.mpf(argument) + mp.mpf(h)
        for order in range(3):
            factor = mp.mpf(c) * mp.mpf(s) ** order
            parts = [
                mp.ff(k, order) * mp.mpf(p) * u ** (k - order) * factor
                for k, p in enumerate(coefficients)
                if k >= order
            ]
            error = abs(mp.mpf(float(computed[order][i])) - mp.fsum(parts))
            steps = 2 * len(coefficients) + 4
            assert error <= steps * 2.0**-53 * mp.fsum(abs(part) for part in parts)


def test_polynomials_of_infinite_arguments_follow_the_leading_term():
    act = activation("polynomial", [1.0, -2.0, 3.0, 0.0])
    computed = np.transpose(_core.activation_values(act, np.array([np.inf, -np.inf]), 2))
    np.testing.assert_array_equal(computed, [[np.inf, np.inf, 6.0], [np.inf, -np.inf, 6.0]])
