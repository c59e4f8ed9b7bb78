"""Verdicts for relu, leaky relu and |z|: exhibits, searches, and ranks of finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.problem import Teacher, TwoLayer
from flowscape.separation import Reason, SeparationVerdict, imperfect_zero

SEPARATED, NOT, UNDECIDED = (
    SeparationVerdict.SEPARATED,
    SeparationVerdict.NOT_SEPARATED,
    SeparationVerdict.UNDECIDED,
)
LEAKY = [{"name": "leaky_relu"}]
ABS = [{"name": "relu"}, {"name": "relu", "s": -1.0}]
CASES = [
    ("relu", 2, 1, 2, False),
    ("relu", 3, 1, 2, True),
    ("relu", 3, 2, 3, False),
    ("relu", 4, 2, 2, False),
    ("relu", 2, 2, 1, False),
    (LEAKY, 3, 1, 2, False),
    (LEAKY, 4, 0, 2, False),
    (ABS, 3, 1, 2, False),
]
SHIFTED = [{"name": "relu", "h": 0.5}]
BIASED = [
    ("relu", 2, 1, 2, False, True),
    ("relu", 3, 1, 1, True, True),
    (LEAKY, 3, 1, 1, False, True),
    (SHIFTED, 2, 1, 1, True, True),
    (ABS, 2, 1, 1, True, True),
]


def make(activation, m, m0, d, output_bias, bias=False):
    small = TwoLayer(max(m0, 1), d, activation, bias, 1, output_bias)
    theta = np.random.default_rng([m, m0, d]).normal(size=small.n_params)
    if m0 == 0:
        theta[:] = 0.0
    teacher = Teacher(small, theta)
    net = TwoLayer(m, d, activation, bias, 1, output_bias)
    return net, teacher, branches(net, teacher)


def weights(net, theta):
    """Input weights (m, d) and biases from the kink (m,)."""
    parts = net.unpack(theta)
    shift = 0.5 if str(net.activation) == str(TwoLayer(1, 1, SHIFTED).activation) else 0.0
    return parts.w, (0.0 if parts.b is None else parts.b) + shift


def jacobian(net, theta, x):
    """Central differences: exact up to rounding, as f is quadratic between the kinks."""
    steps = 1e-4 * np.eye(len(theta))
    return np.array([(net(theta + h, x) - net(theta - h, x)) / 2e-4 for h in steps]).T


def solve(net, teacher, theta, x, reach):
    """A zero of the loss by damped Gauss-Newton steps, or None."""
    point = theta.copy()
    for _ in range(80):
        gap = net(point, x) - teacher(x)
        if np.abs(gap).max() < 1e-14:
            return point
        left, values, right = np.linalg.svd(jacobian(net, point, x), full_matrices=False)
        point = point - right.T @ (values / (values**2 + np.abs(gap).max()) * (left.T @ gap))
        if np.linalg.norm(point - theta) > 10.0 * reach:
            return None
    return None


@pytest.mark.parametrize(
    ("activation", "m", "m0", "d", "output_bias", "bias"),
    [*((*case, False) for case in CASES), *BIASED],
)
def test_verdicts_against_exhibits_and_searches(activation, m, m0, d, output_bias, bias):
    rng = np.random.default_rng(5)
    net, teacher, family = make(activation, m, m0, d, output_bias, bias)
    probe = 3.0 * rng.normal(size=(200, d))
    seen = set()
    for orbit in family.orbits():
        branch = orbit.representative
        if branch.blocks[0] and not bias:
            continue
        for n in (*range(1, branch.codim + 3), 3 * branch.codim, *[60] * 4 * bias):
            # kinks are anywhere with biases: samples on both sides of them are far apart
            theta, x = branch.sample(rng), (5.0 if bias else 1.0) * rng.normal(size=(4 * n, d))
            w, b = weights(net, theta)
            x = x[(np.abs(x @ w.T + b) > 1e-2).all(axis=1)][:n]  # for differences of step 1e-4
            found = branch.separation(x, theta)
            seen.add((found.verdict, found.reason))
            rank = np.linalg.matrix_rank(jacobian(net, theta, x), tol=1e-7)
            if found.reason is Reason.ONE_SIDE:
                assert d + bias > 1
                assert max(map(len, branch.blocks)) > 1
            else:
                assert rank == found.rank
                assert (found.verdict is SEPARATED) == (rank == branch.codim)
            if found.verdict is NOT:
                zero = imperfect_zero(branch, x, theta, distance=1e-3)
                scale = 1.0 + np.abs(zero.theta).max() ** 2
                assert np.abs(net(zero.theta, x) - teacher(x)).max() < 1e-11 * scale
                at = [probe]
                for row in (theta, zero.theta):
                    w, b = weights(net, row)
                    for v, level in zip(w, np.broadcast_to(b, m), strict=True):
                        if v.any():  # on the kink, and behind it
                            across = np.outer(probe @ v + level, v / (v @ v))
                            at += [probe - across, probe - 2.0 * across]
                at = np.concatenate(at)
                assert np.abs(net(zero.theta, at) - teacher(at)).max() > 1e-9 * scale
                assert zero.defect > 1e-9 * scale
                assert branch.distance(zero.theta) > 1e-9
                assert found.local_dimension in (-1, net.n_params - n)
            else:
                assert found.verdict is SEPARATED
                assert found.morse_bott is True
                assert found.local_dimension == branch.dim
                margins = np.abs(x @ w.T + b).min()
                reach = 1e-2 * min(0.1, margins)
                for _ in range(3):
                    start = theta + reach * rng.normal(size=len(theta))
                    zero = solve(net, teacher, start, x, reach)
                    assert zero is not None
                    assert branch.distance(zero) < 1e-6 * reach
    assert {NOT, SEPARATED} == {verdict for verdict, _ in seen}
    assert {reason for _, reason in seen} <= {Reason.RANK, Reason.ONE_SIDE, Reason.DEFICIENT}


def test_two_neurons_on_a_free_line_cannot_turn_apart():
    """a_1 v_1 = -a_2 v_2 holds them together; three can, and two on a labelled line."""
    rng = np.random.default_rng(1)
    kinds = {}
    for m in (3, 4):
        _, _, family = make("relu", m, 1, 2, False)
        for orbit in family.orbits():
            branch = orbit.representative
            found = branch.separation(rng.normal(size=(60, 2)), branch.sample(rng))
            kinds[branch.name] = found.verdict
    assert kinds["{1}=t1 {2,3}=free"] is SEPARATED
    assert kinds["{1}=t1 {2,3,4}=free"] is NOT
    assert kinds["{1,2}=t1 {3}=free"] is NOT


def test_almost_every_point_and_stacks():
    rng = np.random.default_rng(3)
    _, _, family = make("relu", 3, 2, 3, False)
    by_name = {branch.name: branch for branch in family}
    stack = rng.normal(size=(5, 40, 3))
    both = by_name["{1,2}=t1 {3}=t2"].separation(stack)
    assert set(both.verdict.tolist()) == {NOT}
    assert set(both.reason.tolist()) == {Reason.ONE_SIDE}
    free = by_name["{1}=t1 {2}=t2 {3}=free"]
    assert free.separation(stack[0]).verdict is UNDECIDED  # its line may be in front of all samples
    theta = free.sample(rng)
    together, alone = free.separation(stack, theta), [free.separation(x, theta) for x in stack]
    assert together.verdict.tolist() == [one.verdict for one in alone]
    tight, _, exact = make("relu", 2, 2, 3, False)
    assert tight.width == 2
    assert exact[0].separation(stack).verdict.tolist() == [SEPARATED] * 5
    few = exact[0].separation(stack[0, :2])
    assert (few.verdict, few.reason) in {(NOT, Reason.RANK), (NOT, Reason.DEFICIENT)}


def test_samples_on_a_kink_and_silent_networks_are_undecided():
    rng = np.random.default_rng(3)
    _, _, family = make("relu", 2, 1, 2, False)
    branch = family[0]
    theta, line = branch.sample(rng), branch.sample(rng)[1:3]
    on = np.array([[-line[1], line[0]], [1.0, 2.0]])
    assert branch.separation(on, theta).reason is Reason.ON_A_KINK
    _, _, nothing = make("relu", 2, 0, 2, False)
    silent = next(b for b in nothing if b.blocks[0])
    assert silent.separation(on).reason in (Reason.ON_A_KINK, Reason.DEPENDS_ON_POINT)
    assert silent.separation(on, silent.sample(rng)).verdict is UNDECIDED


def test_a_side_of_sum_0_is_one_neuron_at_rest():
    """d = 1: relu(-x) by two neurons, one on either side; the one on the empty side has a = 0."""
    for activation in ("relu", LEAKY):
        small, net = TwoLayer(1, 1, activation, False), TwoLayer(2, 1, activation, False)
        teacher = Teacher(small, [1.0, -1.0])
        branch = next(b for b in branches(net, teacher) if -1 in b.signs and 1 in b.signs)
        x, theta = np.array([[1.0], [2.0]]), branch.sample(np.random.default_rng(0))
        assert branch.separation(x, theta).verdict is NOT
        zero = imperfect_zero(branch, x, theta)
        assert np.abs(net(zero.theta, x) - teacher(x)).max() < 1e-14
        assert zero.defect > 1e-6


@pytest.mark.parametrize("distance", [1e-1, 1e-3])
def test_zeros_are_as_far_as_asked_for(distance):
    """A step in V_C is divided by a small weight."""
    net = TwoLayer(1, 1, "relu", True, 1, True)
    theta = np.array([0.02, -0.2, -0.3, 0.5])
    branch = branches(net, Teacher(net, theta))[0]
    zero = imperfect_zero(branch, np.array([[1.0], [2.0], [3.0]]), theta, distance=distance)
    assert 0.1 * distance < np.linalg.norm(zero.theta - theta) < 1.01 * distance
