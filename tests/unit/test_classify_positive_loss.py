"""Verdicts against truths argued by hand: positive loss. Found wrong once, a case here."""

import numpy as np
import pytest
from verdict_cases import X4, Y4, follow, judge, network

from flowscape import Kind, Problem, Samples, Status, gradient_flow, polish


def test_the_origin_of_one_biased_neuron_is_a_saddle():
    prob = Problem(network(1), Samples(X4, Y4))
    verdict = judge(prob, np.zeros(3))
    assert verdict.kind == Kind.SADDLE
    assert verdict.index == 1
    # the third eigenvalue is zero, along (w, b) orthogonal to gamma: no symmetry forces that one
    assert verdict.evidence["zero"] == 1
    assert not verdict.certified


@pytest.mark.parametrize(("width", "bias"), [(1, False), (2, False), (2, True), (3, True)])
def test_the_origin_is_a_saddle_of_index_m(width, bias):
    """Eigenvalues +-|gamma| per neuron, far from zero: the inertia decides."""
    prob = Problem(network(width, bias), Samples(X4, Y4))
    verdict = judge(prob, np.zeros(prob.net.n_params))
    assert verdict.index == width
    assert verdict.kind == Kind.SADDLE


def test_silent_neurons_at_a_monkey_saddle_are_no_minimum():
    """Sum y x = 0, sum y x^3 = -6: the Hessian is semidefinite, the loss falls to third order."""
    x, y = np.array([[1.0], [2.0]]), np.array([2.0, -1.0])
    prob = Problem(network(2, bias=False), Samples(x, y))
    point = np.array([1.0, 0.0, 2.0, 0.0])
    for size in (1e-1, 1e-2, 1e-3):
        lower = prob.loss([1.0, 2 * size, 2.0, -size])
        assert lower - prob.loss(point) == pytest.approx(-24 * size**3, rel=0.3)
    assert judge(prob, point).kind != Kind.LOCAL_MINIMUM


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_a_flow_to_infinity_does_not_end_at_a_local_minimum(scale):
    """The best fit is linear: a grows, (w, b) shrinks, the loss falls like 1/a^2 for ever."""
    prob = Problem(network(1), Samples(X4, Y4))
    flow, verdict = follow(prob, scale * np.random.default_rng(0).normal(size=3))
    a, w, b = flow.theta
    assert abs(a) > 1e5
    farther = np.array([10 * a, w / 10, b / 10])
    coefficients = np.polyfit(X4[:, 0], Y4, 1)
    linear = ((np.polyval(coefficients, X4[:, 0]) - Y4) ** 2).sum()
    assert prob.loss(farther) == pytest.approx(linear, rel=1e-12)
    # at a moderate distance on the same valley the fall is visible
    valley = [
        gradient_flow(prob, [s, *coefficients / s], t_max=1e3 * s**2).loss
        for s in (3.0, 10.0, 30.0)
    ]
    assert valley[0] > valley[1] > valley[2] > linear
    assert verdict.kind in (Kind.UNRESOLVED, Kind.AT_INFINITY)


@pytest.mark.parametrize("weight", [30.0, 60.0, 100.0])
def test_saturated_neurons_are_no_local_minimum(weight):
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    prob = Problem(network(1, bias=False), Samples(x, np.array([-1.1, -0.9, 0.8, 1.0])))
    assert judge(prob, [0.95, weight]).kind in (Kind.DEGENERATE, Kind.UNRESOLVED)
    _, verdict = follow(prob, [0.95, weight])
    assert verdict.kind == Kind.UNRESOLVED


def test_a_point_on_the_kink_has_no_certified_minimum():
    x = np.array([[1.0], [2.0]])
    prob = Problem(network(1, bias=False, activation="relu"), Samples(x, x[:, 0]), l2=0.1)
    assert prob.loss([0.1, 0.1]) < prob.loss([0.0, 0.0])
    assert prob.loss([0.01, 0.01]) < prob.loss([0.0, 0.0])
    assert judge(prob, [0.0, 0.0]).kind != Kind.LOCAL_MINIMUM


def test_relu_with_weight_decay_away_from_kinks():
    """2 (a w - 1) sum x^2 + l2 = 0 and a = w: a strict minimum."""
    x, l2 = np.array([[1.0], [2.0]]), 0.1
    prob = Problem(network(1, bias=False, activation="relu"), Samples(x, x[:, 0]), l2=l2)
    flow, verdict = follow(prob, [0.5, 0.9])
    assert verdict.kind == Kind.LOCAL_MINIMUM
    assert verdict.strict
    assert flow.theta == pytest.approx(np.sqrt(1.0 - l2 / 10.0) * np.ones(2), abs=1e-12)


def test_merged_neurons_under_weight_decay_are_a_strict_minimum():
    x, y = np.array([[0.5], [1.0], [2.0]]), np.array([0.5, 1.0, 1.2])
    prob = Problem(network(2, bias=False), Samples(x, y), l2=0.05)
    flow, verdict = follow(prob, [0.5, 0.4, 0.7, 0.5])
    assert np.linalg.eigvalsh(prob.hessian(flow.theta))[0] > 1e-3
    assert verdict.strict
    assert verdict.kind == Kind.LOCAL_MINIMUM


def unfittable(seed):
    """One unbiased neuron at a positive minimum with a clear curvature Y."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 2.0, size=6)
    y = np.tanh(1.1 * x) + rng.choice([-0.3, 0.3], size=6)
    prob = Problem(network(1, bias=False), Samples(x[:, None], y), loss="half_sum")
    flow = gradient_flow(prob, [1.0, 1.0], t_max=1e8)
    point = polish(prob, flow.theta)
    a, w = point.theta
    z = w * x
    r = a * np.tanh(z) - y
    curvature = (r * a * -2 * np.tanh(z) / np.cosh(z) ** 2 * x**2).sum()
    return prob, point, curvature


def test_split_neurons_follow_the_sign_of_the_curvature():
    """Y > 0: minima for mu in (0, 1), saddles outside; Y < 0 the other way round."""
    seen = set()
    for seed in range(30):
        narrow, point, curvature = unfittable(seed)
        if not (point.certified and point.inertia[0] == 2) or abs(point.theta).max() > 5:
            continue
        assert judge(narrow, point.theta).kind == Kind.LOCAL_MINIMUM
        a, w = point.theta
        wide = Problem(network(2, bias=False), narrow.data, loss="half_sum")
        for mu in (-0.8, 0.2, 0.5, 1.6):
            split = np.array([mu * a, w, (1 - mu) * a, w])
            verdict = judge(wide, split)
            low = mu * (1 - mu) * curvature > 0
            brute = np.linalg.eigvalsh(wide.hessian(split))
            assert (brute < -1e-8).sum() == (0 if low else 1)
            assert verdict.kind == (Kind.LOCAL_MINIMUM if low else Kind.SADDLE)
            assert verdict.index == (0 if low else 1)
            assert verdict.certified
            assert verdict.symmetry_induced
            assert not verdict.strict
            seen.add((curvature > 0, low))
        # at mu = 1 the second neuron is switched off: w_2 is free, nothing is certain
        corner = judge(wide, [a, w, 0.0, w])
        assert corner.kind in (Kind.DEGENERATE, Kind.UNRESOLVED)
    assert len(seen) == 4


def test_split_neuron_with_two_outputs_is_a_saddle():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 1))
    y = np.tanh(1.1 * x + 0.3) * [1.0, -0.5] + 0.3 * rng.normal(size=(6, 2))
    narrow = Problem(network(1, outputs=2), Samples(x, y), loss="half_sum")
    point = polish(narrow, gradient_flow(narrow, [1.0, -0.5, 1.0, 0.3], t_max=1e8).theta)
    assert point.status == Status.CONVERGED
    a, v = point.theta[:2], point.theta[2:]
    wide = Problem(network(2, outputs=2), narrow.data, loss="half_sum")
    verdict = judge(wide, np.concatenate([0.4 * a, v, 0.6 * a, v]))
    assert verdict.index >= 1
    assert verdict.kind == Kind.SADDLE
