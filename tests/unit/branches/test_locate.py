"""The branch that a point is on, for batches, at crossings and far away."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.errors import OptionError, ProblemError, ShapeError


def test_members_are_located_on_their_own_branch(case, rng):
    family = case.family
    indices = np.unique(rng.integers(len(family), size=30))
    points = np.stack([family[int(i)].sample(rng) for i in indices])
    located = family.locate(points, 1e-7)
    np.testing.assert_array_equal(located.index, indices)
    np.testing.assert_array_equal(located.nearest_index, indices)
    np.testing.assert_array_equal(located.orbit, [family[int(i)].orbit for i in indices])
    assert located.distance.max() < 1e-10
    assert not located.ambiguous.any()


def test_one_point_and_a_batch_agree(make_case, rng):
    family = make_case("tanh", 3, 1).family
    points = rng.normal(size=(5, 9))
    batch = family.locate(points, 0.5)
    for row, point in enumerate(points):
        alone = family.locate(point, 0.5)
        for name, value in vars(alone).items():
            np.testing.assert_array_equal(value, getattr(batch, name)[row])


def test_far_points_and_points_that_are_not_finite(make_case):
    family = make_case("tanh", 2, 1).family
    points = np.full((3, 6), 50.0)
    points[1, 2] = np.nan
    points[2, 0] = np.inf
    located = family.locate(points, 1e-3)
    assert (located.orbit == -1).all()
    assert not located.ambiguous.any()
    np.testing.assert_array_equal(located.nearest_index >= 0, [True, False, False])
    np.testing.assert_array_equal(np.isfinite(located.distance), [True, False, False])
    assert np.isinf(family[0].distance(points)[1:]).all()


@pytest.mark.parametrize(("formula", "bias"), [("tanh", True), ("shifted", False)])
def test_the_invariant_separates_the_two_branches_where_they_meet(make_case, formula, bias):
    case = make_case(formula, 2, 1, bias=bias)
    family, (a0, *v0) = case.family, case.teacher.theta
    v0 = np.array(v0)

    def point(apart, small, flip=1.0):
        return np.concatenate([[flip * small], flip * (v0 + apart), [a0 - small], v0])

    offset = np.zeros(len(v0))
    offset[0] = 1e-4
    shared, free, neither = (
        family.locate(point(offset * x, 1e-4 * y), 1e-2) for x, y in ((1, 2), (2, 0.3), (2, 1))
    )
    assert shared.candidates == free.candidates == neither.candidates == 2
    assert family[int(shared.index)].kind == "labelled 2"
    assert family[int(free.index)].kind == "labelled 1 | free 1"
    assert neither.orbit == neither.index == -1
    assert neither.ambiguous
    assert family.locate(point(0 * offset, 0.0), 1e-2).ambiguous
    if bias:
        mirrored = point(offset, 2e-4, flip=-1.0)
        located = family.locate(mirrored, 1e-2)
        assert located.orbit == shared.orbit
        assert located.index != shared.index


def test_other_meetings_are_ambiguous(make_case):
    family = make_case("tanh", 3, 1).family
    a0, w0, b0 = family.teacher.theta
    located = family.locate([a0, w0, b0, 0.0, w0, b0, 0.0, w0, b0], 1e-6)
    assert located.candidates > 2
    assert located.ambiguous
    assert located.orbit == -1
    assert located.nearest_orbit >= 0


def test_misuse_is_named(make_case):
    family = make_case("tanh", 2, 1).family
    with pytest.raises(ShapeError, match="theta has shape"):
        family.locate(np.zeros(5), 1e-3)
    with pytest.raises(OptionError, match="tol=0"):
        family.locate(np.zeros(6), 0.0)
    with pytest.raises(OptionError, match="margin="):
        family.locate(np.zeros(6), 1e-3, margin=-1.0)
    large = make_case("tanh", 14, 1).family
    with pytest.raises(ProblemError, match="width=14"):
        large.locate(np.zeros(42), 1e-3)
