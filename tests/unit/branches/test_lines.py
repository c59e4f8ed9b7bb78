"""Positively homogeneous activations: lines, sides, and which of their strata are components."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import comb

import numpy as np
import pytest
from every_stratum import strata
from homogeneous import Student, family_of, generic_point_exists, smallest_stratum, some

from flowscape.branches import branches
from flowscape.branches.lines.shapes import LineShape
from flowscape.branches.lines.strata import MIXED, is_component
from flowscape.branches.lines.target import line_target
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer


def make(m, neurons, name="relu"):
    return family_of(Student(m, len(neurons[0]) - 1, name), neurons)


ONE = [(1.3, 0.9, -0.4)]
TWO = [(1.3, 0.9, -0.4), (-0.7, 0.3, 0.8)]
THREE = [*TWO, (0.6, -0.5, 1.1)]
BOTH = [(1.3, 0.9, -0.4), (0.8, -0.9, 0.4)]  # one line, both sides: |.| and a linear part
LINEAR = [(1.0, 0.9, -0.4), (-1.0, -0.9, 0.4)]  # relu(z) - relu(-z) = z
TILTED = [*ONE, (0.5, 0.2, 0.7), (-0.5, -0.2, -0.7)]  # a linear part off the line
SPACE = [(1.3, 0.9, -0.4, 0.3), (-0.7, 0.3, 0.8, 0.5), (0.4, 0.1, 0.2, 0.9)]
ZERO = [(0.0, 1.0, 0.0)]
RAY = [(1.2, 0.7)]
RAYS = [(1.2, 0.7), (-0.4, -1.1)]

TARGETS = {
    "one": (3, ONE, "relu"),
    "two": (4, TWO, "relu"),
    "three": (5, THREE, "leaky_relu"),
    "both": (4, BOTH, "relu"),
    "linear": (4, LINEAR, "relu"),
    "tilted": (4, TILTED, "leaky_relu"),
    "space": (5, SPACE, "relu"),
    "zero": (3, ZERO, "relu"),
    "ray": (3, RAY, "relu"),
    "rays": (3, RAYS, "leaky_relu"),
    "abs": (3, ONE, "abs"),
    "five": (5, ONE, "relu"),
}


@pytest.fixture(params=TARGETS, ids=str)
def family_and_student(request):
    m, neurons, name = TARGETS[request.param]
    return make(m, neurons, name), Student(m, len(neurons[0]) - 1, name)


@pytest.mark.parametrize("key", ["one", "two", "both", "linear", "tilted", "ray", "rays", "abs"])
def test_the_list_is_that_of_all_strata_with_a_generic_point(key, rng):
    m, neurons, name = TARGETS[key]
    family = make(m, neurons, name)
    d = len(neurons[0]) - 1
    wanted = Counter()
    for labelled, free, _, signs in strata(m, family.lines.m0):
        if d == 1 and free:  # there is one line
            continue
        if generic_point_exists(family.lines, labelled, free, signs, (), rng):
            groups = (*map(tuple, labelled), *sorted(map(tuple, free)))
            wanted[groups, signs] += 1
    found = Counter()
    for b in family:
        head = len(b.shape.labelled)
        groups = (*b.groups[:head], *sorted(b.groups[head:]))
        found[groups, b.signs] += 1
    assert found == wanted
    assert max(found.values()) == 1


def test_rules_agree_with_random_solutions_for_many_mixed_groups(rng):
    """Every pattern of sides with up to 4 mixed free groups, also where lines are dependent."""
    cases = {key: TARGETS[key] for key in ("three", "space", "both", "tilted")}
    cases["many"] = (0, [*THREE, (0.9, 1.0, 0.2), (1.1, -0.3, 0.5)], "relu")
    cases["opposite"] = (0, [*TWO, (-0.4, -0.3, -0.8), (0.4, 0.3, 0.8)], "relu")
    seen = Counter()
    for _, neurons, name in cases.values():
        rows = np.array(neurons)
        net = TwoLayer(len(rows), rows.shape[1] - 1, name, False)
        target = line_target(net, Teacher(net, rows.ravel()))
        for pattern in product((1, -1, MIXED), repeat=target.m0):
            for free in range(5):
                labelled, groups, still, signs = smallest_stratum(pattern, free)
                wanted = generic_point_exists(target, labelled, groups, signs, still, rng)
                assert is_component(target, pattern, free) == wanted, (neurons, pattern, free)
                seen[free, wanted] += 1
    assert all(seen[free, True] for free in range(5))
    assert all(seen[free, False] for free in range(2))


def test_counts_agree_with_the_sequence(family_and_student):
    family, _ = family_and_student
    everything = Counter((s.r, s.l) for s in family.shapes for _ in range(s.n_sets))
    for r, deficient in product(range(family.setting.width + 1), repeat=2):
        assert family.count(r, deficient) == everything[r, deficient]
    assert family.count() == sum(everything.values()) == family.ends[-1]
    assert family.count() == sum(orbit.sets for orbit in family.orbits())


def test_sets_of_an_orbit_are_distinct_and_have_its_sides():
    shapes = [
        LineShape(0, ((2, 1), (0, 2)), ((2, 1), (2, 1))),
        LineShape(0, ((1, 1),), ((2, 2), (1, 1), (1, 0), (1, 0))),
        LineShape(0, (), ((3, 1), (2, 2))),
    ]
    for shape in shapes:
        seen = set()
        for rank in range(0, shape.n_sets, 1 + shape.n_sets // 3000):
            blocks, signs = shape.member(rank)
            head = 1 + len(shape.labelled_sides)
            for block, sides in zip(blocks[1:head], shape.labelled_sides, strict=True):
                assert sum(signs[k] > 0 for k in block) == sides[0]
            for block, sides in zip(blocks[head:], shape.free_sides, strict=True):
                assert sum(signs[k] > 0 for k in block) in sides
                assert signs[block[0]] == 1
            seen.add((blocks[:head], tuple(sorted(blocks[head:])), signs))
        assert len(seen) == len(range(0, shape.n_sets, 1 + shape.n_sets // 3000))
    # neurons: 3 + 2 + 3 + 3, unordered equal pairs, sides 3 each
    ways = comb(11, 3) * comb(8, 2) * comb(6, 3) // 2
    assert shapes[0].n_sets == ways * 3 * 1 * 3 * 3


def test_a_huge_family_is_counted_and_not_listed():
    family = make(12, THREE)
    assert family.count() > 10**9
    assert family.count(3, 0) > 0


def test_members_are_the_target_and_perturbations_are_not(family_and_student, rng):
    family, student = family_and_student
    x = rng.normal(size=(80, family.setting.inputs))
    wanted = student.value(np.asarray(family.teacher.theta), x)
    for b in some(family, rng):
        theta = b.sample(rng)
        scale = 1.0 + np.abs(theta).max()
        assert np.abs(student.value(theta, x) - wanted).max() < 1e-12 * scale**2
        assert np.abs(b.equations(theta)).max() < 1e-12 * scale**3
        assert b.contains(theta, 1e-12 * scale**2)
        jacobian = b.equations_jacobian(theta)
        assert np.linalg.matrix_rank(jacobian, tol=1e-8) == len(jacobian) == b.codim
        assert b.dim == len(theta) - b.codim
        moved = theta + 0.05 * rng.normal(size=len(theta))
        assert np.abs(student.value(moved, x) - wanted).max() > 1e-5


def test_no_component_contains_another(family_and_student, rng):
    """Closed conditions: a random member breaks an equation or is on a wrong side elsewhere."""
    family, _ = family_and_student
    everything = [family[int(i)] for i in rng.permutation(family.count())[:200]]
    for b in some(family, rng, 4):
        theta = b.sample(rng)
        for other in everything:
            if other.index != b.index:
                holds = np.abs(other.equations(theta)).max() < 1e-7
                assert not (holds and other.contains(theta, 1e-7)), (b, other)


def test_points_at_the_edge_of_a_set(rng):
    """w_k = 0 with any a_k is a limit where others carry the sum, not where it must be 0."""
    family = make(2, ONE)
    pair = next(b for b in family if b.r == 1)
    weight, line = family.lines.weights[0, 0], family.lines.lines[0]
    edge = np.array([weight, *line, 0.7, 0.0, 0.0])
    assert pair.contains(edge, 1e-12)
    wrong = np.array([weight, *line, 0.7, *(-0.1 * line)])  # adds -0.07 relu(-line.x)
    assert not pair.contains(wrong, 1e-3)
    assert pair.distance(wrong) == pytest.approx(0.1, abs=0.03)
    zero = make(2, ZERO)
    couple = next(b for b in zero if b.kind == "free 2")
    assert couple.contains(np.array([0.7, 0.0, 0.0, -0.3, 0.0, 0.0]), 1e-12)
    assert not couple.contains(np.array([0.7, 0.0, 0.0, 0.3, 0.0, 0.0]), 1e-6)
    silent = next(b for b in zero if b.shape.silent)
    assert silent.contains(np.array([0.7, 0.0, 0.0, 0.3, 0.0, 0.0]), 1e-12)


def test_what_is_not_known_is_refused_by_name():
    family = make(3, ONE)
    b = family[0]
    with pytest.raises(ProblemError, match="kink"):
        _ = b.separation_size
    with pytest.raises(ProblemError, match="curved"):
        b.linear_equations()
    with pytest.raises(ProblemError, match="kink"):
        _ = family.optimistic_size
    with pytest.raises(ProblemError, match="multiplicity"):
        _ = b.multiplicity
    with pytest.raises(ProblemError, match="one by one"):
        make(9, TWO).locate(np.zeros(27))
    teacher = family.teacher
    with pytest.raises(ProblemError, match="inputs=2"):
        branches(TwoLayer(2, 3, "relu", False), teacher)
    biased = TwoLayer(1, 2, "relu", True)
    with pytest.raises(ProblemError, match="give the student a bias"):
        branches(TwoLayer(2, 2, "relu", False), Teacher(biased, np.ones(4)))
    with pytest.raises(ProblemError, match="outputs=2"):
        branches(TwoLayer(2, 2, "relu", False, 2), teacher)
    assert (
        "output bias"
        in branches(
            TwoLayer(2, 2, "relu", False),
            Teacher(TwoLayer(1, 2, "relu", False, 1, True), np.array([1.0, 1.0, 0.5, 2.0])),
        ).message
    )


def test_the_target_is_reduced_to_lines():
    family = make(3, [*ONE, (0.0, 1.0, 1.0), (0.5, 1.8, -0.8), (2.0, 0.0, 0.0)])
    assert family.lines.m0 == 1
    assert family.lines.weights[0, 0] == pytest.approx(2.3 * np.hypot(0.9, 0.4))
    words = " ".join(family.target.notes)
    for text in ("zero input weight silent", "2 neurons on one line", "weight 0 dropped"):
        assert text in words
    both = make(3, BOTH).lines
    assert both.m0 == 1
    np.testing.assert_allclose(both.linear[0], 0.5 * np.array([0.9, -0.4]))
    assert make(2, BOTH).count() == 2
    assert "3 neurons" in make(2, TILTED).message or make(2, TILTED).message


def test_the_smallest_students():
    """relu(z) - relu(-z) = z needs two neurons, a line tilted by another direction three."""
    assert make(1, LINEAR).message
    assert make(2, LINEAR).count() == 1
    assert make(1, BOTH).message
    assert make(2, BOTH).count() == 2
    assert make(2, TILTED).message
    assert make(3, TILTED).count() > 0
    assert make(1, ONE).count() == 1
