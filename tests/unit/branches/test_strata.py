"""The conditions for components against lists made by linear algebra, without these conditions."""

from __future__ import annotations

import numpy as np
import pytest
from every_stratum import strata

from flowscape.branches.strata import (
    has_stray_part,
    level_stratum,
    linear_pieces,
    pinned,
    solutions,
)

TOL = 1e-9


def equations(m, stratum, weights, level):
    """Return matrix and right side in (a_1, w_1, ..., a_m, w_m), d = 1, one output."""
    labelled, free, quiet, signs = stratum
    rows, right = [], []

    def add(terms, value):
        row = np.zeros(2 * m)
        for place, factor in terms:
            row[place] = factor
        rows.append(row)
        right.append(value)

    for t, block in enumerate(labelled):
        for k in block:
            add([(2 * k + 1, 1.0)], signs[k] * (t + 1.25))
        add([(2 * k, signs[k]) for k in block], weights[t])
    for block in free:
        first = block[0]
        for k in block[1:]:
            add([(2 * first + 1, signs[first]), (2 * k + 1, -signs[k])], 0.0)
        add([(2 * k, signs[k]) for k in block], 0.0)
    for k in quiet:
        add([(2 * k + 1, 1.0)], 0.0)
    add([(2 * k, 1.0) for k in range(m)], level)
    return np.array(rows), np.array(right)


def generic_member(matrix, right, rng):
    """Return a random member of an affine space, None if it is empty."""
    point = np.linalg.lstsq(matrix, right, rcond=1e-10)[0]
    if np.abs(matrix @ point - right).max() > TOL:
        return None
    wild = rng.normal(size=matrix.shape[1])
    return point + wild - np.linalg.lstsq(matrix, matrix @ wild, rcond=1e-10)[0]


@pytest.mark.parametrize(
    ("m", "weights", "level"),
    [
        (2, (), 0.0),
        (3, (), 0.0),
        (3, (), 0.7),
        (4, (), 0.7),
        (2, (1.0,), 1.0),
        (3, (1.0,), 1.0),
        (3, (1.0,), -1.0),
        (3, (1.0,), 0.3),
        (4, (1.0,), 1.0),
        (4, (1.0,), 0.0),
        (3, (1.0, -1.0), 0.0),
        (3, (1.0, -1.0), 2.0),
        (4, (1.0, -1.0), 0.0),
        (3, (1.0, 0.6), 1.6),
        (3, (1.0, 0.6), 0.5),
        (4, (1.0, 1.0), 2.0),
        (4, (2.0, 1.0, 1.0), 0.0),
    ],
)
def test_level_strata_are_the_maximal_affine_pieces(m, weights, level):
    listed = list(strata(m, len(weights), constant=True))
    spaces = [equations(m, stratum, weights, level) for stratum in listed]
    rng = np.random.default_rng(0)
    members = {i: generic_member(*space, rng) for i, space in enumerate(spaces)}
    live = [i for i, point in members.items() if point is not None]
    most = max(len(right) for _, right in spaces)
    stack = np.stack([np.pad(a, ((0, most - len(a)), (0, 0))) for a, _ in spaces])
    sides = np.stack([np.pad(b, (0, most - len(b))) for _, b in spaces])
    maximal = set()
    for i in live:
        holds = np.abs(stack @ members[i] - sides).max(axis=1) < TOL
        if [j for j in live if holds[j]] == [i]:
            maximal.add(i)
    found = set()
    for i, (labelled, free, quiet, signs) in enumerate(listed):
        mixed = [t for t, b in enumerate(labelled) if len({signs[k] for k in b}) == 2]
        uniform = [t for t in range(len(weights)) if t not in mixed]
        deficit = level - sum(signs[labelled[t][0]] * weights[t] for t in uniform)
        others = sum(len({signs[k] for k in b}) == 2 for b in free) + bool(quiet)
        columns = np.array([[weights[t]] for t in mixed]).reshape(-1, 1)
        if level_stratum(np.array([deficit]), columns, others, TOL):
            found.add(i)
    assert found == maximal
    assert 0 < len(maximal) <= len(listed)


def test_solutions_are_all_of_them():
    rng = np.random.default_rng(3)
    for rows, columns, rank_ in ((2, 3, 2), (3, 2, 2), (3, 3, 1), (2, 0, 0)):
        matrix = rng.normal(size=(rows, rank_)) @ rng.normal(size=(rank_, columns))
        inside = matrix @ rng.normal(size=columns)
        space = solutions(matrix, inside, TOL)
        assert space.rank == rank_
        assert space.directions.shape == (columns, columns - rank_)
        np.testing.assert_allclose(matrix @ space.point, inside, atol=1e-12)
        np.testing.assert_allclose(matrix @ space.directions, 0.0, atol=1e-12)
        if rank_ < rows:
            assert solutions(matrix, inside + rng.normal(size=rows), TOL) is None


def linear_stratum(columns, weights, free, right, heads):
    """Return whether there is a component; for one output there is at most one."""
    found = linear_pieces(columns, weights[:, None], free, right[:, None], heads, TOL)
    assert len(found) <= 1
    return bool(found)


def test_a_linear_stratum_without_free_pairs_needs_a_solution_that_is_not_pinned():
    one = np.array([[1.0], [2.0]])
    for right, expected in ((0.4, True), (1.5, False), (-1.5, False)):
        assert linear_stratum(one, np.array([1.5]), 0, right * one[:, 0], 2) is expected
    assert not linear_stratum(one, np.array([1.5]), 0, np.array([1.0, 0.0]), 2)
    # equal input weights, different biases: on samples without the bias row s is not unique
    twice = np.array([[1.0, 1.0]])
    assert linear_stratum(twice, np.array([1.0, 1.0]), 0, np.array([2.0]), 1)
    nothing = np.zeros((2, 0))
    assert linear_stratum(nothing, np.zeros(0), 0, np.zeros(2), 2)
    assert not linear_stratum(nothing, np.zeros(0), 0, np.ones(2), 2)


def test_a_free_pair_makes_what_it_can():
    nothing, column = np.zeros((2, 0)), np.array([[1.0], [0.0]])
    # q u = L' with an input weight u that is not 0
    assert linear_stratum(nothing, np.zeros(0), 1, np.array([1.0, 0.0]), 1)
    assert not linear_stratum(nothing, np.zeros(0), 1, np.array([0.0, 1.0]), 1)
    assert not linear_stratum(nothing, np.zeros(0), 1, np.zeros(2), 2)
    assert linear_stratum(column, np.ones(1), 1, np.zeros(2), 2)
    assert linear_stratum(nothing, np.zeros(0), 2, np.zeros(2), 2)


def test_a_stray_part_is_where_weights_of_pairs_vanish_and_vectors_need_not():
    nothing, column = np.zeros((2, 0)), np.array([[1.0], [0.0]])
    assert has_stray_part(column, 1, np.array([0.5, 0.0]), TOL)
    assert not has_stray_part(column, 1, np.array([0.0, 0.5]), TOL)
    assert has_stray_part(nothing, 2, np.zeros(2), TOL)
    assert not has_stray_part(nothing, 3, np.zeros(2), TOL)
    assert not has_stray_part(column, 2, np.zeros(2), TOL)
    assert not has_stray_part(column, 0, np.array([0.5, 0.0]), TOL)


def test_pinned_is_asked_of_every_weight():
    space = solutions(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]), np.array([2.0, 1.0]), TOL)
    assert pinned(space, np.array([-2.0, 1.0, 1.0]), TOL)
    assert not pinned(space, np.array([1.0, 1.0, 1.0]), TOL)
