"""What is refused, and that the stated relations are real."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer


def family(activation, bias):
    net = TwoLayer(1, 1, activation, bias)
    return branches(TwoLayer(3, 1, activation, bias), Teacher(net, np.ones(net.n_params)))


def test_a_constant_of_an_even_activation_needs_a_bias():
    net = TwoLayer(2, 1, "gauss", False)
    flat = Teacher(net, np.array([1.0, 0.7, 0.5, 0.0]))
    with pytest.raises(ProblemError, match="give the student an output bias"):
        branches(TwoLayer(3, 1, "gauss", False), flat)


TWO_COPIES = ["tanh", {"name": "tanh", "c": 2.0, "h": 1.0}]


@pytest.mark.parametrize(
    ("activation", "bias", "words"),
    [
        ("cos", True, "add up as phasors"),
        ("identity", True, "polynomial"),
        (["tanh", {"name": "polynomial", "coefficients": [0, 0, 1.0]}], True, "polynomials"),
        ("sin", True, r"a sin\(z \+ b\) = \(a cos b\) sin z \+ \(a sin b\) cos z"),
        ("sinh", True, "finite dimension"),
        (["relu", "tanh"], True, "kink"),
        (["tanh", "exp"], True, "cancels in pairs"),
        (TWO_COPIES, True, "shifted copies of one function"),
        ([*TWO_COPIES, "erf", {"name": "erf", "c": 3.0, "h": 2.0}], True, "not excluded"),
    ],
)
def test_unknown_relations_are_refused_by_name(activation, bias, words):
    with pytest.raises(ProblemError, match=words) as caught:
        family(activation, bias)
    assert f"bias={bias}" in str(caught.value)


@pytest.mark.parametrize(
    ("activation", "bias"),
    [
        ("exp", False),
        ("exp", True),
        ("leaky_relu", False),
        ("relu", True),
        ("sin", False),
        ("sinh", False),
        ({"name": "softplus", "h": 0.5}, False),
        ({"name": "sigmoid", "h": 0.5}, False),
        ("erf", True),
        ("gauss", True),
        ("gauss", False),
        ("cos", False),
        ("rational", True),
        ("sigmoid", True),
        ("Phi", False),
        ("softplus", True),
        ("gelu", False),
        ("silu", True),
        ("arctan", True),
        ({"name": "tanh", "h": 0.5}, True),
        ([{"name": "sigmoid", "s": 4.0}, "softplus"], True),
        (TWO_COPIES, False),
    ],
)
def test_generic_and_odd_activations_are_accepted(activation, bias):
    assert len(family(activation, bias)) > 0


def test_zeros_beside_pairs_are_refused_with_several_outputs():
    def family(name, width, *, output_bias=False, outputs=2):
        student = TwoLayer(width, 1, name, True, outputs, output_bias)
        one = TwoLayer(1, 1, name, True, outputs, output_bias)
        return branches(student, Teacher(one, np.ones(one.n_params)))

    with pytest.raises(ProblemError, match=r"silu.*vector equation.*by the zeros and by rank"):
        family("silu", 4)
    for known in (
        family("silu", 3),
        family("silu", 4, output_bias=True),
        family("silu", 4, outputs=1),
        family("softplus", 4),
    ):
        assert len(known) > 0


@pytest.mark.parametrize("weights", [(1e200, 1e200, 0.0), (1e200, 1.0, 0.0), (1.0, 1e200, 1e200)])
def test_linear_parts_that_overflow_are_refused(weights):
    net = TwoLayer(1, 1, "softplus")
    with pytest.raises(ProblemError, match="overflow"):
        branches(TwoLayer(2, 1, "softplus"), Teacher(net, np.array(weights)))


def test_two_shifted_copies_of_an_odd_function_have_a_four_neuron_relation():
    z = np.linspace(-5.0, 5.0, 101)

    def sigma(u):
        return np.tanh(u) + 2.0 * np.tanh(u + 1.0)

    zero = 2.0 * sigma(z) + sigma(z + 1.0) + sigma(-z - 1.0) + 2.0 * sigma(-z - 2.0)
    assert np.abs(zero).max() < 1e-14
    assert np.abs(sigma(z)).max() > 1.0


def test_tanh_plus_exp_has_a_six_neuron_relation():
    z = np.linspace(-2.0, 2.0, 101)

    def sigma(u):
        return np.tanh(u) + np.exp(u)

    shifts = np.array([-1.0, 0.0, 1.0])
    # cosh(z - 1) - 2 cosh(1) cosh(z) + cosh(z + 1) = 0
    weights = np.array([1.0, -2.0 * np.cosh(1.0), 1.0])
    zero = sum(a * (sigma(z + h) + sigma(-z - h)) for a, h in zip(weights, shifts, strict=True))
    assert np.abs(zero).max() < 1e-13


def test_a_shift_is_generic_without_bias_and_a_centre_with_it():
    shifted = {"name": "tanh", "h": 0.5}
    assert not family(shifted, False).setting.signed
    with_bias = family(shifted, True).setting
    assert with_bias.signed
    assert with_bias.centre == -0.5
