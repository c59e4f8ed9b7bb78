"""The statements of every paper: verdicts, mutations, and the table on the paper's page."""

import re
from pathlib import Path

import pytest

from flowscape.papers import PAPERS, Verdict, mutations, paper

PAGES = Path(__file__).parents[2] / "docs/papers"
STATEMENTS = [(name, one.name) for name in PAPERS for one in paper(name).statements]
MEASURED = [(p, s.name) for p in PAPERS for s in paper(p).statements if s.kind == "measured"]


def rows(name):
    """Rows of the table of statements: what stands under each heading, and the last cell."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    section = re.search(r"^## Statements\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(head, cells, strict=True)) | {"last": cells[-1]} for cells in body]


ROWS = [(name, row) for name in PAPERS for row in rows(name)]


@pytest.mark.parametrize(("name", "statement"), STATEMENTS)
def test_no_corrected_statement_fails(name, statement, examined):
    one = examined(name, statement)
    assert one.passed, one
    if one.kind == "measured":
        assert one.corrected is Verdict.HOLDS
        assert one.instances > 0


@pytest.mark.parametrize(("name", "statement"), MEASURED)
def test_every_mutation_is_noticed(name, statement):
    (mutated,) = (c for c in mutations(f"{name}/{statement}") if c.statement == statement)
    assert mutated.corrected is Verdict.FAILS, mutated


@pytest.mark.parametrize("name", PAPERS)
def test_every_row_has_a_check(name):
    known = {statement.name: statement.kind for statement in paper(name).statements}
    listed = []
    for row in rows(name):
        check = re.fullmatch(r"`([a-z0-9.-]+)`", row["check"])
        assert check, f"no check: {row}"
        assert known.get(check[1]) == row["kind"], f"{check[1]}: {known.get(check[1])}"
        listed.append(check[1])
    assert sorted(listed) == sorted(known)


@pytest.mark.parametrize(
    ("name", "row"), ROWS, ids=[f"{name}-{row['check'].strip('`')}" for name, row in ROWS]
)
def test_the_page_shows_the_verdicts(name, row, examined):
    one = examined(name, row["check"].strip("`"))
    assert (row["as printed"], row["as corrected"]) == (one.printed.value, one.corrected.value)
    assert bool(row["last"]) == bool(one.correction), "the last cell says what is corrected"
