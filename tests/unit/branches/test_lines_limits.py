"""Which solutions with several outputs are limits: cones of moves against linear programs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from homogeneous import fast_and_slow
from line_outputs import OutputStudent, output_family
from scipy.optimize import linprog
from test_lines_outputs import TARGETS

from flowscape.branches.lines.limits import Side, can_leave
from flowscape.branches.location.nearest import nearest_zero

COMPASS = np.array([(np.cos(t), np.sin(t)) for t in np.arange(8) * np.pi / 4])


def by_linear_program(columns, sides, turn=1e-2):
    """Whether rays turned by up to an angle, all with factors > 0, keep the sum of the columns.

    The cone of rays that may turn is that of the two extreme ones; the least factor is maximal.
    """
    d, n = columns.shape
    width = 2 * n + 2 * sum(len(side.rays) for side in sides) + 1
    equal = [
        np.concatenate([np.kron(columns, np.eye(2)), np.zeros((2 * d, width - 2 * n))], axis=1)
    ]
    least, place = [], 2 * n
    for side in sides:
        tie = np.zeros((2, width))
        tie[:, 2 * side.column : 2 * side.column + 2] = np.eye(2)
        for ray in side.rays:
            across = np.tan(turn) * np.array([-ray[1], ray[0]])
            tie[:, place : place + 2] = -side.sign * np.stack([ray + across, ray - across], axis=1)
            row = np.zeros(width)
            row[place : place + 2], row[-1] = -1.0, 1.0
            least.append(row)
            place += 2
        equal.append(tie)
    matrix = np.concatenate(equal)
    goal = np.zeros(width)
    goal[-1] = -1.0
    bounds = [(-1, 1)] * (2 * n) + [(0, 1)] * (width - 2 * n)
    found = linprog(
        goal, np.array(least), np.zeros(len(least)), matrix, np.zeros(len(matrix)), bounds
    )
    return -found.fun > 1e-6


def test_moves_are_those_of_linear_programs(rng):
    seen = {True: 0, False: 0}
    for _ in range(300):
        n = int(rng.integers(2, 5))
        columns = rng.integers(-1, 2, size=(int(rng.integers(1, 3)), n)).astype(float)
        if not np.linalg.norm(columns, axis=0).all():
            continue
        columns /= np.linalg.norm(columns, axis=0)
        sides = []
        for c in range(n):
            for sign in (1, -1):
                if rng.random() < 0.5:
                    first = rng.integers(8)
                    rays = COMPASS[[first, (first + rng.integers(0, 3)) % 8][: rng.integers(1, 3)]]
                    sides.append(Side(c, sign, rays))
        if not sides:
            continue
        wanted = by_linear_program(columns, sides)
        assert can_leave(columns, np.zeros((0, 2, len(columns))), sides) == wanted, (columns, sides)
        seen[wanted] += 1
    assert min(seen.values()) > 30


def test_moves_of_different_order():
    """z_1 = y_1, z_2 = y_2, z_3 = y_1 - y_2: the third moves by a turn of the others alone."""
    columns, none = np.array([[1.0, -1.0, -1.0]]), np.zeros((0, 2, 1))
    sides = [Side(0, 1, COMPASS[[0]]), Side(1, 1, COMPASS[[0]]), Side(2, 1, COMPASS[[2]])]
    assert can_leave(columns, none, sides)
    assert by_linear_program(columns, sides)
    assert not can_leave(columns, none, sides, at_once=True)
    sides[1] = Side(1, 1, COMPASS[[4]])  # now z_3 is along the first ray
    assert not can_leave(columns, none, sides)
    assert not by_linear_program(columns, sides)


def member_nearby(branch, theta, rng, reach=1e-4, tries=25):
    """Whether a search finds a point of the stratum with all |v_k| > 0 near a solution."""
    system, p = branch._system, len(theta)
    s = system.setting
    v = np.array([system.v(theta, k) for k in range(s.width)])
    still = np.linalg.norm(v, axis=1) <= 1e-9
    for trial in range(tries):
        start = theta + reach * 10.0 ** -(trial % 3) * rng.normal(size=p)
        lines = system._best_lines(np.where(np.abs(start) > 0, start, 0.0))
        for line, block in zip(lines, branch.blocks[1:], strict=True):
            ahead = sum(system.signs[k] * float(v[k] @ line) for k in block)
            turned = line if ahead >= 0.0 or block in system.labelled else -line
            for k in block:
                length = reach * np.exp(2.0 * rng.normal()) if still[k] else v[k] @ turned
                length = abs(length)
                system.v(start, k)[:] = system.signs[k] * length * turned
        rows = system.rows_at(start)
        found = nearest_zero(lambda at, r=rows: system.system(at, affine=r), start, start)
        if (
            found is None
            or system._wrong_side(found, np.full(len(system.signs), 1e-12))
            or not system.obeys(found)
        ):
            continue
        lengths = np.array([np.linalg.norm(system.v(found, k)) for k in range(s.width)])
        lines = np.array(system._best_lines(found))
        alike = np.abs(np.triu(lines @ lines.T, 1)).max()
        if alike > 1.0 - 1e-13:  # groups on one line are another stratum
            continue
        if lengths.min() > 1e-7 and np.abs(found - theta).max() < 10 * reach:
            return True
    return False


LARGE = {"two": 6, "both": 5, "linear": 6, "zero": 6, "zero, abs": 3}


@pytest.mark.parametrize("key", fast_and_slow(LARGE, ("both", "zero, abs")))
def test_solutions_with_still_neurons_against_a_search(key, rng):
    """What counts as a limit has points of the stratum nearby."""
    _, neurons, name, outputs = TARGETS[key]
    student = OutputStudent(LARGE[key], len(neurons[0]) - outputs, name, outputs=outputs)
    family, seen = output_family(student, neurons), Counter()
    mixed = [i for i, shape in enumerate(family.shapes) if shape.mixed_free or 0 in shape.pattern]
    for _ in range(60):
        orbit = int(rng.choice(mixed))
        branch = family._branch(orbit, int(rng.integers(family.shapes[orbit].n_sets)))
        system, theta = branch._system, branch.sample(rng)
        still = set(np.flatnonzero(rng.random(student.m) < 0.4).tolist())
        if any(set(block) <= still for block in branch.blocks[1:]) or not still:
            continue
        for k in still:
            system.v(theta, k)[:] = 0.0
            system.a(theta, k)[:] = rng.normal(size=outputs)
        rows = system.rows_at(theta)
        point = nearest_zero(
            lambda at, k=frozenset(still), s=system, r=rows: s.system(at, k, r), theta
        )
        if (
            point is None
            or system._wrong_side(point, np.full(len(system.signs), 1e-12))
            or not system.obeys(point)
        ):
            continue
        lengths = [np.linalg.norm(system.v(point, k)) for k in range(student.m)]
        if any(1e-12 < length < 1e-3 for length in lengths):  # ended on an edge, nearly
            continue
        inside = bool(system._in_closure(point, 0.0))
        assert inside == member_nearby(branch, point, rng), (branch, point)
        seen[inside] += 1
    assert sum(seen.values()) > 2
    assert seen[False] > 0 or key in ("both", "zero, abs")
