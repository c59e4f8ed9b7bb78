"""W1 to W4: loss, gradient and Hessian of the four kernel workloads, one thread, from Python."""

import numpy as np
import pytest

from workloads import KERNELS

CASES = [
    pytest.param(name, order, id=f"{name}-{quantity}")
    for name in KERNELS
    for order, quantity in ((1, "gradient"), (2, "hessian"))
    if (name, order) != ("W4", 2)  # W4 is a gradient workload
]


@pytest.mark.parametrize(("name", "order"), CASES)
def test_evaluate(benchmark, name, order):
    work = KERNELS[name]()
    prob, theta = work.problem, work.theta
    out = benchmark(prob.evaluate, theta, order, n_threads=1)
    residual = prob.residual(theta[0])
    assert out[0][0] == pytest.approx(np.sum(residual**2), rel=1e-12)
    slope = 2.0 * residual @ prob.jacobian(theta[0])
    np.testing.assert_allclose(out[1][0], slope, rtol=0.0, atol=1e-11 * np.abs(slope).max())
    benchmark.extra_info["kernel"] = prob.kernel
    if benchmark.stats is not None:  # None with --benchmark-disable
        median = benchmark.stats["median"]
        benchmark.extra_info["ns_per_network"] = 1e9 * median / len(theta)
        benchmark.extra_info["fair_gflops"] = 1e-9 * work.flops[order] / median


def test_call_overhead(benchmark, example_one):
    """One small network's loss through the public method."""
    theta = example_one.net.init(1, rng=0, scale=0.5)[0]
    value = benchmark(example_one.loss, theta)
    assert value == pytest.approx(0.5 * np.sum(example_one.residual(theta) ** 2), rel=1e-13)
