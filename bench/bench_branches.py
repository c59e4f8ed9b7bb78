"""Which branch a point is on: seconds for 10^5 points, CPU time of one thread.

With `near_only` where sets are curved: there distances to far sets are searches.
"""

import time

import numpy as np
import pytest

from flowscape import Teacher, TwoLayer
from flowscape.branches import branches

POINTS = 100_000
SHIFTED = {"name": "tanh", "h": 0.3}
# activation, m, m0, d, bias: 62, 320, 3120, 896 and 68 sets
FAMILIES = {
    "generic-4-2": (SHIFTED, 4, 2, 1, False),
    "generic-5-2": (SHIFTED, 5, 2, 2, False),
    "generic-6-3": (SHIFTED, 6, 3, 2, False),
    "odd-4-2": ("tanh", 4, 2, 2, False),
    "odd-bias-3-1": ("tanh", 3, 1, 1, True),
}
ABS = ["relu", {"name": "relu", "s": -1.0}]
# 34, 16, 25, 25, 10, 68, 10, 74, 38, 22 and 134 sets
CURVED = {
    "sigmoid-bias-3-1": ("sigmoid", 3, 1, 1, True),
    "softplus-bias-3-1": ("softplus", 3, 1, 1, True),
    "silu-bias-3-1": ("silu", 3, 1, 1, True),
    "gelu-3-1": ("gelu", 3, 1, 2, False),
    "exp-bias-3-1": ("exp", 3, 1, 1, True),
    "generic-bias-3-1": (SHIFTED, 3, 1, 1, True),
    "relu-3-1": ("relu", 3, 1, 2, False),
    "relu-4-2": ("relu", 4, 2, 2, False),
    "abs-3-1": (ABS, 3, 1, 2, False),
    "relu-bias-3-1": ("relu", 3, 1, 1, True),
    "relu-bias-4-2": ("relu", 4, 2, 2, True),
}


def family(activation, m, m0, d, bias):
    """All branches of a random target of m0 neurons."""
    net = TwoLayer(m0, d, activation, bias)
    rng = np.random.default_rng(5)
    return branches(TwoLayer(m, d, activation, bias), Teacher(net, rng.normal(size=net.n_params)))


def half_near(found, rng):
    """Points, half of them in the open and half beside sets; and the sets of the first ones."""
    points = rng.normal(size=(POINTS, found.setting.n_params))
    sets = rng.integers(found.count(), size=100)
    on = np.stack([found[int(i)].sample(rng) for i in sets])
    points[::2] = np.resize(on, (POINTS // 2, on.shape[1])) + 1e-6 * points[::2]
    return points, sets


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("name", FAMILIES)
def test_locate(benchmark, name):
    """Half of the points in the open, half within 1e-4 of a set."""
    found = family(*FAMILIES[name])
    rng = np.random.default_rng(1)
    points, sets = half_near(found, rng)
    located = benchmark.pedantic(found.locate, (points, 1e-4), rounds=3, iterations=1)
    known = located.index[: 2 * len(sets) : 2]
    assert (known == sets)[known >= 0].all()
    assert (known >= 0).mean() > 0.9
    check = rng.integers(POINTS, size=50)
    distances = np.stack([branch.distance(points[check]) for branch in found])
    np.testing.assert_allclose(
        located.distance[check], distances.min(axis=0), rtol=1e-9, atol=1e-13
    )
    benchmark.extra_info["sets"] = len(found)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("name", CURVED)
def test_locate_near(benchmark, name):
    """The same for curved sets, with `near_only`; distances of the first ones set by set."""
    found = family(*CURVED[name])
    points, sets = half_near(found, np.random.default_rng(1))
    options = {"near_only": True}
    located = benchmark.pedantic(found.locate, (points, 1e-4), options, rounds=3, iterations=1)
    known = located.index[: 2 * len(sets) : 2]
    assert (known == sets)[known >= 0].all()
    assert (known >= 0).mean() > 0.9
    assert (located.orbit[1::2] >= 0).mean() < 0.01
    for place, which in enumerate(sets[:10].tolist()):
        wanted = found[which].distance(points[2 * place])
        assert located.distance[2 * place] <= wanted * (1.0 + 1e-6) + 1e-13
    benchmark.extra_info["sets"] = found.count()
