"""Verdicts against truths argued by hand: ends of flows. Found wrong once, a case here."""

import dataclasses

import numpy as np
import pytest
from verdict_cases import TARGET, follow, judge, network, to_target

from flowscape import (
    Kind,
    Problem,
    Samples,
    Status,
    Teacher,
    TwoLayer,
    classify,
    gradient_flow,
    polish,
)


def test_only_ended_flows_are_judged():
    prob = to_target(2, 6)
    starts = np.random.default_rng(5).normal(size=(10, 6))
    for options in ({"t_max": 5.0}, {"max_steps": 6}):
        _, verdicts = follow(prob, starts, **options)
        assert (verdicts.kind == Kind.UNRESOLVED).all()
        assert not verdicts.certified.any()


def test_a_point_far_from_the_flows_end_is_not_its_limit():
    prob = to_target(2, 6)
    flow = gradient_flow(prob, np.random.default_rng(5).normal(size=(10, 6)))
    points = polish(prob, flow.theta)
    moved = dataclasses.replace(points, displacement=np.full(10, 1.0))
    assert (classify(prob, points, flow).kind == Kind.PERFECT).all()
    assert (classify(prob, moved, flow).kind == Kind.UNRESOLVED).all()


def test_points_that_are_not_finite_are_unresolved():
    prob = to_target(2, 6)
    rows = np.array([[np.nan] * 6, [np.inf] * 6, [1.0, 1, 1, 0, 0.3, 0.5]])
    verdicts = judge(prob, rows)
    np.testing.assert_array_equal(verdicts.kind, [Kind.UNRESOLVED, Kind.UNRESOLVED, Kind.PERFECT])
    np.testing.assert_array_equal(verdicts.index, [-1, -1, 0])


def test_a_flow_that_returns_is_not_at_infinity():
    """Weight decay brings a and w back to a finite minimum."""
    prob = Problem(network(1, bias=False), Samples(np.ones((1, 1)), np.ones(1)), l2=1.0)
    _, verdict = follow(prob, [2e8, 1.0])
    assert verdict.kind != Kind.AT_INFINITY


def test_escape_is_at_infinity():
    prob = to_target(2, 6)
    flow = gradient_flow(prob, np.random.default_rng(5).normal(size=(4, 6)))
    points = polish(prob, flow.theta)
    assert (classify(prob, points, flow).kind == Kind.PERFECT).all()
    status = np.full(4, Status.ESCAPED, dtype=np.int8)
    near = dataclasses.replace(flow, status=status)
    assert (classify(prob, points, near).kind == Kind.UNRESOLVED).all()
    far = dataclasses.replace(flow, status=status, theta=1e8 * flow.theta)
    assert (classify(prob, points, far).kind == Kind.AT_INFINITY).all()


@pytest.mark.parametrize("n", [3, 4, 6])
def test_permutation_and_signs_change_nothing(n):
    prob = to_target(2, n)
    rng = np.random.default_rng(n)
    start = rng.normal(size=(60, 6))
    flow, verdicts = follow(prob, start)
    neurons = start.reshape(60, 2, 3)
    signs = rng.choice([-1.0, 1.0], size=(60, 2, 1))
    _, other = follow(prob, (signs * neurons)[:, ::-1].reshape(60, 6))
    folded = (signs * flow.theta.reshape(60, 2, 3))[:, ::-1].reshape(60, 6)
    same = judge(prob, folded)
    plain = judge(prob, flow.theta)
    for name in ("kind", "branch", "index", "strict", "certified"):
        np.testing.assert_array_equal(getattr(same, name), getattr(plain, name), err_msg=name)
    for name in ("kind", "branch", "index"):
        np.testing.assert_array_equal(getattr(other, name), getattr(verdicts, name), err_msg=name)


def test_a_single_point_has_scalars():
    prob = to_target(2, 6)
    one = judge(prob, [1.0, 1, 1, 0, 0.3, 0.5])
    many = judge(prob, [[1.0, 1, 1, 0, 0.3, 0.5]])
    for name in ("kind", "branch", "index", "strict", "certified", "symmetry_induced"):
        assert np.ndim(getattr(one, name)) == 0
        assert getattr(one, name) == getattr(many, name)[0]
    assert repr(many) == "Verdicts(PERFECT 1)"


@pytest.mark.parametrize(("gap", "resolved"), [(1e-4, 0.9), (1e-7, 0.0), (1e-9, 0.0)])
def test_ill_conditioned_samples_are_not_overrated(gap, resolved):
    """Two inputs so close that rounding hides the difference of their targets decide nothing."""
    x = np.array([[-1.0], [0.5], [0.5 + gap], [2.0]])
    prob = Problem(network(2), Samples.of(TARGET, x), teacher=TARGET)
    _, verdicts = follow(prob, np.random.default_rng(0).normal(size=(40, 6)))
    assert (verdicts.kind != Kind.UNRESOLVED).mean() == pytest.approx(resolved, abs=0.1)
    assert not verdicts.certified.any()


def test_misuse():
    prob = to_target(2, 6)
    flow = gradient_flow(prob, np.zeros((2, 6)))
    points = polish(prob, np.zeros((3, 6)))
    with pytest.raises(ValueError, match="flow has shape"):
        classify(prob, points, flow)
    with pytest.raises(ValueError, match="polished has 6 parameters"):
        classify(to_target(1, 6), points)
    with pytest.raises(ValueError, match="polished="):
        classify(prob, np.zeros((3, 6)))


def test_a_far_minimum_at_positive_loss_is_not_infinity():
    """Targets tanh(9.5) and 1 with residuals of 0.3: w = 9.5 is lower than infinity by 1e-16."""
    t = np.tanh(9.5)
    x = np.array([1.0, 1.0, 3.0, 3.0])
    samples = Samples(x, np.array([t + 0.3, t - 0.3, 1.3, 0.7]))
    prob = Problem(TwoLayer(1, 1, activation="tanh", bias=False), samples, loss="half_sum")
    flow = gradient_flow(prob, [1.0, 1.0])
    verdict = classify(prob, polish(prob, flow.theta), flow)
    assert verdict.kind == Kind.UNRESOLVED


def test_a_neuron_that_becomes_a_constant_does_not_escape():
    """sigma(z) = 1 - sigma(-z): neuron 2 is the constant 1, and that has a place at finite b.

    Its bias grows like log t while w_2 goes to 0. With the loss near e^(-2 b_2) w_2^(2p) the flow
    keeps w_2^2 / (2 p) + b_2: its limit is finite, a flipped target neuron beside a constant.
    """
    x = [
        0.3537295820556391,
        -0.4123479576358789,
        0.4341690176042549,
        -1.8350519238614986,
        0.3203421469976965,
        -1.3105878498939758,
        2.0161689655664445,
        -0.5612269074445333,
    ]
    teacher = Teacher(TwoLayer(1, 1, "sigmoid"), [1.0, 1.0, 0.5])
    prob = Problem(TwoLayer(2, 1, "sigmoid"), Samples.of(teacher, x), teacher=teacher)
    start = [-0.7785467, -0.51089, 0.23155044, -0.20736376, -0.54621246, 0.91779559]
    flow, verdict = follow(prob, np.array([start]))
    assert flow.theta[0, 5] > 8.0
    assert flow.status[0] != Status.ESCAPED
    assert verdict.kind[0] in (Kind.UNRESOLVED, Kind.PERFECT)
