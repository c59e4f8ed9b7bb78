"""Limits of flows: extrapolated tails, their error bars, tiny starts."""

import numpy as np
import pytest

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
from flowscape.flow import Law

NET = TwoLayer(2, 1, activation="tanh", bias=True)
TEACHER = Teacher(TwoLayer(1, 1, activation="tanh", bias=True), [1.0, 1.0, 1.0])
SAMPLES = Samples.of(TEACHER, np.linspace(-2.0, 2.0, 6))
PROBLEM = Problem(NET, SAMPLES, loss="half_sum", teacher=TEACHER)


@pytest.fixture(scope="module")
def starts():
    return 0.1 * np.random.default_rng(0).normal(size=(200, 6))


@pytest.fixture(scope="module")
def flow(starts):
    return gradient_flow(PROBLEM, starts, rtol=1e-8, atol=1e-11)


def test_flows_to_the_degenerate_branch_are_extrapolated(flow):
    """Both neurons are the target's: w = b = 1, up to the sign, and a_1 + a_2 = 1."""
    found = flow.status == Status.TAIL_EXTRAPOLATED
    assert found.sum() > 20
    np.testing.assert_array_equal(found, flow.tails.law == Law.POWER)
    assert flow.tails.exponent[found] == pytest.approx(0.5, abs=0.03)
    sign = np.sign(flow.theta[found][:, [1, 4]])
    a = sign * flow.theta[found][:, [0, 3]]
    error = flow.theta_error[found]
    assert (np.abs(a.sum(axis=1) - 1.0) <= error).all()
    away = np.abs(np.abs(flow.theta[found][:, [1, 2, 4, 5]]) - 1.0).max(axis=1)
    assert (away <= error).all()
    # the ends of the integration are much further away
    ends = np.abs(np.abs(flow.end[found][:, [1, 2, 4, 5]]) - 1.0).max(axis=1)
    assert np.median(ends) > 1e-5
    assert np.median(away) < 1e-7
    assert np.median(error) < 0.1 * np.median(ends)


def test_a_tighter_tolerance_agrees_within_the_error_bars(flow, starts):
    tight = gradient_flow(PROBLEM, starts, rtol=1e-11, atol=1e-14)
    apart = np.linalg.norm(flow.theta - tight.theta, axis=1)
    both = flow.success & tight.success
    assert both.sum() > 190
    assert (apart[both] <= (flow.theta_error + tight.theta_error)[both]).all()


def test_exponential_rate_is_the_smallest_positive_eigenvalue(starts):
    flow = gradient_flow(PROBLEM, starts, rtol=1e-11, atol=1e-14)
    rows = np.flatnonzero(flow.tails.law == Law.EXPONENTIAL)
    assert rows.size > 20
    values = np.linalg.eigvalsh(PROBLEM.hessian(flow.theta[rows]))
    smallest = np.where(values > 1e-9, values, np.inf).min(axis=1)
    # a slow mode that the start does not excite may leave the next one
    rate = flow.tails.rate[rows]
    assert np.median(np.abs(rate / smallest - 1.0)) < 1e-2


def test_verdicts_of_extrapolated_limits(flow):
    verdicts = classify(PROBLEM, polish(PROBLEM, flow.theta), flow)
    found = flow.status == Status.TAIL_EXTRAPOLATED
    assert (verdicts.evidence["displacement"][found] <= flow.theta_error[found]).all()
    assert (verdicts.kind[found] == Kind.PERFECT).all()


def test_later_times_of_an_extrapolated_flow_follow_its_law(flow, starts):
    row = int(np.flatnonzero(flow.status == Status.TAIL_EXTRAPOLATED)[0])
    times = flow.t[row] * np.array([0.5, 0.99, 1.01, 4.0, 1e6])
    again = gradient_flow(PROBLEM, starts[row], rtol=1e-8, atol=1e-11, save_at=times)
    np.testing.assert_array_equal(again.theta, flow.theta[row])
    left = np.linalg.norm(again.thetas - again.theta, axis=1)
    q = float(again.tails.exponent)
    assert left == pytest.approx(left[0] * (times / times[0]) ** -q, rel=0.05)


def test_nothing_is_extrapolated_that_was_stopped(starts):
    flow = gradient_flow(PROBLEM, starts[:20], t_max=1e3)
    assert np.isnan(flow.theta_error).all()
    np.testing.assert_array_equal(flow.end, flow.theta)
    flow = gradient_flow(PROBLEM, starts[:20], gtol=1e-6)
    assert np.isnan(flow.theta_error).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-120, 1e-20, 1e-11])
def test_tiny_starts_have_the_limit_of_small_ones(scale):
    """alpha -> 0 (Single Neuron, Theorem 2): alpha = 1e-8 is within O(alpha) of it."""
    unit = np.random.default_rng(2).normal(size=(12, 6))
    small = gradient_flow(PROBLEM, 1e-8 * unit, rtol=1e-9, atol=1e-12)
    tiny = gradient_flow(PROBLEM, scale * unit, rtol=1e-9, atol=1e-12)
    both = (small.theta_error < 1e-4) & (tiny.theta_error < 1e-4)
    assert both.sum() >= 9
    assert np.abs(small.theta - tiny.theta)[both].max() < 1e-4
    rate = -np.linalg.eigvalsh(PROBLEM.hessian(np.zeros(6)))[0]
    delay = np.log(1e-8 / scale) / rate
    # exponential ends: the same way, later
    times = np.array([5.0, 50.0])
    early = gradient_flow(PROBLEM, 1e-8 * unit[0], rtol=1e-9, t_max=80.0, save_at=times + 10)
    late = gradient_flow(
        PROBLEM, scale * unit[0], rtol=1e-9, t_max=80.0 + delay, save_at=times + 10 + delay
    )
    np.testing.assert_allclose(late.thetas, early.thetas, rtol=1e-5, atol=1e-9)
    assert late.t == pytest.approx(early.t + delay)


def test_the_linear_phase_is_the_linear_flow():
    start = 1e-200 * np.random.default_rng(4).normal(size=6)
    values, vectors = np.linalg.eigh(-PROBLEM.hessian(np.zeros(6)))
    times = np.array([0.0, 3.0, 20.0, 60.0])
    flow = gradient_flow(PROBLEM, start, t_max=60.0, save_at=times)
    for t, theta in zip(times, flow.thetas, strict=True):
        exact = vectors @ (np.exp(values * t) * (vectors.T @ (start * 1e200)))
        np.testing.assert_allclose(
            theta * 1e200, exact, rtol=1e-11, atol=1e-11 * np.abs(exact).max()
        )
    assert flow.status == Status.TIME_LIMIT
    assert flow.t == 60.0


def test_the_phase_is_left_out_where_the_origin_is_not_critical():
    net = TwoLayer(2, 1, activation="sigmoid", bias=True)
    prob = Problem(net, Samples(SAMPLES.x, SAMPLES.y))
    small = gradient_flow(prob, np.full(6, 1e-30), t_max=1.0, rtol=1e-9)
    zero = gradient_flow(prob, np.full(6, 1e-16), t_max=1.0, rtol=1e-9)
    np.testing.assert_allclose(small.theta, zero.theta, atol=1e-7)


def test_the_direction_out_of_the_origin_does_not_depend_on_atol():
    """The absolute tolerance gives way where theta is small."""
    unit = np.random.default_rng(7).normal(size=6)
    tight = gradient_flow(PROBLEM, 1e-8 * unit, rtol=1e-7, atol=1e-16, t_max=2.5)
    loose = gradient_flow(PROBLEM, 1e-8 * unit, rtol=1e-7, atol=1e-7, t_max=2.5)
    size = np.linalg.norm(tight.theta)
    assert 1e-6 < size < 0.1
    assert np.linalg.norm(tight.theta - loose.theta) < 1e-4 * size


@pytest.mark.parametrize(("n", "seed"), [(5, 0), (8, 0), (10, 1)])
def test_error_bars_hold_in_anisotropic_valleys(n, seed):
    """With exp in the plane one component of w_2 - w_1 stands still for decades at 4e-5."""
    rng = np.random.default_rng([seed, n])
    target = np.array([1.0, 0.6, -0.5])
    teacher = Teacher(TwoLayer(1, 2, activation="exp", bias=False), target)
    net = TwoLayer(2, 2, activation="exp", bias=False)
    samples = Samples.of(teacher, rng.normal(size=(n, 2)))
    prob = Problem(net, samples, loss="half_sum", teacher=teacher)
    first = np.concatenate([[0.3], target[1:], [0.7], target[1:]])
    flow = gradient_flow(prob, first + 0.02 * rng.normal(size=(40, 6)), rtol=1e-8, atol=1e-11)
    found = flow.status == Status.TAIL_EXTRAPOLATED
    assert found.sum() > 10
    parts = flow.theta[found].reshape(-1, 2, 3)
    off = np.sqrt(((parts[:, :, 1:] - target[1:]) ** 2).sum(axis=(1, 2)))
    assert (off <= flow.theta_error[found]).all()
    assert (off > 1e-5).any()  # what the fits alone do not see


@pytest.mark.parametrize("w", [9.5, 10.7, 14.2])
def test_a_distant_zero_is_not_an_escape(w):
    """The limit is the target, (1, w): until the gradient is noise, growth is logarithmic."""
    net = TwoLayer(1, 1, activation="tanh", bias=False)
    teacher = Teacher(net, [1.0, w])
    prob = Problem(net, Samples.of(teacher, [1.0, 3.0]), teacher=teacher)
    flow = gradient_flow(prob, [1.0, 1.0])
    assert flow.status != Status.ESCAPED
    assert flow.theta_error >= np.linalg.norm(flow.theta - [1.0, w])
    assert classify(prob, polish(prob, flow.theta), flow).kind == Kind.UNRESOLVED


def test_targets_that_saturation_alone_reaches_are_an_escape():
    """Of (1, 1) there is no finite zero; of (a, a), a < 1, there is none either."""
    net = TwoLayer(1, 1, activation="tanh", bias=False)
    for height in (1.0, 0.7):
        prob = Problem(net, Samples([1.0, 3.0], [height, height]))
        flow = gradient_flow(prob, [1.0, 1.0])
        assert flow.status == Status.ESCAPED
        assert flow.tails.law == Law.ESCAPE
        assert classify(prob, polish(prob, flow.theta), flow).kind == Kind.AT_INFINITY


@pytest.mark.parametrize("a", [5e3, 1e5])
def test_a_distant_zero_in_a_valley_is_not_an_escape(a):
    """f = a tanh(w x) with the target's own a: a grows like t^(1/6) until the gradient is noise."""
    net = TwoLayer(1, 1, activation="tanh", bias=False)
    teacher = Teacher(net, [a, 1.0 / a])
    prob = Problem(net, Samples.of(teacher, [0.5, 1.0, 2.0]), teacher=teacher)
    flow = gradient_flow(prob, [1.0, 1.0])
    assert flow.status != Status.ESCAPED
    assert not flow.theta_error < np.linalg.norm(flow.theta - [a, 1.0 / a])
    assert classify(prob, polish(prob, flow.theta), flow).kind == Kind.UNRESOLVED


def test_no_flow_with_weight_decay_escapes():
    """However weak the decay is, the loss is large far away."""
    net = TwoLayer(1, 1, activation="tanh", bias=False)
    prob = Problem(net, Samples([1.0, 3.0], [1.0, 1.0]), l2=1e-20)
    flow = gradient_flow(prob, [1.0, 1.0])
    assert flow.status != Status.ESCAPED
    assert flow.theta_error == np.inf


@pytest.mark.parametrize("apart", [1e-2, 3e-3, 1e-3, 3e-4])
def test_a_start_beside_a_degenerate_branch_does_not_count_as_its_limit(apart):
    """The gradient is rounding error after a short time, the flow still on its way to Q1."""
    direction = np.array([0.0, 1.0, -0.6])
    start = np.concatenate(
        [[0.4, 1.0, 1.0] - apart * direction, [0.6, 1.0, 1.0] + apart * direction]
    )
    flow = gradient_flow(PROBLEM, start, rtol=1e-8, atol=1e-11)
    parts = flow.theta.reshape(2, 3)
    off = np.sqrt(((parts[:, 1:] - 1.0) ** 2).sum() + (parts[:, 0].sum() - 1.0) ** 2 / 2)
    assert off <= flow.theta_error
    assert flow.theta_error < max(10.0 * off, 1e-5)


@pytest.mark.parametrize(
    "start", [[0.5, 60.0, 30.0, 0.4, -50.0, 25.0], [0.5, 1e3, 9.0, 0.4, 9.0, -1e3]]
)
def test_a_saturated_start_has_no_error_bar(start):
    """Every term of the incoming weights' gradients is below rounding: nothing has balanced."""
    x = np.array([-2.0, -1.0, 1.0, 2.0])
    net = TwoLayer(2, 1, activation="tanh", bias=True)
    weights, biases = np.reshape(start, (2, 3)).T[1:]
    hidden = np.tanh(np.outer(x, weights) + biases)
    y = x + 0.1 * x**2
    # The outgoing weights at their optimum: the gradient is rounding error from the start.
    a = np.linalg.lstsq(hidden, y)[0]
    start = np.array([a[0], *start[1:3], a[1], *start[4:]])
    prob = Problem(net, Samples(x, y))
    flow = gradient_flow(prob, start)
    assert flow.status == Status.CONVERGED
    assert flow.t == 0.0
    assert flow.theta_error == np.inf
    assert not flow.success


def test_balanced_starts_keep_their_error_bar():
    """Critical points of positive loss that are no saturation: a local minimum, and the origin."""
    x = np.array([-2.0, -1.0, 1.0, 2.0])
    prob = Problem(TwoLayer(2, 1, activation="tanh", bias=True), Samples(x, x**2))
    assert gradient_flow(prob, np.zeros(6)).theta_error < 1e-100
    one = Problem(TwoLayer(1, 1, activation="tanh", bias=True), Samples(x, np.tanh(x) + 0.1 * x**2))
    end = gradient_flow(one, [0.9, 1.1, 0.1], rtol=1e-9, atol=1e-12)
    assert end.loss > 1e-3
    again = gradient_flow(one, polish(one, end.theta).theta, rtol=1e-9, atol=1e-12)
    assert again.t == 0.0
    assert np.linalg.norm(again.theta - end.theta) <= end.theta_error + again.theta_error < 1e-5


def test_a_parameter_that_vanishes_does_not_stall_the_flow():
    """From starts of size 1e-8 with an atol to match; one of the limits has a silent neuron.

    Error control that asks for less than the gradient's rounding error takes 100,000 steps.
    """
    prob = PROBLEM
    starts = prob.net.init(24, rng=3, scale=1e-8)
    flow = gradient_flow(prob, starts, rtol=1e-7, atol=1e-18)
    assert flow.success.all()
    assert (np.abs(flow.theta).min(axis=1) < 1e-9).any()
    assert (flow.nstep + flow.nrejected < 2000).all()
