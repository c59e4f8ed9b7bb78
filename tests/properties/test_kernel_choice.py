"""The kernel is a function of the problem's shape: checked at its borders and for its users."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowscape import TwoLayer, _core, gradient_flow
from flowscape.testing import random_problem, random_theta

NETWORKS, SAMPLES, NEURONS = "network_lanes", "sample_lanes", "neuron_lanes"


@pytest.mark.parametrize(
    ("shape", "samples", "kernel"),
    [
        ((2, 1, 1, True, False), 128, NETWORKS),  # 128 samples
        ((2, 1, 1, True, False), 129, SAMPLES),
        ((15, 1, 1, True, False), 128, NETWORKS),
        ((15, 1, 1, True, False), 129, SAMPLES),
        ((16, 1, 1, True, False), 128, NETWORKS),  # 16 neurons: never lane = sample
        ((16, 1, 1, True, False), 129, NEURONS),
        ((31, 1, 1, True, False), 128, NETWORKS),  # 93 parameters
        ((31, 1, 1, True, True), 128, NETWORKS),  # 94
        ((19, 3, 1, True, False), 128, NETWORKS),  # 95
        ((32, 1, 1, True, False), 1, NEURONS),  # 96
        ((32, 1, 1, True, False), 100_000, NEURONS),
        ((19, 3, 1, True, True), 1, NEURONS),  # 96
        ((15, 5, 1, False, True), 1, NETWORKS),  # 91, and few neurons
        ((15, 6, 1, False, True), 1, NETWORKS),  # 106
        ((8, 13, 3, False, False), 1, NETWORKS),  # 128
        ((8, 13, 3, False, True), 1, SAMPLES),  # 131
    ],
)
def test_borders(shape, samples, kernel):
    assert _core.choose_kernel(*shape, samples) == kernel


sizes = st.tuples(
    st.integers(1, 40), st.integers(1, 8), st.integers(1, 4), st.booleans(), st.booleans()
)


@given(sizes, st.integers(1, 2000))
def test_more_samples_never_bring_back_the_lanes_of_networks(shape, samples):
    first = _core.choose_kernel(*shape, samples)
    assert first in (NETWORKS, SAMPLES, NEURONS)
    assert _core.choose_kernel(*shape, samples) == first
    later = _core.choose_kernel(*shape, samples + 1)
    assert later == first or (first, later) in ((NETWORKS, SAMPLES), (NETWORKS, NEURONS))


@given(sizes, st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_a_problem_uses_the_kernel_of_its_shape(shape, samples, seed):
    width, inputs, outputs, bias, output_bias = shape
    net = TwoLayer(width, inputs, "tanh", bias, outputs, output_bias)
    prob = random_problem(np.random.default_rng(seed), net, samples)
    assert prob.kernel == _core.choose_kernel(*shape, samples)


@pytest.mark.parametrize(
    ("width", "samples", "kernel"), [(2, 128, NETWORKS), (2, 129, SAMPLES), (32, 5, NEURONS)]
)
def test_results_record_the_kernel(width, samples, kernel):
    rng = np.random.default_rng(1)
    net = TwoLayer(width, 1)
    prob = random_problem(rng, net, samples)
    for batch in (1, 40):
        flow = gradient_flow(prob, random_theta(rng, net, batch), t_max=1e-3)
        assert flow.kernel == prob.kernel == kernel
