"""Polishing: critical points of every index, their spectra, and the bounds on rounding."""

import mpmath as mp
import numpy as np
import pytest

from flowscape import Problem, Samples, Status, Teacher, TwoLayer, gradient_flow, polish

X = np.array([-1.5, -0.4, 0.3, 1.1, 2.0])[:, None]
Y = np.array([0.7, -0.6, 0.2, 0.9, -0.3])
PI = np.array([1.0, 1.0, 1.0])  # tanh(x + 1)


def network(width, bias=True, outputs=1, inputs=1, activation="tanh"):
    return TwoLayer(width, inputs, activation=activation, bias=bias, outputs=outputs)


def teacher_problem(width, n=6):
    teacher = Teacher(network(1), PI)
    x = np.linspace(-2.0, 2.0, n)[:, None]
    return Problem(network(width), Samples.of(teacher, x), loss="half_sum", teacher=teacher)


def two_inputs():
    rng = np.random.default_rng(9)
    return Problem(network(2, inputs=2), Samples(rng.normal(size=(7, 2)), rng.normal(size=7)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_origin_and_its_spectrum(width, bias):
    """Per neuron the eigenvalues +-|sigma'(0)| |gamma| of the half_sum loss (theory, section 3)."""
    prob = Problem(network(width, bias), Samples(X, Y), loss="half_sum")
    point = polish(prob, np.zeros(prob.net.n_params))
    features = np.column_stack([X, np.ones(5)]) if bias else X
    top = np.linalg.norm(Y @ features)
    expected = np.sort([s * top for s in (-1, 1) for _ in range(width)] + [0.0] * (width * bias))
    assert point.status == Status.CONVERGED
    np.testing.assert_array_equal(point.theta, 0.0)
    np.testing.assert_allclose(point.eigenvalues, expected, atol=1e-14)
    np.testing.assert_array_equal(point.inertia, [width, width, width * bias])
    assert point.displacement == 0.0


def test_isolated_saddle_at_the_origin_is_reached_from_nearby():
    prob = Problem(network(2, bias=False), Samples(X, Y), loss="half_sum")
    starts = 1e-2 * np.random.default_rng(0).normal(size=(10, 4))
    points = polish(prob, starts)
    np.testing.assert_allclose(points.theta, 0.0, atol=1e-100)
    np.testing.assert_array_equal(points.inertia, np.tile([2, 2, 0], (10, 1)))


def test_isolated_saddle_at_the_origin_has_converged():
    prob = Problem(network(2, bias=False), Samples(X, Y), loss="half_sum")
    starts = 1e-2 * np.random.default_rng(0).normal(size=(10, 4))
    assert (polish(prob, starts).status == Status.CONVERGED).all()


@pytest.mark.parametrize("slope", [1.0, -2.0, 0.5])
def test_origin_scales_with_the_slope_at_zero(slope):
    activation = [{"name": "tanh", "s": slope}]
    prob = Problem(network(2, activation=activation), Samples(X, Y), loss="half_sum")
    top = abs(slope) * np.linalg.norm(Y @ np.column_stack([X, np.ones(5)]))
    point = polish(prob, np.zeros(6))
    np.testing.assert_allclose(point.eigenvalues, [-top, -top, 0, 0, top, top], atol=1e-13)


@pytest.mark.parametrize("make", [two_inputs, lambda: teacher_problem(2)], ids=["noise", "teacher"])
def test_newton_finds_saddles_as_well_as_minima(make):
    prob = make()
    starts = np.random.default_rng(1).normal(size=(200, prob.net.n_params))
    points = polish(prob, starts)
    done = points.status == Status.CONVERGED
    assert done.mean() > 0.5
    assert (points.gradient_norm[done] <= points.floor[done]).all()
    assert len(np.unique(points.inertia[done, 1])) >= 2


def test_spectrum_is_that_of_the_hessian():
    prob = two_inputs()
    points = polish(prob, np.random.default_rng(2).normal(size=(40, 8)))
    for theta, values, inertia, bound in zip(
        points.theta, points.eigenvalues, points.inertia, points.zero_bound, strict=True
    ):
        reference = np.linalg.eigvalsh(prob.hessian(theta))
        np.testing.assert_allclose(values, reference, rtol=0, atol=1e-14 * abs(reference).max())
        assert (np.diff(values) >= 0.0).all()
        counts = [(values > bound).sum(), (values < -bound).sum(), (abs(values) <= bound).sum()]
        np.testing.assert_array_equal(inertia, counts)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize(
    ("theta", "r", "l"),
    [
        ([0.3, 1, 1, 0.7, 1, 1], 1, 0),  # both neurons on the target's
        ([1, 1, 1, 0, -0.7, 0.4], 2, 1),  # one silent by its outgoing weight
    ],
)
def test_rank_at_perfect_points(n, theta, r, l):  # noqa: E741
    """min(n, r + (r - l) D) positive eigenvalues, no negative one (theory, section 2)."""
    prob = teacher_problem(2, n)
    point = polish(prob, theta)
    rank = min(n, r + (r - l) * 2)
    np.testing.assert_array_equal(point.inertia, [rank, 0, 6 - rank])
    assert point.loss <= point.zero_loss
    assert point.displacement < 1e-12


@pytest.mark.parametrize("mu", [-0.6, 0.25, 0.5, 1.7])
def test_split_points_are_critical_to_the_floor(mu):
    """Inertia of the split point: that of the narrow network, mu (1 - mu) Y, and a zero."""
    y = np.tanh(0.8 * X[:, 0] - 0.3) + 0.1 * np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    narrow = Problem(network(1), Samples(X, y), loss="half_sum")
    wide = Problem(network(2), Samples(X, y), loss="half_sum")
    flow = gradient_flow(narrow, [0.6, 1.2, 0.3])
    point = polish(narrow, flow.theta)
    assert point.status == Status.CONVERGED
    a, w, b = point.theta
    split = np.array([mu * a, w, b, (1 - mu) * a, w, b])
    got = polish(wide, split)
    assert got.status == Status.CONVERGED
    assert got.displacement < 1e-10
    z = w * X[:, 0] + b
    curvature = -2 * np.tanh(z) / np.cosh(z) ** 2 * a * (a * np.tanh(z) - y)
    features = np.column_stack([X, np.ones(5)])
    bend = mu * (1 - mu) * np.linalg.eigvalsh((features.T * curvature) @ features)
    below = (point.eigenvalues < 0).sum() + (bend < 0).sum()
    np.testing.assert_array_equal(got.inertia, [5 - below, below, 1])


def test_degenerate_zero_is_reached():
    """Across Q1 the loss is quartic: the residual decides, not the gradient."""
    prob = teacher_problem(2)
    rng = np.random.default_rng(4)
    starts = np.array([0.3, 1.0, 1.0, 0.7, 1.0, 1.0]) + 1e-3 * rng.normal(size=(30, 6))
    points = polish(prob, starts)
    assert (points.status == Status.CONVERGED).all()
    assert (points.loss <= points.zero_loss).all()
    assert (points.displacement < 0.1).all()


def test_rows_that_are_not_finite_stay_as_they_are():
    prob = two_inputs()
    rows = np.random.default_rng(3).normal(size=(5, 8))
    clean = polish(prob, rows)
    rows[1, 2], rows[3, 0], rows[4] = np.nan, np.inf, 1e200
    points = polish(prob, rows)
    assert (points.status[[1, 3]] == Status.NONFINITE).all()
    np.testing.assert_array_equal(points.theta[1], rows[1])
    np.testing.assert_array_equal(points.theta[3], rows[3])
    assert np.isnan(points.eigenvalues[[1, 3]]).all()
    assert not points.certified[[1, 3]].any()
    np.testing.assert_array_equal(points.inertia[[1, 3]], 0)
    for field in ("theta", "eigenvalues", "inertia", "status", "floor"):
        np.testing.assert_array_equal(getattr(points, field)[[0, 2]], getattr(clean, field)[[0, 2]])


def test_single_point_and_options():
    prob = two_inputs()
    start = np.random.default_rng(3).normal(size=8)
    one, many = polish(prob, start), polish(prob, start[None])
    assert one.theta.shape == (8,)
    assert one.inertia.shape == (3,)
    np.testing.assert_array_equal(one.theta, many.theta[0])
    limited = polish(prob, start, max_iterations=1)
    assert limited.iterations <= 1
    assert limited.status == Status.STEP_LIMIT
    assert not limited.certified
    loose = polish(prob, start, gtol=1e-2)
    assert loose.status == Status.CONVERGED
    assert loose.gradient_norm <= 1e-2
    assert loose.iterations <= one.iterations


@pytest.mark.parametrize(
    ("options", "name"),
    [({"gtol": -1.0}, "gtol=-1.0"), ({"max_iterations": 0}, "max_iterations=0")],
)
def test_misuse_names_the_argument(options, name):
    with pytest.raises(ValueError, match=rf"^{name}"):
        polish(two_inputs(), np.zeros(8), **options)


def test_wrong_shape():
    with pytest.raises(ValueError, match=r"^theta"):
        polish(two_inputs(), np.zeros(7))


# --- the bounds against arbitrary precision ----------------------------------------------------


def exact_gradient(prob, theta):
    """At 40 digits, tanh with bias, half_sum."""
    neurons = [[mp.mpf(float(v)) for v in row] for row in theta.reshape(prob.net.width, -1)]
    data = prob.data
    slopes = [[mp.mpf(0)] * len(neurons[0]) for _ in neurons]
    for row, y in zip(data.x, data.y, strict=True):
        x = [mp.mpf(float(v)) for v in row] + [mp.mpf(1)]
        hidden = [mp.tanh(mp.fdot(v[1:], x)) for v in neurons]
        r = mp.fdot([v[0] for v in neurons], hidden) - mp.mpf(float(y))
        for slope, v, h in zip(slopes, neurons, hidden, strict=True):
            slope[0] += r * h
            for j, xj in enumerate(x):
                slope[1 + j] += r * v[0] * (1 - h * h) * xj
    return [value for slope in slopes for value in slope]


def random_points(prob):
    return np.random.default_rng(8).normal(size=(20, prob.net.n_params)) * np.geomspace(
        0.1, 10.0, 20
    ).reshape(-1, 1)


def zero_points(prob):
    rng, n = np.random.default_rng(8), 20
    a = rng.normal(size=n)
    one = np.ones(n)
    return np.column_stack([a, one, one, 1.0 - a, one, one])


@pytest.mark.parametrize("make", [random_points, zero_points], ids=["random", "zero loss"])
def test_gradient_floor_is_a_bound_and_not_a_loose_one(make):
    prob = teacher_problem(2)
    points = make(prob)
    floor, ratios = prob.noise(points).gradient, []
    with mp.workdps(40):
        for theta, gradient, bound in zip(points, prob.gradient(points), floor, strict=True):
            exact = exact_gradient(prob, theta)
            error = max(abs(mp.mpf(float(g)) - e) for g, e in zip(gradient, exact, strict=True))
            assert error <= bound
            ratios.append(float(bound / max(error, mp.mpf("1e-300"))))
    assert np.median(ratios) <= 1e4


def test_zero_bound_covers_the_rounding_of_the_hessian():
    """At exact members of a branch the zeros of the spectrum are known: P minus the rank."""
    prob = teacher_problem(2)
    points = zero_points(prob)
    got = polish(prob, points)
    zeros = np.abs(got.eigenvalues[:, :3])
    assert (zeros <= got.zero_bound[:, None]).all()
    assert (got.eigenvalues[:, 3:] > 100 * got.zero_bound[:, None]).all()
    assert np.median(got.zero_bound) < 1e-11
