"""Connected components and paths of positively homogeneous students with hidden biases."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from degenerate_lines import may_contain, random_network
from homogeneous import Student, family_of
from zero_loss import homes, walked

from flowscape import connect, connected_components
from flowscape.errors import ProblemError

ONE = [(1.3, 0.9, 0.3)]
TWO = [(1.3, 0.9, 0.3), (-0.7, -0.5, 0.8)]
LEVEL = [*ONE, (0.5, 0.0, 1.0)]
ONLY_LEVEL = [(0.5, 0.0, 1.0)]
LEAN = [(1.0, 1.0, 0.3), (1.0, -1.0, 0.5)]  # both turned: 2 (P1 v1 + P2 v2) is a constant
BOTH = [(1.3, 0.9, 0.3), (0.8, -0.9, -0.3)]
PLANES = [(1.3, 0.9, -0.4, 0.3), (-0.7, 0.3, 0.8, -0.5)]
ZERO = [(0.0, 1.0, 1.0)]

CASES = {
    "relu 1, alone": (Student(1, 1, "relu", True), ONE),
    "relu 2": (Student(2, 1, "relu", True), ONE),
    "relu 3, c": (Student(3, 1, "relu", True, True), ONE),
    "shifted 3, level": (Student(3, 1, "shifted", True), LEVEL),
    "relu 2, level": (Student(2, 1, "relu", True), LEVEL),
    "leaky 2, level": (Student(2, 1, "leaky_relu", True), LEVEL),
    "leaky 3, level": (Student(3, 1, "leaky_relu", True), LEVEL),
    "leaky 1, only level": (Student(1, 1, "leaky_relu", True), ONLY_LEVEL),
    "relu 3, only level": (Student(3, 1, "relu", True), ONLY_LEVEL),
    "relu 3, two": (Student(3, 1, "relu", True), TWO),
    "relu 4, two": (Student(4, 1, "relu", True), TWO),
    "leaky 3, two, c": (Student(3, 1, "leaky_relu", True, True), TWO),
    "relu 4, two, c": (Student(4, 1, "relu", True, True), TWO),
    "relu 4, lean": (Student(4, 1, "relu", True), LEAN),
    "leaky 4, lean": (Student(4, 1, "leaky_relu", True), LEAN),
    "relu 3, lean, c": (Student(3, 1, "relu", True, True), LEAN),
    "relu 3, both": (Student(3, 1, "relu", True), BOTH),
    "relu 4, planes": (Student(4, 2, "relu", True), PLANES),
    "leaky 4, planes, c": (Student(4, 2, "leaky_relu", True, True), PLANES),
    "relu 2, zero": (Student(2, 1, "relu", True), ZERO),
    "leaky 1, zero": (Student(1, 1, "leaky_relu", True), ZERO),
    "leaky 3, zero": (Student(3, 1, "leaky_relu", True), ZERO),
    "abs 2, level": (Student(2, 1, "abs", True), LEVEL),
    "abs 3, level": (Student(3, 1, "abs", True), LEVEL),
    "abs 2, two, c": (Student(2, 1, "abs", True, True), TWO),
    "abs 3, two, c": (Student(3, 1, "abs", True, True), TWO),
    "abs 2, zero": (Student(2, 1, "abs", True), ZERO),
}
CONSTANT = 0.4


def of(name):
    student, neurons = CASES[name]
    return student, family_of(student, neurons, CONSTANT)


def gap(student, family):
    """How far networks are from the target, by a plain network."""

    def largest(points, rng):
        x = 1.5 * rng.normal(size=(30, student.d))
        wanted = student.value(np.asarray(family.teacher.theta), x)
        return np.abs(student.value(points, x) - wanted).max(axis=1)

    return largest


@pytest.mark.parametrize("name", CASES)
def test_there_is_a_path_exactly_within_a_component(name, rng):
    student, family = of(name)
    total, home, parts = family.count(), homes(family), connected_components(family)
    assert sorted(home) == list(range(total))
    found = {True: 0, False: 0}
    for turn in range(16):
        i = int(rng.integers(total))
        near = parts[int(rng.choice(home[i]))]
        far = [k for k in range(total) if not set(home[k]) & set(home[i])]
        j = int(rng.choice(near if turn % 2 or not far else far))
        a, b = family[i].sample(rng), family[j].sample(rng)
        together = bool(set(home[i]) & set(home[j]))
        if i == j and len(home[i]) == 2:
            continue
        if together:
            walked(family, a, b, gap(student, family), rng)
        else:
            with pytest.raises(ProblemError, match="different connected components"):
                connect(family, a, b)
        found[together] += 1
    assert found[True] > 0
    assert (found[False] > 0) == (len(parts) > 1)


# Counted by hand, docs/connectedness.md: e = m - m0, L_s by sides, x = v / |v|.
@pytest.mark.parametrize(
    ("name", "sizes", "twice"),
    [
        ("relu 1, alone", [1], 0),
        ("relu 2", [5], 0),  # both on the line; 2 places of one, the other free or dead
        ("relu 2, level", [1] * 2, 0),  # places; b > 0 makes the constant
        ("leaky 2, level", [1] * 4, 0),  # and b > 0 or b < 0
        ("leaky 1, only level", [1] * 2, 0),
        ("abs 2, level", [1] * 8, 0),  # and the side of the target neuron
        ("abs 2, two, c", [1] * 8, 0),
        # the target neuron turned: 3 places, two signs of the pair; else one with a constant
        ("leaky 3, level", [1] * 6 + [30], 3),
        # 12 places of the pair with two signs; one turned, one mixed and a constant: 2 * 24
        ("relu 4, two", [1] * 72 + [122], 12),
        # the pair that makes up for both is at w = 0: joined with constants
        ("relu 4, lean", None, 0),
        ("leaky 4, lean", None, 0),
        # x is a number: everything is on every line. One neuron turned, one mixed: 12 places
        ("leaky 3, two, c", [1] * 12 + [24], 0),
        ("relu 4, two, c", [482], 0),
    ],
)
def test_components_by_hand(name, sizes, twice):
    _, family = of(name)
    found = sorted(map(len, connected_components(family)))
    assert (found if sizes else len(found)) == (sizes or 2)
    assert sum(len(home) == 2 for home in homes(family).values()) == twice


def _key(branch, move):
    """What a branch is when neuron k becomes move[k]."""
    sign = {move[k]: one for k, one in enumerate(branch.signs)}
    blocks = [tuple(sorted(move[k] for k in block)) for block in branch.blocks]
    head = 1 + len(branch.shape.labelled)
    fixed = [tuple((k, sign[k]) for k in block) for block in blocks[:head]]
    free = {tuple((k, sign[k] * sign[block[0]]) for k in block) for block in blocks[head:]}
    return branch.shape.silent, tuple(fixed), frozenset(free)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("relu 2", 100),
        ("leaky 2, level", 100),
        ("leaky 3, level", 150),
        ("relu 3, two", 150),
        ("relu 4, two", 200),
        ("leaky 3, two, c", 150),
        pytest.param("relu 4, lean", 600, marks=pytest.mark.slow),
        ("relu 4, planes", 150),
        ("abs 3, level", 200),
        ("leaky 3, zero", 100),
    ],
)
def test_components_are_chains_of_closures_that_meet(name, number, rng):
    """Closures share a point: perfect networks built by hand, and all their permutations."""
    student, family = of(name)
    every = list(family)
    moves = list(permutations(range(student.m)))
    index = {_key(b, moves[0]): i for i, b in enumerate(every)}
    assert len(index) == len(every)
    root, largest = list(range(len(every))), gap(student, family)
    for _ in range(number):
        theta = random_network(student, family.lines, rng)
        if theta is None:
            continue
        if student.output_bias:
            x = np.zeros((1, student.d))
            wanted = student.value(np.asarray(family.teacher.theta), x)
            theta[-1] = (wanted - student.value(theta, x))[0]
        assert largest(theta[None], rng)[0] < 1e-11
        maybe = [b for b in every if may_contain(b, theta)]
        first = next(b for b in maybe if b.contains(theta, 1e-9))
        for other in maybe:
            if root[other.index] == root[first.index] or not other.contains(theta, 1e-9):
                continue
            for move in moves:
                i, j = (root[index[_key(b, move)]] for b in (first, other))
                if i != j:
                    root = [i if r == j else r for r in root]
    found = sorted(tuple(k for k, r in enumerate(root) if r == one) for one in set(root))
    assert found == sorted(set(connected_components(family)))


@pytest.mark.parametrize(
    "name", ["leaky 2, level", "leaky 3, level", "relu 4, two", "leaky 3, two, c", "relu 4, lean"]
)
def test_walks_towards_another_component_do_not_reach_it(name, rng):
    """Steps towards a network of another component, projected to zero loss by averages."""
    student, family = of(name)
    home, taken = homes(family), 0
    teacher = np.asarray(family.teacher.theta)
    probes = student.probes(60, rng)
    wanted = student.moments(teacher, probes)[0]
    for _ in range(3):
        i = int(rng.integers(len(home)))
        j = int(rng.choice([k for k in home if not set(home[k]) & set(home[i])]))
        start, goal = family[i].sample(rng), family[j].sample(rng)
        at = start
        for _ in range(12):
            step = (goal - at) / np.linalg.norm(goal - at) + 0.3 * rng.normal(size=len(at))
            near, residual = student.solve(at + 0.2 * step, wanted, probes)
            if residual > 1e-9 or np.linalg.norm(near - at) > 0.6:
                continue
            # neurons that leave a common line by delta miss the averages by delta^2 only
            try:
                connect(family, near, near, tol=1e-4)
            except ProblemError:
                continue
            at, taken = near, taken + 1
            connect(family, start, at, tol=1e-4)
            with pytest.raises(ProblemError, match="different connected components"):
                connect(family, at, goal, tol=1e-4)
        assert np.linalg.norm(at - goal) > 0.1
    assert taken > 15


def test_three_independent_mixed_groups_are_points_up_to_scale(rng):
    """Two mixed groups and a constant, the third target neuron turned; 3 = e equations."""
    target = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, -1.0], [2.0, 1.0, 1.0, 2.0]])
    student = Student(6, 2, "relu", True)
    family = family_of(student, target)
    # 2 P3 v3 + P1 v1 + P2 v2 = s1 v1 + s2 v2 + kappa e: s = 5 and 5, kappa = 3 - 5 + 5 + 5
    a, v = target[:, 0], target[:, 1:]
    left = 2.0 * a[2] * v[2] + a[0] * v[0] + a[1] * v[1]
    s = np.linalg.solve(np.array([v[0], v[1], [0.0, 0.0, 1.0]]).T, left)
    rows = [
        [0.5 * (1.0 + s[0]), *v[0]],
        [0.5 * (1.0 - s[0]), *-v[0]],
        [0.5 * (1.0 + s[1]), *v[1]],
        [0.5 * (1.0 - s[1]), *-v[1]],
        [a[2], *-v[2]],
        [0.5 * s[2], 0.0, 0.0, 1.0],
    ]
    theta = np.array(rows)
    lone = theta.ravel()
    distance = gap(student, family)
    assert distance(lone[None], rng)[0] < 1e-13
    factors = np.exp(rng.normal(size=6))[:, None]
    scaled = np.concatenate([theta[:, :1] / factors, theta[:, 1:] * factors], axis=1).ravel()
    path = walked(family, lone, scaled, distance, rng)
    assert not path.is_polygon
    for order in ([1, 0, 2, 3, 4, 5], [0, 1, 2, 3, 5, 4], [2, 3, 0, 1, 4, 5]):
        with pytest.raises(ProblemError, match="different connected components"):
            connect(family, lone, theta[order].ravel())
    plain = np.concatenate([target, np.ones((3, 4)) * [[0.0], [0.0], [0.0]]]).ravel()
    with pytest.raises(ProblemError, match="different connected components"):
        connect(family, lone, plain)
    other = plain.reshape(6, 4)[[5, 0, 4, 1, 3, 2]].ravel()
    walked(family, plain, other, distance, rng)


def test_integer_targets_with_dependent_lines(rng):
    """Small integers: lines that coincide, turns that cancel, constants of every kind."""
    found = {True: 0, False: 0}
    for _ in range(60):
        d, extra = int(rng.integers(1, 3)), int(rng.integers(3))
        rows = rng.integers(-2, 3, size=(int(rng.integers(1, 4)), 2 + d)).astype(float)
        name = str(rng.choice(["relu", "leaky_relu", "abs", "shifted"]))
        student = Student(max(1, len(rows) - 1 + extra), d, name, True, bool(rng.integers(2)))
        family = family_of(student, rows, CONSTANT)
        if not 0 < family.count() < 3000:
            continue
        home, parts = homes(family), connected_components(family)
        for turn in range(2):
            i = int(rng.integers(family.count()))
            near = parts[int(rng.choice(home[i]))]
            j = int(rng.choice(near)) if turn else int(rng.integers(family.count()))
            if i == j and len(home[i]) == 2:
                continue
            a, b = family[i].sample(rng), family[j].sample(rng)
            together = bool(set(home[i]) & set(home[j]))
            if together:
                walked(family, a, b, gap(student, family), rng)
            else:
                with pytest.raises(ProblemError, match="different connected components"):
                    connect(family, a, b)
            found[together] += 1
    assert min(found.values()) > 5


def test_dead_neurons_and_still_ones_are_spare(rng):
    student, family = of("relu 2")
    distance = gap(student, family)
    one = np.array([*ONE[0]])
    for spare in ([7.0, 0.0, -2.0], [-3.0, 0.0, 0.0], [0.0, 0.4, 0.1], [0.0, 0.0, 5.0]):
        a, b = np.concatenate([one, spare]), np.concatenate([spare, one])
        walked(family, a, b, distance, rng)
    # with b > 0 it is a constant, which nothing takes up
    with pytest.raises(ProblemError, match="theta_b"):
        connect(family, np.array([*one, 0.0, 1.0, 1.0]), np.array([*one, 0.3, 0.0, 0.5]))


def test_a_constant_keeps_the_sign_of_its_bias_without_a_spare_neuron():
    _, family = of("leaky 1, only level")
    low, high = np.array([-50.0, 0.0, -1.0]), np.array([0.25, 0.0, 2.0])
    for theta in (low, high):
        assert connect(family, theta, theta / [2.0, 1.0, 0.5]).length > 0.0
    with pytest.raises(ProblemError, match="different connected components"):
        connect(family, low, high)


def test_points_must_be_perfect_with_biases(rng):
    for name in ("relu 3, c", "shifted 3, level", "abs 3, level", "abs 3, two, c"):
        _, family = of(name)
        good = family[1].sample(rng)
        for wrong in (good + 0.1, rng.normal(size=len(good))):
            with pytest.raises(ProblemError, match="theta_b"):
                connect(family, good, wrong)
        if family.setting.output_bias:
            shifted = good.copy()
            shifted[-1] += 0.01
            with pytest.raises(ProblemError, match="theta_a"):
                connect(family, shifted, good)
