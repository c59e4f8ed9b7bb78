"""Random numbers of the core: NumPy's Philox, Box and Muller's normals, one stream per run."""

import numpy as np
import pytest
from scipy import stats

from flowscape import OptionError, TwoLayer, _core

KEYS = [(0, 0), (1, 2), (2**64 - 1, 2**63), (0x9E3779B97F4A7C15, 12345)]


@pytest.mark.parametrize("run", [0, 1, 7, 2**32, 2**64 - 1])
@pytest.mark.parametrize("key", KEYS)
def test_raw_numbers_are_numpys(key, run):
    # As uint64, because NumPy reads a list of such numbers as floats.
    counter, words = np.array([0, run, 0, 0], np.uint64), np.array(key, np.uint64)
    for count in (0, 1, 3, 4, 5, 1001):
        expected = np.random.Philox(counter=counter, key=words).random_raw(count)
        raw = _core.philox_raw(*key, run, count)
        assert raw.dtype == np.uint64
        np.testing.assert_array_equal(raw, expected)


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_normals_are_box_and_mullers(count):
    first, runs = 11, 50
    normals = _core.philox_normals(5, 6, first, runs, count)
    assert normals.shape == (runs, count)
    pairs = (count + 1) // 2
    raw = np.array([_core.philox_raw(5, 6, first + b, 2 * pairs) for b in range(runs)])
    uniform = ((raw >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[:, 0::2]))
    angle = 2.0 * np.pi * uniform[:, 1::2]
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    expected = expected.reshape(runs, -1)[:, :count]
    size = np.repeat(radius, 2, axis=1)[:, :count]
    assert (np.abs(normals - expected) <= 1e-15 * np.maximum(size, 1.0)).all()


def test_normals_are_normal():
    """A fixed stream: the test decides once, at five standard errors."""
    draws = _core.philox_normals(2024, 7, 0, 1000, 1000).ravel()
    n = draws.size
    assert abs(draws.mean()) < 5 / np.sqrt(n)
    assert abs(draws.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs(stats.skew(draws)) < 5 * np.sqrt(6 / n)
    assert abs(stats.kurtosis(draws)) < 5 * np.sqrt(24 / n)
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    grid = draws.reshape(1000, 1000)
    for a, b in ((grid[:, :-1], grid[:, 1:]), (grid[:-1], grid[1:])):  # in a run, between runs
        assert abs((a * b).mean()) < 5 / np.sqrt(a.size)


def test_a_uniform_number_is_never_0():
    """log(0) would make an infinite normal: the smallest uniform is 2^-54."""
    assert np.isfinite(_core.philox_normals(3, 3, 0, 100, 1000)).all()


@pytest.mark.parametrize("kind", ["normal", "glorot"])
def test_initial_parameters_do_not_depend_on_the_batch(kind):
    net = TwoLayer(3, 2, outputs=2, output_bias=True)
    whole = net.init(20, rng=9, scale=0.3, kind=kind)
    parts = [(0, 1), (1, 7), (8, 12)]
    again = [net.init(n, rng=9, scale=0.3, kind=kind, first_run=first) for first, n in parts]
    np.testing.assert_array_equal(np.concatenate(again), whole)
    assert len(np.unique(whole[:, 0])) == 20


def test_scale_multiplies_and_seeds_differ():
    net = TwoLayer(2, 1)
    one = net.init(5, rng=1)
    np.testing.assert_array_equal(net.init(5, rng=1, scale=2.0**-20), one * 2.0**-20)
    assert not np.isin(net.init(5, rng=2), one).any()


def test_glorot_standard_deviations():
    net = TwoLayer(30, 4, outputs=3, output_bias=True)
    parts = net.unpack(net.init(2000, rng=4, scale=0.5, kind="glorot"))
    for weights, fans in ((parts.a, 33), (parts.w, 34)):
        deviation = 0.5 * np.sqrt(2 / fans)
        assert abs(weights.std() / deviation - 1) < 5 / np.sqrt(2 * weights.size)
    assert not parts.b.any()
    assert not parts.c.any()


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1", None, True])
def test_bad_seeds(seed):
    with pytest.raises(OptionError, match=r"rng="):
        TwoLayer(2, 1).init(3, rng=seed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, r"n=0 must be an integer >= 1"),
        ({"scale": 0.0}, r"scale=0.0 must be"),
        ({"scale": -1.0}, r"scale=-1.0 must be"),
        ({"scale": np.nan}, r"scale=nan must be"),
        ({"kind": "uniform"}, r"kind='uniform'"),
        ({"first_run": -1}, r"first_run=-1 must be"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OptionError, match=message):
        TwoLayer(2, 1).init(**{"n": 2, "rng": 1, **options})
