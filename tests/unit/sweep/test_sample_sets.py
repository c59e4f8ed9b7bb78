"""Sample sets: names, nesting, independence of order."""

import numpy as np
import pytest

from flowscape.sweep.sample_sets import SampleRule, expand

GAUSSIAN = SampleRule("gaussian", count=3, scale=2.0)
UNIFORM = SampleRule("uniform", count=1, low=-1.0, high=3.0)
GRID = SampleRule("linspace", low=-2.0, high=2.0)


def test_every_set_has_a_name_of_its_own():
    assert [s.name for s in expand((GRID, GAUSSIAN, UNIFORM))] == [
        "linspace",
        "gaussian-1",
        "gaussian-2",
        "gaussian-3",
        "uniform",
    ]
    assert [s.name for s in expand((UNIFORM, UNIFORM))] == ["uniform-1", "uniform-2"]


@pytest.mark.parametrize("rule", [GAUSSIAN, UNIFORM])
@pytest.mark.parametrize("inputs", [1, 3])
def test_random_sets_of_growing_size_are_nested(rule, inputs):
    one = expand((rule,))[0]
    large = one.inputs(9, inputs, 7, None)
    assert large.shape == (9, inputs)
    for n in (1, 4, 8):
        np.testing.assert_array_equal(one.inputs(n, inputs, 7, None), large[:n])


def test_sets_and_seeds_have_different_points():
    sets = expand((GAUSSIAN, UNIFORM, SampleRule("gaussian")))
    drawn = [s.inputs(5, 1, seed, None) for s in sets for seed in (0, 1)]
    assert len({array.tobytes() for array in drawn}) == len(drawn)


def test_the_grid_is_evenly_spaced():
    grid = expand((GRID,))[0]
    np.testing.assert_array_equal(grid.inputs(5, 1, 0, None)[:, 0], [-2, -1, 0, 1, 2])


def test_scale_and_interval_are_obeyed():
    gaussian, *_, uniform = expand((GAUSSIAN, UNIFORM))
    normal = gaussian.inputs(4000, 1, 0, None)
    assert abs(normal.std() - 2.0) < 5 * 2.0 / np.sqrt(2 * 4000)  # five standard errors
    flat = uniform.inputs(4000, 1, 0, None)
    assert -1 <= flat.min() < -0.9
    assert 2.9 < flat.max() < 3
