"""Distance, projection and intersection of single branches."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from flowscape.errors import OptionError, ProblemError, ShapeError


def test_projection_is_a_member_at_the_distance(case, rng):
    family = case.family
    points = rng.normal(size=(3, family.setting.n_params))
    for orbit in family.orbits():
        branch = orbit.representative
        projected = branch.project(points)
        scale = 1.0 + np.abs(projected).max()
        np.testing.assert_allclose(branch.equations(projected), 0.0, atol=1e-10 * scale)
        gap = np.linalg.norm(projected - points, axis=1)
        np.testing.assert_allclose(branch.distance(points), gap, rtol=1e-12)
        np.testing.assert_allclose(branch.distance(projected), 0.0, atol=1e-10 * scale)
        np.testing.assert_array_equal(branch.project(points[0]), projected[0])


def test_the_step_to_an_affine_branch_is_normal_to_it(case, rng):
    for orbit in case.family.orbits():
        branch = orbit.representative
        theta = rng.normal(size=case.family.setting.n_params)
        if branch.is_affine:
            step = branch.project(theta) - theta
            np.testing.assert_allclose(branch.tangent(theta).T @ step, 0.0, atol=1e-12)


def test_the_step_to_a_curved_branch_is_normal_to_it_and_shortest(case, rng):
    for orbit in case.family.orbits():
        branch = orbit.representative
        if branch.is_affine:
            continue
        theta = branch.sample(rng)
        near = theta + 1e-3 * rng.normal(size=len(theta))
        foot = branch.project(near)
        step = foot - near
        assert np.linalg.norm(step) <= np.linalg.norm(theta - near)
        np.testing.assert_allclose(branch.tangent(foot).T @ step, 0.0, atol=1e-8)


def test_distance_to_a_curved_branch_against_a_grid(make_case, rng):
    # a sheet: |K| = 1, a tanh(b) = C0
    case = make_case("tanh", 1, 0, flat=1)
    constant = float(case.target(np.zeros((1, 1)))[0, 0])
    for branch in case.family:
        low, high = branch.variant
        grid = np.linspace(max(low, -8.0), min(high, 8.0), 400_003)[1:-1]
        for theta in 1.5 * rng.normal(size=(20, 3)):
            a, w, b = theta
            squares = (constant / np.tanh(grid) - a) ** 2 + (grid - b) ** 2 + w**2
            assert branch.distance(theta) == pytest.approx(np.sqrt(squares.min()), rel=1e-4)


def test_a_member_of_a_sheet_stays_on_its_side(make_case, rng):
    left, right = make_case("tanh", 1, 0, flat=1).family
    for branch, side in ((left, -1.0), (right, 1.0)):
        for _ in range(20):
            assert side * branch.sample(rng)[2] > 0.0
        assert side * branch.project([3.0, 0.2, -0.5 * side])[2] > 0.0


def test_a_singular_point_has_no_tangent_space(make_case):
    curved = [b for b in make_case("tanh", 2, 0).family if not b.is_affine]
    assert len(curved) == 1
    with pytest.raises(ProblemError, match="singular point"):
        curved[0].tangent(np.zeros(6))
    # all biases 0 with any outgoing weights: limits of the curved set
    assert curved[0].distance([1.0, 0.0, 0.0, 2.0, 0.0, 0.0]) < 1e-12


def joined(one, other):
    """Return the join of two set partitions, and per block the labels of both branches."""
    blocks = [(set(g), {label} - {-1}) for g, label in zip(one.groups, one.labels, strict=True)]
    for group, label in zip(other.groups, other.labels, strict=True):
        touching = [b for b in blocks if b[0] & set(group)]
        blocks = [b for b in blocks if b not in touching]
        labels = set().union({label} - {-1}, *(b[1] for b in touching))
        blocks.append((set().union(*(b[0] for b in touching)), labels))
    return blocks


@pytest.mark.parametrize(("m", "m0", "d"), [(3, 1, 1), (3, 2, 2), (4, 1, 2), (4, 2, 1)])
def test_generic_intersections_have_the_dimension_of_the_join(make_case, m, m0, d):
    family = make_case("shifted", m, m0, d=d, bias=False).family
    empty = 0
    for one, other in combinations(family, 2):
        blocks = joined(one, other)
        labels = [label for _, inside in blocks for label in inside]
        apart = len(labels) > m0  # the two blocks of one label are not joined
        if apart or any(len(inside) > 1 for _, inside in blocks):
            assert one.intersection(other) is None
            empty += 1
        else:
            c = len(blocks)
            assert one.intersection(other).dim == d * (c - m0) + m - (one.r + other.r - c)
            assert one.intersection(other).n_weights == c
    assert empty > 0


def test_odd_intersections_are_those_of_random_common_points(make_case, rng):
    family = make_case("tanh", 3, 1).family
    affine = [branch for branch in family if branch.is_affine]
    picks = rng.integers(len(affine), size=(25, 2))
    for i, j in picks:
        one, other = affine[int(i)], affine[int(j)]
        shared, again = one.intersection(other), other.intersection(one)
        dim = None if shared is None else shared.dim
        assert dim == (None if again is None else again.dim)
        if i == j:
            assert dim == one.dim
        point = rng.normal(size=9)
        for _ in range(300):  # alternating projections reach a common point if there is one
            point = other.project(one.project(point))
        common = one.distance(point) < 1e-6
        assert common == (dim is not None)


def test_intersection_needs_branches_of_one_family(make_case):
    family = make_case("tanh", 3, 1).family
    with pytest.raises(ProblemError, match="another family"):
        family[0].intersection(make_case("tanh", 3, 1).family[0])


def test_names_and_misuse(make_case):
    family = make_case("tanh", 2, 1).family
    assert family[1].name == "{1,-2}=t1"
    assert family[4].name == "{1}=t1 {2}=free"
    assert family[8].name == "{2}=t1 {1}=constant"
    assert family[4].labels == (0, -1)
    assert family[4].groups == ((0,), (1,))
    assert "codim=5" in repr(family[0])
    with pytest.raises(ShapeError, match="theta has shape"):
        family[0].distance(np.zeros(4))
    with pytest.raises(OptionError, match="tol="):
        family[0].contains(np.zeros(6), -1.0)
