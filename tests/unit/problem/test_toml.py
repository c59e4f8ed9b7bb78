import math
import struct
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscape.errors import ProblemError
from flowscape.problem.toml import dumps, loads, read_toml

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    text,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


def same(left, right):
    """Return whether two trees are equal, types and signs of zero included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    return left == right


def tables_last(tree):
    """Return the tree in the order in which TOML has to write it."""
    if isinstance(tree, list):
        return [tables_last(item) for item in tree]
    if not isinstance(tree, dict):
        return tree

    def is_table(value):
        listed = isinstance(value, list) and value and all(isinstance(v, dict) for v in value)
        return isinstance(value, dict) or bool(listed)

    return {k: tables_last(tree[k]) for k in sorted(tree, key=lambda k: is_table(tree[k]))}


@given(st.dictionaries(text, values, max_size=5))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_every_tree_comes_back(tree):
    expected = tables_last(tree)
    assert same(tables_last(loads(dumps(tree))), expected)


@given(st.floats(allow_nan=False))
@settings(derandomize=True, deadline=None)
def test_floats_come_back_bit_by_bit(value):
    assert same(loads(dumps({"x": value})), {"x": value})


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, 5e-324, 1e16, 1e22, 0.1])
def test_special_floats(value):
    assert same(loads(dumps({"x": value})), {"x": value})


def test_nan():
    assert math.isnan(loads(dumps({"x": math.nan}))["x"])


def test_layout():
    tree = {
        "net": {"terms": [{"name": "a"}, {"name": "b"}], "w": 2, "deep er": {"k": []}},
        "title": 'a "quote"\n',
        "empty": {},
        "mixed": [1, {"a": 1.5}],
    }
    assert dumps(tree) == (
        'title = "a \\"quote\\"\\n"\n'
        "mixed = [1, { a = 1.5 }]\n"
        "\n[net]\nw = 2\n"
        '\n[[net.terms]]\nname = "a"\n\n[[net.terms]]\nname = "b"\n'
        '\n[net."deep er"]\nk = []\n'
        "\n[empty]\n"
    )
    assert tomllib.loads(dumps(tree)) == tree
    assert dumps({}) == ""


def test_numpy_values_are_written_as_what_they_hold():
    tree = {"x": np.array([[1.0, 0.1]]), "n": np.int64(3), "t": np.float32(0.5), "f": np.True_}
    assert loads(dumps(tree)) == {"x": [[1.0, 0.1]], "n": 3, "t": 0.5, "f": True}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": {"b": None}}, r"a\.b=None has no form in TOML; leave the key out"),
        ({"a": 2**63}, "a=9223372036854775808 must fit in 64 bits"),
        ({"a": 1j}, "a=1j has no form in TOML"),
        ({1: 2}, "the key 1 in the top table must be a string"),
        ({"a": [{1: 2}, 3]}, "the key 1 in a must be a string"),
        ({"a": "\ud800"}, "must be valid Unicode"),
    ],
)
def test_what_toml_cannot_hold(tree, message):
    with pytest.raises(ProblemError, match=message):
        dumps(tree)


def test_errors_name_file_line_and_column(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text("a = 1\nb = = 2\n")
    with pytest.raises(ProblemError, match=r"study\.toml is not valid TOML.*line 2, column 5"):
        read_toml(path)
    with pytest.raises(ProblemError, match=r"twice is not valid TOML.*line 2"):
        loads("a = 1\na = 2\n", "twice")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ProblemError, match=r"absent\.toml cannot be read: No such file"):
        read_toml(tmp_path / "absent.toml")
    with pytest.raises(ProblemError, match="cannot be read"):
        read_toml(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'a = "\xe9"\n')
    with pytest.raises(ProblemError, match=r"latin\.toml .* byte 5 is not UTF-8"):
        read_toml(latin)


def test_a_file_comes_back(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(dumps({"ä": "ö", "x": [0.1]}), encoding="utf-8")
    assert read_toml(path) == {"ä": "ö", "x": [0.1]}
