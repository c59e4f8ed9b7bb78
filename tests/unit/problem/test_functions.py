"""The slow scalar reference against 50-digit arithmetic."""

import math

import mpmath
import pytest

from flowscape.problem.functions import FUNCTIONS, KINKED, NAMES

DIGITS = 50
EXACT = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
    "erf": mpmath.erf,
    "Phi": mpmath.ncdf,
    "exp": mpmath.exp,
    "gauss": lambda z: mpmath.exp(-z * z),
    "rational": lambda z: z / (1 + z * z),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "arctan": mpmath.atan,
    "sinh": mpmath.sinh,
}
POINTS = [
    0.0,
    1e-9,
    -1e-5,
    0.1,
    -0.3,
    0.7,
    1.0,
    -1.0,
    -1.7,
    2.5,
    4.0,
    -5.5,
    9.0,
    -12.0,
    20.0,
    -30.0,
]


def test_every_smooth_name_has_an_exact_partner():
    assert set(EXACT) | set(KINKED) | {"polynomial", "const"} == set(NAMES)


@pytest.mark.parametrize("name", EXACT)
def test_value_and_derivatives(name):
    with mpmath.workdps(DIGITS):
        for z in POINTS:
            exact = [mpmath.diff(EXACT[name], mpmath.mpf(z), order) for order in range(3)]
            # a rounded argument moves exp(-z^2) by 2 z^2 eps, relative: hence the factor
            bound = 4 * 2.0**-52 * (1 + z * z) * float(sum(abs(value) for value in exact))
            for order, (value, truth) in enumerate(zip(FUNCTIONS[name](z), exact, strict=True)):
                assert abs(float(value - truth)) <= bound, (name, z, order)


@pytest.mark.parametrize(
    "name", ["tanh", "sigmoid", "softplus", "erf", "Phi", "gauss", "silu", "gelu"]
)
def test_tails_keep_their_relative_accuracy(name):
    with mpmath.workdps(400):
        z = -18.0
        for order, value in enumerate(FUNCTIONS[name](z)):
            truth = mpmath.diff(EXACT[name], mpmath.mpf(z), order)
            assert abs(float((value - truth) / truth)) <= 2.0**-52 * 4 * z * z, order


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("z", [-1e200, -800.0, 800.0, 1e200])
def test_huge_arguments_give_numbers_or_infinity_never_an_exception(name, z):
    values = FUNCTIONS[name](z)
    assert not any(math.isnan(value) for value in values)
    if name not in ("exp", "sinh"):
        assert all(math.isfinite(value) for value in values)


def test_kinks_follow_the_convention():
    assert FUNCTIONS["relu"](0.0) == (0.0, 0.0, 0.0)
    assert FUNCTIONS["leaky_relu"](0.0) == (0.0, 0.01, 0.0)
    assert FUNCTIONS["relu"](2.0) == (2.0, 1.0, 0.0)
    assert FUNCTIONS["leaky_relu"](-2.0) == (-0.02, 0.01, 0.0)
