"""The statements of the single-neuron-target paper: verdicts, mutations, and their page."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.papers import Verdict, check, mutations, paper, run
from flowscape.papers.folder import write
from flowscape.papers.single_neuron_target.separation import separated_q1, separated_q2
from flowscape.papers.single_neuron_target.setting import (
    example_1,
    gaussian_inputs,
    single_neuron,
)

NAME = "single-neuron-target"
PAGE = Path(__file__).parents[2] / "docs/papers/single-neuron-target.md"
STATEMENTS = [statement.name for statement in paper(NAME).statements]
STUDENT = example_1(np.zeros(1)).net
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
        name = re.fullmatch(r"`([a-z0-9.-]+)`", row[2])
        assert name, f"no check: {row[0]}, {row[1]}"
        assert known.get(name[1]) == row[3], f"{name[1]} is {known.get(name[1])}, not {row[3]}"
        listed.append(name[1])
    assert sorted(listed) == sorted(known)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[2].strip("`"))
def test_the_page_shows_the_verdicts(row):
    one = examined(row[2].strip("`"))
    assert (row[4], row[5]) == (one.printed.value, one.corrected.value)
    assert bool(row[6]) == bool(one.correction), "the last cell says what is corrected"


# Small versions; what is drawn and compared is the same.
SMALL = {
    "table1": {"sample_sets": 2, "starts": 4},
    "fig1": {"seeds": 2, "trials": 1},
    "fig2": {"points": 60},
    "fig3": {"seeds": 8, "steps": 2000, "grid": 4},
    "fig4": {"seeds": 2, "ratios": 5, "intervals": False},
    "fig5": {"width": 30, "steps": 2000, "points": 60},
    "fig6": {"widths": (2, 20)},
    "fig7": {"inputs": 12, "n": 20, "steps": 200},
    "fig8": {"count": 9},
    "fig9": {"seeds": 1, "count": 5},
    "fig10": {"seeds": 1, "count": 5},
    "fig11": {"seeds": 1, "ratios": 3, "steps": (2000, 1000)},
}


def test_every_exhibit_has_a_small_version():
    assert sorted(SMALL) == sorted(exhibit.name for exhibit in paper(NAME).exhibits)


@pytest.mark.parametrize("name", SMALL)
def test_exhibits_write_picture_numbers_and_comparison(name, tmp_path):
    result = run(f"{NAME}/{name}", **SMALL[name])
    assert len(result.numbers.comparison) >= 2
    for row in result.numbers.comparison:
        assert row.quantity
        assert row.paper
        assert row.flowscape
        assert row.why
    files = write(result, tmp_path / name).files
    assert {"comparison.md", "data.npz", f"{name}.png", "manifest.json"} <= set(files)
    assert (tmp_path / name / f"{name}.png").stat().st_size > 20_000


def test_curves_of_one_ratio_coincide():
    arrays = run(f"{NAME}/fig2", points=60).numbers.arrays
    gaps = np.abs(arrays["flows"] - arrays["limit"]).max(axis=(1, 2))
    assert (np.diff(gaps) < 0).all()
    assert gaps[-1] < 1e-6


def test_the_separation_by_hand_agrees_with_the_branches():
    q1, q2 = (orbit.representative for orbit in branches(STUDENT, single_neuron()).orbits()[:2])
    for n in (3, 4, 5, 6):
        for seed in range(5):
            x = gaussian_inputs(n, seed)
            for branch, by_hand in ((q1, separated_q1(x)), (q2, separated_q2(x, 0.3, -0.7))):
                assert (branch.separation(x[:, None]).verdict.name == "SEPARATED") == by_hand
