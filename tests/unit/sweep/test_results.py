"""Outcomes counted from the runs."""

import numpy as np
import pytest

from flowscape.status import Kind
from flowscape.sweep import Study


def test_the_branch_table_of_two_tanh_neurons(result):
    rows = {row.name: row for row in result.branches}
    assert set(rows) == {"Q1", "Q2", "Q1c"}
    assert [rows[q].dim for q in ("Q1", "Q2", "Q1c")] == [1, 2, 1]
    assert [rows[q].separation for q in ("Q1", "Q2", "Q1c")] == [5, 4, 5]
    assert sum(row.sets for row in rows.values()) == 12
    assert {row.optimistic for row in rows.values()} == {3}


def test_outcomes_are_what_a_loop_counts(result):
    runs = result.runs
    for outcome in result.outcomes():
        position = [s.name for s in result.study.sample_sets].index(outcome.sample_set)
        rows = [
            i
            for i in range(result.study.runs)
            if runs["size"][i] == outcome.size
            and runs["sample_set"][i] == position
            and runs["scale"][i] == outcome.scale
        ]
        assert outcome.runs == len(rows) == result.study.seeds
        for verdict, fraction in zip(result.verdicts, outcome.fractions, strict=True):
            hits = [
                i
                for i in rows
                if runs["kind"][i] == verdict.kind
                and (verdict.branch < 0 or runs["branch"][i] == verdict.branch)
            ]
            assert fraction == len(hits) / len(rows)
        errors = runs["generalization_error"][rows]
        assert outcome.worst_error == max(errors)
        assert outcome.median_error == np.median(errors)
        assert outcome.unresolved == sum(runs["kind"][i] == Kind.UNRESOLVED for i in rows)


def test_fractions_sum_to_one(result):
    for outcome in (*result.outcomes(), *result.outcomes(pooled=True)):
        assert sum(outcome.fractions) == pytest.approx(1.0, abs=1e-12)


def test_pooled_outcomes_take_all_sets(result):
    pooled = result.outcomes(pooled=True)
    assert len(pooled) == len(result.study.sizes) * len(result.study.scales)
    assert {outcome.runs for outcome in pooled} == {3 * result.study.seeds}
    worst = max(outcome.worst_error for outcome in result.outcomes())
    assert max(outcome.worst_error for outcome in pooled) == worst


def test_errors_that_are_not_finite_are_left_out(study, make_result):
    result = make_result(study)
    result.runs["generalization_error"][:3] = [np.inf, np.nan, 0.25]
    first = result.outcomes()[0]
    assert first.worst_error == max(0.25, result.runs["generalization_error"][3])
    result.runs["generalization_error"][:4] = np.nan
    assert np.isnan(result.outcomes()[0].median_error)


def test_a_wider_teacher_leaves_no_branch_and_says_why(content, write_study, make_result):
    content["network"]["width"] = 1
    content["teacher"] = {"width": 2, "a": [1.0, 2.0], "w": [[1.0], [2.0]], "b": [0.5, -0.5]}
    result = make_result(Study.from_toml(write_study(content)), kinds=(1, 3), branches=(-1, -1))
    assert result.branches == ()
    assert "width=1 is less than the 2 neurons" in result.note
    assert Kind.PERFECT not in {verdict.kind for verdict in result.verdicts}


def test_without_teacher_there_is_no_perfect_or_imperfect(
    content, write_study, points, make_result
):
    del content["teacher"], content["samples"]
    content["data"] = {"file": "points.csv", "inputs": ["x"], "targets": ["y"]}
    result = make_result(Study.from_toml(write_study(content)), kinds=(2, 3), branches=(-1, -1))
    kinds = {verdict.kind for verdict in result.verdicts}
    assert Kind.ZERO_LOSS in kinds
    assert not kinds & {Kind.PERFECT, Kind.IMPERFECT}
