"""Verdicts on relu students, whose branches are known but not separated by samples."""

import numpy as np
import pytest
from verdict_cases import follow, judge

from flowscape import Kind, Problem, Samples, Teacher, TwoLayer, branches, decide_zeros, polish
from flowscape.errors import ProblemError

TARGET = Teacher(TwoLayer(1, 2, "relu", False), np.array([1.0, 0.7, -0.3]))


def problem(n, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 2))
    net = TwoLayer(2, 2, "relu", False)
    return Problem(net, Samples.of(TARGET, x), loss="half_sum", teacher=TARGET)


def test_a_member_is_never_imperfect():
    prob, rng = problem(30), np.random.default_rng(1)
    points = np.stack([b.sample(rng) for b in branches(prob.net, TARGET) for _ in range(5)])
    verdicts = judge(prob, points)
    assert set(verdicts.kind.tolist()) <= {Kind.PERFECT, Kind.UNRESOLVED}
    assert (verdicts.branch == -1).all()
    assert "kink" in verdicts.notes[0]


def test_a_zero_that_turned_between_the_samples_is_not_perfect():
    """Two neurons leave the target's line by opposite angles, inside a gap of the samples."""
    prob = problem(30)
    line = np.array([0.7, -0.3])
    across = np.array([0.3, 0.7])
    gap = np.abs(prob.data.x @ line / (prob.data.x @ across)).min()
    point = np.concatenate([[0.5], line + 0.3 * gap * across, [0.5], line - 0.3 * gap * across])
    assert prob.loss(point) < 1e-30
    verdict = judge(prob, point)
    assert verdict.kind != Kind.PERFECT
    family = branches(prob.net, TARGET)
    assert family.locate(point, 1e-9).index == -1
    assert family[0].distance(point) > 0.1 * gap


def test_flows_to_zero_loss_are_not_called_perfect_on_few_samples():
    _, verdicts = follow(problem(2), np.random.default_rng(2).normal(size=(20, 6)))
    zeros = verdicts.evidence["loss_over_zero"] <= 1.0
    wrong = verdicts.evidence["generalization_error"] > 1e-3
    assert (zeros & wrong).sum() >= 5
    assert (verdicts.kind[zeros & wrong] != Kind.PERFECT).all()


def test_kinks_are_refused_where_second_derivatives_are_needed():
    prob = problem(30)
    points = polish(prob, np.array([[0.5, 0.7, -0.3, 0.5, 0.7, -0.3]]), precision="double-double")
    with pytest.raises(ProblemError, match="kink"):
        decide_zeros(prob, points)
