"""Four samples: the ratios that recover the target, by the determinant and by flows."""

import numpy as np
import pytest

import flowscape as fs
from flowscape.papers.single_neuron_target.demarcation import end_points
from flowscape.papers.single_neuron_target.recovering_interval import (
    determinant,
    recovering_intervals,
)
from flowscape.papers.single_neuron_target.setting import (
    even_inputs,
    example_1,
    gaussian_inputs,
    generalization_error,
)


def test_the_determinant_is_that_of_the_jacobian():
    prob = example_1(even_inputs(4))
    vectors = np.random.default_rng(0).normal(size=(5, 2))
    value, slope = determinant(prob, vectors)
    theta = np.hstack([np.tile([1.0, 1.0, 1.0, 0.0], (5, 1)), vectors])
    columns = prob.jacobian(theta)[:, :, [0, 2, 1, 3]]
    np.testing.assert_allclose(np.abs(value), np.abs(np.linalg.det(columns)), rtol=1e-9)
    step = 1e-6 * np.eye(2)
    changes = [
        (determinant(prob, vectors + e)[0] - determinant(prob, vectors - e)[0]) for e in step
    ]
    np.testing.assert_allclose(slope, np.hypot(*changes) / 2e-6, rtol=1e-5)


def test_even_samples_recover_in_an_interval_that_does_not_begin_at_zero():
    prob = example_1(even_inputs(4))
    (found,) = recovering_intervals(prob)
    for end, value in ((found.low, 0.081791), (found.high, 0.575122)):
        assert end.agree
        assert end.determinant_error < 1e-5
        assert end.flows_error < 1e-5
        assert end.error < 1e-6
        assert end.ratio == pytest.approx(value, abs=2e-6)
    inside = np.array([0.09, 0.3, 0.56])
    outside = np.array([0.07, 0.6, 0.9])
    grid = np.linspace(-2, 2, 100)
    error = generalization_error(prob, end_points(prob, inside).theta, grid)
    assert (error < 1e-8).all()
    error = generalization_error(prob, end_points(prob, outside).theta, grid)
    assert (error > 1e-5).all()


def test_most_gaussian_samples_recover_for_no_ratio():
    """Empty by the determinant too: every end point has left Q2 and lies on the other sheet."""
    grid = np.linspace(0.03, 0.97, 12)
    for seed in (0, 3):
        prob = example_1(gaussian_inputs(4, seed))
        assert recovering_intervals(prob) == ()
        theta = end_points(prob, grid).theta
        assert (theta[:, 3] > 1e-3).all()
        assert np.abs(prob.residual(theta)).max() < 1e-6


@pytest.mark.slow
def test_one_set_of_gaussian_samples_recovers_in_a_short_interval():
    (found,) = recovering_intervals(example_1(gaussian_inputs(4, 1)))
    assert found.low.agree
    assert found.high.agree
    assert found.low.ratio == pytest.approx(0.00482, abs=2e-5)
    assert found.high.ratio == pytest.approx(0.027677, abs=2e-6)


def test_other_sample_sizes_are_refused():
    with pytest.raises(fs.OptionError, match="must have 4"):
        recovering_intervals(example_1(even_inputs(5)))
