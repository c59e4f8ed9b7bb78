"""The compiled activation functions against arbitrary-precision references.

An error is measured in units of the last place of the result or, where a derivative is a sum
whose terms cancel at its zeros, of the sum of their absolute values.
"""

import math

import mpmath as mp
import numpy as np
import pytest

from flowscape import _core

DIGITS = 40
SMALLEST = 2.0**-1074
# Where the exponential decay inside a function is below 2^-1022 a level may flush it to zero;
# the factor covers the polynomials in z that multiply it.
FLUSHED = 2.0**-1010


def relative(*values):
    """Pairs (value, scale) whose scale is the value itself."""
    return [(value, abs(value)) for value in values]


def tanh(z):
    decay = mp.exp(-2 * abs(z))
    slope = 4 * decay / (1 + decay) ** 2
    value = mp.sign(z) * -mp.expm1(-2 * abs(z)) / (1 + decay)
    return relative(value, slope, -2 * value * slope)


def logistic(z):
    """Sigmoid, 1 - sigmoid, the first derivative and tanh(|z|/2), none of them by cancellation."""
    decay = mp.exp(-abs(z))
    upper, lower = 1 / (1 + decay), decay / (1 + decay)
    value, other = (upper, lower) if z >= 0 else (lower, upper)
    return value, other, decay / (1 + decay) ** 2, -mp.expm1(-abs(z)) / (1 + decay)


def sigmoid(z):
    value, _, slope, half_tanh = logistic(z)
    return relative(value, slope, -mp.sign(z) * slope * half_tanh)


def softplus(z):
    value, _, slope, _ = logistic(z)
    return relative(max(z, mp.mpf(0)) + mp.log1p(mp.exp(-abs(z))), value, slope)


def silu(z):
    value, other, slope, half_tanh = logistic(z)
    return [
        *relative(z * value),
        (value * (1 + z * other), value * (1 + abs(z) * other)),
        (slope * (2 - abs(z) * half_tanh), slope * (2 + abs(z) * half_tanh)),
    ]


def erf(z):
    slope = 2 / mp.sqrt(mp.pi) * mp.exp(-z * z)
    return relative(mp.erf(z), slope, -2 * z * slope)


def normal(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2, mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def normal_cdf(z):
    value, density = normal(z)
    return relative(value, density, -z * density)


def gelu(z):
    cdf, density = normal(z)
    return [
        *relative(z * cdf),
        (cdf + z * density, cdf + abs(z) * density),
        (density * (2 - z * z), density * (2 + z * z)),
    ]


def gauss(z):
    value = mp.exp(-z * z)
    return [*relative(value, -2 * z * value), ((4 * z * z - 2) * value, (4 * z * z + 2) * value)]


def sin(z):
    return relative(mp.sin(z), mp.cos(z), -mp.sin(z))


def cos(z):
    return relative(mp.cos(z), -mp.sin(z), -mp.cos(z))


def arctan(z):
    slope = 1 / (1 + z * z)
    return relative(mp.atan(z), slope, -2 * z * slope * slope)


def exp(z):
    return relative(*[mp.exp(z)] * 3)


def sinh(z):
    return relative(mp.sinh(z), mp.cosh(z), mp.sinh(z))


def rational(z):
    q = 1 / (1 + z * z)
    return [
        *relative(z * q),
        ((1 - z * z) * q * q, q),
        (2 * z * (z * z - 3) * q**3, 2 * abs(z) * (z * z + 3) * q**3),
    ]


def relu(z):
    return relative(max(z, mp.mpf(0)), mp.mpf(z > 0), mp.mpf(0))


def leaky_relu(z):
    slope = mp.mpf(1) if z > 0 else mp.mpf(0.01)
    return relative(slope * z, slope, mp.mpf(0))


# name: (reference, largest argument of interest, bounds on the errors of f, f', f''). Each bound
# is the largest error over 1.5 million arguments on the levels v2 (no fused multiply-add) and
# v4, rounded up.
FUNCTIONS = {
    "tanh": (tanh, 400.0, (2.3, 3.9, 5.6)),
    "sigmoid": (sigmoid, 750.0, (1.9, 3.8, 5.8)),
    "softplus": (softplus, 1e300, (1.7, 1.9, 3.8)),
    "silu": (silu, 1e300, (3.0, 3.3, 4.6)),
    "erf": (erf, 30.0, (1.4, 1.7, 2.5)),
    "Phi": (normal_cdf, 40.0, (8.2, 2.3, 3.2)),
    "gelu": (gelu, 1e100, (8.2, 5.0, 3.5)),
    "gauss": (gauss, 30.0, (1.1, 1.7, 2.4)),
    "sin": (sin, 1e300, (0.9, 0.9, 0.9)),
    "cos": (cos, 1e300, (0.9, 0.9, 0.9)),
    "arctan": (arctan, 1e300, (1.9, 2.1, 4.7)),
    "exp": (exp, 709.7, (1.1, 1.1, 1.1)),
    "sinh": (sinh, 710.4, (2.4, 1.5, 2.4)),
    "rational": (rational, 1e300, (2.6, 4.3, 6.5)),
    "relu": (relu, 1e300, (0.0, 0.0, 0.0)),
    "leaky_relu": (leaky_relu, 1e300, (0.5, 0.0, 0.0)),
}
NAMES = sorted(FUNCTIONS)

# z -> +inf and z -> -inf of value, first and second derivative.
LIMITS = {
    "tanh": ((1, 0, 0), (-1, 0, 0)),
    "sigmoid": ((1, 0, 0), (0, 0, 0)),
    "softplus": ((math.inf, 1, 0), (0, 0, 0)),
    "silu": ((math.inf, 1, 0), (0, 0, 0)),
    "erf": ((1, 0, 0), (-1, 0, 0)),
    "Phi": ((1, 0, 0), (0, 0, 0)),
    "gelu": ((math.inf, 1, 0), (0, 0, 0)),
    "gauss": ((0, 0, 0), (0, 0, 0)),
    "arctan": ((math.pi / 2, 0, 0), (-math.pi / 2, 0, 0)),
    "exp": ((math.inf,) * 3, (0, 0, 0)),
    "sinh": ((math.inf,) * 3, (-math.inf, math.inf, -math.inf)),
    "rational": ((0, 0, 0), (0, 0, 0)),
    "relu": ((math.inf, 1, 0), (0, 0, 0)),
    "leaky_relu": ((math.inf, 1, 0), (-math.inf, 0.01, 0)),
}
ODD = {"tanh", "erf", "sin", "arctan", "sinh", "rational"}


def activation(name, coefficients=()):
    return _core.Activation([(name, 1.0, 1.0, 0.0, list(coefficients))])


def arguments(largest, seed):
    """Finite arguments of both signs: dense around 0, all magnitudes, where methods change."""
    rng = np.random.default_rng(seed)
    edges = [
        0.2,
        math.log(2) / 2,
        1.0,
        math.tan(math.pi / 8),
        1 / math.tan(math.pi / 8),
        math.log(1 + math.sqrt(2)),
        2.0**64,
        1e5,
        708.39,
        708.4,
        745.2,
        37.7,
        38.5,
        26.6,
        27.3,
    ]
    multiples = rng.integers(1, 63661, 100) * (math.pi / 2)
    positive = np.concatenate(
        [
            np.linspace(0.0, 8.0, 161),
            np.exp(rng.uniform(-2, math.log(min(largest, 800.0)), 160)),
            np.exp(rng.uniform(-700, math.log(largest), 120)),
            np.nextafter(edges, 0.0),
            edges,
            np.nextafter(edges, 1e308),
            multiples,
            [SMALLEST, 1e-310, 2.0**-1022, largest],
        ]
    )
    positive = positive[positive <= largest]
    return np.concatenate([positive, -positive])


def ulp(scale):
    return math.ulp(float(scale))


@pytest.fixture(autouse=True)
def precision():
    with mp.workdps(DIGITS):
        yield


@pytest.mark.parametrize("name", NAMES)
def test_values_and_derivatives_are_within_their_ulps(name):
    reference, largest, bounds = FUNCTIONS[name]
    z = arguments(largest, seed=NAMES.index(name))
    computed = _core.activation_values(activation(name), z, 2)
    worst = [0.0, 0.0, 0.0]
    for i, argument in enumerate(z.tolist()):
        flushed = FLUSHED if abs(argument) > 1.0 else 0.0
        for order, (exact, scale) in enumerate(reference(mp.mpf(argument))):
            value = float(computed[order][i])
            assert math.isfinite(value), f"order {order} at {argument!r}"
            error = abs(mp.mpf(value) - exact)
            if error > flushed:
                worst[order] = max(worst[order], float(error / ulp(scale)))
    assert all(error <= bound for error, bound in zip(worst, bounds, strict=True)), worst


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_infinite_arguments_give_the_limits(name):
    computed = _core.activation_values(activation(name), np.array([np.inf, -np.inf]), 2)
    np.testing.assert_array_equal(np.transpose(computed), LIMITS[name])


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_huge_arguments_give_the_limits_of_the_decaying_parts(name):
    computed = np.transpose(_core.activation_values(activation(name), np.array([1e300, -1e300]), 2))
    limits = np.array(LIMITS[name], dtype=float)
    grows = np.isinf(limits[:, 0])
    decays = name not in {"rational", "arctan"}
    if decays:
        np.testing.assert_array_equal(computed[~grows], limits[~grows])
    if name in {"softplus", "silu", "gelu", "relu"}:
        assert computed[0].tolist() == [1e300, 1.0, 0.0]
    assert np.all(np.isfinite(computed)) or name in {"exp", "sinh"}


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_infinite_angles_are_not_numbers(name):
    computed = _core.activation_values(activation(name), np.array([np.inf, -np.inf]), 2)
    assert np.all(np.isnan(computed))


@pytest.mark.parametrize("name", [*NAMES, "polynomial"])
def test_nan_stays_and_leaves_its_neighbours_alone(name):
    act = activation(name, [1.0, 2.0, 3.0] if name == "polynomial" else [])
    z = np.linspace(-3.0, 3.0, 17)
    clean = np.array(_core.activation_values(act, z, 2))
    z[4] = np.nan
    dirty = np.array(_core.activation_values(act, z, 2))
    assert np.all(np.isnan(dirty[:, 4]))
    np.testing.assert_array_equal(np.delete(dirty, 4, axis=1), np.delete(clean, 4, axis=1))


@pytest.mark.parametrize("name", sorted(ODD))
def test_odd_functions_are_odd_to_the_last_bit(name):
    z = np.concatenate([[0.0, SMALLEST, 1e-310], np.geomspace(1e-300, 700.0, 400)])
    f, f1, f2 = _core.activation_values(activation(name), z, 2)
    g, g1, g2 = _core.activation_values(activation(name), -z, 2)
    np.testing.assert_array_equal(f.view(np.uint64), (-g).view(np.uint64))
    np.testing.assert_array_equal(f1, g1)
    np.testing.assert_array_equal(f2, -g2)
    assert not np.signbit(f[0])


@pytest.mark.parametrize(("name", "last"), [("exp", 709.782712893384), ("sinh", 710.4758600739439)])
def test_overflow_happens_where_the_result_leaves_the_range(name, last):
    z = np.array([last, np.nextafter(last, 1e3)])
    f = _core.activation_values(activation(name), z, 0)[0]
    assert np.isfinite(f[0])
    assert f[0] > 1.797e308
    assert f[1] == np.inf


@pytest.mark.parametrize("name", NAMES)
def test_bits_depend_on_the_argument_alone(name):
    z = arguments(FUNCTIONS[name][1], seed=5)
    act = activation(name)
    whole = np.array(_core.activation_values(act, z, 2))
    for order in (0, 1):
        fewer = np.array(_core.activation_values(act, z, order))
        assert fewer.shape == (order + 1, z.size)
        np.testing.assert_array_equal(fewer.view(np.uint64), whole[: order + 1].view(np.uint64))
    shuffle = np.random.default_rng(1).permutation(z.size)
    shuffled = np.array(_core.activation_values(act, z[shuffle], 2))
    np.testing.assert_array_equal(shuffled.view(np.uint64), whole[:, shuffle].view(np.uint64))
    for count in (1, 3, 8, 9):
        part = np.array(_core.activation_values(act, z[:count], 2))
        np.testing.assert_array_equal(part.view(np.uint64), whole[:, :count].view(np.uint64))


def test_results_have_the_shape_of_the_argument():
    z = np.linspace(-1.0, 1.0, 24).reshape(2, 3, 4)
    act = activation("tanh")
    whole = _core.activation_values(act, z, 1)
    flat = _core.activation_values(act, z.ravel(), 1)
    assert [part.shape for part in whole] == [z.shape, z.shape]
    for part, expected in zip(whole, flat, strict=True):
        np.testing.assert_array_equal(part.ravel(), expected)


def test_kinks_take_the_left_slope():
    for zero in (0.0, -0.0):
        z = np.array([zero])
        assert [v[0] for v in _core.activation_values(activation("relu"), z, 2)] == [0, 0, 0]
        leaky = _core.activation_values(activation("leaky_relu"), z, 2)
        assert [v[0] for v in leaky] == [0, 0.01, 0]


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
                    reference, _, bounds = FUNCTIONS[name]
                    value, scale = reference(mp.mpf(s) * mp.mpf(argument) + mp.mpf(h))[order]
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
