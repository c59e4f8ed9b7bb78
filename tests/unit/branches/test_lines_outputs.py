"""Positively homogeneous activations with several outputs: ranks, and which strata there are."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from every_stratum import strata
from homogeneous import fast_and_slow, smallest_stratum, some
from line_outputs import OutputStudent, output_family, random_components

from flowscape import connect, connected_components, matching
from flowscape.branches.lines.strata import MIXED, components
from flowscape.errors import ProblemError

ONE = [(1.3, -0.5, 0.9, -0.4)]
TWO = [*ONE, (-0.7, 0.8, 0.3, 0.8)]
PARALLEL = [*ONE, (-2.6, 1.0, 0.3, 0.8)]
BOTH = [*ONE, (0.8, 0.3, -0.9, 0.4)]  # one line, both sides
LINEAR = [*ONE, (-1.3, 0.5, -0.9, 0.4)]  # a linear function of rank 1
PLANE = [*LINEAR, (0.2, 0.7, 0.3, 0.8), (-0.2, -0.7, -0.3, -0.8)]  # of rank 2
TILTED = [*ONE, (0.5, 0.4, 0.2, 0.7), (-0.5, -0.4, -0.2, -0.7)]
SPACE = [(1.3, 0.2, -0.5, 0.9, -0.4, 0.3), (-0.7, 0.8, 0.1, 0.3, 0.8, 0.5)]
ZERO = [(0.0, 0.0, 1.0, 0.0)]
RAY = [(1.2, 0.4, 0.7)]
RAYS = [(1.2, 0.4, 0.7), (-0.4, 0.6, -1.1)]

TARGETS = {
    "one": (3, ONE, "relu", 2),
    "one, abs": (3, ONE, "abs", 2),
    "two": (4, TWO, "relu", 2),
    "parallel": (4, PARALLEL, "leaky_relu", 2),
    "both": (3, BOTH, "relu", 2),
    "linear": (4, LINEAR, "relu", 2),
    "plane": (4, PLANE, "relu", 2),
    "tilted": (4, TILTED, "leaky_relu", 2),
    "space": (3, SPACE, "relu", 3),
    "zero": (4, ZERO, "relu", 2),
    "zero, abs": (3, ZERO, "abs", 2),
    "ray": (3, RAY, "relu", 2),
    "rays": (3, RAYS, "leaky_relu", 2),
    "ray, abs": (3, RAY, "abs", 2),
}


def make(key):
    m, neurons, name, outputs = TARGETS[key]
    student = OutputStudent(m, len(neurons[0]) - outputs, name, outputs=outputs)
    return output_family(student, neurons), student


@pytest.fixture(params=TARGETS, ids=str)
def family_and_student(request):
    return make(request.param)


def listed(family):
    """Every branch as labelled groups, sorted free groups, constant neurons, signs and ranks."""
    found = Counter()
    for b in family:
        if not b.shape.silent:
            head = 1 + len(b.shape.labelled)
            groups = (*b.blocks[1:head], *sorted(b.blocks[head:]))
            found[groups, b.blocks[0], b.signs, b.shape.ranks or (0, 0)] += 1
    return found


@pytest.mark.parametrize("key", TARGETS)
def test_the_list_is_that_of_random_solutions_on_all_strata(key, rng):
    family, student = make(key)
    wanted, known = Counter(), {}
    for labelled, free, _, signs in strata(student.m, family.lines.m0):
        if student.d == 1 and free:  # there is one line
            continue
        # the condition does not see more than sides
        sides = [tuple(sorted({signs[k] for k in block})) for block in labelled]
        seen = (*sides, sum(len({signs[k] for k in block}) == 2 for block in free))
        if seen not in known:
            known[seen] = random_components(family.lines, labelled, free, signs, (), rng)
        groups = (*map(tuple, labelled), *sorted(map(tuple, free)))
        for ranks in known[seen]:
            wanted[groups, (), signs, ranks] += 1
    found = listed(family)
    assert found == wanted
    assert max(found.values()) == 1


MANY = {key: TARGETS[key] for key in ("two", "parallel", "both", "plane", "tilted", "zero")}
MANY["space"] = (4, [*SPACE, (0.1, 0.2, 0.3, 1.2, 0.4, 0.8)], "relu", 3)
MANY["dependent"] = (4, [*TWO, (0.6, 0.4, -0.5, 1.1)], "relu", 2)


@pytest.mark.parametrize("key", fast_and_slow(MANY, ("both", "zero", "space")))
def test_rules_agree_with_random_solutions_for_many_mixed_groups(key, rng):
    """Every pattern of sides with up to 4 mixed free groups, also where lines are dependent."""
    m, neurons, name, outputs = MANY[key]
    student = OutputStudent(m, len(neurons[0]) - outputs, name, outputs=outputs)
    target = output_family(student, neurons).lines
    seen = Counter()
    for pattern in product((1, -1, MIXED), repeat=target.m0):
        for free in range(5):
            labelled, groups, still, signs = smallest_stratum(pattern, free)
            wanted = random_components(target, labelled, groups, signs, still, rng)
            found = components(target, pattern, free)
            assert set(found) == wanted, (pattern, free)
            assert len(found) == len(wanted)
            seen[free, len(found)] += 1
    assert seen[0, 0] + seen[1, 0] > 0
    assert seen[4, 1] > 0
    assert (seen[3, 2] + seen[4, 3] > 0) == (key == "space")


def test_members_obey_equations_and_are_the_target(family_and_student, rng):
    family, student = family_and_student
    x = rng.normal(size=(80, student.d))
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
        tangent = b.tangent(theta)
        moved = student.value(theta + 1e-5 * tangent @ rng.normal(size=b.dim), x)
        assert np.abs(moved - wanted).max() < 1e-7 * scale**2
        moved = theta + 0.05 * rng.normal(size=len(theta))
        assert np.abs(student.value(moved, x) - wanted).max() > 1e-5


def test_no_component_contains_another(family_and_student, rng):
    family, _ = family_and_student
    everything = [family[int(i)] for i in rng.permutation(family.count())[:100]]
    for b in some(family, rng, 4):
        theta = b.sample(rng)
        for other in everything:
            if other.index != b.index:
                holds = np.abs(other.equations(theta)).max() < 1e-7
                assert not (holds and other.contains(theta, 1e-7)), (b, other)


@pytest.mark.parametrize("key", ["one, abs", "zero, abs", "ray, abs"])
def test_paths_of_zero_loss_for_the_absolute_value(key, rng):
    family, student = make(key)
    (component,) = connected_components(family)
    assert component == tuple(range(family.count()))
    x = rng.normal(size=(30, student.d))
    wanted = student.value(np.asarray(family.teacher.theta), x)
    for i, j in rng.integers(family.count(), size=(6, 2)):
        path = connect(family, family[int(i)].sample(rng), family[int(j)].sample(rng))
        points = np.concatenate([path.points(101), path.vertices])
        gap = np.abs(student.value(points, x) - wanted).max(axis=(1, 2))
        assert (gap < 1e-12 * (1.0 + np.abs(points).max(axis=1)) ** 2).all()


def test_what_is_not_known_is_refused_by_name():
    family, _ = make("two")
    with pytest.raises(ProblemError, match="vectors and matrices"):
        connected_components(family)
    with pytest.raises(ProblemError, match="vectors and matrices"):
        connect(family, *np.zeros((2, family.setting.n_params)))
    with pytest.raises(ProblemError, match="use one output"):
        family[0].separation(np.ones((5, 2)))
    with pytest.raises(ProblemError, match="conditions on ranks"):
        family[0].intersection(family[1])


def test_members_are_located_and_matched(family_and_student, rng):
    family, student = family_and_student
    sets = rng.integers(family.count(), size=6)
    points = np.stack([family[int(i)].sample(rng) for i in sets])
    moved = points + 1e-9 * rng.normal(size=points.shape)
    for batch in (points, moved):
        found = family.locate(batch, 1e-6, near_only=True)
        np.testing.assert_array_equal(found.index, sets)
        assert found.distance.max() < 1e-7
    for row, i in zip(points, sets, strict=True):
        match = matching(row, family.teacher, student.net(), tol=1e-8)
        assert match.perfect
        for label, block in enumerate(family[int(i)].blocks[1 : 1 + family.lines.m0]):
            assert (match.labels[list(block)] == label).all() or family[int(i)].shape.silent


def test_an_exact_integer_network():
    """relu(z) - relu(-z) = z twice, in two outputs: a matrix of rank two from two pairs."""
    family, student = make("plane")
    assert {b.shape.ranks for b in family} == {(2, 2)}
    integers = [(1, 0, 2, 1), (-1, 0, -2, -1), (0, 3, 1, -1), (0, -3, -1, 1)]
    family = output_family(student, integers)
    rows = np.array([(1, -3, 1, 2), (-1, 3, -1, -2), (1, 0, 1, -1), (-1, 0, -1, 1)], dtype=float)
    x = np.array([(i, j) for i in range(-3, 4) for j in range(-3, 4)], dtype=float)
    # e_1 (2, 1) + 3 e_2 (1, -1) = (1, -3) (1, 2) + (1, 0) (1, -1) + (0, 3) (2, 1)
    given = np.array(integers, dtype=float)
    wanted = student.value(given.ravel(), x)
    third = np.array([(0, 3, 2, 1), (0, -3, -2, -1)], dtype=float)
    six = OutputStudent(6, 2, "relu", outputs=2)
    theta = np.concatenate([rows, third]).ravel()
    np.testing.assert_array_equal(six.value(theta, x), wanted)
    family = output_family(six, integers)
    system = [b for b in family if b.codim == 0 or np.abs(b.equations(theta)).max() < 1e-9]
    near = [b for b in system if b.contains(theta, 1e-9)]
    assert len(near) == 1
    assert near[0].kind.endswith("ranks 2, 2")
