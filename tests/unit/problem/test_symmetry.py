"""The computed symmetry class against the table of the theory, and against the identities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscape.problem.activation import Activation, activation
from flowscape.problem.symmetry import Symmetry, SymmetryClass, symmetry
from flowscape.problem.term import Term

C = SymmetryClass
TABLE = {
    "tanh": Symmetry(C.ODD),
    "erf": Symmetry(C.ODD),
    "rational": Symmetry(C.ODD),
    "sin": Symmetry(C.ODD),
    "arctan": Symmetry(C.ODD),
    "sinh": Symmetry(C.ODD),
    "gauss": Symmetry(C.EVEN),
    "cos": Symmetry(C.EVEN),
    "sigmoid": Symmetry(C.ODD_PLUS_CONSTANT, constant=0.5),
    "Phi": Symmetry(C.ODD_PLUS_CONSTANT, constant=0.5),
    "softplus": Symmetry(C.EVEN_PLUS_LINEAR, slope=0.5),
    "silu": Symmetry(C.EVEN_PLUS_LINEAR, slope=0.5),
    "gelu": Symmetry(C.EVEN_PLUS_LINEAR, slope=0.5),
    "relu": Symmetry(C.HOMOGENEOUS, slope=0.5),
    "leaky_relu": Symmetry(C.HOMOGENEOUS, slope=0.505),
    "identity": Symmetry(C.POLYNOMIAL),
    "exp": Symmetry(C.GENERIC),
}
SQUARE = {"name": "polynomial", "coefficients": [0, 0, 1]}
CUBE = {"name": "polynomial", "coefficients": [0, 0, 0, 1]}
LINE = {"name": "polynomial", "coefficients": [0, 1]}


def mirrored(*names, c=-1.0):
    """Return sum sigma(z) + c sigma(-z)."""
    return [term for name in names for term in (name, {"name": name, "s": -1.0, "c": c})]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", TABLE)
def test_named_activations(name, bias):
    assert symmetry(Activation.of(name), bias) == TABLE[name]


@pytest.mark.parametrize("eps", [1e-12, 1e-6, 0.1, 1.0, -2.5])
@pytest.mark.parametrize("name", ["tanh", "erf", "sigmoid", "softplus", "silu", "gelu", "gauss"])
def test_a_shift_breaks_the_symmetry_without_bias_and_moves_it_with(name, eps):
    shifted = activation(name, shift=eps)
    assert symmetry(shifted, bias=False) == Symmetry(C.GENERIC)
    found, original = symmetry(shifted, bias=True), TABLE[name]
    assert found.kind == original.kind
    assert found.centre == -eps
    assert (found.constant, found.slope) == pytest.approx((original.constant, original.slope))


@pytest.mark.parametrize(
    ("spec", "without", "with_bias"),
    [
        ([{"name": "sigmoid", "s": 4}, "softplus"], C.GENERIC, C.GENERIC),
        (["tanh", "gauss"], C.GENERIC, C.GENERIC),
        (["tanh", "erf", LINE, CUBE], C.ODD, C.ODD),
        (["gauss", "cos", SQUARE, {"name": "const", "c": 3}], C.EVEN, C.EVEN),
        (["sigmoid", {"name": "const", "c": -0.5}], C.ODD, C.ODD),
        (["tanh", {"name": "const", "c": 0.3}], C.ODD_PLUS_CONSTANT, C.ODD_PLUS_CONSTANT),
        (["softplus", {"name": "polynomial", "c": -0.5, "coefficients": [0, 1]}], C.EVEN, C.EVEN),
        (["gauss", LINE], C.EVEN_PLUS_LINEAR, C.EVEN_PLUS_LINEAR),
        (["silu", "gelu", "softplus"], C.EVEN_PLUS_LINEAR, C.EVEN_PLUS_LINEAR),
        (["tanh", SQUARE], C.ODD_PLUS_POLYNOMIAL, C.ODD_PLUS_POLYNOMIAL),
        (["softplus", CUBE], C.EVEN_PLUS_POLYNOMIAL, C.EVEN_PLUS_POLYNOMIAL),
        (mirrored("softplus"), C.POLYNOMIAL, C.POLYNOMIAL),
        (mirrored("silu", "gelu"), C.POLYNOMIAL, C.POLYNOMIAL),
        (mirrored("sigmoid", c=1.0), C.POLYNOMIAL, C.POLYNOMIAL),
        (mirrored("relu"), C.POLYNOMIAL, C.POLYNOMIAL),
        (mirrored("relu", c=1.0), C.HOMOGENEOUS, C.HOMOGENEOUS),
        (["relu", {"name": "const", "c": 1}], C.EVEN_PLUS_LINEAR, C.EVEN_PLUS_LINEAR),
        (["sigmoid", {"name": "tanh", "c": -0.5, "s": 0.5}], C.POLYNOMIAL, C.POLYNOMIAL),
        (["exp", {"name": "exp", "s": -1}], C.EVEN, C.EVEN),
        (["exp", {"name": "exp", "s": -1, "c": -1}, SQUARE], *[C.ODD_PLUS_POLYNOMIAL] * 2),
        ([{"name": "sinh", "c": 2}, {"name": "exp", "s": -1}], C.GENERIC, C.GENERIC),
        ([{"name": "relu", "h": -1}], C.GENERIC, C.HOMOGENEOUS),
        (["tanh", {"name": "tanh", "h": 2}], C.GENERIC, C.ODD),
        ([{"name": "gauss", "h": 2}, SQUARE], C.GENERIC, C.EVEN_PLUS_LINEAR),
        ([{"name": "tanh", "s": 1e-6}, "exp"], C.GENERIC, C.GENERIC),
        ([{"name": "tanh", "c": 1e-9}, "gauss"], C.GENERIC, C.GENERIC),
        ([{"name": "exp", "h": 1000.0}], C.GENERIC, C.GENERIC),
        ([{"name": "exp", "h": -1000.0}], C.GENERIC, C.GENERIC),
    ],
)
def test_sums(spec, without, with_bias):
    act = Activation.of(spec)
    assert symmetry(act, bias=False).kind == without
    assert symmetry(act, bias=True).kind == with_bias


@pytest.mark.parametrize(
    ("spec", "kind", "centre"),
    [
        ([{"name": "exp", "c": 2}, {"name": "exp", "c": 3, "s": -1}], C.EVEN, math.log(1.5) / 2),
        ([{"name": "gauss", "h": -1}, {"name": "gauss", "h": -3}], C.EVEN, 2.0),
        (["tanh", {"name": "tanh", "h": -1}, {"name": "tanh", "h": -2}], C.ODD, 1.0),
        (["softplus", {"name": "softplus", "s": -1, "h": 2}], C.EVEN, 1.0),
        ([{"name": "sin", "h": -0.3}], C.ODD, 0.3),
        ([{"name": "sin", "s": 2.0, "h": 1.5}], C.EVEN, 0.25 * math.pi - 0.75),
    ],
)
def test_centres_of_sums(spec, kind, centre):
    found = symmetry(Activation.of(spec), bias=True)
    assert found.kind == kind
    assert found.centre == pytest.approx(centre, abs=1e-14)


smooth = st.sampled_from([n for n in sorted(TABLE) if n not in ("identity", "exp")])


@given(
    name=smooth,
    c=st.floats(0.1, 10),
    s=st.floats(0.1, 10) | st.floats(-10, -0.1),
    h=st.floats(-10, 10),
    lift=st.floats(-3, 3),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_the_reported_identity_holds(name, c, s, h, lift):
    act = Activation((Term(name, c, s, h), Term("const", lift)))
    found = symmetry(act, bias=True)
    u = np.linspace(-6, 6, 31) / abs(s)
    (right,), (left,) = act.values(found.centre + u, 0), act.values(found.centre - u, 0)
    bound = 1e-13 * (1 + np.abs(right) + np.abs(left)) * (1 + abs(h))
    if found.kind in (C.ODD, C.ODD_PLUS_CONSTANT):
        assert (np.abs(right + left - 2 * found.constant) <= bound).all()
    else:
        assert found.kind in (C.EVEN, C.EVEN_PLUS_LINEAR, C.HOMOGENEOUS)
        assert (np.abs(right - left - 2 * found.slope * u) <= bound).all()


@given(st.lists(st.sampled_from(["tanh", "erf", "arctan", "rational"]), min_size=1, max_size=3))
@settings(derandomize=True, deadline=None)
def test_sums_of_odd_terms_are_odd_until_an_even_one_comes(names):
    parts = [Term(name, 1.0 + i, 0.5 + i) for i, name in enumerate(names)]
    assert symmetry(Activation(tuple(parts)), bias=False).kind is C.ODD
    spoiled = Activation((*parts, Term("gauss", 1e-10)))
    assert symmetry(spoiled, bias=False).kind is C.GENERIC
