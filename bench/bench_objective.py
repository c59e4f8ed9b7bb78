"""W1 to W4: loss, gradient and Hessian of the four kernel workloads, one thread, from Python."""

import numpy as np
import pytest

import flowscape as fs


def _problem(name: str) -> tuple[fs.Problem, int]:
    rng = np.random.default_rng(7)
    width, inputs, activation, bias, n, batch = {
        "W1": (2, 1, "tanh", True, 6, 4096),
        "W2": (5, 2, "softplus", False, 100_000, 4),
        "W3": (50, 3, "tanh", True, 200, 64),
        "W4": (1000, 1, "rational", True, 6, 8),
    }[name]
    net = fs.TwoLayer(width, inputs, activation, bias=bias)
    x = rng.normal(size=(n, inputs))
    return fs.Problem(net, fs.Samples(x, np.sin(x.sum(axis=1)))), batch


@pytest.mark.parametrize("order", [1, 2], ids=["gradient", "hessian"])
@pytest.mark.parametrize("name", ["W1", "W2", "W3", "W4"])
def test_evaluate(benchmark, name, order):
    if (name, order) == ("W4", 2):
        pytest.skip("W4 is a gradient workload")
    prob, batch = _problem(name)
    theta = prob.net.init(batch, rng=1, scale=0.5)
    out = benchmark(prob.evaluate, theta, order, n_threads=1)
    residual = prob.residual(theta[0])
    assert out[0][0] == pytest.approx(np.sum(residual**2), rel=1e-12)
    benchmark.extra_info["kernel"] = prob.kernel
    benchmark.extra_info["ns_per_network"] = 1e9 * benchmark.stats["median"] / batch


def test_call_overhead(benchmark, example_one):
    """One small network's loss through the public method."""
    theta = example_one.net.init(1, rng=0, scale=0.5)[0]
    value = benchmark(example_one.loss, theta)
    assert value == pytest.approx(0.5 * np.sum(example_one.residual(theta) ** 2), rel=1e-13)
