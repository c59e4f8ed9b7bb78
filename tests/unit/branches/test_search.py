"""The search among all sets of all orbits against one set after the other."""

from __future__ import annotations

import importlib
import time
import tracemalloc

import numpy as np
import pytest

from flowscape.branches.groups import best_choice, project_free, project_labelled, sign_choices
from flowscape.branches.lines.family import LineBranches
from flowscape.branches.location.group_costs import GroupCosts
from flowscape.branches.location.subsets import members, rank_partitions
from flowscape.branches.partitions import iterate_blocks

module = importlib.import_module("flowscape.branches.location.locate")


def near_and_far(family, rng, count):
    """Points in the open, on sets, beside them and where several meet."""
    size = family.setting.n_params
    sets = [family[int(i)] for i in rng.integers(len(family), size=count)]
    on = np.stack([branch.sample(rng) for branch in sets])
    met = np.stack([family[0].project(point) for point in on])
    beside = on + 10.0 ** rng.uniform(-9, -1, size=(count, 1)) * rng.normal(size=on.shape)
    far = rng.normal(size=(count, size)) * 10.0 ** rng.uniform(-2, 2, size=(count, 1))
    return np.concatenate([on, beside, met, far])


def direct(family, points):
    """Distances to every set, and the orbit of every set."""
    sets = list(family)
    return np.stack([s.distance(points) for s in sets], axis=1), np.array([s.orbit for s in sets])


def check(family, points):
    located = family.locate(points, 1e-3)
    table, orbits = direct(family, points)
    least = np.stack([table[:, orbits == o].min(axis=1) for o in np.unique(orbits)], axis=1)
    # distances are differences of coordinates: rounded relative to the point
    rounding = 1e-14 * (1.0 + np.linalg.norm(points, axis=1))
    assert (np.abs(located.distances - least) <= 1e-12 * least + rounding[:, None]).all()
    np.testing.assert_array_equal(located.candidates, (located.distances <= 1e-3).sum(axis=1))
    line = np.arange(len(points))
    chosen = table[line, located.nearest_index]
    assert (np.abs(chosen - table.min(axis=1)) <= 1e-12 * chosen + 2 * rounding).all()
    np.testing.assert_array_equal(orbits[located.nearest_index], located.nearest_orbit)
    on = located.orbit >= 0
    assert (orbits[located.index[on]] == located.orbit[on]).all()
    assert (table[line[on], located.index[on]] <= 1e-3 + rounding[on]).all()
    near = family.locate(points, 1e-3, near_only=True)
    for name in ("orbit", "index", "candidates", "ambiguous"):
        np.testing.assert_array_equal(getattr(near, name), getattr(located, name))
    kept = np.where(located.distances <= 1e-3, located.distances, np.inf)
    np.testing.assert_array_equal(near.distances, kept)
    np.testing.assert_array_equal(near.nearest_index >= 0, kept.min(axis=1) <= 1e-3)


def test_every_distance_and_every_set_is_that_of_the_full_list(case, rng):
    family = case.family
    if isinstance(family, LineBranches):
        pytest.skip("another search: test_line_location.py")
    check(family, near_and_far(family, rng, 6))


@pytest.mark.parametrize(
    "settings",
    [
        ("shifted", 5, 2, 2),
        ("shifted", 5, 0, 1),
        ("tanh", 4, 2, 2),
        ("gauss", 4, 1, 2),
        ("exp", 5, 1, 1, 2),
    ],
    ids=str,
)
def test_wider_students(make_case, rng, settings):
    family = make_case(*settings, bias=False).family
    check(family, near_and_far(family, rng, 6))


@pytest.mark.parametrize("formula", ["shifted", "tanh", "gauss"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_costs_of_groups(make_case, rng, formula, outputs):
    family = make_case(formula, 4, 2, d=2, outputs=outputs, bias=False).family
    s, target = family.setting, family.target
    outgoing, incoming, _ = s.split(rng.normal(size=(7, s.n_params)))
    costs = GroupCosts(s, target, outgoing, incoming)
    for size in (1, 2, 3, 4):
        for row, k in enumerate(members(4, size)):
            parts = outgoing[:, k], incoming[:, k]
            free, _ = best_choice(
                *parts,
                sign_choices(size, s.signed, True),
                lambda a, v, eps: project_free(a, v, eps, s.pull(eps)),
            )
            np.testing.assert_allclose(costs.free(size)[row], free, rtol=1e-13, atol=1e-15)
            labelled, _ = best_choice(
                *parts,
                sign_choices(size, s.signed, False),
                lambda a, v, eps: project_labelled(
                    a, v, eps, s.pull(eps), target.outgoing[1], target.incoming[1]
                ),
            )
            np.testing.assert_allclose(costs.labelled(1, size)[row], labelled, rtol=1e-13)


@pytest.mark.parametrize(
    ("fixed", "free"),
    [
        ((0, 2, 1), (2, 1)),
        ((1, 1), (2, 2)),
        ((0,), (3, 2, 1, 1)),
        ((2, 1, 1), (1, 1, 1)),
        ((3,), ()),
    ],
)
def test_ranks_of_batches_of_partitions(fixed, free):
    width = sum(fixed) + sum(free)
    every = list(iterate_blocks(width, fixed, free))
    order = np.random.default_rng(0).permutation(len(every))
    blocks = [
        np.array([sum(1 << k for k in every[i][place]) for i in order])
        for place in range(len(fixed) + len(free))
    ]
    np.testing.assert_array_equal(rank_partitions(width, fixed, free, blocks), order)


def test_nothing_depends_on_how_the_batch_is_cut(make_case, rng, monkeypatch):
    family = make_case("tanh", 3, 1).family
    points = near_and_far(family, rng, 20)
    whole = family.locate(points, 1e-2)
    for size in (1, 7, 64):
        monkeypatch.setattr(module, "_CHUNK", size)
        parts = family.locate(points, 1e-2)
        for name, value in vars(whole).items():
            np.testing.assert_array_equal(value, getattr(parts, name))


def test_memory_does_not_grow_with_the_batch(make_case, rng):
    """Tables take at most some 100 MB; what is left is proportional to the result."""
    family = make_case("shifted", 7, 3, d=2, bias=False).family
    points = rng.normal(size=(6_000, family.setting.n_params))
    tracemalloc.start()
    located = family.locate(points, 1e-3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6 + 4 * located.distances.nbytes


def test_no_points(make_case):
    located = make_case("tanh", 3, 1).family.locate(np.zeros((0, 9)), 1e-3)
    assert located.distances.shape == (0, 7)
    assert located.orbit.shape == located.second.shape == (0,)


def test_the_search_is_much_faster_than_the_list(make_case, rng):
    """320 sets; measured in turn, so that a busy machine slows both."""
    family = make_case("shifted", 5, 2, d=2, bias=False).family
    points = rng.normal(size=(10_000, family.setting.n_params))
    sets = list(family)
    family.locate(points[:10], 1e-3)
    ratios = []
    for part in range(3):
        start = time.perf_counter()
        for branch in sets[part::8]:
            branch.distance(points)
        middle = time.perf_counter()
        family.locate(points, 1e-3)
        ratios.append(8 * (middle - start) / (time.perf_counter() - middle))
    assert max(ratios) > 4.0, ratios
