"""Checks, statements, exhibits and their files, on a paper invented for the purpose."""

import json

import numpy as np
import pytest

from flowscape.errors import InternalError, OptionError, StoreError
from flowscape.papers import (
    Comparison,
    Exhibit,
    Finding,
    Numbers,
    Paper,
    Statements,
    Verdict,
    check,
    checks,
    mutations,
    paper,
    registry,
    run,
)
from flowscape.papers.finding import between, compare, search
from flowscape.papers.folder import comparison_text, write


def invented():
    statements = Statements()

    @statements.measured(
        "sum-two", "Eq. 1", "1 + 1 = 2", mutation={"one": 1.5}, mutation_says="1.5 for 1"
    )
    def sum_two(one=1.0):
        return compare(2.0, one + 1.0, 1e-12, instances=1)

    @statements.measured(
        "sum-three",
        "Eq. 2",
        "1 + 2 = 4",
        correction="1 + 2 = 3",
        mutation={"right": 5.0},
        mutation_says="5",
    )
    def sum_three(right=3.0):
        return compare(right, 3.0, 0.0, instances=2, printed=Verdict.FAILS, gap=1.0)

    @statements.searched("odd", "p. 3", "every number is even")
    def odd():
        return search(sum(n % 2 for n in range(4)), 4, looked_for="odd number")

    statements.cited("axiom", "p. 1", "numbers exist", used="everywhere")

    def compute(*, n_threads=None, size=3):
        values = np.arange(float(size))
        same = Comparison.of("size", "3", str(size), agrees=size == 3, why="asked for | others")
        return Numbers({"values": values}, [same], {"value": values.tolist()})

    def draw(arrays):
        from flowscape.report import style

        fig = style.new_figure(3, 2)
        fig.add_subplot().plot(arrays["values"])
        return fig

    return Paper("invented", "Sums", statements, (Exhibit("fig1", "A line", compute, draw, "ab"),))


@pytest.fixture(autouse=True)
def the_paper(monkeypatch):
    monkeypatch.setitem(registry._HOMES, "invented", "invented_paper")
    module = type("module", (), {"PAPER": invented()})
    monkeypatch.setitem(__import__("sys").modules, "invented_paper", module)


def test_a_name_selects_statements():
    assert [c.statement for c in check("invented")] == ["sum-two", "sum-three", "odd", "axiom"]
    assert [c.statement for c in check("invented/sum")] == ["sum-two", "sum-three"]
    assert [c.statement for c in check("invented/sum-three")] == ["sum-three"]


@pytest.mark.parametrize("name", ["invented/su", "invented/sum-t", "invented/x", "invent", "", "/"])
def test_unknown_names_are_refused(name):
    with pytest.raises(OptionError, match="is unknown"):
        check(name)


def test_a_name_must_be_a_string():
    with pytest.raises(OptionError, match="must be a string"):
        check(3)


def test_verdicts_as_printed_and_as_corrected():
    two, three, odd, axiom = check("invented")
    assert (two.printed, two.corrected, two.passed) == (Verdict.HOLDS, Verdict.HOLDS, True)
    assert (three.printed, three.corrected, three.passed) == (Verdict.FAILS, Verdict.HOLDS, True)
    assert three.evidence == {"gap": 1.0}
    assert (odd.corrected, odd.passed, odd.measured) == (Verdict.FAILS, False, "2 of 4")
    assert (axiom.corrected, axiom.passed) == (Verdict.CITED, True)


def test_mutations_are_those_of_the_measured_statements():
    assert [(c.statement, c.corrected) for c in mutations("invented")] == [
        ("sum-two", Verdict.FAILS),
        ("sum-three", Verdict.FAILS),
    ]


def test_checks_are_made_one_by_one():
    assert next(checks("invented")).statement == "sum-two"


def test_a_number_that_is_not_finite_decides_nothing():
    assert compare(1.0, np.nan, 1.0, instances=1).corrected is Verdict.UNDECIDED
    assert between(0.0, np.inf, np.inf, instances=1).corrected is Verdict.UNDECIDED
    assert between(0.0, -1.0, np.inf, instances=1).corrected is Verdict.FAILS
    assert between(0.0, 0.0, 1.0, instances=1).corrected is Verdict.HOLDS


def test_a_statement_is_declared_properly():
    statements = Statements()
    with pytest.raises(InternalError, match="mutation"):
        statements.measured("a", "", "", mutation={}, mutation_says="")(lambda: None)
    add = statements.searched("a", "", "")
    add(lambda: Finding("", "", 0.0, 1, Verdict.UNREFUTED, Verdict.FAILS))
    with pytest.raises(InternalError, match="twice"):
        add(lambda: None)
    (only,) = statements
    with pytest.raises(InternalError, match="no correction"):
        only.check("p")


def test_an_exhibit_is_run_by_its_name_or_a_panel():
    result = run("invented/fig1", size=4)
    assert result.numbers.arrays["values"].tolist() == [0, 1, 2, 3]
    assert result.options == {"size": 4}
    assert run("invented/fig1b").numbers.comparison[0].why == "agree"
    for name in ("invented/fig1c", "invented/fig", "invented"):
        with pytest.raises(OptionError):
            run(name)
    assert paper("invented").exhibit("fig1a").name == "fig1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sise": 3}, "fig1 has no option 'sise', did you mean 'size'.; its options are size"),
        ({"size": 0}, "size=0 must be an integer >= 1"),
        ({"size": 2.5}, "size=2.5 must be an integer"),
        ({"n_threads": 0}, "n_threads=0 must be an integer >= 1"),
    ],
)
def test_wrong_options_of_an_exhibit(options, message):
    with pytest.raises(OptionError, match=message):
        run("invented/fig1", **options)


def test_a_paper_is_found_by_a_string():
    with pytest.raises(OptionError, match="is unknown"):
        paper(["invented"])


def test_columns_of_a_table_have_one_length():
    with pytest.raises(InternalError, match="lengths"):
        Numbers({}, [], {"a": [1], "b": []})


def test_files_are_written_whole(tmp_path):
    result = run("invented/fig1", size=4)
    files = write(result, tmp_path / "out")
    assert files.files == ("comparison.md", "data.npz", "fig1.png", "manifest.json", "table.csv")
    with np.load(tmp_path / "out/data.npz") as data:
        assert data["values"].tolist() == [0, 1, 2, 3]
    assert (tmp_path / "out/table.csv").read_text().splitlines()[0] == "value"
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert (manifest["exhibit"], manifest["options"]) == ("fig1", {"size": 4})
    with pytest.raises(StoreError, match="exists"):
        write(result, tmp_path / "out")
    write(result, tmp_path / "out", force=True, draw=False)
    assert not (tmp_path / "out/fig1.png").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_matplotlib_pictures_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr("flowscape.papers.folder.available", lambda: False)
    files = write(run("invented/fig1"), tmp_path / "out")
    assert files.skipped == ("fig1.png",)
    assert "fig1.png" not in files.files


def test_the_comparison_is_a_table_with_three_answers():
    text = comparison_text(run("invented/fig1", size=4))
    assert "| quantity | paper | Flowscape | why they differ |" in text
    assert "| size | 3 | 4 | asked for \\| others |" in text
    assert "Options: size=4." in text
