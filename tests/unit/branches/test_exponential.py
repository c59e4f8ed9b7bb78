"""Exponential activations with a bias: the pull-back of the family without one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from flowscape.branches import branches, connected_components, intersection_poset, matching
from flowscape.critical import connect
from flowscape.errors import ProblemError
from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher, TwoLayer
from flowscape.separation import SeparationVerdict, jacobian_rank


@pytest.fixture
def case(make_case):
    return make_case("steep", 3, 1)


def test_counts_are_those_without_a_bias(make_case):
    for m, m0, d in [(2, 1, 1), (3, 1, 2), (4, 2, 1), (5, 1, 3), (12, 3, 2)]:
        with_bias, plain = (make_case("exp", m, m0, d, bias=bias).family for bias in (True, False))
        assert with_bias.count() == plain.count()
        for r in range(m0, m + 1):
            assert with_bias.count(r, 1) == plain.count(r, 1)
        one, two = with_bias.orbits(), plain.orbits()
        for ours, theirs in zip(one, two, strict=True):
            b = ours.representative
            assert ours.sets == theirs.sets
            assert b.codim == b.r + (m + m0 - b.r) * d == b.separation_size
            assert b.dim == theirs.representative.dim + m == (m - b.r) + (b.r - m0) * d + m
        assert with_bias.optimistic_size == (d + 1) * m0


def test_lazy_indexing_agrees_with_the_sequence(case):
    family = case.family
    for i, branch in enumerate(family):
        assert branch.index == i
        assert family[i].name == branch.name
        assert family[i].groups == branch.groups
    assert [b.name for b in family[-2:]] == [family[-2].name, family[-1].name]


def test_the_rank_of_the_jacobian_in_multiprecision(make_case, rng):
    """min(n, r + (r - l) d) at members whose biases differ within a group; not (r - l)(d + 1)."""
    for m, m0, d in [(2, 1, 1), (3, 1, 2)]:
        family = make_case("exp", m, m0, d).family
        for orbit in family.orbits():
            b = orbit.representative
            rho = b.r + (b.r - b.l) * d
            theta = b.sample(rng)
            for n in (rho - 1, rho + 2):
                found = jacobian_rank(family.net, theta, 1.5 * rng.normal(size=(n, d)), digits=60)
                assert found.rank == found.most == min(n, rho)


def test_the_codimension_is_one_of_the_solution_set(make_case, rng):
    """Zeros of the loss near a branch for n = codim samples: P - codim dimensions, and no fewer.

    Newton from many nearby starts gives points of the set; differences of them span dim
    directions to first order, as the set is smooth.
    """
    case = make_case("exp", 2, 1)
    x = 2.0 * rng.normal(size=(40, 1))
    for orbit in case.family.orbits():
        b = orbit.representative
        theta = b.sample(rng)
        radius = 1e-3
        cloud = []
        while len(cloud) < 20:
            near = case.net.n_params
            point = theta + radius * rng.normal(size=near)
            for _ in range(60):
                jacobian = np.stack(
                    [
                        (case.forward(point + h, x) - case.forward(point - h, x)).ravel() / 2e-6
                        for h in 1e-6 * np.eye(near)
                    ],
                    axis=1,
                )
                residual = (case.forward(point, x) - case.target(x)).ravel()
                point = point - np.linalg.lstsq(jacobian, residual, rcond=1e-9)[0]
            if np.abs(residual).max() < 1e-11:
                cloud.append(point - theta)
        values = np.linalg.svd(np.array(cloud), compute_uv=False)
        assert values[b.dim - 1] > 0.1 * radius
        assert values[b.dim :].max(initial=0.0) < 20.0 * radius**2


def test_the_distance_is_the_least_one_on_a_grid(make_case, rng):
    """Two labelled neurons: a member is (w, w, b1, b2, a1), a2 follows."""
    family = make_case("exp", 2, 1).family
    branch = next(b for b in family if b.r == 1)
    weight, vector = family.target.outgoing[0, 0], family.target.incoming[0, 0]
    for _ in range(4):
        theta = branch.sample(rng) + 0.3 * rng.normal(size=6)
        grid = np.linspace(-4.0, 4.0, 2001)  # the square is off by less than 1e-4 of itself
        b1, b2 = np.meshgrid(theta[2] + grid, theta[5] + grid)
        gap = theta[0] * np.exp(b1) + theta[3] * np.exp(b2) - weight
        square = gap**2 / (np.exp(2 * b1) + np.exp(2 * b2))
        square += (b1 - theta[2]) ** 2 + (b2 - theta[5]) ** 2
        square += (theta[1] - vector) ** 2 + (theta[4] - vector) ** 2
        assert branch.distance(theta) == pytest.approx(np.sqrt(square.min()), rel=1e-4)
        assert branch.distance(theta) <= np.sqrt(square.min()) + 1e-9


def test_huge_biases_have_a_distance_or_infinity(case):
    branch = case.family[0]
    theta = np.zeros(9)
    theta[2] = -2000.0
    assert branch.distance(theta) == np.inf
    assert case.family.locate(theta).index == -1
    assert np.isfinite(branch.distance(np.zeros(9)))


def test_intersections_have_the_dimension_of_their_points(make_case, rng):
    """The rank of all equations at random shared points; emptiness as without a bias."""
    case = make_case("exp", 3, 1, 2)
    family, empty = case.family, 0
    for i, j in combinations(range(family.count()), 2):
        shared = family[i].intersection(family[j])
        plain = family.image[i].intersection(family.image[j])
        assert (shared is None) == (plain is None)
        if shared is None:
            empty += 1
            continue
        theta = shared.sample(rng)
        for k in (i, j):
            assert family[k].distance(theta) < 1e-9
        both = np.concatenate([family[k].equations_jacobian(theta) for k in (i, j)])
        both /= np.linalg.norm(both, axis=1, keepdims=True)
        assert np.linalg.matrix_rank(both, tol=1e-9) == shared.codim
        assert shared.dim == len(theta) - shared.codim
        moved = theta + 0.01 * rng.normal(size=len(theta))
        nearest = shared.project(moved)
        for k in (i, j):
            assert family[k].distance(nearest) < 1e-9
            assert family[k].distance(moved) <= shared.distance(moved) * (1 + 1e-9)
        assert shared.contains(theta, 1e-9)
        assert not shared.contains(moved, 1e-6)
    assert 0 < empty < family.count() * (family.count() - 1) // 2


def test_the_poset_and_connectedness_are_those_of_the_image(make_case, rng):
    family = make_case("exp", 3, 1).family
    poset = intersection_poset(family)
    plain = intersection_poset(family.image)
    assert poset.covers == plain.covers
    for flat, below in zip(poset.flats, plain.flats, strict=True):
        assert flat.members == below.members
        assert flat.dim == below.dim + 3
        theta = flat.subspace.sample(rng)
        if flat.members[0] % 3:
            continue  # a third of them is enough
        inside = [b.index for b in family if b.distance(theta) < 1e-9]
        assert tuple(inside) == flat.members
    assert len(connected_components(family)) == 1
    assert len(connected_components(make_case("exp", 2, 2).family)) == 2


def test_separation_is_that_of_the_image_and_its_root_leads_to_imperfect_zeros(rng):
    """exp, d = 2, n = 4: separated exactly if one sample is inside the triangle of the others."""
    small, net = TwoLayer(1, 2, "exp"), TwoLayer(2, 2, "exp")
    family = branches(net, Teacher(small, np.array([0.8, 0.3, -0.5, 0.4])))
    branch = next(b for b in family if b.r == 1)
    triangle = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    theta = branch.sample(rng)
    inside = branch.separation(np.vstack([triangle, [[0.5, 0.6]]]), theta)
    assert inside.verdict == SeparationVerdict.SEPARATED
    assert (inside.codim, inside.dim, inside.n_params) == (5, 3, 8)
    x = np.vstack([triangle, [[2.0, 2.0]]])
    outside = branch.separation(x, theta)
    assert outside.verdict == SeparationVerdict.NOT_SEPARATED
    assert outside.local_dimension == 4
    prob = Problem(net, Samples.of(family.teacher, x), loss="sum", teacher=family.teacher)
    # the residual vanishes to second order along the root, up to what the rank removes
    slopes = prob.jacobian(theta) @ outside.root
    assert np.abs(slopes).max() < 1e-9
    assert np.abs(branch.equations_jacobian(theta) @ outside.root).max() > 1e-3


@pytest.mark.parametrize(
    ("m", "m0", "outputs", "output_bias", "flat"),
    [(3, 1, 1, False, 0), (3, 2, 1, False, 0), (4, 2, 2, True, 0), (3, 1, 1, True, 1)],
)
def test_paths_of_zero_loss(make_case, rng, m, m0, outputs, output_bias, flat):
    case = make_case("steep", m, m0, 2, outputs, True, output_bias, flat)
    family = case.family
    moved = 0
    for i, j in rng.integers(family.count(), size=(12, 2)):
        a, b = family[int(i)].sample(rng), family[int(j)].sample(rng)
        path = connect(family, a, b)
        np.testing.assert_array_equal(path.vertices[0], a)
        np.testing.assert_array_equal(path.vertices[-1], b)
        assert len(path.notes) == len(path.vertices) - 1
        points = path.points(200)
        scale = 1.0 + np.abs(path.vertices).max()
        x = rng.normal(size=(20, 2))
        assert np.abs(case.forward(points, x) - case.target(x)).max() < 1e-11 * scale**2
        moved += path.length > path.straight_length * (1 + 1e-6)
    assert moved > 6


def test_without_a_neuron_to_spare_biases_change_on_a_curve(make_case, rng):
    case = make_case("exp", 2, 2)
    one, other = case.family
    a, b = one.sample(rng), one.sample(rng)
    path = connect(case.family, a, b)
    assert not path.is_polygon
    points = path.points(4001)
    np.testing.assert_array_equal(points[[0, -1]], [a, b])
    x = rng.normal(size=(20, 1))
    assert np.abs(case.forward(points, x) - case.target(x)).max() < 1e-12 * (
        1 + np.abs(points).max()
    )
    chords = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    assert chords == pytest.approx(path.length, rel=1e-5)
    with pytest.raises(ProblemError, match="different connected components"):
        connect(case.family, a, other.sample(rng))


def test_matching_compares_without_biases(make_case, rng):
    case = make_case("exp", 3, 2)
    for branch in case.family:
        found = matching(branch.sample(rng), case.teacher, case.net)
        assert found.perfect
        expected = np.empty(3, dtype=int)
        for group, label in zip(branch.groups, branch.labels, strict=True):
            expected[list(group)] = label
        np.testing.assert_array_equal(found.labels, expected)


def test_a_branch_with_all_outgoing_weights_zero_is_affine(make_case):
    family = make_case("exp", 2, 0).family
    flags = {b.kind: b.is_affine for b in family}
    assert flags == {"free 2": False, "free 1, 1": True}
    plane = next(b for b in family if b.is_affine)
    matrix, right = plane.linear_equations()
    assert np.linalg.matrix_rank(matrix) == plane.codim == 2
    assert not right.any()
    with pytest.raises(ProblemError, match="curved"):
        next(b for b in family if not b.is_affine).linear_equations()


def test_a_teacher_without_biases_and_bad_teachers():
    net = TwoLayer(2, 1, "exp", True)
    plain = TwoLayer(2, 1, "exp", False)
    family = branches(net, Teacher(plain, np.array([1.0, 0.5, 2.0, -0.3])))
    assert family.target.m0 == 2
    np.testing.assert_array_equal(family.target.incoming[:, 1], 0.0)
    with_bias = Teacher(net, np.array([1.0, 0.5, 0.0, 2.0 * np.exp(-1.0), -0.3, 1.0]))
    np.testing.assert_allclose(branches(net, with_bias).target.outgoing, family.target.outgoing)
    merged = Teacher(net, np.array([1.0, 0.5, 0.3, -2.0, 0.5, 0.1]))
    assert branches(net, merged).target.m0 == 1
    assert "equal incoming vectors merged" in branches(net, merged).target.notes[0]
    assert branches(TwoLayer(1, 1, "exp"), with_bias).message
    with pytest.raises(ProblemError, match="inputs=1"):
        branches(TwoLayer(2, 2, "exp"), with_bias)
    with pytest.raises(ProblemError, match="activation"):
        branches(TwoLayer(2, 1, {"name": "exp", "s": 2.0}), with_bias)
    with pytest.raises(ProblemError, match="another family"):
        family[0].intersection(branches(net, with_bias)[0])


def test_a_neuron_that_is_small_at_0_only_counts():
    net = TwoLayer(2, 1, "exp")
    teacher = Teacher(net, np.array([1.0, 1.0, 40.0, 1.0, -1.0, 0.0]))  # e^{x + 40} + e^{-x}
    family = branches(net, teacher)
    assert family.target.m0 == 2
    assert family.target.notes == ()
    grid = np.linspace(-60.0, 20.0, 41)[:, None]
    reduced = family.target.outgoing.T @ np.exp(family.target.incoming[:, :1] @ grid.T)
    expected = np.exp(grid[:, 0] + 40.0) + np.exp(-grid[:, 0])
    np.testing.assert_allclose(reduced[0], expected, rtol=1e-13)
    cancels = np.array([1.0, 1.0, 40.0, -np.exp(40.0), 1.0, 0.0])
    assert branches(net, Teacher(net, cancels)).target.m0 == 0


def test_a_bias_that_loses_its_neuron_is_refused():
    net = TwoLayer(2, 1, "exp")
    for bias, verb in ((-800.0, "underflows"), (-740.0, "underflows"), (800.0, "overflows")):
        with pytest.raises(ProblemError, match=verb):
            branches(net, Teacher(net, np.array([1.0, 0.5, 0.0, 1.0, -0.3, bias])))
    silent = Teacher(net, np.array([1.0, 0.5, 0.0, 0.0, -0.3, -800.0]))  # a = 0 is no loss
    assert branches(net, silent).target.m0 == 1


@pytest.mark.parametrize("bias", [-600.0, -400.0, 400.0, 600.0])
def test_neurons_whose_squared_weights_leave_the_range_count(bias):
    net = TwoLayer(2, 1, "exp")
    family = branches(net, Teacher(net, np.array([1.0, 1.0, bias, 1.0, -1.0, 0.0])))
    assert (family.target.m0, family.target.notes) == (2, ())
    np.testing.assert_allclose(np.sort(family.target.outgoing[:, 0]), np.sort([np.exp(bias), 1.0]))
