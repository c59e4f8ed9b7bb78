"""Outcomes that are known: Example 1 of the single-neuron-target paper and workload W5.

Student a_1 tanh(w_1 x + b_1) + a_2 tanh(w_2 x + b_2), target tanh(x + 1).
"""

import mpmath as mp
import numpy as np
import pytest

from flowscape import (
    Kind,
    Problem,
    Samples,
    Status,
    Study,
    TwoLayer,
    classify,
    gradient_flow,
    polish,
)

STUDY = Study.packaged("two-tanh-neurons")
STARTS = STUDY.initial_values()
SCALES = (1e-8, 0.1, 1.0)


def outcome(size, sample_set, scale, seeds=400):
    prob = STUDY.problem(size, STUDY.sample_sets[sample_set])
    options = STUDY.flow.keywords(np.full(seeds, scale))
    flow = gradient_flow(prob, scale * STARTS[:seeds], **options)
    points = polish(prob, flow.theta)
    return prob, flow, points, classify(prob, points, flow)


def test_the_study_is_example_1():
    assert STUDY.net == TwoLayer(2, 1, activation="tanh", bias=True)
    np.testing.assert_array_equal(STUDY.teacher.theta, np.ones(3))
    np.testing.assert_array_equal(STUDY.scales, SCALES)
    assert STARTS.shape == (400, 6)
    assert len(STUDY.sample_sets) == 6
    assert STUDY.loss == "half_sum"


def test_six_even_samples_and_small_scale_recover_always():
    prob, flow, _, verdicts = outcome(6, 0, 1e-8)
    np.testing.assert_array_equal(prob.data.x[:, 0], np.linspace(-2.0, 2.0, 6))
    assert flow.success.all()
    assert (verdicts.kind == Kind.PERFECT).all()
    assert (verdicts.evidence["generalization_error"] < 1e-12).all()


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_six_even_samples_recover_at_larger_scales(scale):
    *_, verdicts = outcome(6, 0, scale)
    assert (verdicts.kind == Kind.PERFECT).all()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sample_set", [1, 2, 3, 4, 5])
def test_six_gaussian_samples_recover_or_stay_open(sample_set, scale):
    """The zeros of the loss are Q* and nothing else: n = 6 = (d + 1) m separates."""
    *_, verdicts = outcome(6, sample_set, scale)
    assert np.isin(verdicts.kind, [Kind.PERFECT, Kind.UNRESOLVED]).all()
    assert (verdicts.kind == Kind.PERFECT).mean() > 0.85


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sample_set", range(6))
def test_two_samples_recover_never(sample_set, scale):
    """Below the optimistic sample size 3."""
    *_, verdicts = outcome(2, sample_set, scale, seeds=100)
    assert (verdicts.kind != Kind.PERFECT).all()
    assert (verdicts.kind == Kind.IMPERFECT).mean() > 0.95


def off_target(prob, theta):
    """Root mean square of f - f* on [-4, 4] at the zero nearest to theta, at 50 digits.

    Newton steps of minimum norm on the residual; returns the error and how far they went.
    """
    with mp.workdps(50):
        x = [mp.mpf(float(v)) for v in prob.data.x[:, 0]]
        t = start = mp.matrix([mp.mpf(float(v)) for v in theta])

        def net(t, v):
            return sum(t[k] * mp.tanh(t[k + 1] * v + t[k + 2]) for k in (0, 3))

        for _ in range(8):
            r = mp.matrix([net(t, v) - mp.tanh(v + 1) for v in x])
            jacobian = mp.matrix(len(x), 6)
            for i, v in enumerate(x):
                for k in (0, 3):
                    h = mp.tanh(t[k + 1] * v + t[k + 2])
                    jacobian[i, k] = h
                    jacobian[i, k + 1] = t[k] * (1 - h * h) * v
                    jacobian[i, k + 2] = t[k] * (1 - h * h)
            t = t - jacobian.T * mp.lu_solve(jacobian * jacobian.T, r)
        assert mp.norm(r) < mp.mpf("1e-40")
        grid = mp.linspace(-4, 4, 41)
        square = sum((net(t, v) - mp.tanh(v + 1)) ** 2 for v in grid) / 41
        return float(mp.sqrt(square)), float(mp.norm(t - start))


@pytest.mark.parametrize(("size", "sample_set", "seed"), [(3, 2, 74), (4, 4, 109)])
def test_zeros_that_are_not_the_target_are_not_perfect(size, sample_set, seed):
    prob, _, points, verdicts = outcome(size, sample_set, 1e-8)
    error, moved = off_target(prob, points.theta[seed])
    assert moved < 1e-10
    assert error > 1e-9
    assert verdicts.kind[seed] != Kind.PERFECT


@pytest.mark.parametrize("size", [3, 4, 5])
def test_imperfect_zeros_are_wrong_at_fifty_digits(size):
    prob, _, points, verdicts = outcome(size, 0, 1.0)
    wrong = np.flatnonzero(verdicts.kind == Kind.IMPERFECT)
    assert len(wrong) > 5
    closest = wrong[np.argsort(verdicts.evidence["generalization_error"][wrong])[:5]]
    for seed in closest:
        error, moved = off_target(prob, points.theta[seed])
        assert moved < 1e-9
        assert error > 100.0 * moved


def w5():
    x = np.linspace(-2.0, 2.0, 6)
    net = TwoLayer(2, 1, activation="tanh", bias=True)
    prob = Problem(net, Samples(x[:, None], np.tanh(x + 1.0)), loss="half_sum")
    return prob, 0.1 * np.random.default_rng(1).normal(size=(1000, 6))


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-8])
def test_w5_converged_fraction(rtol):
    """0.781 at every tolerance: a property of the problem, not of the solver."""
    prob, starts = w5()
    flow = gradient_flow(prob, starts, rtol=rtol, atol=1e-3 * rtol, gtol=1e-10, t_max=1e6)
    assert flow.success.sum() == 781
    assert (flow.status[~flow.success] == Status.TIME_LIMIT).all()
    if rtol <= 1e-6:
        assert flow.gradient_norm[~flow.success].max() < 1.6e-8


def test_w5_subsets_converge_as_the_peers_say():
    prob, starts = w5()
    flow = gradient_flow(prob, starts[:200], rtol=1e-6, atol=1e-9, gtol=1e-10, t_max=1e6)
    fractions = [flow.success[:n].mean() for n in (40, 60, 80, 200)]
    np.testing.assert_allclose(fractions, [0.900, 0.833, 0.838, 0.815], atol=6e-4)


def test_w5_end_points_are_as_accurate_as_measured():
    prob, starts = w5()
    options = {"gtol": 1e-10, "t_max": 1e6}
    flow = gradient_flow(prob, starts[:200], rtol=1e-6, atol=1e-9, **options)
    reference = gradient_flow(prob, starts[:200], rtol=1e-10, atol=1e-13, **options)
    error = np.linalg.norm(flow.theta - reference.theta, axis=1)
    error /= np.linalg.norm(reference.theta, axis=1)
    assert np.median(error) < 1e-6
    assert error.max() < 1e-5
