"""Plain-text tables."""

import re

import numpy as np
import pytest

from flowscape.report import branch_table, outcome_table, summary
from flowscape.report.text import align, percent, short
from flowscape.status import Kind, Status
from flowscape.sweep import Study


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0, "·"), (1.0, "100%"), (1e-5, "<1%"), (0.99999, "99%"), (0.25, "25%"), (0.01, "1%")],
)
def test_percentages_never_round_a_rare_run_away(fraction, text):
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.21e-15, "3.2e-15"), (0.25, "2.5e-1"), (1.25, "1.2"), (float("nan"), "-"), (3e7, "3.0e+7")],
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_columns_are_aligned():
    lines = align([["a", "n"], ["heading across"], ["bbb", "10"]])
    assert lines == ["a     n", "heading across", "bbb  10"]


def rows_of(text, label):
    return [line for line in text.splitlines() if line.strip().startswith(label)]


def test_the_summary_stands_next_to_the_branch_numbers(result):
    text = summary(result)
    first = rows_of(text, "Q2 ")[0].split()
    assert first[1:6] == ["2", "4", "1", "3", "4"]  # dim, codim, deficient, optimistic, separation
    column = [v.label for v in result.verdicts].index("Q2")
    pooled = [o for o in result.outcomes(pooled=True) if o.scale == result.study.scales[0]]
    assert first[6:] == [percent(o.fractions[column]) for o in pooled]


def test_the_summary_counts_unresolved_runs(result):
    counted = [
        int(cell.replace("·", "0"))
        for line in rows_of(summary(result), "unresolved runs")
        for cell in line.split()[2:]
    ]
    assert sum(counted) == int((result.runs["kind"] == Kind.UNRESOLVED).sum())


def test_the_summary_says_how_the_flows_of_unresolved_runs_ended(result):
    open_runs = np.flatnonzero(result.runs["kind"] == Kind.UNRESOLVED)
    result.runs["status"][open_runs[:2]] = Status.STEP_LIMIT
    line = rows_of(summary(result), "the flows of unresolved runs ended")[0]
    assert line.endswith(f"{len(open_runs) - 2} converged, 2 step limit")
    result.runs["kind"][open_runs] = Kind.IMPERFECT
    assert rows_of(summary(result), "the flows of") == []


def test_the_summary_of_the_packaged_study_fits_a_screen(make_result):
    study = Study.packaged("two-tanh-neurons").with_seeds(2)
    lines = summary(make_result(study, kinds=(0, 0, 1), branches=(0, 1, -1))).splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100


def test_the_outcome_table_has_a_row_per_setting(result):
    lines = outcome_table(result).splitlines()
    assert len(lines) == 1 + 2 * 3 * 2
    worst = result.outcomes()[-1].worst_error
    assert lines[-1].endswith(short(worst))


def test_the_branch_table_lists_every_branch(result):
    text = branch_table(result.branches)
    for row in result.branches:
        line = rows_of(text, f"{row.name} ")[0]
        assert row.neurons in line
        assert re.findall(r"\d+", line)[-1] == str(row.sets)


def test_without_branches_there_are_no_branch_columns(content, write_study, points, make_result):
    del content["teacher"], content["samples"]
    content["data"] = {"file": "points.csv", "inputs": ["x"], "targets": ["y"]}
    study = Study.from_toml(write_study(content))
    text = summary(make_result(study, kinds=(2, 3), branches=(-1, -1)))
    assert "codim" not in text
    assert "error" not in text
    assert rows_of(text, "zero loss")


def test_errors_without_value_are_dashes(study, make_result):
    result = make_result(study)
    result.runs["generalization_error"][:] = np.nan
    assert rows_of(summary(result), "median error")[0].split()[2:] == ["-", "-"]
