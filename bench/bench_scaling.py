"""Growth with B, N, P and threads, a few sizes each; `scaling.py` measures whole curves."""

import os

import numpy as np
import pytest

from scaling import ORDERS, calls, shape

SIZES = {"B": (1, 1_000, 100_000), "N": (6, 1_000, 100_000), "P": (6, 150, 1_500)}
CASES = [
    pytest.param(curve, value, quantity, id=f"{curve}-{value}-{quantity}")
    for curve, values in SIZES.items()
    for value in values
    for quantity in ORDERS
]
# enough work for two threads: milliseconds a call
SHARED = [("B", 100_000), ("N", 100_000), ("P", 1_500)]


@pytest.mark.parametrize(("curve", "value", "quantity"), CASES)
def test_growth(benchmark, curve, value, quantity):
    out = benchmark(calls(curve, value)[quantity], 1)
    networks, _, p = shape(curve, value)
    assert out[-1].shape == (networks, *[p] * ORDERS[quantity])
    assert all(np.isfinite(part).all() for part in out)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("curve", "value"), SHARED, ids=[f"{c}-{v}" for c, v in SHARED])
def test_threads(benchmark, curve, value, n_threads):
    if n_threads > len(os.sched_getaffinity(0)):
        pytest.skip("this process may use one processor only")
    call = calls(curve, value)["Hessian"]
    out = benchmark(call, n_threads)
    for part, alone in zip(out, call(1), strict=True):
        np.testing.assert_array_equal(part, alone)
