"""Ranks and verdicts on branches whose groups are coupled: sigmoid, softplus, silu."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.problem import Teacher, TwoLayer
from flowscape.separation.features import at_point, features
from flowscape.separation.imperfect import imperfect_zero, residual
from flowscape.separation.verdict import Reason, SeparationVerdict, _different

CASES = [
    ("sigmoid", 3, 1, False, False),
    ("sigmoid", 4, 2, False, False),
    ("sigmoid", 3, 1, False, True),
    ("sigmoid", 3, 1, True, False),
    ("sigmoid", 3, 2, True, True),
    ("softplus", 3, 1, False, False),
    ("softplus", 4, 2, False, False),
    ("softplus", 4, 1, True, False),
    ("silu", 3, 1, False, False),
    ("silu", 3, 2, True, False),
    ("silu", 3, 1, True, True),
]


def family(name, m, d, bias, output_bias, flip=1.0):
    rng = np.random.default_rng(8)
    net = TwoLayer(1, d, name, bias=bias, output_bias=output_bias)
    theta = rng.normal(size=net.n_params)
    theta[0] = 1.3 * flip
    student = TwoLayer(m, d, name, bias=bias, output_bias=output_bias)
    return student, branches(student, Teacher(net, theta)), Teacher(net, theta)


@pytest.mark.parametrize(("name", "m", "d", "bias", "output_bias"), CASES)
def test_features_times_matrix_is_the_jacobian(name, m, d, bias, output_bias):
    rng = np.random.default_rng(4)
    net, fam, teacher = family(name, m, d, bias, output_bias)
    x = 1.5 * rng.normal(size=(4 * net.n_params, d))
    step = 1e-6 * np.eye(net.n_params)
    mixed = 0
    first = [orbit.representative.index for orbit in fam.orbits()]
    for index in np.unique([*first, *rng.integers(len(fam), size=8)]):
        branch = fam[int(index)]
        theta = branch.sample(rng)
        point = at_point(branch, theta)
        jacobian = np.stack([(net(theta + h, x) - net(theta - h, x)) / 2e-6 for h in step], axis=1)
        scale = 1.0 + np.abs(theta).max() ** 2
        found = features(point, x[None]).phi[0] @ point.matrix
        np.testing.assert_allclose(found, jacobian, atol=1e-7 * scale)
        assert branch.generic_rank in (None, point.rank)
        assert point.rank <= branch.codim
        gap, exact = residual(branch, theta, x)
        assert np.abs(gap).max() < 1e-12 * scale
        np.testing.assert_allclose(exact, jacobian, atol=1e-7 * scale)
        values = np.linalg.svd(exact, compute_uv=False)
        assert (values > 1e-13 * values[0]).sum() == point.rank
        moved = theta + 0.1 * rng.normal(size=len(theta))
        wanted = net(moved, x) - teacher(x)
        np.testing.assert_allclose(residual(branch, moved, x)[0], wanted, atol=1e-11 * scale)
        mixed += bool(branch.coupling.member.mixed)
    assert mixed > 0


@pytest.mark.parametrize(
    ("name", "m", "d", "bias", "output_bias"), [case for case in CASES if case[1] == 3]
)
def test_imperfect_zeros_are_exhibited_where_a_branch_is_not_separated(
    name, m, d, bias, output_bias
):
    rng = np.random.default_rng(4)
    net, fam, teacher = family(name, m, d, bias, output_bias)
    probe = 2.0 * rng.normal(size=(40, d))
    verdicts = set()
    for orbit in fam.orbits():
        branch = orbit.representative
        theta = branch.sample(rng)
        rank = at_point(branch, theta).rank
        for n in sorted({1, rank, rank + 1, branch.codim - 1, branch.codim}):
            x = rng.normal(size=(n, d))
            found = branch.separation(x, theta)
            verdicts.add((found.verdict, found.reason))
            assert (found.verdict == SeparationVerdict.SEPARATED) or n < branch.codim
            if found.verdict != SeparationVerdict.NOT_SEPARATED or n > rank:
                continue
            zero = imperfect_zero(branch, x, theta, distance=1e-3)
            gap = np.abs(net(zero.theta, x) - teacher(x)).max()
            assert gap < 1e-11 * (1.0 + np.abs(theta).max() ** 2)
            assert np.abs(net(zero.theta, probe) - teacher(probe)).max() > 1e-11
            assert branch.distance(zero.theta) > 1e-4
    assert (SeparationVerdict.SEPARATED, Reason.CODIMENSION) in verdicts
    assert (SeparationVerdict.NOT_SEPARATED, Reason.RANK) in verdicts


@pytest.mark.parametrize(
    ("name", "output_bias", "pairs", "expected"),
    [
        ("tanh", False, 3, 3),
        ("tanh", True, 3, 4),
        ("gauss", False, 3, 3),
        ("gauss", True, 3, 3),
        ("sigmoid", False, 3, 4),
        ("sigmoid", True, 3, 4),
        ("softplus", False, 3, 5),
        ("softplus", True, 1, 2),
    ],
)
def test_pairs_of_opposite_samples_count_what_they_determine(name, output_bias, pairs, expected):
    # the rank of the map from networks to values on x, -x: many networks of different weights
    rng = np.random.default_rng(2)
    x = rng.normal(size=(pairs, 2))
    both = np.concatenate([x, -x])
    net, fam, _ = family(name, 3, 2, False, output_bias)
    assert _different(both[None], fam.setting)[0] == expected
    assert _different(x[None], fam.setting)[0] == pairs
    values = net(rng.normal(size=(60, net.n_params)), both)
    assert np.linalg.matrix_rank(values, tol=1e-9) == expected
