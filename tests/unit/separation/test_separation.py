"""Verdicts on separation against independent linear algebra, Newton's method and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flowscape.errors import ProblemError, ShapeError
from flowscape.separation import Reason, SeparationVerdict
from flowscape.separation.imperfect import imperfect_zero, residual
from flowscape.separation.probability import separation_probability

SEPARATED, NOT, UNDECIDED = (
    SeparationVerdict.SEPARATED,
    SeparationVerdict.NOT_SEPARATED,
    SeparationVerdict.UNDECIDED,
)
SHIFTED = {"name": "tanh", "h": 0.3}


def numerical_jacobian(branch, theta, x, step=1e-6):
    units = np.eye(len(theta))
    plus = [residual(branch, theta + step * u, x)[0] for u in units]
    minus = [residual(branch, theta - step * u, x)[0] for u in units]
    return (np.array(plus) - np.array(minus)).T / (2 * step)


def test_the_network_of_this_module_is_the_network(family, rng):
    for f in (
        family(2, 1, 2),
        family(3, 1, 1, "tanh", True),
        family(2, 1, 1, SHIFTED, False, True),
    ):
        theta, x = rng.normal(size=f.setting.n_params), rng.normal(size=(5, f.setting.inputs))
        gap, jacobian = residual(f[0], theta, x)
        np.testing.assert_allclose(gap, f.net(theta, x) - f.teacher(x), atol=1e-13)
        np.testing.assert_allclose(jacobian, numerical_jacobian(f[0], theta, x), atol=1e-8)


@pytest.mark.parametrize(
    ("m", "m0", "d", "activation", "bias"),
    [
        (2, 1, 1, "exp", False),
        (3, 1, 2, "exp", False),
        (3, 2, 1, SHIFTED, False),
        (2, 1, 1, "tanh", True),
        (3, 1, 1, "tanh", True),
        (3, 1, 2, "gauss", False),
        (2, 1, 1, "gauss", True),
    ],
)
def test_outside_the_silent_regime_verdicts_are_ranks(m, m0, d, activation, bias, family, rng):
    for orbit in family(m, m0, d, activation, bias).orbits():
        branch = orbit.representative
        theta = branch.sample(rng)
        for n in range(1, branch.codim + 3):
            x = rng.normal(size=(n, d))
            rank = np.linalg.matrix_rank(residual(branch, theta, x)[1])
            found = branch.separation(x)
            silent = found.n_forms > 0
            if silent:
                assert rank < n < branch.codim
                assert found.n_forms == n - rank
                assert found.n_variables == branch.codim - rank
                continue
            assert found.rank == rank, (branch, n)
            wanted = SEPARATED if n >= branch.codim else NOT
            assert found.verdict is wanted
            assert found.local_dimension == (branch.dim if wanted == SEPARATED else len(theta) - n)
            assert found.morse_bott == (rank == min(n, branch.codim))


def null_vector(matrix):
    return np.linalg.svd(matrix)[0][:, -1]


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("activation", ["exp", SHIFTED])
def test_two_neurons_one_target_neuron_by_the_matrix_of_the_errata(d, activation, family, rng):
    """n = D + 2: separated exactly if M = sum c_i sigma''(w . x_i) x_i x_i^T is definite."""
    branch = family(2, 1, d, activation)[0]
    stack = rng.normal(size=(300, d + 2, d))
    w = branch.target.incoming[0]
    found = branch.separation(stack)
    assert set(found.verdict.tolist()) == ({1, 2} if d > 1 else {1})
    for x, verdict in zip(stack, found.verdict, strict=True):
        value, slope, second = branch.setting.activation.values(x @ w, 2)
        c = null_vector(np.column_stack([value, slope[:, None] * x]))
        m = np.einsum("i,ip,iq->pq", c * second, x, x)
        eigenvalues = np.linalg.eigvalsh(m)
        definite = eigenvalues[0] * eigenvalues[-1] > 0.0
        assert verdict == (SEPARATED if definite else NOT)


def inside_a_triangle(stack):
    """Whether one of four points in the plane lies in the triangle of the others."""
    signs = []
    for k in range(4):
        a, b, c = (stack[:, i] for i in range(4) if i != k)
        p = stack[:, k]
        area = [np.cross(v - u, p - u) for u, v in ((a, b), (b, c), (c, a))]
        signs.append(np.abs(np.sign(area).sum(axis=0)) == 3)
    return np.any(signs, axis=0)


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
def test_exp_is_separated_exactly_if_one_sample_is_inside_the_triangle_of_the_others(family, rng):
    branch = family(2, 1, 2)[0]
    stack = rng.normal(size=(20_000, 4, 2))
    found = branch.separation(stack)
    np.testing.assert_array_equal(found.verdict == SEPARATED, inside_a_triangle(stack))
    assert not np.any(found.verdict == UNDECIDED)


SYLVESTER = 6.0 / math.pi * math.acos(1.0 / 3.0) - 2.0


@pytest.mark.parametrize("sets", [200_000, pytest.param(4_000_000, marks=pytest.mark.slow)])
def test_probability_of_separation_for_gaussian_samples(sets, family):
    branch = family(2, 1, 2)[0]
    found = separation_probability(branch, 4, sets=sets, seed=5)
    assert found.sets == sets
    assert abs(found.estimate - SYLVESTER) <= found.half_width
    assert found.half_width <= (5e-4 if sets >= 4_000_000 else 2.2e-3)


def test_the_count_does_not_depend_on_threads(family):
    branch = family(2, 1, 2)[0]
    one = separation_probability(branch, 4, sets=70_000, n_threads=1)
    assert one == separation_probability(branch, 4, sets=70_000, n_threads=2)


def test_a_stack_is_its_sets_one_by_one_by_another_route(family, rng):
    """The minors of the stack and the decompositions of single sets agree."""
    for branch, theta in (
        (f[pick], f[pick].sample(rng))
        for f, pick in (
            (family(2, 1, 2), 0),
            (family(2, 1, 1, "tanh", True), 1),
            (family(2, 1, 2, "gauss"), 1),  # the second neuron's sign is flipped
        )
    ):
        stack = rng.normal(size=(60, branch.codim - 1, branch.setting.inputs))
        together = branch.separation(stack, theta)
        alone = [branch.separation(x, theta) for x in stack]
        assert [int(a.verdict) for a in alone] == together.verdict.tolist()
        rooted = [a.root is not None for a in alone]  # by the second route
        assert not any(r and a.verdict is not NOT for r, a in zip(rooted, alone, strict=True))
        assert sum(rooted) >= 0.9 * sum(a.verdict is NOT for a in alone)


@pytest.mark.parametrize("n", [4, 5, 6])
def test_several_forms_against_newton(n, family, rng):
    """m = 3, m0 = 1, d = 2, Q1: rho = 3, codim = 7; n - 3 forms in 4 variables."""
    branch = family(3, 1, 2)[0]
    seen = set()
    for _ in range(12):
        x, theta = rng.normal(size=(n, 2)), branch.sample(rng)
        found = branch.separation(x, theta)
        assert (found.n_forms, found.n_variables) == (n - 3, 4)
        seen.add(found.verdict)
        if found.verdict is NOT:
            zero = imperfect_zero(branch, x, theta, distance=1e-3)
            assert zero.residual < 1e-12
            assert 2e-5 < zero.distance < 5e-3
            assert zero.defect > 1e-9
        elif found.verdict is SEPARATED:
            assert imperfect_zero(branch, x, theta) is None
            for _ in range(10):  # Newton from near the branch returns to it, slowly
                point = theta + 1e-3 * rng.normal(size=len(theta))
                start = branch.distance(point)
                for _ in range(25):
                    gap, jacobian = residual(branch, point, x)
                    point = point - np.linalg.lstsq(jacobian, gap, rcond=1e-9)[0]
                if np.abs(residual(branch, point, x)[0]).max() < 1e-13:
                    assert branch.distance(point) < 0.1 * start
    assert seen & {SEPARATED, NOT}


def test_the_verdict_can_vary_along_a_branch(family, rng):
    """With three neurons on one target neuron the signs of the weights matter."""
    branch = family(3, 1, 2)[0]
    w, a = branch.target.incoming[0], branch.target.outgoing[0, 0]
    alike = np.concatenate([[a * p, *w] for p in (0.2, 0.3, 0.5)])
    mixed = np.concatenate([[a * p, *w] for p in (0.7, 0.7, -0.4)])
    varied = 0
    for x in rng.normal(size=(40, 4, 2)):
        whole, one, other = (branch.separation(x, t) for t in (None, alike, mixed))
        if whole.verdict is UNDECIDED:
            assert whole.reason is Reason.VARIES_ALONG_BRANCH
            assert {one.verdict, other.verdict} == {SEPARATED, NOT}
            varied += 1
        else:
            assert one.verdict is other.verdict is whole.verdict
    assert varied > 5


def test_free_vectors_are_asked_for(family, rng):
    f = family(3, 1, 2)
    branch = next(b for b in f if b.r == 2 and b.l == 1)
    x = rng.normal(size=(branch.codim - 1, 2))
    whole = branch.separation(x)
    assert whole.verdict is UNDECIDED
    assert whole.reason in (Reason.DEPENDS_ON_POINT, Reason.VARIES_ALONG_BRANCH)
    at = branch.separation(x, branch.sample(rng))
    assert at.verdict is not UNDECIDED


def test_a_curved_branch_at_a_point(family, rng):
    f = family(3, 1, 1, "tanh", True)
    branch = next(b for b in f if not b.is_affine)
    verdicts = set()
    for _ in range(12):
        theta = branch.sample(rng)
        for n in range(1, branch.codim):
            x = rng.normal(size=(n, 1))
            found = branch.separation(x, theta)
            verdicts.add((n, found.verdict))
            if found.verdict is NOT:
                zero = imperfect_zero(branch, x, theta, distance=1e-3)
                assert zero.residual < 1e-11
                assert zero.distance > 1e-5
    assert any(v is NOT for _, v in verdicts)


def test_special_samples_are_left_open(family):
    branch = family(2, 1, 2)[0]
    line = np.column_stack([np.arange(4.0), 2.0 * np.arange(4.0)])
    found = branch.separation(line)
    assert (found.verdict, found.reason) == (UNDECIDED, Reason.NOT_SEPARATING_INPUTS)
    same = np.repeat([[0.3, -1.0]], 6, axis=0)
    assert branch.separation(same).reason is Reason.NOT_SEPARATING_INPUTS
    square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert branch.separation(square).verdict is NOT
    edge = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [1.0, 1.0]])  # one sample on a side
    assert branch.separation(edge).verdict is UNDECIDED


def test_repeated_samples_are_counted_once(family, rng):
    branch = family(2, 1, 2)[0]  # codimension 5, rank 3
    square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    again = np.concatenate([square, square[:1]])
    assert branch.separation(square).verdict is NOT
    assert branch.separation(again).verdict is UNDECIDED
    odd = family(2, 1, 2, "tanh")[0]  # codimension 5
    x = rng.normal(size=(5, 2))
    assert odd.separation(x).verdict is SEPARATED
    x[4] = -x[0]
    assert odd.separation(x).verdict is UNDECIDED
    x[4] = 0.0
    assert odd.separation(x).verdict is UNDECIDED


def test_misuse(family):
    branch = family(2, 1, 2)[0]
    with pytest.raises(ShapeError, match="x has shape"):
        branch.separation(np.zeros((3, 3)))
    with pytest.raises(ProblemError, match="at least one sample"):
        branch.separation(np.zeros((0, 2)))
    with pytest.raises(ProblemError, match="must lie on it"):
        branch.separation(np.eye(2), np.ones(6))
    free = family(2, 1, 2)[1]
    theta = free.sample(np.random.default_rng(0))
    theta[4:] = free.target.incoming[0]
    with pytest.raises(ProblemError, match="not a generic point"):
        free.separation(np.eye(2), theta)
