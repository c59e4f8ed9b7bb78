"""Verdicts against truths argued by hand; every wrong one found so far is an expected failure."""

import dataclasses

import numpy as np
import pytest

from flowscape import (
    Kind,
    Problem,
    Samples,
    Status,
    Teacher,
    TwoLayer,
    classify,
    gradient_flow,
    polish,
)

TARGET = Teacher(TwoLayer(1, 1, activation="tanh", bias=True), np.ones(3))  # tanh(x + 1)
X4 = np.array([-1.0, 0.2, 0.7, 1.5])[:, None]
Y4 = np.array([0.3, -0.5, 1.0, 0.4])


def network(width, bias=True, outputs=1, activation="tanh"):
    return TwoLayer(width, 1, activation=activation, bias=bias, outputs=outputs)


def to_target(width, n, teacher=TARGET, spread=2.0):
    x = np.linspace(-spread, spread, n)[:, None]
    samples = Samples.of(teacher, x)
    return Problem(network(width), samples, loss="half_sum", teacher=teacher)


def judge(prob, theta):
    """Verdict on the point by itself."""
    return classify(prob, polish(prob, theta))


def follow(prob, start, **options):
    flow = gradient_flow(prob, start, **options)
    return flow, classify(prob, polish(prob, flow.theta), flow)


# --- zeros of the loss ---------------------------------------------------------------------------


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


# --- positive loss -------------------------------------------------------------------------------


def test_the_origin_of_one_biased_neuron_is_a_saddle():
    prob = Problem(network(1), Samples(X4, Y4))
    verdict = judge(prob, np.zeros(3))
    assert verdict.kind == Kind.SADDLE
    assert verdict.index == 1
    # the third eigenvalue is zero, along (w, b) orthogonal to gamma: no symmetry forces that one
    assert verdict.evidence["zero"] == 1
    assert not verdict.certified


@pytest.mark.parametrize(("width", "bias"), [(1, False), (2, False), (2, True), (3, True)])
def test_the_origin_is_a_saddle_of_index_m(width, bias):
    """Eigenvalues +-|gamma| per neuron, far from zero: the inertia decides."""
    prob = Problem(network(width, bias), Samples(X4, Y4))
    verdict = judge(prob, np.zeros(prob.net.n_params))
    assert verdict.index == width
    assert verdict.kind == Kind.SADDLE


def test_silent_neurons_at_a_monkey_saddle_are_no_minimum():
    """Sum y x = 0, sum y x^3 = -6: the Hessian is semidefinite, the loss falls to third order."""
    x, y = np.array([[1.0], [2.0]]), np.array([2.0, -1.0])
    prob = Problem(network(2, bias=False), Samples(x, y))
    point = np.array([1.0, 0.0, 2.0, 0.0])
    for size in (1e-1, 1e-2, 1e-3):
        lower = prob.loss([1.0, 2 * size, 2.0, -size])
        assert lower - prob.loss(point) == pytest.approx(-24 * size**3, rel=0.3)
    assert judge(prob, point).kind != Kind.LOCAL_MINIMUM


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_a_flow_to_infinity_does_not_end_at_a_local_minimum(scale):
    """The best fit is linear: a grows, (w, b) shrinks, the loss falls like 1/a^2 for ever."""
    prob = Problem(network(1), Samples(X4, Y4))
    flow, verdict = follow(prob, scale * np.random.default_rng(0).normal(size=3))
    a, w, b = flow.theta
    assert abs(a) > 1e5
    farther = np.array([10 * a, w / 10, b / 10])
    coefficients = np.polyfit(X4[:, 0], Y4, 1)
    linear = ((np.polyval(coefficients, X4[:, 0]) - Y4) ** 2).sum()
    assert prob.loss(farther) == pytest.approx(linear, rel=1e-12)
    # at a moderate distance on the same valley the fall is visible
    valley = [
        gradient_flow(prob, [s, *coefficients / s], t_max=1e3 * s**2).loss
        for s in (3.0, 10.0, 30.0)
    ]
    assert valley[0] > valley[1] > valley[2] > linear
    assert verdict.kind in (Kind.UNRESOLVED, Kind.AT_INFINITY)


@pytest.mark.parametrize("weight", [30.0, 60.0, 100.0])
def test_saturated_neurons_are_no_local_minimum(weight):
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    prob = Problem(network(1, bias=False), Samples(x, np.array([-1.1, -0.9, 0.8, 1.0])))
    assert judge(prob, [0.95, weight]).kind in (Kind.DEGENERATE, Kind.UNRESOLVED)
    _, verdict = follow(prob, [0.95, weight])
    assert verdict.kind == Kind.UNRESOLVED


def test_a_point_on_the_kink_has_no_certified_minimum():
    x = np.array([[1.0], [2.0]])
    prob = Problem(network(1, bias=False, activation="relu"), Samples(x, x[:, 0]), l2=0.1)
    assert prob.loss([0.1, 0.1]) < prob.loss([0.0, 0.0])
    assert prob.loss([0.01, 0.01]) < prob.loss([0.0, 0.0])
    assert judge(prob, [0.0, 0.0]).kind != Kind.LOCAL_MINIMUM


def test_relu_with_weight_decay_away_from_kinks():
    """2 (a w - 1) sum x^2 + l2 = 0 and a = w: a strict minimum."""
    x, l2 = np.array([[1.0], [2.0]]), 0.1
    prob = Problem(network(1, bias=False, activation="relu"), Samples(x, x[:, 0]), l2=l2)
    flow, verdict = follow(prob, [0.5, 0.9])
    assert verdict.kind == Kind.LOCAL_MINIMUM
    assert verdict.strict
    assert flow.theta == pytest.approx(np.sqrt(1.0 - l2 / 10.0) * np.ones(2), abs=1e-12)


def test_merged_neurons_under_weight_decay_are_a_strict_minimum():
    x, y = np.array([[0.5], [1.0], [2.0]]), np.array([0.5, 1.0, 1.2])
    prob = Problem(network(2, bias=False), Samples(x, y), l2=0.05)
    flow, verdict = follow(prob, [0.5, 0.4, 0.7, 0.5])
    assert np.linalg.eigvalsh(prob.hessian(flow.theta))[0] > 1e-3
    assert verdict.strict
    assert verdict.kind == Kind.LOCAL_MINIMUM


def unfittable(seed):
    """One unbiased neuron at a positive minimum with a clear curvature Y."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 2.0, size=6)
    y = np.tanh(1.1 * x) + rng.choice([-0.3, 0.3], size=6)
    prob = Problem(network(1, bias=False), Samples(x[:, None], y), loss="half_sum")
    flow = gradient_flow(prob, [1.0, 1.0], t_max=1e8)
    point = polish(prob, flow.theta)
    a, w = point.theta
    z = w * x
    r = a * np.tanh(z) - y
    curvature = (r * a * -2 * np.tanh(z) / np.cosh(z) ** 2 * x**2).sum()
    return prob, point, curvature


def test_split_neurons_follow_the_sign_of_the_curvature():
    """Y > 0: minima for mu in (0, 1), saddles outside; Y < 0 the other way round."""
    seen = set()
    for seed in range(30):
        narrow, point, curvature = unfittable(seed)
        if not (point.certified and point.inertia[0] == 2) or abs(point.theta).max() > 5:
            continue
        assert judge(narrow, point.theta).kind == Kind.LOCAL_MINIMUM
        a, w = point.theta
        wide = Problem(network(2, bias=False), narrow.data, loss="half_sum")
        for mu in (-0.8, 0.2, 0.5, 1.6):
            split = np.array([mu * a, w, (1 - mu) * a, w])
            verdict = judge(wide, split)
            low = mu * (1 - mu) * curvature > 0
            brute = np.linalg.eigvalsh(wide.hessian(split))
            assert (brute < -1e-8).sum() == (0 if low else 1)
            assert verdict.kind == (Kind.LOCAL_MINIMUM if low else Kind.SADDLE)
            assert verdict.index == (0 if low else 1)
            assert verdict.certified
            assert verdict.symmetry_induced
            assert not verdict.strict
            seen.add((curvature > 0, low))
        # at mu = 1 the second neuron is switched off: w_2 is free, nothing is certain
        corner = judge(wide, [a, w, 0.0, w])
        assert corner.kind in (Kind.DEGENERATE, Kind.UNRESOLVED)
    assert len(seen) == 4


def test_split_neuron_with_two_outputs_is_a_saddle():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 1))
    y = np.tanh(1.1 * x + 0.3) * [1.0, -0.5] + 0.3 * rng.normal(size=(6, 2))
    narrow = Problem(network(1, outputs=2), Samples(x, y), loss="half_sum")
    point = polish(narrow, gradient_flow(narrow, [1.0, -0.5, 1.0, 0.3], t_max=1e8).theta)
    assert point.status == Status.CONVERGED
    a, v = point.theta[:2], point.theta[2:]
    wide = Problem(network(2, outputs=2), narrow.data, loss="half_sum")
    verdict = judge(wide, np.concatenate([0.4 * a, v, 0.6 * a, v]))
    assert verdict.index >= 1
    assert verdict.kind == Kind.SADDLE


# --- flows ---------------------------------------------------------------------------------------


def test_only_ended_flows_are_judged():
    prob = to_target(2, 6)
    starts = np.random.default_rng(5).normal(size=(10, 6))
    for options in ({"t_max": 5.0}, {"max_steps": 6}):
        _, verdicts = follow(prob, starts, **options)
        assert (verdicts.kind == Kind.UNRESOLVED).all()
        assert not verdicts.certified.any()


def test_a_point_far_from_the_flows_end_is_not_its_limit():
    prob = to_target(2, 6)
    flow = gradient_flow(prob, np.random.default_rng(5).normal(size=(10, 6)))
    points = polish(prob, flow.theta)
    moved = dataclasses.replace(points, displacement=np.full(10, 1.0))
    assert (classify(prob, points, flow).kind == Kind.PERFECT).all()
    assert (classify(prob, moved, flow).kind == Kind.UNRESOLVED).all()


def test_points_that_are_not_finite_are_unresolved():
    prob = to_target(2, 6)
    rows = np.array([[np.nan] * 6, [np.inf] * 6, [1.0, 1, 1, 0, 0.3, 0.5]])
    verdicts = judge(prob, rows)
    np.testing.assert_array_equal(verdicts.kind, [Kind.UNRESOLVED, Kind.UNRESOLVED, Kind.PERFECT])
    np.testing.assert_array_equal(verdicts.index, [-1, -1, 0])


def test_a_flow_that_returns_is_not_at_infinity():
    """Weight decay brings a and w back to a finite minimum."""
    prob = Problem(network(1, bias=False), Samples(np.ones((1, 1)), np.ones(1)), l2=1.0)
    _, verdict = follow(prob, [2e8, 1.0])
    assert verdict.kind != Kind.AT_INFINITY


def test_escape_is_at_infinity():
    prob = to_target(2, 6)
    flow = gradient_flow(prob, np.random.default_rng(5).normal(size=(4, 6)))
    points = polish(prob, flow.theta)
    assert (classify(prob, points, flow).kind == Kind.PERFECT).all()
    status = np.full(4, Status.ESCAPED, dtype=np.int8)
    near = dataclasses.replace(flow, status=status)
    assert (classify(prob, points, near).kind == Kind.UNRESOLVED).all()
    far = dataclasses.replace(flow, status=status, theta=1e8 * flow.theta)
    assert (classify(prob, points, far).kind == Kind.AT_INFINITY).all()


@pytest.mark.parametrize("n", [3, 4, 6])
def test_permutation_and_signs_change_nothing(n):
    prob = to_target(2, n)
    rng = np.random.default_rng(n)
    start = rng.normal(size=(60, 6))
    flow, verdicts = follow(prob, start)
    neurons = start.reshape(60, 2, 3)
    signs = rng.choice([-1.0, 1.0], size=(60, 2, 1))
    _, other = follow(prob, (signs * neurons)[:, ::-1].reshape(60, 6))
    folded = (signs * flow.theta.reshape(60, 2, 3))[:, ::-1].reshape(60, 6)
    same = judge(prob, folded)
    plain = judge(prob, flow.theta)
    for name in ("kind", "branch", "index", "strict", "certified"):
        np.testing.assert_array_equal(getattr(same, name), getattr(plain, name), err_msg=name)
    for name in ("kind", "branch", "index"):
        np.testing.assert_array_equal(getattr(other, name), getattr(verdicts, name), err_msg=name)


def test_a_single_point_has_scalars():
    prob = to_target(2, 6)
    one = judge(prob, [1.0, 1, 1, 0, 0.3, 0.5])
    many = judge(prob, [[1.0, 1, 1, 0, 0.3, 0.5]])
    for name in ("kind", "branch", "index", "strict", "certified", "symmetry_induced"):
        assert np.ndim(getattr(one, name)) == 0
        assert getattr(one, name) == getattr(many, name)[0]
    assert repr(many) == "Verdicts(PERFECT 1)"


@pytest.mark.parametrize(("gap", "resolved"), [(1e-4, 0.9), (1e-7, 0.0), (1e-9, 0.0)])
def test_ill_conditioned_samples_are_not_overrated(gap, resolved):
    """Two inputs so close that rounding hides the difference of their targets decide nothing."""
    x = np.array([[-1.0], [0.5], [0.5 + gap], [2.0]])
    prob = Problem(network(2), Samples.of(TARGET, x), teacher=TARGET)
    _, verdicts = follow(prob, np.random.default_rng(0).normal(size=(40, 6)))
    assert (verdicts.kind != Kind.UNRESOLVED).mean() == pytest.approx(resolved, abs=0.1)
    assert not verdicts.certified.any()


def test_misuse():
    prob = to_target(2, 6)
    flow = gradient_flow(prob, np.zeros((2, 6)))
    points = polish(prob, np.zeros((3, 6)))
    with pytest.raises(ValueError, match="flow has shape"):
        classify(prob, points, flow)
    with pytest.raises(ValueError, match="polished has 6 parameters"):
        classify(to_target(1, 6), points)
    with pytest.raises(ValueError, match="polished="):
        classify(prob, np.zeros((3, 6)))


# --- where no branches are enumerated ------------------------------------------------------------


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
