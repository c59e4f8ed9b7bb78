import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscape.errors import OptionError, ProblemError, ShapeError
from flowscape.problem import toml
from flowscape.problem.activation import Activation, activation
from flowscape.problem.functions import FUNCTIONS, NAMES
from flowscape.problem.term import Term

numbers = st.floats(-5, 5).filter(lambda v: v == 0 or abs(v) > 1e-6)
factors = numbers.filter(bool)
plain = st.builds(Term, st.sampled_from(sorted(FUNCTIONS)), factors, factors, numbers)
constants = st.builds(lambda c: Term("const", c), factors)
polynomials = st.builds(
    lambda c, s, h, p: Term("polynomial", c, s, h, tuple(p)),
    factors,
    factors,
    numbers,
    st.lists(numbers, min_size=1, max_size=4),
)
terms = st.lists(st.one_of(plain, constants, polynomials), min_size=1, max_size=5)


def built(parts):
    try:
        return Activation(tuple(parts))
    except OptionError:  # all terms cancelled
        return None


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_plain_name_is_its_own_spec(name):
    assert Activation.of(name).spec() == name
    assert Activation.of([{"name": name}]) == Activation.of(name) == Activation.of(Term(name))


@given(terms)
@settings(derandomize=True, deadline=None)
def test_spec_round_trips_through_toml(parts):
    act = built(parts)
    if act is not None:
        text = toml.dumps({"activation": act.spec()})
        again = Activation.of(toml.loads(text)["activation"])
        assert again == act
        assert again.hash == act.hash


@given(terms, st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None)
def test_the_order_of_terms_does_not_matter(parts, random):
    shuffled = list(parts)
    random.shuffle(shuffled)
    assert built(parts) == built(shuffled)


@given(terms, st.floats(-3, 3))
@settings(derandomize=True, deadline=None)
def test_canonical_form_keeps_the_function(parts, z):
    act = built(parts)
    value = 0.0 if act is None else act.jet(z)[0]
    plain_sum = math.fsum(part.jet(z)[0] for part in parts)
    assert abs(value - plain_sum) <= 1e-14 * sum(part.scale(z) for part in parts)


def test_constants_merge_and_zero_terms_go():
    act = Activation.of(
        [
            {"name": "const", "c": 1.0},
            {"name": "tanh", "c": 0.0},
            {"name": "polynomial", "coefficients": [2.0, 0.0]},
            "sigmoid",
            {"name": "sigmoid", "c": 2.0, "h": -0.0},
        ]
    )
    assert act.spec() == [{"name": "sigmoid", "c": 3.0}, {"name": "const", "c": 3.0}]
    assert act.core_terms == [("sigmoid", 3.0, 1.0, 0.0, []), ("const", 3.0, 1.0, 0.0, [])]


def test_equal_terms_hash_equally_whatever_the_sign_of_zero():
    left = Activation((Term("polynomial", 1.0, 1.0, -0.0, (-0.0, 1.0)), Term("tanh", h=-0.0)))
    right = Activation.of(["identity", "tanh"])
    assert left == right
    assert left.hash == right.hash


def test_different_sums_have_different_hashes():
    specs = ["tanh", "erf", [{"name": "tanh", "c": 2}], [{"name": "tanh", "s": 2}], "identity"]
    assert len({Activation.of(spec).hash for spec in specs}) == len(specs)


@pytest.mark.parametrize("name", ["identity", "linear"])
def test_identity_is_a_polynomial(name):
    act = Activation.of(name)
    assert act.core_terms == [("polynomial", 1.0, 1.0, 0.0, [0.0, 1.0])]
    assert act.jet(3.5) == (3.5, 1.0, 0.0)


def test_polynomial_derivatives_through_scale_and_shift():
    # 2 p(3z + 1) with p = 1 + t^3, at z = 1: t = 4
    act = Activation.of([Term("polynomial", 2.0, 3.0, 1.0, (1.0, 0.0, 0.0, 1.0))])
    assert act.jet(1.0) == (2 * 65.0, 2 * 3 * 48.0, 2 * 9 * 24.0)


def test_common_activations():
    z = np.linspace(-4, 4, 33)
    softplus = np.log1p(np.exp(2 * z)) / 2
    np.testing.assert_allclose(activation("softplus", beta=2).values(z, 0)[0], softplus, rtol=4e-15)
    assert activation("softplus", minus=math.log(2)).jet(0.0)[0] == 0.0
    assert activation("tanh", shift=0.25).jet(0.5)[0] == math.tanh(0.75)
    root = math.sqrt(0.5)
    assert activation("erf", scale=root).jet(1.0)[0] == math.erf(root)
    silu = z / (1 + np.exp(-3 * z))
    np.testing.assert_allclose(activation("silu", beta=3).values(z, 0)[0], silu, rtol=4e-15)
    assert activation("tanh") == Activation.of("tanh")


def test_values_have_the_shape_of_z_and_the_asked_order():
    z = np.arange(6.0).reshape(2, 3)
    value, first = Activation.of("sin").values(z, 1)
    np.testing.assert_allclose(value, np.sin(z), rtol=1e-15)
    np.testing.assert_allclose(first, np.cos(z), rtol=1e-15)
    assert Activation.of("sin").values(0.5, 2)[0].shape == ()


def test_overflow_is_infinite_and_cancelling_overflow_is_nan():
    assert Activation.of("exp").jet(1e4)[0] == math.inf
    both = Activation.of(["exp", {"name": "exp", "c": -1.0, "s": 2.0}])
    assert math.isnan(both.jet(1e4)[0])


def test_activations_are_hashable_and_pickle():
    act = Activation.of(["tanh", {"name": "const", "c": 1.0}])
    assert {pickle.loads(pickle.dumps(act)): 1}[act] == 1
    with pytest.raises(AttributeError):
        act.terms = ()


def test_text_form():
    spec = [{"name": "sigmoid", "s": 4.0, "h": -1.0}, {"name": "const", "c": -0.5}]
    assert str(Activation.of(spec)) == "sigmoid(4 z - 1) - 0.5"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("thanh", r"activation='thanh' must be one of .* did you mean 'tanh'"),
        ([], "at least one term"),
        (3, r"activation=3 must be a name or a list of terms"),
        ([3], "must be a name or a table"),
        ([{"name": "tanh", "scale": 2}], "unknown key 'scale'"),
        ([{"c": 2}], "the key 'name' is missing"),
        ([{"name": "tanh", "c": math.nan}], r"c=nan must be a finite real number"),
        ([{"name": "tanh", "s": "2"}], r"s='2' must be a finite real number"),
        ([{"name": "tanh", "h": True}], r"h=True must be a finite real number"),
        ([{"name": "tanh", "s": 0}], r"s=0.0 must not be 0"),
        ([{"name": "tanh", "coefficients": [1]}], "only 'polynomial' has coefficients"),
        ([{"name": "identity", "coefficients": [1]}], "takes no coefficients"),
        ([{"name": "const", "c": 1, "h": 2}], "neither s nor h"),
        ([{"name": "polynomial"}], "at least one number"),
        (["tanh", {"name": "tanh", "c": -1}], "identically 0"),
    ],
)
def test_bad_specs_are_named(spec, message):
    with pytest.raises(OptionError, match=message):
        Activation.of(spec)


@pytest.mark.parametrize(("bad", "error"), [([[1]], ShapeError), ([1j], ProblemError)])
def test_bad_coefficients_are_named(bad, error):
    with pytest.raises(error, match="coefficients"):
        Term("polynomial", coefficients=bad)


@pytest.mark.parametrize(
    "options", [{"beta": 0}, {"beta": -1}, {"beta": math.inf}, {"scale": 0}, {"minus": math.nan}]
)
def test_bad_parameters_of_common_activations(options):
    with pytest.raises(OptionError):
        activation("tanh", **options)


def test_const_is_no_common_activation():
    assert "const" in NAMES
    with pytest.raises(OptionError, match="function of z"):
        activation("const")
