"""Taylor coefficients of activations, against multiprecision and against each other."""

import math

import mpmath
import numpy as np
import pytest
from test_functions import EXACT

from flowscape.errors import OptionError, ProblemError
from flowscape.problem import Activation, activation

ORDER = 24
POINTS = (0.0, 0.3, -1.25, 2.5)
# Distance of the nearest singularity of those that have one.
SINGULAR = {
    "tanh": lambda h: abs(complex(h, math.pi / 2)),
    "sigmoid": lambda h: abs(complex(h, math.pi)),
    "softplus": lambda h: abs(complex(h, math.pi)),
    "silu": lambda h: abs(complex(h, math.pi)),
    "arctan": lambda h: abs(complex(h, 1)),
    "rational": lambda h: abs(complex(h, 1)),
}


def exact(name, point):
    with mpmath.workdps(60):
        return np.array([float(c) for c in mpmath.taylor(EXACT[name], point, ORDER)])


def sizes(name, point, truth):
    """Size of the coefficients of each order: that of their running maximum at the radius."""
    radius = SINGULAR[name](point) if name in SINGULAR else 1.0
    powers = radius ** np.arange(ORDER + 1.0)
    if name in SINGULAR:
        return np.maximum.accumulate(np.abs(truth) * powers) / powers
    later = np.abs(truth) + np.abs(np.append(truth[1:], 0)) + np.abs(np.append(0, truth[:-1]))
    return later


@pytest.mark.parametrize("name", sorted(EXACT))
def test_coefficients_of_every_named_function(name):
    for point in POINTS:
        truth = exact(name, point)
        computed = activation(name).taylor(ORDER, point)
        error = np.abs(computed - truth)
        assert np.all(error <= 2e-14 * sizes(name, point, truth)), (point, error)


def test_low_orders_are_value_and_derivatives():
    for name in EXACT:
        f = activation(name)
        value, first, second = f.jet(0.7)
        np.testing.assert_allclose(f.taylor(2, 0.7), [value, first, second / 2], rtol=1e-14)
        assert f.taylor(0, 0.7) == [value]


def test_sums_scales_and_shifts_are_expanded_at_the_shifted_point():
    terms = [
        {"name": "sigmoid", "c": -0.5, "s": 2.0, "h": 0.3},
        {"name": "gauss", "c": 3.0, "s": -0.5, "h": 1.0},
        {"name": "polynomial", "c": 2.0, "s": 3.0, "h": -1.0, "coefficients": [1.0, 0.0, 2.0, 5.0]},
        {"name": "const", "c": -4.0},
    ]
    found = Activation.of(terms).taylor(12, 0.4)
    with mpmath.workdps(60):

        def f(z):
            t = 3 * z - 1
            cubic = 2 * (1 + 2 * t**2 + 5 * t**3)
            bell = 3 * mpmath.exp(-((1 - z / 2) ** 2))
            return -0.5 / (1 + mpmath.exp(-(2 * z + mpmath.mpf(0.3)))) + bell + cubic - 4

        truth = np.array([float(c) for c in mpmath.taylor(f, 0.4, 12)])
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-13 * np.abs(truth).max())


def test_polynomials_end():
    assert activation("polynomial", coefficients=(1.0, 2.0, 3.0)).taylor(5).tolist() == [
        1.0, 2.0, 3.0, 0.0, 0.0, 0.0,
    ]  # fmt: skip
    assert activation("polynomial", coefficients=(1.0, 2.0, 3.0)).taylor(1, 1.0).tolist() == [6, 8]


def test_ramps_have_a_series_away_from_the_kink_only():
    assert activation("relu").taylor(3, 2.0).tolist() == [2.0, 1.0, 0.0, 0.0]
    assert activation("leaky_relu").taylor(3, -2.0).tolist() == [-0.02, 0.01, 0.0, 0.0]
    with pytest.raises(ProblemError, match="kink"):
        activation("relu", shift=1.0).taylor(3, -1.0)


@pytest.mark.parametrize("order", [-1, 1.5, 101])
def test_orders_out_of_range(order):
    with pytest.raises(OptionError, match="order="):
        activation("tanh").taylor(order)
