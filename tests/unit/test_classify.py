"""Verdicts against truths argued by hand: zeros of the loss. Found wrong once, a case here."""

import numpy as np
import pytest
from verdict_cases import TARGET, X4, Y4, follow, judge, network, to_target

from flowscape import Kind, Problem, Samples, Teacher, classify, polish


def test_perfect_points_and_their_branches():
    prob = to_target(2, 6)
    points = np.array(
        [
            [0.3, 1, 1, 0.7, 1, 1],
            [1, 1, 1, 0, -0.7, 0.4],
            [-0.3, -1, -1, 0.7, 1, 1],
            [1, 1, 1, 1.3, 0, 0],
        ]
    )
    verdicts = judge(prob, points)
    assert (verdicts.kind == Kind.PERFECT).all()
    assert verdicts.branch[0] == verdicts.branch[2]
    assert len(set(verdicts.branch)) == 3
    assert verdicts.certified[:2].all()
    assert (verdicts.index == 0).all()
    assert (verdicts.evidence["generalization_error"] < 1e-15).all()


def test_a_zero_that_is_wrong_off_the_samples_is_imperfect():
    prob = to_target(2, 3)
    _, verdicts = follow(prob, np.random.default_rng(0).normal(size=(40, 6)))
    zeros = verdicts.evidence["loss_over_zero"] <= 1.0
    assert zeros.all()
    assert (verdicts.kind == Kind.IMPERFECT).all()
    assert verdicts.certified.all()
    assert (verdicts.branch == -1).all()


@pytest.mark.parametrize("size", [3e-2, 1e-2, 3e-3, 1e-3, 3e-4])
def test_imperfect_zero_near_a_perfect_one_is_not_perfect(size):
    """Three samples: zeros of the residual are a manifold of which Q* is a thin subset."""
    verdict = judge(to_target(2, 3), [1, 1, 1, size, 0.6 * size, 0.8 * size])
    assert verdict.kind in (Kind.IMPERFECT, Kind.UNRESOLVED)


@pytest.mark.parametrize("size", [1e-4, 3e-5, 1e-5])
def test_imperfect_zero_very_near_a_perfect_one_is_not_perfect(size):
    """The Jacobian has full row rank: a true zero lies 1e-15 away, and it is not in Q*.

    At a member of Q* two neurons that both speak share an incoming vector or one is silent; here
    both speak (a_2 = size, w_2 = 0.6 size) with different incoming vectors.
    """
    prob = to_target(2, 3)
    point = polish(prob, [1, 1, 1, size, 0.6 * size, 0.8 * size])
    assert point.inertia[0] == 3
    assert point.eigenvalues[3] > 1e-3
    verdict = classify(prob, point)
    assert verdict.evidence["branch_distance"] > 1e-6
    assert verdict.kind in (Kind.IMPERFECT, Kind.UNRESOLVED)


def test_a_target_wider_than_the_student_is_never_recovered():
    teacher = Teacher(network(2), np.array([1, 1, 1, 1e-9, 2, 0.0]))
    prob = to_target(1, 2, teacher, spread=1.0)
    _, verdict = follow(prob, np.ones(3))
    assert verdict.kind != Kind.PERFECT


def test_a_much_wider_target_raises_nothing_and_is_named():
    teacher = Teacher(network(2), np.array([1, 1, 1, -0.6, 2, 0.3]))
    prob = to_target(1, 6, teacher)
    _, verdicts = follow(prob, np.random.default_rng(0).normal(size=(30, 3)))
    assert (verdicts.kind != Kind.PERFECT).all()
    assert (verdicts.branch == -1).all()
    assert "width=1" in verdicts.notes[0]


def test_saturated_neuron_beside_the_target_is_not_perfect():
    """tanh(30 x) and tanh(30.02 x) agree to rounding on the samples, not near x = 0."""
    narrow = network(1, bias=False)
    teacher = Teacher(narrow, np.array([1.0, 30.0]))
    samples = Samples.of(teacher, np.array([[1.0], [1.5], [2.0]]))
    prob = Problem(narrow, samples, teacher=teacher)
    point = np.array([1.0, 30.02])
    near_zero = np.array([[0.02]])
    assert abs(Teacher(narrow, point)(near_zero) - teacher(near_zero))[0] > 1e-4
    assert judge(prob, point).kind != Kind.PERFECT


def test_without_a_teacher_a_zero_is_a_zero():
    prob = Problem(network(2), Samples(X4, Y4))
    _, verdicts = follow(prob, np.random.default_rng(1).normal(size=(30, 6)))
    zeros = verdicts.evidence["loss_over_zero"] <= 1.0
    assert zeros.any()
    assert (verdicts.kind[zeros] == Kind.ZERO_LOSS).all()
    assert "generalization_error" not in verdicts.evidence


def test_infimum_at_infinity_is_not_a_zero_of_the_loss():
    """|tanh(w x)| < 1 for every w: the targets +-1 are never met, only approached."""
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    prob = Problem(network(1, bias=False), Samples(x, np.sign(x[:, 0])))
    assert judge(prob, [1.0, 30.0]).kind != Kind.ZERO_LOSS


def test_weight_decay_leaves_no_zeros():
    teacher = TARGET
    x = np.linspace(-2, 2, 6)[:, None]
    prob = Problem(network(2), Samples.of(teacher, x), l2=1e-3, teacher=teacher)
    _, verdicts = follow(prob, np.random.default_rng(2).normal(size=(30, 6)))
    assert not np.isin(verdicts.kind, [Kind.PERFECT, Kind.IMPERFECT, Kind.ZERO_LOSS]).any()


def unknown(activation, width, theta):
    return Teacher(network(width, activation=activation), theta)


def test_a_function_that_differs_far_away_is_not_perfect():
    """One gauss neuron more at x = 100, which neither the samples nor the dense grid see."""
    teacher = unknown("gauss", 1, [1.0, 1.0, 0.5])
    samples = Samples.of(teacher, [-1.0, 0.3, 1.0])
    prob = Problem(network(2, activation="gauss"), samples, loss="half_sum", teacher=teacher)
    _, verdict = follow(prob, np.array([1.1, 0.9, 0.4, 1.0, 1.0, -100.0]))
    assert verdict.evidence["generalization_error"] < 1e-12
    assert verdict.kind == Kind.UNRESOLVED


def test_relu_beyond_the_samples_is_not_perfect():
    teacher = unknown("relu", 1, [1.0, 1.0, 1.0])
    samples = Samples.of(teacher, [0.0, 2.0])
    prob = Problem(network(2, activation="relu"), samples, loss="half_sum", teacher=teacher)
    _, verdict = follow(prob, np.array([0.6, 0.9, 4.0, 0.7, 1.0, 5.0]))
    assert verdict.kind != Kind.PERFECT


@pytest.mark.parametrize("activation", ["sigmoid", "softplus", "gauss", "gelu"])
def test_the_target_neuron_by_neuron_is_perfect(activation):
    teacher = unknown(activation, 1, [1.2, 0.8, 0.3])
    samples = Samples.of(teacher, np.linspace(-2, 2, 20))
    prob = Problem(network(1, activation=activation), samples, teacher=teacher)
    verdict = judge(prob, [1.2 + 1e-3, 0.8, 0.3])
    assert verdict.kind == Kind.PERFECT


SHIFTED = [{"name": "softplus"}, {"name": "const", "c": -np.log(2)}]
CURVED = [{"name": "exp"}, {"name": "polynomial", "coefficients": [-1.0, -1.0]}]


@pytest.mark.parametrize(("activation", "spread"), [(SHIFTED, 0.03), (CURVED, 0.1)])
def test_terms_that_cancel_leave_no_minimum_above_zero(activation, spread):
    """The rounding of the terms, not of their small sum, is the noise of the loss."""
    net = network(1, bias=False, activation=activation)
    teacher = Teacher(net, np.ones(2))
    x = spread * np.random.default_rng(0).normal(size=50)
    prob = Problem(net, Samples.of(teacher, x), loss="half_sum", teacher=teacher)
    start = 1.0 + 0.2 * np.random.default_rng(1).normal(size=(50, 2))
    _, verdicts = follow(prob, start)
    assert set(verdicts.kind) <= {Kind.PERFECT, Kind.UNRESOLVED}
    assert (prob.loss(np.ones((1, 2))) <= prob.noise(np.ones((1, 2))).zero_loss).all()


def test_mirrored_samples_of_an_odd_network_count_once():
    """x and -x give the same equation: both halves give the same verdicts."""
    teacher = Teacher(network(1, bias=False), np.array([1.0, 1.5]))
    x = np.linspace(-2, 2, 8)
    kinds = []
    for inputs in (x, x[x > 0]):
        wide = Problem(network(4, bias=False), Samples.of(teacher, inputs), teacher=teacher)
        _, verdicts = follow(wide, 1e-3 * np.random.default_rng(2).normal(size=(30, 8)))
        kinds.append(verdicts.kind)
    assert (kinds[0] == Kind.PERFECT).sum() <= (kinds[1] == Kind.PERFECT).sum() + 1
    assert (kinds[0] == Kind.IMPERFECT).any()


def test_a_large_limit_in_small_units_is_not_at_infinity():
    narrow = network(1, bias=False)
    teacher = Teacher(narrow, np.array([1.0, 1e9]))
    x = 1e-9 * np.array([-2, -4 / 3, -2 / 3, 2 / 3, 4 / 3])
    prob = Problem(narrow, Samples.of(teacher, x), loss="half_sum", teacher=teacher)
    _, verdict = follow(prob, np.array([0.5, 1.0]))
    assert verdict.kind != Kind.AT_INFINITY


def test_an_empty_batch_has_empty_verdicts():
    prob = to_target(2, 6)
    points = polish(prob, np.zeros((0, 6)))
    assert classify(prob, points).kind.shape == (0,)
