"""Benchmarks: `python -m pytest bench`. Answers are checked: fast nonsense fails."""

import time

import numpy as np
import pytest

import flowscape as fs
from flowscape import _core


@pytest.fixture(autouse=True)
def _machine(benchmark):
    """Store with every figure what it was measured on."""
    a = np.random.default_rng(0).normal(size=(400, 400))
    begin = time.perf_counter()
    for _ in range(10):
        a @ a
    gflops = 10 * 2 * 400**3 / (time.perf_counter() - begin) / 1e9
    benchmark.extra_info |= {"level": _core.isa(), "numpy_product_gflops": gflops}


@pytest.fixture(scope="session")
def example_one():
    """Example 1 of the single-neuron-target paper at n = 6: workload W5 and W1's network."""
    net = fs.TwoLayer(2, 1, "tanh", bias=True)
    x = np.linspace(-2.0, 2.0, 6)
    return fs.Problem(net, fs.Samples(x, np.tanh(x + 1.0)), loss="half_sum")
