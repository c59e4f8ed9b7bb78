"""The statements of the local-recovery paper: verdicts, mutations, and their page."""

import re
import time
from functools import cache
from pathlib import Path

import pytest

from flowscape.papers import Verdict, check, mutations, paper

NAME = "local-recovery"
PAGE = Path(__file__).parents[2] / "docs/papers/local-recovery.md"
STATEMENTS = list(paper(NAME).statements)


@cache
def examined(statement):
    (found,) = [c for c in check(f"{NAME}/{statement}") if c.statement == statement]
    return found


def rows():
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("statement", [s.name for s in STATEMENTS])
def test_no_corrected_statement_fails(statement):
    one = examined(statement)
    assert one.passed, one
    if one.kind == "measured":
        assert one.corrected is Verdict.HOLDS
        assert one.instances > 0


@pytest.mark.parametrize("statement", [s.name for s in STATEMENTS if s.kind == "measured"])
def test_every_mutation_is_noticed(statement):
    (mutated,) = [c for c in mutations(f"{NAME}/{statement}") if c.statement == statement]
    assert mutated.corrected is Verdict.FAILS, mutated


def test_every_row_has_a_check_and_every_check_a_row():
    assert [row[1].strip("`") for row in rows()] == [s.name for s in STATEMENTS]
    assert [row[2] for row in rows()] == [s.kind for s in STATEMENTS]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[1].strip("`"))
def test_the_page_shows_the_verdicts(row):
    one = examined(row[1].strip("`"))
    assert (row[3], row[4]) == (one.printed.value, one.corrected.value)
    assert bool(row[5]) == bool(one.correction), "what is wrong belongs into the last cell"


def test_the_first_counterexample_to_lemma_3_5_is_found_by_search():
    """Four neurons, one target neuron, blocks {1,2|3,4} and {1,3|2,4} up to names; below 10 s."""
    begin = time.perf_counter()
    (found,) = check(f"{NAME}/lemma-3-5")
    assert time.perf_counter() - begin < 10.0
    assert found.printed is Verdict.FAILS
    pattern = r"m=4, m0=1: (.*) and (.*): 1 weights, not 0"
    match = re.fullmatch(pattern, found.evidence["first"])
    assert match, found.evidence
    sizes = [
        sorted(len(g.split(",")) for g in re.findall(r"{(.*?)}", name)) for name in match.groups()
    ]
    assert sizes == [[2, 2], [2, 2]]
