"""Which solutions of the equations of lines are limits: the cone of moves, by linear programs."""

from __future__ import annotations

import numpy as np
import pytest
from homogeneous import Student, family_of
from scipy.optimize import linprog

from flowscape.branches.lines.closure import BOTH, Moves, way
from flowscape.branches.location.nearest import nearest_zero


def test_which_way_a_sum_can_move():
    assert way([1.0, -1.0], [True, True]) == BOTH
    assert way([1.0, 1.0], [True, True]) == 1
    assert way([-1.0], [True]) == -1
    assert way([-1.0, -1.0], [True, False]) == BOTH
    assert way([1.0, 0.0], [True, True]) == BOTH  # a = 0 can become negative


def by_linear_programs(columns, ways, free):
    """Maximise what must not be 0 over the kernel in a box."""
    n = columns.shape[1]
    bounds = [(0 if one == 1 else -1, 0 if one == -1 else 1) for one in ways]
    if any(free):
        best = 0.0
        for i in np.flatnonzero(free):
            for sign in (1, -1):
                goal = np.zeros(n)
                goal[i] = -sign
                best = max(best, -linprog(goal, A_eq=columns, b_eq=np.zeros(3), bounds=bounds).fun)
        return best > 1e-6
    bounded = [i for i, one in enumerate(ways) if one != BOTH]
    if not bounded:
        return True
    # maximise the least of ways_i z_i
    goal = np.zeros(n + 1)
    goal[-1] = -1.0
    rows = np.zeros((len(bounded), n + 1))
    for row, i in zip(rows, bounded, strict=True):
        row[i], row[-1] = -ways[i], 1.0
    matrix = np.concatenate([columns, np.zeros((3, 1))], axis=1)
    found = linprog(
        goal,
        A_ub=rows,
        b_ub=np.zeros(len(rows)),
        A_eq=matrix,
        b_eq=np.zeros(3),
        bounds=[*bounds, (0, 1)],
    )
    return -found.fun > 1e-6


def test_moves_are_those_of_linear_programs(rng):
    seen = set()
    for _ in range(250):
        n = int(rng.integers(1, 7))
        columns = rng.integers(-1, 2, size=(3, n)).astype(float)
        columns = columns[:, np.linalg.norm(columns, axis=0) > 0]
        n = columns.shape[1]
        if n == 0:
            continue
        columns /= np.linalg.norm(columns, axis=0)
        ways = tuple(int(one) for one in rng.choice([-1, BOTH, BOTH, 1], size=n))
        free = tuple(bool(one) for one in rng.random(n) < 0.3)
        wanted = by_linear_programs(columns, ways, free)
        assert Moves(columns, ways, free).exist() == wanted, (columns, ways, free)
        seen.add((wanted, any(free), any(ways)))
    assert len(seen) >= 7


@pytest.mark.parametrize(("a", "inside"), [(0.5, True), (-0.5, False)])
def test_a_side_that_can_move_one_way_only(a, inside):
    """Two lines, each with both sides: kinks at 0 and 1 and an output bias leave one dimension.

    s_1 and s_2 are tied by s_1 + s_2 = 0; where both groups are at the end of what one sign of a
    allows, they can leave it together, or not.
    """
    target = [(1.0, 1.0, 0.0), (-1.0, -1.0, 0.0), (1.0, 1.0, -1.0), (1.0, -1.0, 1.0)]
    # relu(x) - relu(-x) + relu(x - 1) + relu(1 - x) = x + |x - 1|
    student = Student(4, 1, "relu", True, True)
    family = family_of(student, [target[0], target[2]], 0.0)
    assert family.lines.m0 == 2
    kind = "labelled 1+1, 1+1"
    branch = next(b for b in family if b.kind == kind and b.signs == (1, -1, 1, -1))
    # all of group 1 on its + side and of group 2 on its + side: s = (P_1, P_2), both at an end
    rows = np.zeros((4, 3))
    groups = branch.blocks[1:3]
    for (first, second), one in zip(groups, (target[0], target[2]), strict=True):
        rows[first] = one
        rows[second, 0] = 0.5 if first == groups[0][0] else a
    theta = np.append(rows.ravel(), 0.0)
    x = np.linspace(-5.0, 5.0, 41)[:, None]
    wanted = student.value(np.asarray(family.teacher.theta), x)
    assert np.abs(student.value(theta, x) - wanted).max() < 1e-12
    assert np.abs(branch.equations(theta)).max() < 1e-12
    # a > 0 lets s_t fall, a < 0 lets it grow; s_1 + s_2 is fixed
    assert bool(branch.contains(theta, 1e-9)) is not inside


def stratum_begins_at(branch, theta, rng, reach=1e-3):
    """Whether members with all |v_k| > 0 are near a point with still neurons.

    For given lines the equations are linear in p_k = a_k |v_k|; those of still neurons have the
    sign of a_k. Lines are the point's, or turned a little.
    """
    system, target = branch._system, branch._system.target
    m, d = system.setting.width, system.setting.incoming
    rows = theta[: m * (1 + d)].reshape(m, 1 + d)
    a, v = rows[:, 0], rows[:, 1:]
    lengths = np.linalg.norm(v, axis=1)
    still = lengths <= 1e-9
    low = np.where(still, np.where(a > 0, 0.0, -30 * reach), a * lengths - 30 * reach)
    high = np.where(still, np.where(a > 0, 30 * reach, 0.0), a * lengths + 30 * reach)
    constant = theta[-1] if system.setting.output_bias else 0.0
    for trial in range(10):
        sums, affine = [], np.zeros((d, m + 2))
        for t, block in enumerate(system.labelled):
            sums.append((block, target.weights[t, 0]))
            for k in block:
                affine[:, k] = branch.signs[k] * target.lines[t]
        for block in system.free:
            first = max(block, key=lambda k: lengths[k])
            line = branch.signs[first] * v[first] / lengths[first]
            line = line + (reach * 10.0 ** (-trial // 2) * rng.normal(size=d) if trial else 0.0)
            sums.append((block, 0.0))
            for k in block:
                affine[:, k] = branch.signs[k] * line / np.linalg.norm(line)
        equal, right = list(affine), list(target.linear[0])
        for k in system.blocks[0]:
            equal[-1][k] = system.gain(k) * target.per_constant
        if target.level_free:
            equal[-1][m + 1] = target.per_constant
        for block, total in sums:
            row = np.zeros(m + 2)
            row[list(block)] = 1.0
            equal.append(row)
            right.append(total)
        apart = np.zeros((m, m + 2))  # |p_k| >= least, in the last column but one
        apart[still, m] = 1.0
        apart[np.arange(m), np.arange(m)] = np.where(still, -np.sign(a), 0.0)
        goal = np.zeros(m + 2)
        goal[m] = -1.0
        bounds = [*zip(low, high, strict=True), (0, reach), (constant - 1, constant + 1)]
        found = linprog(
            goal, A_ub=apart, b_ub=np.zeros(m), A_eq=np.array(equal), b_eq=right, bounds=bounds
        )
        if found.status == 0 and -found.fun > 1e-6:
            return True
    return False


@pytest.mark.parametrize(
    ("student", "neurons"),
    [
        (Student(4, 1, "leaky_relu", True), [(1.3, 0.9, 0.3)]),
        (Student(4, 1, "leaky_relu", True, True), [(1.3, 0.9, 0.3), (-0.7, -0.5, 0.8)]),
        (Student(3, 1, "leaky_relu", True), [(0.0, 1.0, 1.0)]),
        (Student(4, 2, "relu"), [(1.3, 0.9, -0.4)]),
    ],
)
def test_solutions_with_still_neurons_against_linear_programs(student, neurons, rng):
    family, seen = family_of(student, neurons), set()
    for _ in range(60):
        branch = family[int(rng.integers(family.count()))]
        if branch.shape.silent:
            continue
        system, theta, still = branch._system, branch.sample(rng), set()
        for block in branch.blocks:
            for sign in (1, -1):
                side = [k for k in block if branch.signs[k] == sign]
                if side and rng.random() < 0.5:
                    still |= set(side)
        if any(set(block) <= still for block in branch.blocks[1:]):
            continue
        for k in still:
            system.v(theta, k)[:] = 0.0
            theta[system.setting.a_index(k, 0)] = rng.normal()
        point = nearest_zero(lambda at, k=frozenset(still), s=system: s.system(at, k), theta)
        if point is None or system._wrong_side(point, np.full(len(system.signs), 1e-12)):
            continue
        inside = bool(system._in_closure(point, 0.0))
        assert inside == stratum_begins_at(branch, point, rng), (branch, point)
        assert bool(branch.contains(point, 1e-9)) == inside
        seen.add(inside)
    assert True in seen
    assert False in seen or student.output_bias or not student.bias
