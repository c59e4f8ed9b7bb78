import math
from fractions import Fraction

import numpy as np
import pytest

from flowscape.errors import (
    FlowscapeError,
    InternalError,
    OptionError,
    ProblemError,
    ShapeError,
    StoreError,
    check_choice,
    check_count,
    check_flag,
    check_keys,
    check_positive,
    check_real,
    finite_array,
    float_array,
)


@pytest.mark.parametrize("error", [ShapeError, OptionError, ProblemError])
def test_misuse_is_a_value_error(error):
    assert issubclass(error, ValueError)
    assert issubclass(error, FlowscapeError)


def test_bugs_and_stores_are_no_value_errors():
    for error in (InternalError, StoreError):
        assert issubclass(error, FlowscapeError)
        assert not issubclass(error, ValueError)
    assert "please report" in str(InternalError("lost a row"))


def test_the_message_names_argument_value_rule_and_remedy():
    with pytest.raises(OptionError) as caught:
        check_count("width", 0, "give the number of hidden neurons")
    expected = "width=0 must be an integer >= 1; give the number of hidden neurons"
    assert str(caught.value) == expected


@pytest.mark.parametrize("value", [1, 7, np.int32(3), np.uint8(2)])
def test_counts(value):
    count = check_count("n", value)
    assert count == value
    assert type(count) is int


@pytest.mark.parametrize(
    "value", [0, -1, True, np.True_, 2.0, "3", None, [1], np.array(3), math.nan]
)
def test_bad_counts(value):
    with pytest.raises(OptionError, match=r"n=.* must be an integer >= 1"):
        check_count("n", value)


def test_bounds_of_counts():
    assert check_count("k", 0, minimum=0, maximum=2) == 0
    with pytest.raises(ProblemError, match=">= 0 and <= 2"):
        check_count("k", 3, minimum=0, maximum=2, error=ProblemError)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(2), Fraction(1, 3), 10**400])
def test_positive_numbers(value):
    assert check_positive("x", value, infinite=True) > 0


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "1", 1j, True, None, [1.0]])
def test_bad_positive_numbers(value):
    with pytest.raises(OptionError, match=r"x=.* must be a finite number > 0"):
        check_positive("x", value)


def test_zero_and_infinity_only_where_allowed():
    assert check_positive("x", 0, zero=True) == 0.0
    assert check_positive("x", math.inf, infinite=True) == math.inf
    for value in (math.nan, -math.inf):
        with pytest.raises(OptionError):
            check_positive("x", value, zero=True, infinite=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", 1j, True])
def test_bad_reals(value):
    with pytest.raises(OptionError, match="finite real number"):
        check_real("x", value)


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_flags_are_booleans_only(value):
    assert check_flag("bias", np.True_) is True
    with pytest.raises(OptionError, match=r"bias=.* must be true or false"):
        check_flag("bias", value)


def test_choices_suggest_the_nearest():
    assert check_choice("loss", "sum", ["sum", "mean"]) == "sum"
    with pytest.raises(OptionError, match=r"loss='maen' must be one of sum, mean, did you mean 'm"):
        check_choice("loss", "maen", ["sum", "mean"])
    with pytest.raises(OptionError):
        check_choice("loss", ["sum"], ["sum"])


def test_keys():
    assert check_keys("here", {"a": 1}, ("b",), ("a",)) == {"a": 1}
    with pytest.raises(ProblemError, match="here: unknown key 'colour', did you mean 'color'"):
        check_keys("here", {"colour": 1}, ("color",))
    with pytest.raises(ProblemError, match="here: the key 'a' is missing"):
        check_keys("here", {"b": 1}, ("b",), ("a",))
    with pytest.raises(ProblemError, match="must be a table"):
        check_keys("here", [1], ("b",))


def test_arrays_are_float64_contiguous_and_not_copied_without_need():
    original = np.arange(6.0).reshape(2, 3)
    assert float_array("x", original) is original
    turned = float_array("x", original.T)
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, original.T)
    assert float_array("x", [1, 2]).dtype == np.float64
    assert float_array("x", 3).shape == ()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([1j], ProblemError),
        ([None, 1.0], ProblemError),
        (["1"], ProblemError),
        ([True], ProblemError),
        ([[1.0], [1.0, 2.0]], ShapeError),
        ([math.nan], ProblemError),
        ([math.inf], ProblemError),
        ([[1.0]], ShapeError),
        (1.0, ShapeError),
    ],
)
def test_bad_arrays(value, error):
    with pytest.raises(error, match=r"^x"):
        finite_array("x", value, ("N",))


def test_the_first_bad_element_is_named():
    with pytest.raises(ProblemError, match=r"x\[1, 0\]=nan must be finite"):
        finite_array("x", [[1.0, 2.0], [math.nan, math.inf]])


def test_one_letter_is_one_size():
    square = ("P", "P")
    assert finite_array("h", np.eye(2), square).shape == (2, 2)
    with pytest.raises(ShapeError, match=r"h has shape \(2, 3\) and must have shape \(P, P\)"):
        finite_array("h", np.ones((2, 3)), square)


def test_several_shapes_are_listed():
    with pytest.raises(ShapeError, match=r"must have shape \(3,\) or \(B, 3\); give three"):
        float_array("t", [1.0], (3,), ("B", 3), remedy="give three")
