"""Where closures of relu, leaky relu and |z| meet: cells against projections to and fro."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from homogeneous import Student, family_of

from flowscape.branches import branches, intersection_poset
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer

ONE = [[1.2, 0.8, -0.5]]
TWO = [[1.2, 0.8, -0.5], [-0.7, 0.3, 1.1]]
CASES = [
    (Student(2, 2, "relu"), ONE),
    (Student(2, 1, "relu", True), ONE),
]
MORE = [
    (Student(3, 2, "relu"), TWO),
    (Student(3, 2, "relu"), ONE),
    (Student(3, 2, "abs"), ONE),
    (Student(3, 1, "leaky_relu"), [[1.2, 0.8]]),
    (Student(3, 2, "relu"), [[0.0, 1.0, 1.0]]),
    (Student(3, 1, "relu", True), ONE),
    (Student(2, 1, "leaky_relu", True), ONE),
    (Student(2, 1, "abs", True), ONE),
    (Student(3, 1, "shifted", True, True), ONE),
    (Student(4, 2, "relu"), TWO),
    (Student(2, 1, "relu", True, True), ONE),
]
SLOW = [pytest.param(*case, marks=pytest.mark.slow) for case in MORE]


def case_of(student, neurons):
    """The family and the target's parameters."""
    constant = 0.3 if student.output_bias else 0.0
    theta = np.concatenate([np.ravel(neurons), [constant] * student.output_bias])
    return family_of(student, neurons, constant), theta


def common_point(closures, theta, steps=15):
    """Return a point of all closures by projecting to and fro, None if that finds none."""
    size = 1.0 + np.abs(theta).max()
    for _ in range(steps):
        for closure in closures:
            theta = closure.project(theta)
            if not np.isfinite(theta).all():
                return None
        if max(closure.distance(theta) for closure in closures) < 1e-10 * size:
            return theta
    return None


def key_of(student, theta):
    """Which neurons are still, and the signs of their a."""
    a, v, _ = student.split(theta)
    v = v.copy()
    if student.bias:
        v[:, -1] += 0.5 * (student.name == "shifted")
    still = tuple(np.flatnonzero(np.linalg.norm(v, axis=1) < 1e-8).tolist())
    return still, tuple(int(np.sign(a[k]) * (abs(a[k]) > 1e-8)) for k in still)


@pytest.mark.parametrize(("student", "neurons"), [*CASES, *SLOW], ids=str)
def test_cells_are_in_all_closures_and_no_common_point_is_outside(student, neurons, rng):
    family, target = case_of(student, neurons)
    everything, x = list(family), rng.normal(size=(40, student.d))
    seen: Counter = Counter()
    for turn in range(12):
        chosen = [everything[int(i)] for i in rng.integers(len(everything), size=2 + turn % 2)]
        found = chosen[0].intersection(*chosen[1:])
        point = common_point(chosen, rng.normal(size=family.setting.n_params))
        if point is not None:
            seen["points"] += 1
            assert found is not None
            cells = {(piece.still, piece.signs) for piece in found.pieces}
            assert key_of(student, point) in cells
        if found is None:
            seen["empty"] += 1
            continue
        seen["meet"] += 1
        assert found.dim == max(piece.dim for piece in found.pieces)
        assert len({piece.key for piece in found.pieces}) == len(found.pieces)
        for piece in found.pieces[:8]:
            theta = piece.sample(rng)
            size = 1.0 + np.abs(theta).max()
            assert np.abs(student.value(theta, x) - student.value(target, x)).max() < 1e-9 * size
            assert found.contains(theta, 1e-7 * size)
            assert key_of(student, theta) == (piece.still, piece.signs)
    assert seen["meet"] > 0
    assert seen["points"] > 0


@pytest.mark.parametrize(("student", "neurons"), [*CASES, *SLOW], ids=str)
def test_a_closure_meets_itself_in_itself(student, neurons, rng):
    family, _ = case_of(student, neurons)
    for orbit in family.orbits():
        branch = orbit.representative
        found = branch.intersection(branch)
        top = found.pieces[0]
        assert (found.dim, found.codim) == (branch.dim, branch.codim)
        silent = branch.shape.silent
        assert len(top.still) == silent
        # every other cell is a border of it
        assert all(piece.dim < branch.dim or silent for piece in found.pieces[1:])


@pytest.mark.parametrize(("student", "neurons"), [*CASES, *MORE], ids=str)
def test_dimensions_of_cells_are_ranks(student, neurons, rng):
    """All equations of all branches, and what makes the cell: v_k = 0, and a_k = 0 or not."""
    family, _ = case_of(student, neurons)
    everything, equal, total = list(family), 0, 0
    p, block = family.setting.n_params, student.block
    for turn in range(25):
        chosen = [everything[int(i)] for i in rng.integers(len(everything), size=1 + turn % 3)]
        found = chosen[0].intersection(*chosen)
        for piece in found.pieces if found is not None else ():
            still = frozenset(piece.still)
            if any(b.shape.silent or any(set(g) <= still for g in b.blocks[1:]) for b in chosen):
                continue
            theta = piece.sample(rng)
            stack = [b._system.system(theta - b._centre, still)[1] for b in chosen]
            every = np.eye(p)
            for k, sign in zip(piece.still, piece.signs, strict=True):
                stack.append(every[k * block + int(sign != 0) : (k + 1) * block])
            rank = np.linalg.matrix_rank(np.concatenate(stack), tol=1e-8)
            assert piece.dim <= p - rank
            equal, total = equal + (piece.dim == p - rank), total + 1
    assert total > 20
    assert equal > 0.9 * total


def test_where_a_neuron_changes_its_line_it_is_still():
    """{1,2}=t1 {3}=free and {1}=t1 {2,3}=free: 1 carries the target and a_3 = 0.

    Neuron 2 has w = 0 and any a (1 + 1 + 2 dimensions), or a_2 = 0 and all three are on the line
    (3 lengths). Where 3 is still too, a_2 and a_3 = 0 make a border.
    """
    family, _ = case_of(Student(3, 2, "relu"), ONE)
    one = next(b for b in family if b.name == "{1,2}=t1 {3}=free")
    two = next(b for b in family if b.name == "{1}=t1 {2,3}=free")
    found = one.intersection(two)
    tops = {(piece.still, piece.signs) for piece in found.pieces if piece.dim == 4}
    assert found.dim == 4
    assert tops == {((1,), (1,)), ((1,), (-1,))}
    (line,) = (piece for piece in found.pieces if not piece.still)
    assert line.dim == 3
    other = next(b for b in family if b.name == "{3}=t1 {1,2}=free")
    assert one.intersection(other) is None


def test_pairs_that_make_nothing_on_free_lines_are_refused():
    """Three pairs, t u = 0: dependent lines only are limits of the branch."""
    family, _ = case_of(Student(6, 3, "relu"), [[0.0, 1.0, 1.0, 0.0]])
    pairs = next(b for b in family if b.name == "{1,-2}=free {3,-4}=free {5,-6}=free")
    free = next(b for b in family if b.name.count("free") == 6)
    with pytest.raises(ProblemError, match="only some lines"):
        pairs.intersection(free)


def test_several_outputs_are_refused_by_name():
    net, small = (TwoLayer(m, 2, "relu", False, 2) for m in (3, 1))
    family = branches(net, Teacher(small, np.array([1.0, -0.5, 0.7, 0.4])))
    with pytest.raises(ProblemError, match="outputs=2"):
        family[0].intersection(family[1])


@pytest.mark.parametrize(("student", "neurons"), [*CASES, *SLOW[:2], *SLOW[3:5], SLOW[-1]], ids=str)
def test_the_closures_through_any_perfect_network_are_those_of_a_flat(student, neurons, rng):
    family, _ = case_of(student, neurons)
    everything = list(family)
    poset = intersection_poset(family)
    known = {flat.members for flat in poset.flats}
    assert {(i,) for i in range(len(everything))} <= known
    seen = set()
    for turn in range(15):
        chosen = [everything[int(i)] for i in rng.integers(len(everything), size=1 + turn % 3)]
        theta = common_point(chosen, rng.normal(size=family.setting.n_params))
        if theta is not None:
            through = tuple(i for i, b in enumerate(everything) if b.distance(theta) < 1e-8)
            assert through in known
            seen.add(through)
    assert len(seen) >= min(len(known), 3)
