"""Gradient flows: closed forms, invariants, ends and what is reported about them."""

import numpy as np
import pytest

from flowscape import Flow, Problem, Samples, Status, TwoLayer, gradient_flow

METHODS = ("rosenbrock", "rk45", "bdf")
both = pytest.mark.parametrize("method", METHODS)


def polynomial(*coefficients):
    return [{"name": "polynomial", "coefficients": list(coefficients)}]


def one_sample(activation, target, width=1, loss="half_sum", x=1.0):
    net = TwoLayer(width, 1, activation=activation, bias=False)
    return Problem(net, Samples(np.array([[x]]), np.array([target])), loss=loss)


@pytest.fixture(scope="module")
def tanh():
    """Two tanh neurons on six points with a positive minimum."""
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    y = np.array([0.3, -0.9, 0.4, 0.8, -0.2, 0.6])
    return Problem(TwoLayer(2, 1, activation="tanh", bias=True), Samples(x, y), loss="half_mean")


@pytest.fixture(scope="module")
def starts():
    return 0.7 * np.random.default_rng(11).normal(size=(12, 6))


@both
def test_linear_neuron_in_closed_form(method):
    """a = w = u obeys u' = u (y - u^2): a logistic curve in u^2."""
    target, u0, times = 2.0, 0.2, np.linspace(0.0, 6.0, 13)
    prob = one_sample(polynomial(0.0, 1.0), target)
    flow = gradient_flow(
        prob, [u0, u0], method=method, rtol=1e-9, atol=1e-12, t_max=6.0, save_at=times
    )
    squared = target / (1.0 + (target / u0**2 - 1.0) * np.exp(-2.0 * target * times))
    np.testing.assert_allclose(flow.thetas, np.sqrt(squared)[:, None] * [1, 1], rtol=2e-8, atol=0)


@both
@pytest.mark.parametrize("loss", ["sum", "half_sum", "mean", "half_mean"])
def test_time_belongs_to_the_loss(method, loss):
    """One linear output bias: c' = -2 s W (c - y), an exponential with the loss's own rate."""
    net = TwoLayer(1, 1, activation="tanh", bias=False, output_bias=True)
    x, y = np.zeros((4, 1)), np.full(4, 3.0)
    prob = Problem(net, Samples(x, y, np.array([1.0, 2.0, 0.5, 1.5])), loss=loss)
    rate = {"sum": 10.0, "half_sum": 5.0, "mean": 2.0, "half_mean": 1.0}[loss]
    flow = gradient_flow(prob, [0.0, 0.4, 1.0], method=method, rtol=1e-10, atol=1e-12, t_max=0.5)
    np.testing.assert_allclose(flow.theta, [0.0, 0.4, 3.0 - 2.0 * np.exp(-0.5 * rate)], rtol=1e-8)


@both
@pytest.mark.parametrize(("degree", "weight"), [(1, 1.0), (2, 2.0), (3, 3.0)])
def test_homogeneous_neuron_keeps_its_balance(method, degree, weight):
    """For sigma(z) = z^p the flow conserves |w|^2 - p a^2."""
    coefficients = [0.0] * degree + [1.0]
    prob = one_sample(polynomial(*coefficients), 1.5, x=0.8)
    start = np.array([0.5, 0.9])
    flow = gradient_flow(prob, start, method=method, rtol=1e-10, atol=1e-12, t_max=5.0)
    balance = [theta[1] ** 2 - weight * theta[0] ** 2 for theta in (start, flow.theta)]
    assert balance[1] == pytest.approx(balance[0], abs=1e-8)
    assert np.abs(flow.theta - start).max() > 0.1


@both
def test_loss_never_increases(tanh, starts, method):
    times = np.concatenate([[0.0], np.geomspace(1e-3, 300.0, 60)])
    flow = gradient_flow(tanh, starts, method=method, t_max=300.0, save_at=times, rtol=1e-6)
    for path in flow.thetas:
        loss = tanh.loss(path)
        assert (np.diff(loss) <= 2e-6 * loss[:-1]).all()


@both
def test_ends_exactly_at_t_max(tanh, starts, method):
    for t_max in (1e-9, 0.1, 1.0 / 3.0, 7.77, 123.456):
        flow = gradient_flow(tanh, starts, method=method, t_max=t_max)
        assert (flow.status == Status.TIME_LIMIT).all()
        assert (flow.t == t_max).all()
        assert not flow.success.any()


@both
def test_t_max_zero_is_the_start(tanh, starts, method):
    flow = gradient_flow(tanh, starts, method=method, t_max=0.0, save_at=[0.0])
    assert (flow.status == Status.TIME_LIMIT).all()
    np.testing.assert_array_equal(flow.theta, starts)
    np.testing.assert_array_equal(flow.thetas[:, 0], starts)
    assert (flow.nstep == 0).all()


@both
def test_saved_times(tanh, starts, method):
    times = [0.0, 0.0, 0.25, 0.25, 1.0, 2.5, 2.5]
    flow = gradient_flow(tanh, starts, method=method, t_max=2.5, save_at=times)
    np.testing.assert_array_equal(flow.ts, times)
    assert flow.thetas.shape == (12, 7, 6)
    np.testing.assert_array_equal(flow.thetas[:, 0], starts)
    np.testing.assert_array_equal(flow.thetas[:, 0], flow.thetas[:, 1])
    np.testing.assert_array_equal(flow.thetas[:, 2], flow.thetas[:, 3])
    np.testing.assert_allclose(flow.thetas[:, 6], flow.theta, rtol=4e-16, atol=4e-16)
    middle = gradient_flow(tanh, starts, method=method, t_max=1.0)
    np.testing.assert_allclose(flow.thetas[:, 4], middle.theta, rtol=0, atol=2e-5)


@both
def test_saving_does_not_change_the_flow(tanh, starts, method):
    plain = gradient_flow(tanh, starts, method=method, t_max=5.0)
    saved = gradient_flow(tanh, starts, method=method, t_max=5.0, save_at=np.linspace(0, 5, 31))
    assert plain.thetas is None
    assert plain.ts is None
    np.testing.assert_array_equal(plain.theta, saved.theta)
    np.testing.assert_array_equal(plain.nstep, saved.nstep)


@both
def test_the_last_time_is_always_saved(tanh, starts, method):
    """The last step ends at t_max although t + h need not round to it."""
    for t_max in np.random.default_rng(3).uniform(0.1, 40.0, size=60):
        flow = gradient_flow(tanh, starts, method=method, t_max=t_max, save_at=[t_max])
        assert np.isfinite(flow.thetas).all(), t_max


def test_times_after_convergence_hold_the_limit(tanh, starts):
    flow = gradient_flow(tanh, starts, gtol=1e-6, save_at=[0.0, 1.0, 1e12, 1e14])
    assert flow.success.all()
    assert (flow.t < 1e12).all()
    np.testing.assert_array_equal(flow.thetas[:, 2], flow.theta)
    np.testing.assert_array_equal(flow.thetas[:, 3], flow.theta)


@both
def test_times_after_any_other_end_are_nan(tanh, starts, method):
    flow = gradient_flow(tanh, starts, method=method, max_steps=4, save_at=[0.0, 1e-6, 1e6])
    assert (flow.status == Status.STEP_LIMIT).all()
    assert np.isfinite(flow.thetas[:, :2]).all()
    assert np.isnan(flow.thetas[:, 2]).all()


@both
def test_step_limit(tanh, starts, method):
    flow = gradient_flow(tanh, starts, method=method, max_steps=5)
    assert (flow.status == Status.STEP_LIMIT).all()
    assert (flow.nstep + flow.nrejected == 5).all()
    assert "max_steps" in flow.message[0]


@both
def test_escape(method):
    prob = one_sample(polynomial(0.0, 1.0), 9.0)
    flow = gradient_flow(prob, [[0.5, 0.4], [0.1, 3.5]], method=method, escape=2.0)
    assert flow.status[0] == Status.ESCAPED
    assert np.abs(flow.theta[0]).max() >= 2.0
    assert np.abs(flow.theta[0]).max() < 3.0
    assert "escape" in flow.message[0]


@both
def test_overflow_is_a_row_with_its_status(method):
    prob = one_sample("exp", 1.0)
    flow = gradient_flow(prob, [[1.0, 800.0], [0.5, 0.1]], method=method, gtol=1e-8)
    assert flow.status[0] == Status.NONFINITE
    np.testing.assert_array_equal(flow.theta[0], [1.0, 800.0])
    assert flow.t[0] == 0.0
    assert "overflow" in flow.message[0]
    assert flow.status[1] == Status.CONVERGED
    assert prob.loss(flow.theta[1]) < 1e-14


@both
def test_stationary_start_converges_at_once(tanh, method):
    flow = gradient_flow(one_sample("tanh", 0.7), np.zeros(2), method=method)
    assert flow.status == Status.CONVERGED
    assert flow.t == 0.0
    assert flow.nstep == 0
    np.testing.assert_array_equal(flow.theta, [0.0, 0.0])


def test_explicit_method_reaches_tight_stationarity(tanh):
    """The spectral cap lets it; error control alone parks the stiff modes at the tolerance."""
    prob = Problem(
        TwoLayer(1, 1, activation="tanh", bias=True),
        Samples(np.linspace(-2.0, 2.0, 6)[:, None], np.tanh(np.linspace(-1.0, 3.0, 6))),
        loss="half_sum",
    )
    eigenvalues = np.linalg.eigvalsh(prob.hessian(np.ones(3)))
    assert eigenvalues[-1] / eigenvalues[0] > 20.0
    starts = 0.5 * np.random.default_rng(6).normal(size=(5, 3)) + [1.0, 1.0, 0.5]
    flow = gradient_flow(prob, starts, method="rk45", rtol=1e-6, atol=1e-9, gtol=1e-10)
    assert flow.success.all()
    assert (flow.gradient_norm <= 1e-10).all()
    np.testing.assert_allclose(flow.theta, np.ones((5, 3)), atol=1e-8)


def test_stops_at_the_computed_floor(tanh, starts):
    """These flows escape, slowly: their ends are at the floor, their growth is recognised."""
    flow = gradient_flow(tanh, starts, extrapolate=False)
    assert flow.gtol is None
    assert flow.success.all()
    assert (flow.gradient_norm <= flow.floor).all()
    np.testing.assert_array_equal(flow.floor, tanh.noise(flow.theta).gradient)
    assert np.isnan(flow.theta_error).all()
    followed = gradient_flow(tanh, starts)
    np.testing.assert_array_equal(followed.theta, flow.theta)
    assert (followed.status == Status.ESCAPED).all()
    assert (followed.theta_error == np.inf).all()


@both
def test_reports_the_state_at_the_end(tanh, starts, method):
    flow = gradient_flow(tanh, starts, method=method, t_max=3.0)
    np.testing.assert_array_equal(flow.loss, tanh.loss(flow.theta))
    np.testing.assert_array_equal(flow.gradient_norm, np.abs(tanh.gradient(flow.theta)).max(axis=1))
    trials = flow.nstep + flow.nrejected
    evaluations = flow.nfev + (flow.njev if method == "bdf" else 0)
    fewest, most = {"rosenbrock": (7, 7), "rk45": (6, 6), "bdf": (1, 3)}[method]
    assert (evaluations >= fewest * trials).all()
    assert (evaluations <= most * trials + 3).all()
    assert (flow.njev >= 1).all()
    assert flow.method == method
    assert flow.kernel == tanh.kernel
    assert 0.0 < flow.lane_use <= 1.0


@both
def test_a_single_start_has_no_batch_axis(tanh, starts, method):
    one = gradient_flow(tanh, starts[3], method=method, t_max=2.0, save_at=[0.5, 1.0])
    many = gradient_flow(tanh, starts, method=method, t_max=2.0, save_at=[0.5, 1.0])
    assert one.theta.shape == (6,)
    assert one.thetas.shape == (2, 6)
    for name in ("t", "loss", "gradient_norm", "floor", "status", "nstep", "nrejected", "nfev"):
        assert np.shape(getattr(one, name)) == ()
        assert getattr(one, name) == getattr(many, name)[3]
    np.testing.assert_array_equal(one.theta, many.theta[3])
    np.testing.assert_array_equal(one.thetas, many.thetas[3])
    assert one.message.shape == ()
    assert repr(one).startswith(f"Flow(1 run, {method}")


@both
def test_absolute_tolerance_per_run(tanh, starts, method):
    atol = np.geomspace(1e-12, 1e-3, 12)
    flow = gradient_flow(tanh, starts, method=method, t_max=2.0, atol=atol)
    for b in (0, 11):
        alone = gradient_flow(tanh, starts[b], method=method, t_max=2.0, atol=atol[b])
        np.testing.assert_array_equal(alone.theta, flow.theta[b])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("runs", [4_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_lanes_are_refilled(method, runs):
    """A lane takes the next run when its own has ended, however long the others take."""
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    prob = Problem(TwoLayer(2, 1), Samples(x, np.tanh(x[:, 0] + 1.0)), loss="half_sum")
    starts = 0.1 * np.random.default_rng(1).normal(size=(runs, 6))
    flow = gradient_flow(prob, starts, method=method, t_max=1e6, gtol=1e-3, n_threads=1)
    assert flow.success.all()
    assert flow.nstep.max() >= 1.2 * flow.nstep.mean()
    assert flow.lane_use >= 0.95


def test_progress_counts_finished_runs(tanh):
    starts = np.random.default_rng(0).normal(size=(600, 6))
    told = []
    options = {"rtol": 1e-10, "atol": 1e-13, "max_steps": 1500}
    gradient_flow(tanh, starts, n_threads=1, progress=told.append, **options)
    assert told
    assert told == sorted(told)
    assert told[-1] <= 600


def test_every_status_has_a_message_of_its_own():
    messages = {status.message for status in Status}
    assert len(messages) == len(Status)


def test_auto_names_the_method_it_took(tanh, starts):
    flow = gradient_flow(tanh, starts, t_max=1.0)
    assert isinstance(flow, Flow)
    assert set(flow.method.split("+")) == set(flow.choice.method)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"rtol": -1e-6}, "rtol=-1e-06"),
        ({"rtol": 0.0}, "rtol=0.0"),
        ({"rtol": 1e-15}, "rtol=1e-15"),
        ({"rtol": 2.0}, "rtol=2.0 must be <= 1"),
        ({"extrapolate": "no"}, "extrapolate='no'"),
        ({"rtol": np.nan}, "rtol=nan"),
        ({"atol": -1.0}, "atol=-1.0"),
        ({"atol": 0.0}, "atol=0.0"),
        ({"atol": [1e-9, 1e-9]}, "atol"),
        ({"method": "euler"}, "method='euler'"),
        ({"t_max": -1.0}, "t_max=-1.0"),
        ({"t_max": np.nan}, "t_max=nan"),
        ({"gtol": -1e-9}, "gtol=-1e-09"),
        ({"save_at": []}, "save_at"),
        ({"save_at": [-1.0]}, "save_at"),
        ({"save_at": [2.0], "t_max": 1.0}, "save_at"),
        ({"save_at": [1.0, 0.5]}, "save_at"),
        ({"save_at": [np.nan]}, "save_at"),
        ({"save_at": [np.inf]}, "save_at"),
        ({"max_steps": 0}, "max_steps=0"),
        ({"max_steps": 1.5}, "max_steps=1.5"),
        ({"escape": 0.0}, "escape=0.0"),
        ({"n_threads": 0}, "n_threads=0"),
    ],
)
def test_misuse_names_the_argument(tanh, starts, options, name):
    with pytest.raises(ValueError, match=rf"^{name}"):
        gradient_flow(tanh, starts, **options)


@pytest.mark.parametrize("theta", [np.zeros(5), np.zeros((2, 7)), np.full(6, np.nan), "six"])
def test_bad_starts(tanh, theta):
    with pytest.raises(ValueError, match=r"^theta0"):
        gradient_flow(tanh, theta)
