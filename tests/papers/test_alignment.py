"""The observed power of alpha against the proven one (Theorem 3)."""

import numpy as np
import pytest

import flowscape as fs
from flowscape.papers.single_neuron_target.alignment import alignment, without_kernel
from flowscape.papers.single_neuron_target.setting import even_inputs, example_1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_start_with_a_part_in_the_kernel_approaches_as_alpha(seed):
    prob = example_1(even_inputs(6))
    found = alignment(prob, prob.net.init(3, rng=0)[seed])
    assert found.proven == pytest.approx(0.5)
    assert found.observed == pytest.approx(1.0, abs=0.02)
    assert found.distances[-1] < 1e-3


def test_a_start_without_it_approaches_as_the_square():
    prob = example_1(even_inputs(6))
    start = without_kernel(prob, prob.net.init(1, rng=0)[0])
    found = alignment(prob, start, alphas=(1e-2, 1e-3, 1e-4))
    assert found.observed == pytest.approx(2.0, abs=0.02)
    theta = prob.net.init(1, rng=0)[0]
    assert alignment(prob, theta).distances[-1] > 100 * found.distances[-1]


def test_without_a_kernel_the_square_has_a_logarithm():
    """D = 1: distance / alpha^2 grows by the same amount from scale to scale."""
    x = np.linspace(-2, 2, 3)
    prob = fs.Problem(fs.TwoLayer(2, 1, "tanh", bias=False), fs.Samples(x, np.tanh(x + 1)), "mean")
    alphas = 10.0 ** np.array([-3.5, -4.0, -4.5, -5.0])
    found = alignment(prob, [0.7, 0.2, -0.3, 0.9], alphas=alphas)
    assert found.proven == pytest.approx(2 / 3)
    assert 1.8 < found.observed < 1.97
    steps = np.diff(found.distances / alphas**2)
    np.testing.assert_allclose(steps / steps[0], 1.0, rtol=0.05)
