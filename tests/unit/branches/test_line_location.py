"""The named branch of a point of a positively homogeneous family, against set by set."""

from __future__ import annotations

import numpy as np
import pytest
from test_lines import BOTH, ONE, RAY, RAYS, SPACE, TILTED, TWO, ZERO, make

from flowscape.branches.lines.bounds import free_bound, labelled_bound

TARGETS = {
    "one": (3, ONE, "relu"),
    "two": (3, TWO, "relu"),
    "both": (2, BOTH, "leaky_relu"),
    "tilted": (3, TILTED, "relu"),
    "space": (3, SPACE, "relu"),
    "zero": (3, ZERO, "relu"),
    "ray": (3, RAY, "relu"),
    "rays": (3, RAYS, "leaky_relu"),
    "abs": (2, ONE, "abs"),
}


def beside(family, rng, count):
    """Members; points beside them; and members with a neuron that nearly falls silent."""
    sets = rng.integers(family.count(), size=count)
    on = np.stack([family[int(i)].sample(rng) for i in sets])
    moved = on + 10.0 ** rng.uniform(-9, -2, size=(count, 1)) * rng.normal(size=on.shape)
    step = family.setting.inputs + 1
    quiet, still = on.copy(), on.copy()
    for row, k in enumerate(rng.integers(family.setting.width, size=count)):
        quiet[row, k * step] *= 1e-5
        still[row, k * step + 1 : (k + 1) * step] *= 10.0 ** -rng.integers(3, 10)
    return sets, np.concatenate([on, moved, quiet, still])


def slow_distances(family, points, most):
    """To every set, by the search of one branch; infinity where the w_k alone are farther off."""
    incoming = family.setting.split(points)[1]
    table = np.full((len(points), family.count()), np.inf)
    for i, b in enumerate(family):
        head = 1 + len(b.shape.labelled)
        apart = squares(incoming[:, list(b.blocks[0])])
        for line, block in zip(family.lines.lines, b.blocks[1:head], strict=False):
            apart += squares(incoming[:, list(block)] @ np.linalg.svd(line[None])[2][1:].T)
        for block in b.blocks[head:]:
            apart += squares(np.linalg.svd(incoming[:, list(block)])[1][:, None, 1:])
        near = np.flatnonzero(apart <= most**2)
        table[near, i] = b.distance(points[near])
    return table


def squares(vectors):
    return (vectors**2).sum(axis=(1, 2))


@pytest.mark.parametrize("key", TARGETS)
def test_distances_and_sets_are_those_of_the_slow_search(key, rng):
    """Near sets and where they meet: all that is within 0.05 is, by both, and equally far."""
    family = make(*TARGETS[key])
    _, points = beside(family, rng, 2)
    orbits = np.array([branch.orbit for branch in family])
    table = slow_distances(family, points, 0.05)
    least = np.stack([table[:, orbits == o].min(axis=1) for o in np.unique(orbits)], axis=1)
    for near_only in (False, True):
        found = family.locate(points, 0.05, near_only=near_only)
        near = least <= 0.05
        np.testing.assert_array_equal(found.distances <= 0.05, near)
        # the slow search ends where a step gains less than 1e-6
        rounding = 1e-12 * (1.0 + np.linalg.norm(points, axis=1))[:, None]
        gap = np.abs(found.distances[near] - least[near])
        assert (gap <= (1e-5 * least + rounding)[near]).all()
        np.testing.assert_array_equal(found.candidates, near.sum(axis=1))
        alone = near.sum(axis=1) == 1
        np.testing.assert_array_equal(found.ambiguous, near.sum(axis=1) > 1)
        np.testing.assert_array_equal(found.orbit[alone], np.argmin(least, axis=1)[alone])
        line = np.flatnonzero(alone)
        chosen = table[line, found.index[line]]
        assert (chosen <= (1.0 + 1e-5) * least.min(axis=1)[line] + rounding[line, 0]).all()
        assert (found.index[~alone] == -1).all()


def test_far_points_are_on_no_branch(rng):
    family = make(3, TWO)
    points = rng.normal(size=(2000, family.setting.n_params))
    found = family.locate(points, 1e-2, near_only=True)
    assert (found.orbit == -1).mean() > 0.99
    off = np.flatnonzero(found.candidates == 0)[:2]
    least = np.min([branch.distance(points[off]) for branch in family], axis=0)
    assert (least > 1e-2).all()
    assert np.isinf(found.distance[off]).all()
    assert (found.nearest_index[off] == -1).all()


def test_many_members_at_once(rng):
    """Every set is recognized, at a million times its rounding error and beside it."""
    family = make(4, TWO)
    sets = np.arange(family.count())
    on = np.stack([family[int(i)].sample(rng) for i in sets])
    moved = on + 1e-9 * rng.normal(size=on.shape)
    for points, most in ((on, 1e-12), (moved, 1e-7)):
        found = family.locate(points, 1e-6, near_only=True)
        np.testing.assert_array_equal(found.index, sets)
        assert found.distance.max() < most


def test_nothing_depends_on_the_batch(rng):
    family = make(3, TILTED)
    _, points = beside(family, rng, 10)
    whole = family.locate(points, 1e-2, near_only=True)
    for row in (0, 7, 33):
        alone = family.locate(points[row], 1e-2, near_only=True)
        for name, value in vars(alone).items():
            np.testing.assert_array_equal(value, getattr(whole, name)[row])


def test_bounds_are_below_the_way_to_random_members(rng):
    """Group by group: no member of the group is nearer than its bound."""
    line = rng.normal(size=3)
    line /= np.linalg.norm(line)
    for size in (1, 2, 3):
        a, y = rng.normal(size=(1, size)), rng.normal(size=(1, size, 3))
        labelled = labelled_bound(a[:, :, None], y, line, np.array([0.7]))
        free = free_bound(a[:, :, None], y)
        for _ in range(2000):
            s = np.abs(rng.normal(size=size) + y[0] @ line)
            b = a[0] + 0.3 * rng.normal(size=size)
            b += s * (0.7 - b @ s) / (s @ s)
            moved = ((b - a) ** 2).sum() + ((s[:, None] * line - y) ** 2).sum()
            assert moved >= labelled[0]
            u = y[0].sum(axis=0) + rng.normal(size=3)
            u /= np.linalg.norm(u)
            s = np.maximum(y[0] @ u + 0.2 * rng.normal(size=size), 0.01)
            b = a[0] - s * (a[0] @ s) / (s @ s)
            moved = ((b - a) ** 2).sum() + ((s[:, None] * u - y) ** 2).sum()
            assert moved >= free[0]
