"""Special arguments of the compiled activations: limits, overflow, NaN, signs, kinks."""

import math

import numpy as np
import pytest

from flowscape import _core
from flowscape.testing.activation_errors import NAMES, arguments

SMALLEST = 2.0**-1074

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


@pytest.mark.parametrize("name", sorted(ODD | {"silu", "gelu"}))
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zero_keeps_its_sign(name, zero):
    f = _core.activation_values(activation(name), np.array([zero]), 0)[0]
    assert f[0] == 0.0
    assert np.signbit(f[0]) == np.signbit(zero)


@pytest.mark.parametrize(("name", "last"), [("exp", 709.782712893384), ("sinh", 710.4758600739439)])
def test_overflow_happens_where_the_result_leaves_the_range(name, last):
    z = np.array([last, np.nextafter(last, 1e3)])
    f = _core.activation_values(activation(name), z, 0)[0]
    assert np.isfinite(f[0])
    assert f[0] > 1.797e308
    assert f[1] == np.inf


@pytest.mark.parametrize("name", NAMES)
def test_bits_depend_on_the_argument_alone(name):
    z = arguments(name, 8, seed=5)
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


def test_a_nan_hides_no_huge_argument_of_the_same_lane():
    """Vectors that are worked on together share one look at their sizes."""
    rational = activation("rational")
    for lanes in (2, 4, 8):
        for place in range(4):
            z = np.full(4 * lanes, np.nan)
            z[place * lanes : (place + 1) * lanes] = 1e300
            f, f1, f2 = _core.activation_values(rational, z, 2)
            huge = z == 1e300
            assert (f[huge] == 1e-300).all()
            assert (f1[huge] == 0.0).all()
            assert (f2[huge] == 0.0).all()
            assert np.isnan([f[~huge], f1[~huge], f2[~huge]]).all()


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
