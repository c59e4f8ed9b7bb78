import math

import pytest

from flowscape.problem.activation import Activation, activation
from flowscape.problem.zeros import zeros

INF = math.inf


def const(value):
    return {"name": "const", "c": value}


@pytest.mark.parametrize(
    "name", ["tanh", "erf", "rational", "arctan", "sinh", "silu", "gelu", "leaky_relu", "identity"]
)
def test_one_zero_at_the_origin(name):
    found = zeros(Activation.of(name))
    assert (found.points, found.intervals, found.complete) == ((0.0,), (), True)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "Phi", "exp", "gauss"])
def test_positive_functions_have_none(name):
    found = zeros(Activation.of(name))
    assert not found
    assert found.complete


@pytest.mark.parametrize(
    ("spec", "points"),
    [
        ([{"name": "tanh", "h": 0.3}], [-0.3]),
        ([{"name": "tanh", "s": 1e3, "h": 1e4}], [-10.0]),
        ([{"name": "tanh", "s": 1e-3, "h": 2.0}], [-2000.0]),
        (["tanh", const(-0.5)], [math.atanh(0.5)]),
        (["tanh", const(1.0)], []),
        (["softplus", const(-math.log(2))], [0.0]),
        (["exp", const(-1e6)], [math.log(1e6)]),
        (["gauss", const(-0.25)], [-math.sqrt(math.log(4)), math.sqrt(math.log(4))]),
        (["gauss", {"name": "gauss", "h": -100}], []),
        ([{"name": "polynomial", "coefficients": [-6, 11, -6, 1]}], [1.0, 2.0, 3.0]),
        (["gauss", const(-1 + 1e-8)], [-1e-4, 1e-4]),
        (["relu", const(-1)], [1.0]),
        (["relu", {"name": "relu", "s": -1}, const(-1)], [-1.0, 1.0]),
        (["gauss", "relu"], []),
    ],
)
def test_isolated_zeros(spec, points):
    found = zeros(Activation.of(spec))
    assert found.points == pytest.approx(points, rel=1e-7 if 1e-4 in points else 1e-14)
    assert found.complete
    assert found.intervals == ()


def test_a_zero_is_between_neighbouring_floats():
    act = Activation.of(["silu", const(0.2)])
    found = zeros(act)
    assert len(found.points) == 2
    for z in found.points:
        below = act.jet(math.nextafter(z, -INF))[0]
        above = act.jet(math.nextafter(z, INF))[0]
        assert act.jet(z)[0] == 0.0 or below * above <= 0.0


@pytest.mark.parametrize(
    ("spec", "intervals"),
    [
        ("relu", [(-INF, 0.0)]),
        (["relu", {"name": "relu", "h": -1, "c": -1}, const(-1)], [(1.0, INF)]),
        (["sigmoid", {"name": "sigmoid", "s": -1}, const(-1)], [(-INF, INF)]),
    ],
)
def test_intervals_of_zeros(spec, intervals):
    found = zeros(Activation.of(spec))
    assert list(found.intervals) == intervals
    assert found.points == ()


def test_a_double_zero_is_not_called_certain():
    found = zeros(Activation.of(["gauss", const(-1)]))
    assert found.points == ()
    assert found.touching == pytest.approx([0.0], abs=1e-8)
    assert not found.complete
    assert "round-off" in found.note


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_oscillations_are_flagged(name):
    found = zeros(Activation.of(name))
    assert not found.complete
    assert "never end" in found.note
    offset = 0.0 if name == "sin" else 0.5
    for z in found.points:
        multiple = z / math.pi - offset
        assert multiple == pytest.approx(round(multiple), abs=1e-14)
    assert len(found.points) == {"sin": 25, "cos": 26}[name]  # |z| <= 40 = 12.73 pi


def test_shifted_softplus():
    found = zeros(activation("softplus", beta=2, minus=1.0))
    assert found.points == pytest.approx([math.log(math.expm1(2.0)) / 2], rel=1e-14)
