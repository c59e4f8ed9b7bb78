"""Positively homogeneous activations with hidden biases and several outputs."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from homogeneous import fast_and_slow, smallest_stratum, some
from line_outputs import OutputStudent, output_family, random_components
from test_lines_constants import signed_strata
from test_lines_outputs import listed

from flowscape.branches.lines.strata import MIXED, components

ONE = [(1.3, -0.5, 0.9, 0.3)]
TWO = [*ONE, (-0.7, 0.8, -0.5, 0.8)]
PARALLEL = [*ONE, (-2.6, 1.0, -0.5, 0.8)]
BOTH = [*ONE, (0.8, 0.3, -0.9, -0.3)]
AFFINE = [*ONE, (-1.3, 0.5, -0.9, -0.3)]  # of rank 1
PLANE = [*AFFINE, (0.2, 0.7, -0.5, 0.8), (-0.2, -0.7, 0.5, -0.8)]  # of rank 2
LEVEL = [*ONE, (0.5, 0.2, 0.0, 1.0)]
ONLY_LEVEL = [(0.5, 0.2, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)]
ZERO = [(0.0, 0.0, 1.0, 1.0)]
CONSTANT = (0.4, -0.2)


def biased(m, name, output_bias=False):
    return OutputStudent(m, 1, name, True, output_bias)


CASES = {
    "one": (biased(3, "relu"), ONE),
    "one, c": (biased(3, "relu", True), ONE),
    "two": (biased(4, "relu"), TWO),
    "parallel, c": (biased(3, "leaky_relu", True), PARALLEL),
    "both": (biased(4, "relu"), BOTH),
    "affine": (biased(4, "relu"), AFFINE),
    "affine, c": (biased(4, "relu", True), AFFINE),
    "plane": (biased(4, "relu"), PLANE),
    "plane, leaky": (biased(5, "leaky_relu"), PLANE),
    "level": (biased(3, "relu"), LEVEL),
    "level, leaky": (biased(3, "leaky_relu"), LEVEL),
    "only level": (biased(4, "leaky_relu"), ONLY_LEVEL),
    "shifted": (biased(3, "shifted"), LEVEL),
    "zero": (biased(4, "relu"), ZERO),
    "zero, leaky": (biased(2, "leaky_relu"), ZERO),
    "zero, leaky, 3": (biased(3, "leaky_relu"), ZERO),
    "zero, c": (biased(2, "leaky_relu", True), ZERO),
    "zero, abs": (biased(3, "abs"), ZERO),
    "abs": (biased(3, "abs"), LEVEL),
    "abs, c": (biased(3, "abs", True), ONE),
}


@pytest.fixture(params=CASES, ids=str)
def student_and_family(request):
    student, neurons = CASES[request.param]
    return student, output_family(student, neurons, CONSTANT)


def test_the_list_is_that_of_random_solutions_on_all_strata(student_and_family, rng):
    student, family = student_and_family
    wanted, known = Counter(), {}
    for labelled, free, still, signs in signed_strata(student, family.lines.m0):
        sides = [tuple(sorted({signs[k] for k in block})) for block in (*labelled, still)]
        seen = (*sides, sum(len({signs[k] for k in block}) == 2 for block in free))
        if seen not in known:
            known[seen] = random_components(family.lines, labelled, free, signs, still, rng)
        groups = (*map(tuple, labelled), *sorted(map(tuple, free)))
        for ranks in known[seen]:
            wanted[groups, tuple(still), signs, ranks] += 1
    found = listed(family)
    assert found == wanted
    assert max(found.values()) == 1
    everything = Counter((s.r, s.l) for s in family.shapes for _ in range(s.n_sets))
    for r, deficient in product(range(student.m + 1), repeat=2):
        assert family.count(r, deficient) == everything[r, deficient]
    assert family.count() == sum(everything.values()) == family.ends[-1]


RULES = ("one", "both", "plane, leaky", "parallel, c", "zero, leaky")


@pytest.mark.parametrize("key", fast_and_slow(RULES, ("one", "both", "zero, leaky")))
def test_rules_agree_with_random_solutions_for_all_kinds_of_constants(key, rng):
    student, neurons = CASES[key]
    target = output_family(student, neurons, CONSTANT).lines
    for pattern in product((1, -1, MIXED), repeat=target.m0):
        for free, sides in product(range(4), [(), (1,), (-1,), (1, -1)]):
            labelled, groups, still, signs = smallest_stratum(pattern, free, sides)
            wanted = random_components(target, labelled, groups, signs, still, rng)
            levels = target.levels((sides.count(1), sides.count(-1)))
            found = components(target, pattern, free, levels)
            assert set(found) == wanted, (pattern, free, sides)
            assert len(found) == len(wanted)


def test_members_obey_equations_and_are_the_target(student_and_family, rng):
    student, family = student_and_family
    x = rng.normal(size=(80, student.d)) * 10.0 ** rng.uniform(-1, 2, size=(80, 1))
    wanted = student.value(np.asarray(family.teacher.theta), x)
    for b in some(family, rng):
        theta = b.sample(rng)
        scale = (1.0 + np.abs(theta).max()) ** 2 * (1.0 + np.abs(x).max())
        assert np.abs(student.value(theta, x) - wanted).max() < 1e-12 * scale
        assert np.abs(b.equations(theta)).max() < 1e-12 * scale**2
        assert b.contains(theta, 1e-12 * scale)
        jacobian = b.equations_jacobian(theta)
        assert np.linalg.matrix_rank(jacobian, tol=1e-8) == len(jacobian) == b.codim
        moved = theta + 0.05 * rng.normal(size=len(theta))
        assert np.abs(student.value(moved, x) - wanted).max() > 1e-5


def test_no_component_contains_another(student_and_family, rng):
    _, family = student_and_family
    everything = [family[int(i)] for i in rng.permutation(family.count())[:60]]
    for b in some(family, rng, 4):
        theta = b.sample(rng)
        for other in everything:
            if other.index != b.index:
                holds = np.abs(other.equations(theta)).max() < 1e-7
                assert not (holds and other.contains(theta, 1e-7)), (b, other)
