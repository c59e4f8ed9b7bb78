"""Discrete dynamics against plain loops, closed forms and their own rules."""

import warnings

import numpy as np
import pytest

import flowscape as fs
from flowscape import Problem, Samples, Status, Teacher, TwoLayer, gradient_descent
from flowscape.descent import ALGORITHMS, linear_phase_steps
from flowscape.testing import KERNELS, on_kernel, random_problem, random_theta

RATES = {"gradient_descent": 0.05, "momentum": 0.01, "nesterov": 0.01, "adam": 0.01}


def example(samples=6, loss="half_mean", **options):
    teacher = Teacher(TwoLayer(1, 1), np.array([1.0, 1.0, 1.0]))
    x = np.random.default_rng(3).normal(size=samples)
    return Problem(TwoLayer(2, 1), Samples.of(teacher, x), loss, teacher=teacher, **options)


def plain_loop(gradient, theta, rate, steps, algorithm, momentum=0.9, betas=(0.9, 0.999)):
    """The textbook's loop; gradient(theta, k) is that of step k."""
    v, m, s = 0.0, 0.0, 0.0
    for k in range(steps):
        g = gradient(theta, k)
        if algorithm == "gradient_descent":
            theta = theta - rate * g
        elif algorithm == "momentum":
            v = momentum * v + g
            theta = theta - rate * v
        elif algorithm == "nesterov":
            v = momentum * v + g
            theta = theta - rate * (g + momentum * v)
        else:
            m = betas[0] * m + (1.0 - betas[0]) * g
            s = betas[1] * s + (1.0 - betas[1]) * g**2
            first, second = m / (1.0 - betas[0] ** (k + 1)), s / (1.0 - betas[1] ** (k + 1))
            theta = theta - rate * first / (np.sqrt(second) + 1e-8)
    return theta


def tanh_gradient(prob, theta):
    """Gradient of `example` for rows theta (B, 6), by NumPy's tanh alone."""
    x, y = prob.data.x[:, 0], prob.data.y
    a, w, b = theta[:, 0::3, None], theta[:, 1::3, None], theta[:, 2::3, None]
    h = np.tanh(w * x + b)
    weighted = 2.0 * prob.scale * ((a * h).sum(axis=1) - y)[:, None]
    back = weighted * a * (1.0 - h**2)
    parts = [(weighted * h).sum(-1), (back * x).sum(-1), back.sum(-1)]
    return np.stack(parts, axis=-1).reshape(theta.shape)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_thousand_steps_equal_a_numpy_loop(algorithm):
    prob = example()
    theta = prob.net.init(19, rng=1, scale=0.7)
    rate = RATES[algorithm]
    run = gradient_descent(prob, theta, learning_rate=rate, steps=1000, algorithm=algorithm)
    expected = plain_loop(lambda t, _: tanh_gradient(prob, t), theta, rate, 1000, algorithm)
    np.testing.assert_allclose(run.theta, expected, rtol=0.0, atol=1e-13)
    assert np.abs(run.theta - theta).max() > 0.1
    assert (run.step == 1000).all()
    assert (run.status == Status.STEP_LIMIT).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_steps_are_those_of_the_public_gradient(algorithm, kernel):
    rng = np.random.default_rng(4)
    net = TwoLayer(3, 2, outputs=2, output_bias=True)
    prob = on_kernel(random_problem(rng, net, 21, loss="mean", l2=0.03, weights=True), kernel)
    theta = random_theta(rng, net, 21)
    rate = RATES[algorithm]
    run = gradient_descent(prob, theta, learning_rate=rate, steps=150, algorithm=algorithm)
    expected = plain_loop(lambda t, _: prob.gradient(t), theta, rate, 150, algorithm)
    if algorithm == "adam":  # its bias corrections are running products
        np.testing.assert_allclose(run.theta, expected, rtol=0.0, atol=1e-13)
    else:
        np.testing.assert_array_equal(run.theta, expected)
    np.testing.assert_array_equal(run.loss, prob.loss(run.theta))
    np.testing.assert_array_equal(run.gradient_norm, np.abs(prob.gradient(run.theta)).max(axis=1))


def test_one_learning_rate_per_run():
    prob = example()
    theta, rates = prob.net.init(11, rng=2), np.geomspace(1e-3, 0.3, 11)
    run = gradient_descent(prob, theta, learning_rate=rates, steps=70)
    expected = plain_loop(lambda t, _: prob.gradient(t), theta, rates[:, None], 70, ALGORITHMS[0])
    np.testing.assert_array_equal(run.theta, expected)


# --- a quadratic problem: f = a + c is linear in theta -----------------------------------------


def quadratic():
    net = TwoLayer(1, 1, activation=[{"name": "const", "c": 1.0}], bias=False, output_bias=True)
    return Problem(net, Samples([0.0, 1.0, 2.0], [1.0, -1.0, 2.0], [1.0, 0.5, 2.0]), "sum", l2=0.2)


def test_gradient_descent_on_a_quadratic_is_its_closed_form():
    prob = quadratic()
    theta = np.array([[0.5, 1.0, -2.0], [3.0, -1.0, 4.0]])
    hessian = prob.hessian(theta[0])
    values, vectors = np.linalg.eigh(hessian)
    minimum = theta[0] - np.linalg.solve(hessian, prob.gradient(theta[0]))
    rate, ks = 0.05, [0, 1, 7, 50, 400]
    run = gradient_descent(prob, theta, learning_rate=rate, steps=400, save_at=ks)
    for i, k in enumerate(ks):
        shrunk = ((theta - minimum) @ vectors) * (1.0 - rate * values) ** k
        np.testing.assert_allclose(run.thetas[:, i], minimum + shrunk @ vectors.T, atol=1e-13)
    np.testing.assert_array_equal(run.losses, prob.loss(run.thetas.reshape(-1, 3)).reshape(2, -1))
    np.testing.assert_allclose(run.lambda_max, values[-1], rtol=1e-14)


@pytest.mark.parametrize("algorithm", ["gradient_descent", "momentum", "nesterov"])
def test_the_stability_limit_separates_convergence_from_divergence(algorithm):
    prob = quadratic()
    theta = np.array([0.5, 1.0, -2.0])
    limit = gradient_descent(
        prob, theta, learning_rate=1e-3, steps=1, algorithm=algorithm, momentum=0.6
    ).stability_limit
    options = {"algorithm": algorithm, "momentum": 0.6, "gtol": 1e-9}
    below = gradient_descent(prob, theta, learning_rate=0.998 * limit, steps=60_000, **options)
    assert below.status == Status.CONVERGED
    assert not below.unstable
    with pytest.warns(fs.StabilityWarning, match="1 of 1 runs diverged"):
        above = gradient_descent(prob, theta, learning_rate=1.002 * limit, steps=60_000, **options)
    assert above.status == Status.ESCAPED
    assert "diverged" in str(above.message)


def test_a_rate_above_the_limit_at_the_end_is_said():
    prob = example()
    theta = prob.net.init(1, rng=0, scale=0.5)[0]
    limit = gradient_descent(prob, theta, learning_rate=0.1, steps=1).stability_limit
    assert limit == pytest.approx(2.0 / np.linalg.eigvalsh(prob.hessian(theta)).max(), rel=0.3)
    with pytest.warns(fs.StabilityWarning, match="exceeds the stability limit"):
        run = gradient_descent(prob, theta, learning_rate=3.0 * limit, steps=1)
    assert run.unstable
    assert "exceeds the stability limit" in str(run.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = gradient_descent(prob, theta, learning_rate=3.0 * limit, steps=1, algorithm="adam")
    assert np.isnan(quiet.stability_limit)


@pytest.mark.parametrize(("width", "inputs"), [(2, 1), (3, 2), (40, 3), (60, 2)])
def test_the_largest_eigenvalue(width, inputs):
    """Below and above the number of parameters from which Lanczos' method takes over."""
    rng = np.random.default_rng(5)
    net = TwoLayer(width, inputs)
    prob = random_problem(rng, net, 50, loss="mean")
    theta = random_theta(rng, net, 3)
    run = gradient_descent(prob, theta, learning_rate=1e-4, steps=2)
    expected = np.linalg.eigvalsh(prob.hessian(run.theta))[:, -1]
    np.testing.assert_allclose(run.lambda_max, expected, rtol=1e-9)
    np.testing.assert_allclose(run.stability_limit, 2.0 / expected, rtol=1e-9)


# --- ends --------------------------------------------------------------------------------------


def test_stop_loss_ends_at_the_first_step_that_meets_it():
    prob = example()
    theta = prob.net.init(13, rng=6, scale=0.8)
    every = np.arange(0, 3001)
    free = gradient_descent(prob, theta, learning_rate=0.4, steps=3000, save_at=every)
    level = float(np.quantile(free.losses[:, -1], 0.6))
    run = gradient_descent(
        prob, theta, learning_rate=0.4, steps=3000, stop_loss=level, save_at=[0, 1500, 3000]
    )
    met = (free.losses <= level).any(axis=1)
    assert 0 < met.sum() < 13
    assert run.success.tolist() == met.tolist()
    first = np.where(met, (free.losses <= level).argmax(axis=1), 3000)
    np.testing.assert_array_equal(run.step, first)
    for b in range(13):
        np.testing.assert_array_equal(run.theta[b], free.thetas[b, first[b]])
        for i, k in enumerate((0, 1500, 3000)):
            np.testing.assert_array_equal(run.thetas[b, i], free.thetas[b, min(k, first[b])])


@pytest.mark.parametrize("steps", [64, 128, 5000])
def test_gtol_ends_at_the_first_step_that_meets_it(steps):
    prob = quadratic()
    run = gradient_descent(prob, [0.5, 1.0, -2.0], learning_rate=0.05, steps=steps, gtol=1e-3)
    step, theta = 0, np.array([0.5, 1.0, -2.0])
    while np.abs(prob.gradient(theta)).max() > 1e-3 and step < steps:
        theta, step = theta - 0.05 * prob.gradient(theta), step + 1
    assert run.step == step
    np.testing.assert_array_equal(run.theta, theta)
    assert run.success == (np.abs(prob.gradient(theta)).max() <= 1e-3)


def test_a_rule_met_by_the_last_step_counts():
    prob = example()
    theta = prob.net.init(1, rng=6)[0]
    end = gradient_descent(prob, theta, learning_rate=0.4, steps=50)
    again = gradient_descent(prob, theta, learning_rate=0.4, steps=50, stop_loss=float(end.loss))
    assert (again.status, again.step) == (Status.CONVERGED, 50)


def test_overflow_is_a_status_and_spoils_nobody_else():
    net = TwoLayer(1, 1, activation=[{"name": "polynomial", "coefficients": [0, 0, 0, 1]}])
    prob = Problem(net, Samples([1.0, 2.0], [1.0, 0.0]))
    theta = np.array([[0.1, 0.1, 0.1], [10.0, 10.0, 10.0], [0.2, 0.1, -0.1]])
    with pytest.warns(fs.StabilityWarning, match="1 of 3 runs diverged .run 1"):
        run = gradient_descent(prob, theta, learning_rate=0.01, steps=300)
    assert run.status.tolist() == [Status.STEP_LIMIT, Status.NONFINITE, Status.STEP_LIMIT]
    assert run.step[1] < 10
    alone = gradient_descent(prob, theta[[0, 2]], learning_rate=0.01, steps=300)
    np.testing.assert_array_equal(alone.theta, run.theta[[0, 2]])


def test_a_single_start_has_no_batch_axis():
    prob = example()
    theta = prob.net.init(4, rng=6)
    rows = gradient_descent(prob, theta, learning_rate=0.1, steps=20, save_at=[5, 5, 20])
    row = gradient_descent(prob, theta[2], learning_rate=0.1, steps=20, save_at=[5, 5, 20])
    assert row.theta.shape == (6,)
    assert row.thetas.shape == (3, 6)
    assert row.losses.shape == (3,)
    for name in ("step", "loss", "gradient_norm", "lambda_max", "stability_limit", "status"):
        assert np.shape(getattr(row, name)) == ()
        np.testing.assert_array_equal(getattr(row, name), getattr(rows, name)[2])
    np.testing.assert_array_equal(row.thetas, rows.thetas[2])
    assert isinstance(str(row.message), str)
    assert repr(row).startswith("Descent(1 run, gradient_descent, ")
    assert row.steps.tolist() == [5, 5, 20]
    empty = gradient_descent(prob, np.empty((0, 6)), learning_rate=0.1, steps=20, save_at=[3])
    assert empty.thetas.shape == (0, 1, 6)
    assert empty.message.shape == (0,)


# --- the linear phase ---------------------------------------------------------------------------


def test_smaller_starts_are_late_by_the_linear_phase():
    prob = example()
    rate, late = 0.5, 100
    direction = prob.net.init(1, rng=8)[0]
    origin = np.linalg.eigvalsh(prob.hessian(np.zeros(6)))
    mu = -origin[0]
    factor = (1.0 + rate * mu) ** late
    assert linear_phase_steps(factor, learning_rate=rate, growth_rate=mu) == pytest.approx(late)
    flow_would_say = np.log(factor) / mu / rate
    assert abs(flow_would_say - late) > 5

    def after(scale, steps):
        return gradient_descent(prob, scale * direction, learning_rate=rate, steps=steps).theta

    # enough steps before the comparison for the decaying directions to be gone
    wait = round(float(linear_phase_steps(1e8, learning_rate=rate, growth_rate=mu)))
    early, delayed = after(1e-9, wait + 40), after(1e-9 / factor, wait + 40 + late)
    assert np.abs(early).max() > 0.1
    np.testing.assert_allclose(delayed, early, rtol=1e-6)
    wrong = after(1e-9 / factor, wait + 40 + round(flow_would_say))
    assert np.abs(wrong - early).max() > 1e-3


@pytest.mark.parametrize(
    "options",
    [
        {"factor": 0.0, "learning_rate": 0.1, "growth_rate": 1.0},
        {"factor": 2.0, "learning_rate": -0.1, "growth_rate": 1.0},
        {"factor": 2.0, "learning_rate": 0.1, "growth_rate": 0.0},
        {"factor": 2.0, "learning_rate": 0.5, "growth_rate": -2.0},
    ],
)
def test_misuse_of_the_linear_phase(options):
    with pytest.raises(fs.OptionError):
        linear_phase_steps(options.pop("factor"), **options)


# --- misuse ---------------------------------------------------------------------------------------

MISUSE = {
    "prob": ({"prob": "x"}, "prob='x' must be a Problem"),
    "theta0": ({"theta0": np.zeros(5)}, "theta0 has shape"),
    "nan": ({"theta0": np.full(6, np.nan)}, "theta0"),
    "rate": ({"learning_rate": 0.0}, "learning_rate=0.0 must be a finite number > 0"),
    "rates": ({"learning_rate": [0.1, 0.2]}, "learning_rate has shape"),
    "steps": ({"steps": 0}, "steps=0 must be an integer >= 1"),
    "float steps": ({"steps": 1e7}, "steps=10000000.0 must be an integer"),
    "algorithm": ({"algorithm": "sgd"}, "algorithm='sgd' must be one of"),
    "momentum": ({"momentum": 1.0}, "momentum=1.0 must be a number in"),
    "betas": ({"betas": (0.9,)}, "betas=.* must be two numbers"),
    "beta": ({"betas": (0.9, 1.5)}, r"betas\[1\]=1.5"),
    "epsilon": ({"epsilon": 0.0}, "epsilon=0.0"),
    "batch": ({"batch_size": 7}, "batch_size=7 must be an integer >= 1 and <= 6"),
    "sampling": ({"sampling": "random"}, "sampling='random' must be one of"),
    "seed": ({"seed": -1, "batch_size": 2}, "seed=-1"),
    "streams": ({"streams": [1, 2], "batch_size": 2}, "streams="),
    "stop": ({"stop_loss": -1.0}, "stop_loss=-1.0"),
    "gtol": ({"gtol": np.nan}, "gtol=nan"),
    "escape": ({"escape": 0.0}, "escape=0.0"),
    "save late": ({"save_at": [3, 11]}, "save_at has the step 11"),
    "save order": ({"save_at": [3, 2]}, "save_at must be in ascending order"),
    "save float": ({"save_at": [0.5]}, "save_at="),
    "save none": ({"save_at": []}, "save_at="),
    "threads": ({"n_threads": 0}, "n_threads=0"),
    "progress": ({"progress": 3}, "progress=3"),
}


@pytest.mark.parametrize(("change", "message"), MISUSE.values(), ids=MISUSE.keys())
def test_misuse(change, message):
    arguments = {"prob": example(), "theta0": np.ones(6), "learning_rate": 0.1, "steps": 10}
    arguments |= change
    prob, theta0 = arguments.pop("prob"), arguments.pop("theta0")
    with pytest.raises(ValueError, match=message):
        gradient_descent(prob, theta0, **arguments)
