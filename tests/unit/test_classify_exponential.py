"""Verdicts on students exp with a bias, whose branches are curved."""

import numpy as np
from verdict_cases import follow, judge

from flowscape import Kind, Problem, Samples, Teacher, TwoLayer, branches

TARGET = Teacher(TwoLayer(1, 1, "exp"), np.array([1.0, 0.7, -0.3]))


def problem(n):
    x = np.linspace(-1.5, 1.5, n)[:, None]
    return Problem(TwoLayer(2, 1, "exp"), Samples.of(TARGET, x), loss="half_sum", teacher=TARGET)


def test_members_with_different_biases_are_perfect():
    prob, rng = problem(6), np.random.default_rng(1)
    family = branches(prob.net, TARGET)
    picks = [branch for branch in family for _ in range(4)]
    points = np.stack([branch.sample(rng) for branch in picks])
    verdicts = judge(prob, points)
    assert (verdicts.kind == Kind.PERFECT).all()
    np.testing.assert_array_equal(verdicts.branch, [branch.orbit for branch in picks])
    assert verdicts.evidence["branch_distance"].max() < 1e-9
    assert verdicts.certified.sum() >= 8  # else an eigenvalue is too near to its rounding error


def test_another_exponential_through_the_samples_is_imperfect():
    """Two samples and two exponentials: 2 of 6 parameters are fixed, 3 on a branch."""
    prob = problem(2)
    rng = np.random.default_rng(2)
    _, verdicts = follow(prob, rng.normal(size=(30, 6)))
    zeros = verdicts.evidence["loss_over_zero"] <= 1.0
    assert zeros.sum() >= 20
    assert (verdicts.kind[zeros] == Kind.IMPERFECT).all()
