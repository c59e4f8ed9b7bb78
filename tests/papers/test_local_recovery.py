"""The statements of the local-recovery paper: verdicts, mutations, and their page."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from flowscape.papers import Verdict, check, mutations, paper
from flowscape.papers.registry import run

NAME = "local-recovery"
PAGE = Path(__file__).parents[2] / "docs/papers/local-recovery.md"
STATEMENTS = [statement.name for statement in paper(NAME).statements]
MEASURED = [s.name for s in paper(NAME).statements if s.kind == "measured"]


@cache
def examined(statement):
    found = [c for c in check(f"{NAME}/{statement}") if c.statement == statement]
    assert len(found) == 1
    return found[0]


def rows():
    """Cells of the table of statements, without its head."""
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(r"^## Statements\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_corrected_statement_fails(statement):
    one = examined(statement)
    assert one.passed, one
    if one.kind == "measured":
        assert one.corrected is Verdict.HOLDS
        assert one.instances > 0


@pytest.mark.parametrize("statement", MEASURED)
def test_every_mutation_is_noticed(statement):
    (mutated,) = [c for c in mutations(f"{NAME}/{statement}") if c.statement == statement]
    assert mutated.corrected is Verdict.FAILS, mutated


def test_every_row_has_a_check():
    known = {statement.name: statement.kind for statement in paper(NAME).statements}
    listed = []
    for row in rows():
        name = re.fullmatch(r"`([a-z0-9-]+)`", row[1])
        assert name, f"no check: {row[0]}"
        assert known.get(name[1]) == row[2], f"{name[1]} is {known.get(name[1])}, not {row[2]}"
        listed.append(name[1])
    assert sorted(listed) == sorted(known)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[1].strip("`"))
def test_the_page_shows_the_verdicts(row):
    one = examined(row[1].strip("`"))
    assert (row[3], row[4]) == (one.printed.value, one.corrected.value)
    assert bool(row[5]) == bool(one.correction), "what is wrong belongs into the last cell"


def test_the_first_counterexample_to_lemma_3_5_is_found_by_search():
    """Four neurons, one target neuron, two blocks of two that cross; below 10 s."""
    one = examined("lemma-3-5")
    assert one.seconds < 10.0
    assert one.printed is Verdict.FAILS
    match = re.fullmatch(r"m=4, m0=1: (.*) and (.*)", one.evidence["counterexample"])
    assert match, one.evidence
    first, second = (
        [{*group.split(",")} for group in re.findall(r"{(.*?)}", name)] for name in match.groups()
    )
    assert [len(group) for group in (*first, *second)] == [2, 2, 2, 2]
    assert all(len(a & b) == 1 for a in first for b in second)


SMALL = {"fig2": {"members": 20}, "fig7": {"sets": 4}, "fig8": {"end": 20.0}, "table2": {"sets": 2}}
EXHIBITS = [one.name for one in paper(NAME).exhibits if one.name != "fig1"]  # examines everything


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_exhibits_compute_compare_and_draw(exhibit):
    pytest.importorskip("matplotlib")
    found = run(f"{NAME}/{exhibit}", **SMALL.get(exhibit, {}))
    assert found.numbers.comparison
    assert all(c.why for c in found.numbers.comparison), "what differs needs a reason"
    assert found.draw().axes


def test_figure_1_draws_every_verdict():
    pytest.importorskip("matplotlib")
    one = paper(NAME).exhibit("fig1")
    names = [f"result {i}" for i in range(5)]
    arrays = {
        "names": np.array(names),
        "place": np.arange(10.0).reshape(5, 2),
        "outcome": np.array([0, 1, 2, 3, 0]),
        "arrows": np.array([[0, 1], [3, 4]]),
    }
    texts = {text.get_text() for text in one.draw(arrays).axes[0].texts}
    assert set(names) <= texts
