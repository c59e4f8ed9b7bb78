"""Orders of the flow's methods and of their continuous extensions, by halving fixed steps.

A huge atol makes the first step of a flow longer than t_max and accepts whatever it gives, so a
flow to t_max = h is one step of size h. Problems are integrated in a phase of growth: where a
flow contracts, it forgets the early errors and the leading term hides behind the next.
"""

import numpy as np
import pytest

from flowscape import Problem, Samples, TwoLayer, _core, gradient_flow

NOMINAL = {"rosenbrock": 5, "rk45": 5}
# The extensions have order 4, one less than the methods; what one interpolated value
# adds to the global error is a single local error, so it is no larger in order.
FRACTIONS = np.array([0.3, 0.7])
HALVINGS = (8, 16, 32, 64)


def march(prob, start, t_end, steps, method):
    """Fixed steps; returns the end and the interpolated points, (steps, 2, P)."""
    h, point, between = t_end / steps, start, []
    for _ in range(steps):
        flow = gradient_flow(
            prob, point, method=method, t_max=h, rtol=1e-3, atol=1e6, save_at=h * FRACTIONS
        )
        assert flow.nstep == 1
        assert flow.nrejected == 0
        assert flow.t == h
        point = flow.theta
        between.append(flow.thetas)
    return point, np.array(between)


def orders(errors):
    return np.log2(errors[:-1] / errors[1:])


def linear_neuron():
    """f = a w x with a = w: u' = u (1 - u^2), in closed form."""
    net = TwoLayer(
        1, 1, activation=[{"name": "polynomial", "coefficients": [0.0, 1.0]}], bias=False
    )
    return Problem(net, Samples(np.array([[1.0]]), np.array([1.0])), loss="half_sum")


def logistic(t, u0):
    return 1.0 / np.sqrt(1.0 + (1.0 / u0**2 - 1.0) * np.exp(-2.0 * np.asarray(t)))


@pytest.mark.parametrize(
    ("method", "u0", "t_end"), [("rosenbrock", 0.05, 2.0), ("rk45", 0.05, 2.0), ("rk45", 0.1, 2.0)]
)
def test_order_against_a_closed_form(method, u0, t_end):
    prob, ends, betweens = linear_neuron(), [], []
    for steps in HALVINGS:
        end, between = march(prob, np.array([u0, u0]), t_end, steps, method)
        times = (np.arange(steps)[:, None] + FRACTIONS) * t_end / steps
        ends.append(np.abs(end - logistic(t_end, u0)).max())
        betweens.append(np.abs(between - logistic(times, u0)[..., None]).max())
    assert orders(np.array(ends))[1:] == pytest.approx(NOMINAL[method], abs=0.2)
    assert orders(np.array(betweens))[1:] == pytest.approx(NOMINAL[method], abs=0.2)


@pytest.mark.parametrize("method", ["rosenbrock", "rk45"])
@pytest.mark.parametrize("bias", [False, True])
def test_order_on_a_network(method, bias):
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    net = TwoLayer(2, 1, activation="tanh", bias=bias)
    prob = Problem(net, Samples(x, np.tanh(x[:, 0] + 1.0)), loss="half_mean")
    start = 0.1 * np.random.default_rng(2).normal(size=net.n_params)
    t_end = 2.0
    reference = gradient_flow(prob, start, method="rk45", t_max=t_end, rtol=1e-13, atol=1e-16)
    errors = np.array(
        [
            np.linalg.norm(march(prob, start, t_end, steps, method)[0] - reference.theta)
            for steps in HALVINGS
        ]
    )
    assert orders(errors)[1:] == pytest.approx(NOMINAL[method], abs=0.2), errors


def multistep_errors(prob, past, end, order, halvings):
    """Errors of equal steps of one order from exact points; past(t) is the flow at times <= 0."""
    errors = []
    for steps in halvings:
        h = end[0] / steps
        history = past(-h * np.arange(order + 1))
        errors.append(np.abs(_core.march_bdf(prob.core, h, steps, history) - end[1]).max())
    return np.array(errors)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_multistep_order_against_a_closed_form(order):
    u0, t_end = 0.05, 2.0
    errors = multistep_errors(
        linear_neuron(),
        lambda t: np.repeat(logistic(t, u0)[:, None], 2, axis=1),
        (t_end, logistic(t_end, u0)),
        order,
        (64, 128, 256, 512),
    )
    assert orders(errors)[1:] == pytest.approx(order, abs=0.2), errors


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_multistep_order_on_a_network(order):
    """The points before the first step come from the flow of a tight one-step method."""
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    net = TwoLayer(2, 1, activation="tanh", bias=True)
    prob = Problem(net, Samples(x, np.tanh(x[:, 0] + 1.0)), loss="half_mean")
    start = 0.1 * np.random.default_rng(2).normal(size=net.n_params)
    tight = {"method": "rk45", "rtol": 1e-13, "atol": 1e-16}
    errors = []
    for steps in (64, 128, 256, 512):
        h = 2.0 / steps
        times = np.concatenate([h * np.arange(6), [5 * h + 2.0]])
        flow = [
            start if t == 0.0 else gradient_flow(prob, start, t_max=t, **tight).theta for t in times
        ]
        history = np.array(flow[5 - order : 6])[::-1]
        end = _core.march_bdf(prob.core, h, steps, history)
        errors.append(np.linalg.norm(end - flow[-1]))
    assert orders(np.array(errors))[1:] == pytest.approx(order, abs=0.2), errors


@pytest.mark.parametrize("method", ["rosenbrock", "rk45", "bdf"])
def test_adaptive_error_is_proportional_to_the_tolerance(method):
    """End-point error over seven decades of tolerance: slope 1, and steps by the order.

    A multistep method changes its order with the tolerance, so its steps have no fixed law.
    """
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    prob = Problem(
        TwoLayer(2, 1, activation="tanh", bias=True),
        Samples(x, np.tanh(x[:, 0] + 1.0)),
        loss="half_sum",
    )
    starts = 0.3 * np.random.default_rng(4).normal(size=(8, prob.net.n_params))
    t_end = 10.0
    reference = gradient_flow(prob, starts, method="rk45", t_max=t_end, rtol=1e-13, atol=1e-15)
    tolerances = 10.0 ** -np.arange(4, 11)
    errors, steps = [], []
    for rtol in tolerances:
        flow = gradient_flow(prob, starts, method=method, t_max=t_end, rtol=rtol, atol=1e-3 * rtol)
        errors.append(np.sqrt(np.mean((flow.theta - reference.theta) ** 2)))
        steps.append(flow.nstep.mean())
    errors = np.array(errors)
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15), errors
    assert (errors <= 30.0 * tolerances).all(), errors / tolerances
    if method not in NOMINAL:
        return
    work = np.polyfit(np.log(steps[2:]), np.log(errors[2:]), 1)[0]
    assert work == pytest.approx(-NOMINAL[method], abs=0.7), (steps, errors)
