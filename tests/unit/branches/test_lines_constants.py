"""Positively homogeneous activations with hidden biases: constants take part."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from every_stratum import strata
from homogeneous import (
    ACTIVATION,
    SHIFT,
    Student,
    family_of,
    generic_point_exists,
    smallest_stratum,
    some,
)

from flowscape.branches import branches
from flowscape.branches.lines.strata import MIXED, is_component
from flowscape.branches.lines.target import line_target
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer

ONE = [(1.3, 0.9, 0.3)]
TWO = [(1.3, 0.9, 0.3), (-0.7, -0.5, 0.8)]
BOTH = [(1.3, 0.9, 0.3), (0.8, -0.9, -0.3)]  # one line, both sides: |.| and an affine part
AFFINE = [(1.0, 0.9, 0.3), (-1.0, -0.9, -0.3)]  # relu(z) - relu(-z) = z
LEVEL = [*ONE, (0.5, 0.0, 1.0)]  # plus a constant
ONLY_LEVEL = [(0.5, 0.0, 1.0), (0.0, 1.0, 1.0)]
CANCELLED = [*ONE, (0.5, 0.0, 1.0), (0.25, 0.0, -2.0)]  # for |z|: the constant 1
PLANE = [(1.3, 0.9, -0.4, 0.3)]
PLANES = [(1.3, 0.9, -0.4, 0.3), (-0.7, 0.3, 0.8, -0.5)]
ZERO = [(0.0, 1.0, 1.0)]

CASES = {
    "one": (Student(3, 1, "relu", True), ONE),
    "one, c": (Student(3, 1, "relu", True, True), ONE),
    "one, shifted": (Student(3, 1, "shifted", True), ONE),
    "two": (Student(4, 1, "relu", True), TWO),
    "two, c": (Student(4, 1, "leaky_relu", True, True), TWO),
    "both": (Student(4, 1, "relu", True), BOTH),
    "affine": (Student(3, 1, "relu", True), AFFINE),
    "affine, c": (Student(3, 1, "relu", True, True), AFFINE),
    "level": (Student(4, 1, "relu", True), LEVEL),
    "level, leaky": (Student(3, 1, "leaky_relu", True), LEVEL),
    "level, shifted": (Student(3, 1, "shifted", True), LEVEL),
    "only level": (Student(3, 1, "leaky_relu", True), ONLY_LEVEL),
    "only level, relu": (Student(3, 1, "relu", True), ONLY_LEVEL),
    "plane": (Student(3, 2, "leaky_relu", True), PLANE),
    "plane, c": (Student(3, 2, "relu", True, True), PLANE),
    "planes": (Student(4, 2, "relu", True), PLANES),
    "zero": (Student(3, 1, "relu", True), ZERO),
    "zero, leaky": (Student(3, 1, "leaky_relu", True), ZERO),
    "zero, c": (Student(2, 1, "leaky_relu", True, True), ZERO),
    "zero, abs": (Student(3, 1, "abs", True), ZERO),
    "abs": (Student(3, 2, "abs", True), PLANE),
    "abs, c": (Student(3, 1, "abs", True, True), ONE),
    "abs, level": (Student(3, 1, "abs", True), CANCELLED),
}
CONSTANT = 0.4


@pytest.fixture(params=CASES, ids=str)
def student_and_family(request):
    student, neurons = CASES[request.param]
    return student, family_of(student, neurons, CONSTANT)


def signed_strata(student, m0):
    """Yield (labelled, free, constant, signs) with the signs of b of the constant neurons."""
    for labelled, free, still, signs in strata(student.m, m0, constant=True):
        for sides in product((1, -1), repeat=len(still)):
            every = list(signs)
            for k, side in zip(still, sides, strict=True):
                every[k] = side
            yield labelled, free, still, tuple(every)


def test_the_list_is_that_of_all_strata_with_a_generic_point(student_and_family, rng):
    student, family = student_and_family
    wanted = Counter()
    for labelled, free, still, signs in signed_strata(student, family.lines.m0):
        if generic_point_exists(family.lines, labelled, free, signs, still, rng):
            wanted[tuple(map(tuple, labelled)), tuple(sorted(map(tuple, free))), signs] += 1
    found = Counter()
    for b in family:
        if not b.shape.silent:
            head = 1 + len(b.shape.labelled)
            found[b.blocks[1:head], tuple(sorted(b.blocks[head:])), b.signs] += 1
    assert found == wanted
    assert max(found.values()) == 1


def test_rules_agree_with_random_solutions_for_many_mixed_groups(rng):
    """Every pattern of sides, with free and constant neurons, also where lines are dependent."""
    more = [*TWO, (0.6, 1.1, -0.5)]
    targets = [
        (Student(3, 1, "relu", True), more),
        (Student(3, 1, "leaky_relu", True), more),
        (Student(3, 1, "leaky_relu", True, True), more),
        (Student(2, 1, "leaky_relu", True), BOTH),
        (Student(4, 1, "leaky_relu", True), [*TWO, (-0.7, 0.5, -0.8), (0.2, 0.0, 1.0)]),
        (Student(3, 2, "leaky_relu", True), [*PLANES, (0.4, 0.1, 0.2, 0.9)]),
        (Student(2, 2, "relu", True), [PLANE[0], (0.8, -0.9, 0.4, -0.3)]),
        (Student(2, 1, "relu", True, True), AFFINE),
    ]
    seen = Counter()
    for student, neurons in targets:
        target = line_target(student.net(), Teacher(student.net(), _theta(student, neurons)))
        levels = ([], [1], [-1], [1, 1], [-1, -1], [1, -1], [1, 1, -1])
        for pattern in product((1, -1, MIXED), repeat=target.m0):
            for free, sides in product(range(5), levels):
                labelled, groups, still, signs = smallest_stratum(pattern, free, sides)
                wanted = generic_point_exists(target, labelled, groups, signs, still, rng)
                # one effective constant must not be 0, several must not be a limit: same rule
                counted = target.levels((sides.count(1), sides.count(-1)))
                assert is_component(target, pattern, free, counted) == wanted, (neurons, signs)
                seen[free, any(counted), wanted] += 1
    assert all(seen[j, level, True] for j in range(5) for level in (True, False))
    assert all(seen[j, level, False] for j in range(2) for level in (True, False))


def _theta(student, neurons):
    rows = np.array(neurons, dtype=float).ravel()
    return np.concatenate([rows, [CONSTANT] * student.output_bias])


def test_counts_agree_with_the_sequence(student_and_family):
    _, family = student_and_family
    everything = Counter((s.r, s.l) for s in family.shapes for _ in range(s.n_sets))
    for r, deficient in product(range(family.setting.width + 1), repeat=2):
        assert family.count(r, deficient) == everything[r, deficient]
    assert family.count() == sum(everything.values()) == family.ends[-1]


def test_a_huge_family_is_counted_and_not_listed():
    family = family_of(Student(12, 2, "leaky_relu", True), PLANES)
    assert family.count() > 10**9
    assert 0 < family.count(3, 0) < family.count(3)


def test_members_are_the_target_and_perturbations_are_not(student_and_family, rng):
    student, family = student_and_family
    x = rng.normal(size=(80, student.d)) * np.exp(3.0 * rng.normal(size=(80, 1)))  # also far away
    wanted = student.value(np.asarray(family.teacher.theta), x)
    far = 1.0 + np.abs(x).max()
    for b in some(family, rng):
        theta = b.sample(rng)
        scale = 1.0 + np.abs(theta).max()
        assert np.abs(student.value(theta, x) - wanted).max() < 1e-12 * scale**2 * far
        assert np.abs(b.equations(theta)).max() < 1e-12 * scale**3
        assert b.contains(theta, 1e-12 * scale**2)
        jacobian = b.equations_jacobian(theta)
        step = 1e-6 * np.eye(len(theta))
        by_hand = (b.equations(theta + step) - b.equations(theta - step)).T / 2e-6
        np.testing.assert_allclose(by_hand, jacobian, atol=1e-7 * scale**2)
        assert np.linalg.matrix_rank(jacobian, tol=1e-8) == len(jacobian) == b.codim
        assert b.dim == len(theta) - b.codim == b.tangent(theta).shape[1]
        moved = theta + 0.05 * rng.normal(size=len(theta))
        assert np.abs(student.value(moved, x) - wanted).max() > 1e-5
        near = b.project(theta + 1e-3 * rng.normal(size=len(theta)))
        assert np.linalg.norm(near - theta) < 0.1 * scale
        assert np.abs(student.value(near, x) - wanted).max() < 1e-10 * scale**2 * far


def test_no_component_contains_another(student_and_family, rng):
    """Closed conditions: a random member breaks an equation or is on a wrong side elsewhere."""
    _, family = student_and_family
    everything = [family[int(i)] for i in rng.permutation(family.count())[:150]]
    for b in some(family, rng, 4)[:6]:
        theta = b.sample(rng)
        for other in everything:
            if other.index != b.index:
                holds = np.abs(other.equations(theta)).max() < 1e-7
                assert not (holds and other.contains(theta, 1e-7)), (b, other)


def test_still_neurons_are_limits_beside_others_on_their_side(student_and_family, rng):
    """v_k = 0 with any a_k, its p_k added to another neuron of its side: a limit of |v_k| -> 0."""
    student, family = student_and_family
    tried = 0
    for b in some(family, rng, 5):
        theta = b.sample(rng)
        rows = theta[: student.m * student.block].reshape(student.m, -1).copy()
        shift = np.zeros(student.block)
        shift[-1] = SHIFT.get(student.name, 0.0)
        rows += shift
        for block in () if b.shape.silent else b.groups:
            for side in (1, -1):
                places = [k for k in block if b.signs[k] == side]
                if len(places) < 2:
                    continue
                k, j = (int(i) for i in rng.permutation(places)[:2])
                point = rows.copy()
                point[j, 0] += (
                    rows[k, 0] * np.linalg.norm(rows[k, 1:]) / np.linalg.norm(rows[j, 1:])
                )
                point[k, 0], point[k, 1:] = rng.normal(), 0.0
                still = np.concatenate([(point - shift).ravel(), theta[rows.size :]])
                assert b.contains(still, 1e-9), b
                point[k, 1:] = -0.01 * rows[k, 1:]  # to the other side: 0 is as near
                wrong = np.concatenate([(point - shift).ravel(), theta[rows.size :]])
                assert b.distance(wrong) <= 0.0101 * np.linalg.norm(rows[k, 1:]), b
                tried += 1
    assert tried or student.m == 2


def pick(family, kind):
    return next(b for b in family if b.kind == kind)


def test_dead_neurons_are_branches_of_their_own():
    """w = 0 and b < 0 with any a: on no branch where the neuron has a line."""
    family = family_of(Student(2, 1, "relu", True), ONE)
    theta = np.array([*ONE[0], 0.7, 0.0, -1.1])
    located = family.locate(theta, 1e-9)
    assert family[int(located.index)].kind == "labelled 1 | constant -1"
    assert located.second > 0.1
    leaky = family_of(Student(2, 1, "leaky_relu", True), ONE)
    assert leaky.locate(theta, 1e-9).orbit == -1  # there it makes -0.0077 a


def test_constants_that_cancel():
    """Of one sign of b they are limits of a line that turns, of both they are a branch."""
    leaky = family_of(Student(3, 1, "leaky_relu", True), ONE)
    same = np.array([*ONE[0], 0.7, 0.0, 1.1, -0.77, 0.0, 1.0])
    assert pick(leaky, "labelled 1 | free 2").contains(same, 1e-9)
    apart = np.array([*ONE[0], 0.7, 0.0, 1.0, 0.7, 0.0, -100.0])
    found = leaky.locate(apart, 1e-9)
    assert leaky[int(found.index)].kind == "labelled 1 | constant 1+1"


def test_silent_neurons_are_limits_unless_constants_have_one_sign():
    theta = np.array([0.7, 0.0, 0.0, 0.4, 0.0, 0.0])
    for name, kinds in (
        ("relu", {"constant -2"}),
        ("leaky_relu", {"constant 1+1"}),
        ("abs", {"silent 2"}),
    ):
        family = family_of(Student(2, 1, name, True), ZERO)
        assert {b.kind for b in family if b.contains(theta, 1e-12)} == kinds
    alone = family_of(Student(1, 1, "leaky_relu", True), ZERO)
    assert [b.kind for b in alone] == ["silent 1", "free 1"]
    alone = family_of(Student(1, 1, "relu", True), ZERO)
    assert [b.kind for b in alone] == ["free 1", "constant -1"]


def test_targets_are_reduced_with_their_constants():
    family = family_of(Student(3, 1, "relu", True), [*LEVEL, (2.0, 0.0, -1.0)])
    assert family.lines.m0 == 1
    np.testing.assert_allclose(family.lines.linear[0], [1.17, 0.39 + 1.0])  # 0.5 / lambda
    assert "2 neuron(s) with zero input weight silent or constant" in " ".join(family.target.notes)
    assert family_of(Student(1, 1, "relu", True), LEVEL).message
    assert family_of(Student(2, 1, "relu", True), LEVEL).count() > 0
    shifted = family_of(Student(2, 1, "shifted", True), ONE)
    np.testing.assert_allclose(shifted.lines.lines[0], np.array([0.9, 0.8]) / np.hypot(0.9, 0.8))
    # a teacher without biases is one with b = 0
    plain = Teacher(TwoLayer(1, 1, "relu", False), np.array([1.3, 0.9]))
    assert branches(TwoLayer(2, 1, "relu", True), plain).lines.lines[0].tolist() == [1.0, 0.0]
    with pytest.raises(ProblemError, match="give the student a bias"):
        branches(TwoLayer(2, 1, "relu", False), Teacher(TwoLayer(1, 1, "relu", True), np.ones(3)))
    with pytest.raises(ProblemError, match="outputs=2"):
        branches(TwoLayer(2, 1, ACTIVATION["abs"], True, 2), plain)
