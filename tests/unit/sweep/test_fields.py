"""Reading the tables of a study file."""

import pytest

from flowscape.errors import OptionError
from flowscape.sweep.fields import Table


def table(**content):
    return Table(content, "study.toml", "init")


@pytest.mark.parametrize(
    ("read", "content", "words"),
    [
        (lambda t: t.count("n"), {"n": 0}, "n=0 must be an integer >= 1"),
        (lambda t: t.count("n"), {"n": True}, "n=True must be an integer"),
        (lambda t: t.count("n"), {}, "n is missing"),
        (lambda t: t.counts("n"), {"n": [2, 0]}, "n[1]=0 must be an integer >= 1"),
        (lambda t: t.counts("n"), {"n": [2, 2]}, "twice"),
        (lambda t: t.counts("n"), {"n": []}, "is empty"),
        (lambda t: t.positive("x"), {"x": -1e-6}, "x=-1e-06 must be a finite number > 0"),
        (lambda t: t.positive("x"), {"x": float("nan")}, "x=nan must be a finite number > 0"),
        (lambda t: t.positive("x"), {"x": float("inf")}, "x=inf must be a finite number > 0"),
        (lambda t: t.positives("x"), {"x": [1.0, -1.0]}, "x[1]=-1.0 must be"),
        (lambda t: t.positives("x"), {"x": "1"}, "x[0]='1' must be"),
        (lambda t: t.real("x"), {"x": "high"}, "x='high' must be a finite real number"),
        (lambda t: t.flag("b"), {"b": 1}, "b=1 must be true or false"),
        (lambda t: t.text("s"), {"s": 3}, "s=3 must be a text"),
        (lambda t: t.text("s", choices=("sum", "mean")), {"s": "men"}, "did you mean 'mean'"),
        (lambda t: t.names("c"), {"c": [1]}, "c=[1] must be a list of texts"),
        (lambda t: t.tables("sets"), {"sets": []}, "sets=[] must be an array of tables"),
    ],
)
def test_a_wrong_value_names_file_table_key_value_and_rule(read, content, words):
    with pytest.raises(OptionError) as caught:
        read(table(**content))
    assert str(caught.value).startswith("study.toml: [init] ")
    assert words in str(caught.value)


def test_absent_keys_give_the_default_unchecked():
    empty = table()
    assert empty.count("n", None) is None
    assert empty.positive("x", 3.0) == 3.0
    assert empty.names("c") == ()
    assert empty.array("a") is None


def test_one_value_stands_for_a_list_of_one():
    assert table(n=4).counts("n") == (4,)
    assert table(x=0.5).positives("x") == (0.5,)
    assert table(c="x").names("c") == ("x",)


def test_finish_names_the_nearest_key():
    reader = table(seed=3, seeds=2)
    reader.count("seeds")
    with pytest.raises(OptionError, match=r"study.toml: \[init\].*'seed'.*did you mean 'seeds'"):
        reader.finish()


def test_finish_accepts_what_was_read():
    reader = table(seeds=2)
    reader.count("seeds")
    reader.finish()


def test_a_table_must_be_a_table():
    with pytest.raises(OptionError, match=r"init=3 must be a table"):
        Table({"init": 3}, "study.toml").table("init")
