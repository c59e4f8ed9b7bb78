"""Thirty-one digits: activations, residuals and polished points against 60 digits of mpmath."""

import warnings

import mpmath as mp
import numpy as np
import pytest

from flowscape import (
    Kind,
    OptionError,
    Problem,
    ProblemError,
    Samples,
    ShapeError,
    Status,
    Teacher,
    TwoLayer,
    _core,
    decide_zeros,
    jacobian_dd,
    polish,
    residual_dd,
)
from flowscape.extended import targets_dd
from flowscape.testing import random_problem, random_theta
from flowscape.testing.activation_errors import NAMES, REFERENCES

DIGITS = 60
PROMISED = 1e-30  # of the scale of the terms
SMALLEST = 1e-280  # below it the second part of a number underflows


@pytest.fixture(autouse=True)
def precision():
    with mp.workdps(DIGITS):
        yield


def joined(hi, lo):
    """Exact sums of two parts, as an array of multiprecision numbers."""
    return np.vectorize(lambda a, b: mp.mpf(float(a)) + mp.mpf(float(b)), otypes=[object])(hi, lo)


def split_arguments(count, seed):
    """Arguments from 1e-9 to 30 whose second part is anything up to half an ulp."""
    rng = np.random.default_rng(seed)
    hi = rng.choice([-1, 1], count) * 10.0 ** rng.uniform(-9, np.log10(30.0), count)
    return hi, rng.uniform(-0.49, 0.49, count) * np.spacing(hi)


@pytest.mark.parametrize("name", NAMES)
def test_activations(name):
    hi, lo = split_arguments(300, NAMES.index(name))
    edges = np.array([0.0, 0.34, 1.0, np.nextafter(1.0, 0.0), np.sqrt(2.0), 8.5, 26.0, 40.0])
    edges = np.concatenate([edges, -edges])
    hi, lo = np.concatenate([hi, edges]), np.concatenate([lo, 0.0 * edges])
    activation = _core.Activation([(name, 1.0, 1.0, 0.0, [])])
    computed = joined(*_core.extended_activation(activation, hi, lo))
    worst = 0
    for i, z in enumerate(joined(hi, lo)):
        for order, (exact, scale) in enumerate(REFERENCES[name](z)):
            if scale > SMALLEST:
                worst = max(worst, abs(computed[order, i] - exact) / scale)
            else:
                assert abs(computed[order, i]) <= 1e-270
    assert worst <= PROMISED
    assert worst > 1e-34 or name in ("relu", "leaky_relu")  # it is not mpmath's own answer


def test_large_and_infinite_arguments_are_limits():
    z = np.array([1e5, -1e5, 1e300, -1e300])
    for name in (
        "tanh",
        "sigmoid",
        "erf",
        "Phi",
        "arctan",
        "gauss",
        "gelu",
        "silu",
        "softplus",
        "rational",
    ):
        activation = _core.Activation([(name, 1.0, 1.0, 0.0, [])])
        high, low = _core.extended_activation(activation, z, np.zeros(4))
        expected = _core.activation_values(activation, z, 2)
        np.testing.assert_allclose(high + low, expected, rtol=1e-15, atol=1e-300)


def polynomial(coefficients, z):
    return mp.fsum(c * z**k for k, c in enumerate(coefficients))


def test_sums_of_terms():
    """Factors, scales and shifts, polynomials and constants, with every derivative's factor."""
    terms = [
        ("tanh", -1.25, 0.3, 0.7, []),
        ("polynomial", 0.5, 1.5, -0.25, [1.0, -0.4, 0.2, 0.3]),
        ("const", 2.5, 1.0, 0.0, []),
        ("silu", 0.1, -2.0, 0.0, []),
    ]
    hi, lo = split_arguments(40, 7)
    computed = joined(*_core.extended_activation(_core.Activation(terms), hi, lo))
    for i, z in enumerate(joined(hi, lo)):
        expected, scale = [mp.mpf(2.5), mp.mpf(0), mp.mpf(0)], [mp.mpf(2.5), 0, 0]
        for name, c, s, h, coefficients in terms:
            c, s, u = mp.mpf(c), mp.mpf(s), mp.mpf(s) * z + mp.mpf(h)
            if name == "const":
                continue
            if name == "polynomial":
                p = [mp.mpf(x) for x in coefficients]
                first = [k * x for k, x in enumerate(p)][1:]
                second = [k * x for k, x in enumerate(first)][1:]
                pairs = [
                    (polynomial(q, u), polynomial([abs(x) for x in q], abs(u)))
                    for q in (p, first, second)
                ]
            else:
                pairs = REFERENCES[name](u)
            for order, (value, size) in enumerate(pairs):
                expected[order] += c * s**order * value
                scale[order] += abs(c * s**order) * size
        for order in range(3):
            assert abs(computed[order, i] - expected[order]) <= PROMISED * scale[order]


# --- residual and Jacobian ------------------------------------------------------------------------


def exact_residual(prob, theta, targets):
    """Residual and Jacobian (N, K) and (N, K, P) by the definition, and the size of the terms."""
    net, (term,) = prob.net, prob.net.activation.terms
    n, k, d = len(prob.data), net.outputs, net.inputs
    residual = np.array([[-targets[i, o] for o in range(k)] for i in range(n)], dtype=object)
    jacobian = np.zeros((n, k, net.n_params), dtype=object)
    size = np.array([[abs(t) for t in row] for row in targets], dtype=object)
    for i, row in enumerate(prob.data.x):
        x = [mp.mpf(float(v)) for v in row] + [mp.mpf(1)] * net.bias
        for neuron in range(net.width):
            base = neuron * (k + len(x))
            w = theta[base + k : base + k + len(x)]
            z = mp.fdot(w, x)
            reach = mp.fsum(abs(a * b) for a, b in zip(w, x, strict=True))
            (h, _), (s, _), _ = REFERENCES[term.name](z)
            for o in range(k):
                a = theta[base + o]
                residual[i, o] += a * h
                size[i, o] += abs(a) * (abs(h) + abs(s) * reach)
                jacobian[i, o, base + o] = h
                for j in range(len(x)):
                    jacobian[i, o, base + k + j] = a * s * x[j]
        if net.output_bias:
            for o in range(k):
                residual[i, o] += theta[net.n_params - k + o]
                size[i, o] += abs(theta[net.n_params - k + o])
                jacobian[i, o, net.n_params - k + o] = mp.mpf(1)
    assert d == prob.data.x.shape[1]
    return residual, jacobian, size


@pytest.mark.parametrize("activation", ["tanh", "softplus", "erf", "sin"])
@pytest.mark.parametrize(
    "shape",
    [
        {"width": 2, "inputs": 1},
        {"width": 3, "inputs": 2, "outputs": 2, "output_bias": True},
        {"width": 2, "inputs": 3, "bias": False},
    ],
)
def test_residual_and_jacobian(shape, activation):
    rng = np.random.default_rng(2)
    net = TwoLayer(**shape, activation=activation)
    prob = random_problem(rng, net, 4, exact=False)
    theta = random_theta(rng, net, 3, exact=False)
    low = rng.uniform(-0.49, 0.49, theta.shape) * np.spacing(theta)
    k = net.outputs
    residual = joined(*residual_dd(prob, theta, low)).reshape(3, 4, k)
    jacobian = joined(*jacobian_dd(prob, theta, low)).reshape(3, 4, k, -1)
    targets = joined(prob.data.y, 0.0 * prob.data.y).reshape(4, k)
    for b, point in enumerate(joined(theta, low)):
        exact, slopes, size = exact_residual(prob, list(point), targets)
        assert (np.abs(residual[b] - exact) <= PROMISED * size).all()
        assert (np.abs(jacobian[b] - slopes) <= PROMISED * (1 + size[..., None])).all()
    one = residual_dd(prob, theta[1], low[1])
    for part, rows in zip(one, residual_dd(prob, theta, low, n_threads=2), strict=True):
        np.testing.assert_array_equal(part, rows[1])
        assert part.shape == prob.residual(theta[1]).shape


def example(samples, width=2):
    teacher = Teacher(TwoLayer(1, 1), np.array([1.0, 1.0, 1.0]))
    x = np.linspace(-2.0, 2.0, samples)
    return Problem(TwoLayer(width, 1), Samples.of(teacher, x), "half_sum", teacher=teacher)


def test_the_teacher_gives_the_targets_where_it_agrees_with_the_samples():
    prob = example(5)
    targets = targets_dd(prob)
    assert targets.source == "teacher"
    values = joined(targets.hi, targets.lo)[:, 0]
    for x, value in zip(prob.data.x[:, 0].tolist(), values, strict=True):
        assert abs(value - mp.tanh(mp.mpf(x) + 1)) <= PROMISED
    perfect = np.array([0.25, 1.0, 1.0, 0.75, 1.0, 1.0])
    assert np.abs(residual_dd(prob, perfect)[0]).max() < 1e-31
    rounded = Problem(prob.net, prob.data, "half_sum")
    assert targets_dd(rounded).source == "samples"
    assert np.abs(residual_dd(rounded, perfect)[0]).max() > 1e-18
    other = Samples(prob.data.x, prob.data.y + 1e-12)
    assert targets_dd(Problem(prob.net, other, teacher=prob.teacher)).source == "samples"


# --- polished points ------------------------------------------------------------------------------


def newton(prob, theta, targets, steps=8):
    """Newton's method on the gradient at 60 digits, with a Hessian by differences."""
    weight = 2 * mp.mpf(prob.scale)

    def gradient(point):
        residual, jacobian, _ = exact_residual(prob, point, targets)
        flat = jacobian.reshape(-1, len(point))
        return [weight * mp.fdot(residual.ravel(), column) for column in flat.T]

    point, step = list(theta), mp.mpf("1e-25")
    for _ in range(steps):
        g = gradient(point)
        columns = []
        for p in range(len(point)):
            moved = list(point)
            moved[p] += step
            columns.append([(a - b) / step for a, b in zip(gradient(moved), g, strict=True)])
        change = mp.lu_solve(mp.matrix(columns).T, -mp.matrix(g))
        point = [a + b for a, b in zip(point, change, strict=True)]
    return point


def test_a_critical_point_with_positive_loss():
    """One tanh neuron cannot fit seven samples of another function: an isolated minimum."""
    net = TwoLayer(1, 1)
    x = np.linspace(-1.0, 2.0, 7)
    prob = Problem(net, Samples(x, np.tanh(x + 1.0) + 0.1 * np.cos(5.0 * x)), "half_sum")
    point = polish(prob, [1.0, 1.0, 1.0], precision="double-double")
    assert point.status == Status.CONVERGED
    assert point.loss > 0.005
    assert point.gradient_norm <= point.floor < 1e-27
    targets = joined(prob.data.y, 0.0 * prob.data.y).reshape(7, 1)
    found = joined(point.theta, point.theta_low)
    truth = newton(prob, list(found), targets)
    smallest = np.abs(point.eigenvalues).min()
    for a, b in zip(found, truth, strict=True):
        assert abs(a - b) <= 10 * float(point.floor / smallest)
    assert np.abs(point.theta_low).max() > 0.0
    assert (np.abs(point.theta_low) <= np.spacing(np.abs(point.theta))).all()
    # doubles alone are as far off as their rounding
    plain = polish(prob, [1.0, 1.0, 1.0])
    assert max(abs(mp.mpf(float(a)) - b) for a, b in zip(plain.theta, truth, strict=True)) > 1e-18
    np.testing.assert_allclose(point.theta, plain.theta, rtol=1e-13)
    np.testing.assert_allclose(point.eigenvalues, plain.eigenvalues, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(point.inertia, plain.inertia)


# Distances from the closures of the two-neuron branches at which starts are put.
SCALES = (1e-6, 1e-8, 1e-10, 1e-12)
MERGED, SILENT = [0.3, 1.0, 1.0, 0.7, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0, 0.4, -0.7]
SEPARATED = {  # by Table 1 of the single-neuron-target paper, for almost all samples
    (3, "merged"): False,
    (3, "silent"): False,
    (4, "merged"): False,
    (4, "silent"): True,
    (6, "merged"): True,
    (6, "silent"): True,
}


def near(base, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([np.array(base) + scale * rng.normal(size=6) for scale in SCALES])


@pytest.mark.parametrize(("samples", "branch"), SEPARATED)
def test_zeros_near_a_branch_are_told_apart(samples, branch):
    prob = example(samples)
    starts = near(MERGED if branch == "merged" else SILENT)
    points = polish(prob, starts, precision="double-double")
    evidence = decide_zeros(prob, points)
    assert (points.status == Status.CONVERGED).all()
    assert (points.residual_norm < 1e-30).all()
    assert points.targets == "teacher"
    expected = Kind.PERFECT if SEPARATED[samples, branch] else Kind.IMPERFECT
    assert (evidence.kind == expected).all()
    if expected == Kind.IMPERFECT:  # as far away as they were put
        assert (evidence.distance > 1e-2 * np.array(SCALES)).all()
        assert (evidence.radius < 1e-3 * evidence.distance).all()


def test_imperfect_zeros_are_zeros_at_sixty_digits():
    """Newton at 60 digits from them finds a zero that is nearer than 1e-20."""
    prob = example(4)
    points = polish(prob, near(MERGED), precision="double-double")
    for hi, low in zip(points.theta, points.theta_low, strict=True):
        theta = list(joined(hi, low))
        start = list(theta)
        targets = np.array(
            [[mp.tanh(mp.mpf(x) + 1)] for x in prob.data.x[:, 0].tolist()], dtype=object
        )
        for _ in range(5):
            residual, jacobian, _ = exact_residual(prob, theta, targets)
            rows = mp.matrix(jacobian[:, 0].tolist())
            step = rows.T * mp.lu_solve(rows * rows.T, mp.matrix(residual[:, 0].tolist()))
            theta = [a - b for a, b in zip(theta, step, strict=True)]
        residual = exact_residual(prob, theta, targets)[0]
        assert max(abs(r) for r in residual.ravel()) < 1e-45
        moved = mp.sqrt(mp.fsum((a - b) ** 2 for a, b in zip(theta, start, strict=True)))
        assert moved < 1e-16
        assert moved < 1e-3 * float(np.linalg.norm(hi - MERGED))


def test_in_doubles_these_zeros_look_alike():
    """What the extra digits are for: at distance 1e-10 both branches leave rounding error."""
    for samples, expected in ((4, Kind.IMPERFECT), (6, Kind.PERFECT)):
        prob = example(samples)
        plain = polish(prob, near(MERGED)[2])
        assert plain.loss <= plain.zero_loss
        fine = polish(prob, near(MERGED)[2], precision="double-double")
        assert decide_zeros(prob, fine).kind == expected


def test_what_is_no_zero_is_unresolved():
    prob = example(6)
    point = polish(prob, np.zeros(6), precision="double-double")
    assert point.loss > 0.1
    assert decide_zeros(prob, point).kind == Kind.UNRESOLVED
    lost = polish(prob, np.full((2, 6), np.nan), precision="double-double")
    assert (lost.status == Status.NONFINITE).all()
    assert (decide_zeros(prob, lost).kind == Kind.UNRESOLVED).all()


def test_misuse():
    prob = example(6)
    theta = np.array(MERGED)
    with pytest.raises(OptionError, match="precision='quad' must be one of"):
        polish(prob, theta, precision="quad")
    with pytest.raises(OptionError, match="prob=3 must be a Problem"):
        residual_dd(3, theta)
    with pytest.raises(ShapeError, match=r"theta_low has shape \(2, 6\)"):
        residual_dd(prob, theta, np.zeros((2, 6)))
    with pytest.raises(OptionError, match="polished in double precision"):
        decide_zeros(prob, polish(prob, theta))
    fine = polish(prob, theta, precision="double-double")
    with pytest.raises(ProblemError, match="must be a Problem with a teacher"):
        decide_zeros(Problem(prob.net, prob.data), fine)
    other = Problem(prob.net, Samples(prob.data.x, prob.data.y + 0.1), teacher=prob.teacher)
    with pytest.raises(ProblemError, match="not the teacher's values"):
        decide_zeros(other, fine)


def test_only_polished_points_are_decided():
    prob = example(6)
    with pytest.raises(OptionError, match="must be the result of polish"):
        decide_zeros(prob, None)
    rows = np.array([[0.5, 1, 1, 0.5, 1, 1], [np.nan] * 6])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = decide_zeros(prob, polish(prob, rows, precision="double-double"))
    np.testing.assert_array_equal(found.kind, [Kind.PERFECT, Kind.UNRESOLVED])
