"""The named branch of a point of a positively homogeneous family, against set by set."""

from __future__ import annotations

import numpy as np
import pytest
from homogeneous import family_of
from test_lines import BOTH, ONE, RAY, RAYS, SPACE, TILTED, TWO, ZERO, make
from test_lines_constants import CASES

from flowscape.branches.lines.bounds import LineBounds

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
BIASED = ["one, c", "affine", "level, leaky", "level, shifted", "zero, c"]


def family_named(key):
    return make(*TARGETS[key]) if key in TARGETS else family_of(*CASES[key])


def beside(family, rng, count):
    """Members; points beside them; and members with a neuron that nearly falls silent."""
    sets = rng.integers(family.count(), size=count)
    on = np.stack([family[int(i)].sample(rng) for i in sets])
    moved = on + 10.0 ** rng.uniform(-9, -2, size=(count, 1)) * rng.normal(size=on.shape)
    step = family.setting.incoming + 1
    quiet, still = on.copy(), on.copy()
    for row, k in enumerate(rng.integers(family.setting.width, size=count)):
        quiet[row, k * step] *= 1e-5
        still[row, k * step + 1 : (k + 1) * step] *= 10.0 ** -rng.integers(3, 10)
    return sets, np.concatenate([on, moved, quiet, still])


def slow_distances(family, points, most):
    """To every set, by the search of one branch; infinity where the v_k alone are farther off."""
    incoming = family.setting.split(points)[1]
    table = np.full((len(points), family.count()), np.inf)
    for i, b in enumerate(family):
        head = 1 + len(b.shape.labelled)
        fixed = family.setting.incoming if b.shape.silent else family.setting.inputs
        apart = squares(incoming[:, list(b.blocks[0]), :fixed])
        for line, block in zip(family.lines.lines, b.blocks[1:head], strict=False):
            apart += squares(incoming[:, list(block)] @ np.linalg.svd(line[None])[2][1:].T)
        for block in b.blocks[head:]:
            apart += squares(np.linalg.svd(incoming[:, list(block)])[1][:, None, 1:])
        near = np.flatnonzero(apart <= most**2)
        table[near, i] = b.distance(points[near])
    return table


def squares(vectors):
    return (vectors**2).sum(axis=(1, 2))


@pytest.mark.parametrize("key", [*TARGETS, *BIASED])
def test_distances_and_sets_are_those_of_the_slow_search(key, rng):
    """Near sets and where they meet: all that is within 0.05 is, by both, and equally far."""
    family = family_named(key)
    _, points = beside(family, rng, 2)
    orbits = np.array([branch.orbit for branch in family])
    table = slow_distances(family, points, 0.05)
    least = np.stack([table[:, orbits == o].min(axis=1) for o in np.unique(orbits)], axis=1)
    for near_only in (True,) if key in BIASED else (False, True):
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


@pytest.mark.parametrize("side", [1, -1])
def test_bounds_are_below_the_way_to_random_members(rng, side):
    """Group by group: no member of the group is nearer than its bound."""
    lines = make(3, SPACE).lines
    line, total = lines.lines[1], lines.weights[1, 0]
    for size in (1, 2, 3):
        a, v = rng.normal(size=size), rng.normal(size=(size, 3))
        signs = (side, *(1, -1)[: size - 1])
        y = v * np.array(signs)[:, None]
        bounds = LineBounds(lines, a[None, :, None], v[None])
        labelled = bounds.group(tuple(range(size)), signs, 1)[0]
        free = bounds.group(tuple(range(size)), signs, None)[0]
        for _ in range(2000):
            s = np.abs(rng.normal(size=size) + y @ line)
            b = a + 0.3 * rng.normal(size=size)
            b += s * (total - b @ s) / (s @ s)
            moved = ((b - a) ** 2).sum() + ((s[:, None] * line - y) ** 2).sum()
            assert moved >= labelled
            u = y.sum(axis=0) + rng.normal(size=3)
            u /= np.linalg.norm(u)
            s = np.maximum(y @ u + 0.2 * rng.normal(size=size), 0.01)
            b = a - s * (a @ s) / (s @ s)
            moved = ((b - a) ** 2).sum() + ((s[:, None] * u - y) ** 2).sum()
            assert moved >= free


def test_bounds_of_the_last_neurons_are_reached(rng):
    """A neuron alone, and the half line of two: the bound is the distance without the sum."""
    lines = make(3, SPACE).lines
    v, nothing = rng.normal(size=(2, 3)), np.zeros(2)
    for signs in ((1, 1), (1, -1)):
        y = v * np.array(signs)[:, None]
        best = min(half_line(y, u) for u in sphere(rng, y))
        bound = LineBounds(lines, nothing[None, :, None], v[None]).group((0, 1), signs, None)[0]
        assert bound * (1.0 - 1e-12) <= best <= bound * (1.0 + 1e-3)
    bounds = LineBounds(lines, nothing[None, :, None], v[None])
    assert bounds.silent((0, 1))[0] == pytest.approx((v**2).sum())
    flat = (v[:, :-1] ** 2).sum()
    for signs in ((1, 1), (1, -1)):
        wrong = np.minimum(v[:, -1] * signs, 0.0)
        assert bounds.constant((0, 1), signs)[0] == pytest.approx(flat + (wrong**2).sum())


def half_line(y, u):
    along = np.maximum(y @ u, 0.0)
    return ((y - along[:, None] * u) ** 2).sum()


def sphere(rng, y):
    """Unit vectors in the plane of two vectors; and these."""
    basis = np.linalg.svd(y)[2][:2]
    angles = np.linspace(0.0, 2.0 * np.pi, 4001)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ basis
    return np.concatenate([circle, y / np.linalg.norm(y, axis=1, keepdims=True)])


def test_many_members_with_biases_at_once(rng):
    """As above, with constants and an output bias that takes part."""
    for key in ("two", "two, c", "level", "planes"):
        family = family_of(*CASES[key])
        sets = np.arange(family.count())
        on = np.stack([family[int(i)].sample(rng) for i in sets])
        moved = on + 1e-9 * rng.normal(size=on.shape)
        for points, most in ((on, 1e-12), (moved, 1e-7)):
            found = family.locate(points, 1e-6, near_only=True)
            np.testing.assert_array_equal(found.index[found.index >= 0], sets[found.index >= 0])
            assert (found.index >= 0).mean() > 0.95
            assert found.distance.max() < most
