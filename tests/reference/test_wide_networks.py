"""Wide networks: Hessians of any size against other routes, and the memory they take."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from flowscape import TwoLayer, polish
from flowscape.testing import on_kernel, random_problem, random_theta

SHAPES = {
    "one input": {"width": 150, "inputs": 1},
    "no bias": {"width": 97, "inputs": 3, "bias": False},
    "many inputs": {"width": 40, "inputs": 9},
    "several outputs": {"width": 61, "inputs": 2, "outputs": 3, "output_bias": True},
}


@pytest.mark.parametrize("samples", [6, 300])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_hessian_against_products_and_the_other_kernel(shape, samples):
    """The Hessian-vector product never forms a pair sum; lane = sample forms them otherwise."""
    rng = np.random.default_rng(4)
    net = TwoLayer(**shape)
    prob = random_problem(rng, net, samples, weights=True, l2=0.1, exact=False)
    theta = random_theta(rng, net, 2, exact=False)
    assert prob.kernel == "neuron_lanes"
    loss, gradient, hessian = prob.evaluate(theta)
    np.testing.assert_array_equal(hessian, np.swapaxes(hessian, 1, 2))
    scale = np.abs(hessian).max()
    for _ in range(3):
        v = rng.normal(size=theta.shape)
        product = np.einsum("bij,bj->bi", hessian, v)
        size = np.einsum("bij,bj->bi", np.abs(hessian), np.abs(v))
        np.testing.assert_array_less(np.abs(product - prob.hvp(theta, v)), 1e-13 * size)
    others = on_kernel(prob, "sample_lanes").evaluate(theta)
    np.testing.assert_allclose(loss, others[0], rtol=1e-13)
    np.testing.assert_allclose(gradient, others[1], rtol=0, atol=1e-13 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, others[2], rtol=0, atol=1e-13 * scale)


def test_a_wrong_pair_is_noticed_by_products():
    rng = np.random.default_rng(5)
    net = TwoLayer(30, 2)
    prob = random_problem(rng, net, 20, exact=False)
    theta, v = random_theta(rng, net, 1, exact=False)[0], rng.normal(size=net.n_params)
    hessian = prob.hessian(theta)
    size = np.abs(hessian) @ np.abs(v)
    assert (np.abs(hessian @ v - prob.hvp(theta, v)) < 1e-13 * size).all()
    hessian[7, 80] += 1e-9 * np.abs(hessian).max()
    assert not (np.abs(hessian @ v - prob.hvp(theta, v)) < 1e-13 * size).all()


@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("width", [1, 3, 9])
def test_polish_reads_the_same_hessian_packed(width, inputs, outputs):
    """Polishing takes the lower triangle, packed; eigenvalues see every entry of it."""
    rng = np.random.default_rng(width)
    net = TwoLayer(width, inputs, outputs=outputs, output_bias=inputs % 2 == 0)
    prob = random_problem(rng, net, 12, l2=0.3, exact=False)
    prob = on_kernel(prob, "neuron_lanes")
    ends = polish(prob, random_theta(rng, net, 2, exact=False))
    expected = np.linalg.eigvalsh(prob.hessian(ends.theta))
    np.testing.assert_allclose(
        ends.eigenvalues, expected, rtol=0, atol=1e-12 * np.abs(expected).max()
    )


def test_hessians_past_the_caches_have_the_same_bits():
    """A batch beyond the second-level cache is written in another way, from any alignment."""
    rng = np.random.default_rng(6)
    net = TwoLayer(27, 1, output_bias=True)
    prob = random_problem(rng, net, 9, exact=False)
    theta = random_theta(rng, net, 60, exact=False)
    whole = prob.hessian(theta)
    assert whole.size > 2 * 2**17 > 16 * whole[0].size
    for b in range(0, 60, 7):
        np.testing.assert_array_equal(whole[b], prob.hessian(theta[b]))


def test_threads_share_one_large_network():
    rng = np.random.default_rng(8)
    net = TwoLayer(700, 3)
    prob = random_problem(rng, net, 70, exact=False)  # two blocks, one of six samples
    theta = random_theta(rng, net, 1, exact=False)[0]
    alone = prob.hessian(theta, n_threads=1)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(prob.hessian(theta, n_threads=n_threads), alone)


_LARGE = """
    import re
    import numpy as np
    import flowscape as fs

    def peak():
        # not ru_maxrss, which begins with the memory of the process that started this one
        with open("/proc/self/status") as status:
            return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) / 1024

    rng = np.random.default_rng(0)
    before = peak()
    net = fs.TwoLayer(1000, 2, "tanh", bias=True)
    x = rng.normal(size=(SAMPLES, 2))
    prob = fs.Problem(net, fs.Samples(x, np.sin(x.sum(axis=1))))
    theta = net.init(1, rng=1, scale=0.5)[0]
    prob.gradient(theta)
    after_gradient = peak() - before
    hessian = prob.hessian(theta)
    after_hessian = peak() - before
    v = rng.normal(size=4000)
    size = np.abs(hessian) @ np.abs(v)
    error = np.max(np.abs(hessian @ v - prob.hvp(theta, v)) / size)
    print(prob.kernel, hessian.shape[0], after_gradient, after_hessian, error)
"""


def _large(samples):
    code = textwrap.dedent(_LARGE).replace("SAMPLES", str(samples))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=900
    )
    kernel, order, *figures = done.stdout.split()
    assert (kernel, order) == ("neuron_lanes", "4000")
    return map(float, figures)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read there")
@pytest.mark.parametrize("samples", [1000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_of_a_thousand_neurons(samples):
    """P = 4000: 122 MiB are the Hessian itself; measured 199 in all with 1e5 samples."""
    after_gradient, after_hessian, error = _large(samples)
    assert after_gradient < 60
    assert 120 < after_hessian < 400
    assert error < 1e-13
