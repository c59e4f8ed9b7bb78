import math

import pytest

from flowscape.problem.activation import Activation, activation
from flowscape.problem.functions import NAMES
from flowscape.problem.traits import polynomial_at, traits

SINGLE = [name for name in NAMES if name not in ("polynomial", "const")]


@pytest.mark.parametrize("name", SINGLE)
def test_named_activations(name):
    found = traits(Activation.of(name))
    assert not found.is_polynomial
    assert found.is_exponential == (name == "exp")
    assert found.is_periodic == (name in ("sin", "cos"))
    assert found.has_finite_shift_span == (name in ("exp", "sinh", "sin", "cos"))
    assert found.has_kink == (name in ("relu", "leaky_relu"))


@pytest.mark.parametrize("name", ["silu", "gelu", "relu", "tanh", "erf", "sin"])
def test_a_neuron_without_weight_is_silent(name):
    assert traits(Activation.of(name)).value_at_zero == 0.0


@pytest.mark.parametrize(
    ("spec", "flag", "expected"),
    [
        ([{"name": "exp", "s": -2, "h": 3}], "is_exponential", True),
        ([{"name": "sinh", "c": 2}, {"name": "exp", "s": -1}], "is_exponential", True),
        (["exp", {"name": "const", "c": 1}], "is_exponential", False),
        (["exp", {"name": "exp", "s": 2}], "is_exponential", False),
        (["exp", "sigmoid", {"name": "sigmoid", "s": -1}], "is_exponential", False),
        (
            ["exp", "sigmoid", {"name": "sigmoid", "s": -1}, {"name": "const", "c": -1}],
            "is_exponential",
            True,
        ),
        (["sin", {"name": "cos", "s": 3}, {"name": "const", "c": 1}], "is_periodic", True),
        (["sin", "linear"], "is_periodic", False),
        (["sin", "exp"], "is_periodic", False),
        (["sin", "exp", "linear"], "has_finite_shift_span", True),
        (["sin", "tanh"], "has_finite_shift_span", False),
        (["cos", {"name": "sin", "c": -1, "h": math.pi / 2}], "is_polynomial", True),
        (["linear", {"name": "const", "c": 2}], "is_polynomial", True),
        (
            ["softplus", {"name": "softplus", "s": -1, "c": -1}, {"name": "linear", "c": -1}],
            "is_polynomial",
            True,
        ),
        (["softplus", {"name": "softplus", "s": -1}], "is_polynomial", False),
        ([{"name": "tanh", "s": 1e-9}], "is_polynomial", False),
    ],
)
def test_flags_of_sums(spec, flag, expected):
    assert getattr(traits(Activation.of(spec)), flag) is expected


def test_kinks_of_sums():
    both = Activation.of([{"name": "relu", "h": 1}, {"name": "leaky_relu", "s": -2, "h": 4}])
    assert traits(both).kinks == (-1.0, 2.0)
    assert traits(Activation.of(["relu", {"name": "relu", "s": -1, "c": -1}])).kinks == ()


def test_the_slope_assumption_of_the_theory_is_visible():
    # e^z - z is generic but has slope 0 at 0: the published assumption misses this case
    found = traits(Activation.of(["exp", {"name": "linear", "c": -1}]))
    assert found.slope_at_zero == 0.0
    assert found.value_at_zero == 1.0
    assert traits(activation("tanh", shift=0.5)).slope_at_zero == pytest.approx(
        1 - math.tanh(0.5) ** 2, rel=1e-15
    )


def test_polynomial_about_a_centre():
    act = Activation.of(
        [{"name": "polynomial", "s": 2, "coefficients": [1, 0, 3]}, {"name": "const", "c": 1}]
    )
    # 1 + 3 (2z)^2 + 1 at z = 1 + u: 14 + 24 u + 12 u^2
    assert polynomial_at(act.terms, 1.0) == [14.0, 24.0, 12.0]
