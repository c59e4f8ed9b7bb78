"""Flows against SciPy's integrators, which share no code with the core.

The peers integrate a NumPy network written here: not even the gradient is shared.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import erf, expit

from flowscape import Problem, Samples, Status, Teacher, TwoLayer, gradient_flow

SLOPES = {
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
    "softplus": (lambda z: np.logaddexp(0.0, z), expit),
    "erf": (erf, lambda z: 2.0 / np.sqrt(np.pi) * np.exp(-(z**2))),
    "gauss": (lambda z: np.exp(-(z**2)), lambda z: -2.0 * z * np.exp(-(z**2))),
    "rational": (lambda z: z / (1 + z**2), lambda z: (1 - z**2) / (1 + z**2) ** 2),
    "sin": (np.sin, np.cos),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1.0 + z * expit(-z))),
}


def downhill(prob):
    """Minus the gradient, from scratch, as SciPy wants it."""
    net, data = prob.net, prob.data
    value, slope = SLOPES[net.activation.terms[0].name]
    m, k, d = net.width, net.outputs, net.inputs
    features = np.column_stack([data.x, np.ones(len(data))]) if net.bias else data.x
    y = data.y.reshape(len(data), k)
    weights = np.ones(len(data)) if data.weights is None else data.weights
    scale = {
        "sum": 1.0,
        "half_sum": 0.5,
        "mean": 1.0 / weights.sum(),
        "half_mean": 0.5 / weights.sum(),
    }[prob.loss_name]

    def field(_, theta):
        hidden = m * (k + features.shape[1])
        neurons = theta[:hidden].reshape(m, -1)
        a, v = neurons[:, :k], neurons[:, k:]
        z = features @ v.T
        r = value(z) @ a - y + (theta[hidden:] if net.output_bias else 0.0)
        wr = 2.0 * scale * weights[:, None] * r
        slopes = np.empty_like(neurons)
        slopes[:, :k] = value(z).T @ wr
        slopes[:, k:] = ((wr @ a.T) * slope(z)).T @ features
        biases = wr.sum(axis=0) if net.output_bias else []
        return -np.concatenate([slopes.ravel(), biases]) - prob.l2 * theta

    assert d + net.bias == features.shape[1]
    return field


CASES = [
    # activation, width, inputs, outputs, bias, output bias, loss, l2, weighted
    ("tanh", 2, 1, 1, True, False, "half_sum", 0.0, False),
    ("sigmoid", 3, 2, 2, True, True, "mean", 0.0, True),
    ("softplus", 3, 2, 1, False, False, "half_mean", 0.01, False),
    ("erf", 4, 1, 2, True, False, "sum", 0.0, True),
    ("gauss", 2, 2, 1, True, True, "half_mean", 0.0, False),
    ("rational", 5, 1, 1, True, False, "mean", 0.0, False),
    ("sin", 2, 1, 2, False, True, "half_sum", 0.1, False),
    ("silu", 3, 2, 2, True, False, "mean", 0.0, False),
]


def case(name, width, inputs, outputs, bias, output_bias, loss, l2, weighted):
    rng = np.random.default_rng(sum(map(ord, name)))
    net = TwoLayer(
        width, inputs, activation=name, bias=bias, outputs=outputs, output_bias=output_bias
    )
    n = 9
    x = rng.normal(size=(n, inputs))
    y = rng.normal(size=n if outputs == 1 else (n, outputs))
    weights = rng.uniform(0.5, 2.0, size=n) if weighted else None
    prob = Problem(net, Samples(x, y, weights), loss=loss, l2=l2)
    return prob, 0.5 * rng.normal(size=(3, net.n_params))


@pytest.mark.parametrize("method", ["rosenbrock", "rk45", "bdf"])
@pytest.mark.parametrize("options", CASES, ids=lambda c: c[0])
def test_random_networks_against_dop853(options, method):
    prob, starts = case(*options)
    field, times = downhill(prob), np.array([0.1, 0.7, 2.0, 3.0])
    flow = gradient_flow(
        prob, starts, method=method, rtol=1e-10, atol=1e-12, t_max=3.0, save_at=times
    )
    assert (flow.status == Status.TIME_LIMIT).all()
    assert (flow.t == 3.0).all()
    for start, saved, end in zip(starts, flow.thetas, flow.theta, strict=True):
        peer = solve_ivp(field, (0, 3.0), start, "DOP853", times, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(saved, peer.y.T, rtol=0, atol=2e-8)
        np.testing.assert_allclose(end, saved[-1], rtol=0, atol=1e-14)


def w6(samples):
    """Workload W6 with fewer samples: a stiff flow along a slow manifold."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(samples, 2))
    target = Teacher(TwoLayer(4, 2, activation="softplus", bias=False), rng.normal(size=12))
    start = 0.5 * rng.normal(size=15)
    net = TwoLayer(5, 2, activation="softplus", bias=False)
    return Problem(net, Samples.of(target, x), loss="half_mean", teacher=target), start


@pytest.mark.parametrize("method", ["rosenbrock", "bdf"])
def test_stiff_flow_against_radau(method):
    prob, start = w6(200)
    times = np.geomspace(1.0, 1e5, 6)
    flow = gradient_flow(
        prob, start, method=method, rtol=1e-8, atol=1e-11, t_max=1e5, save_at=times
    )
    peer = solve_ivp(
        downhill(prob),
        (0.0, 1e5),
        start,
        "Radau",
        times,
        jac=lambda _, theta: -prob.hessian(theta),
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(flow.thetas, peer.y.T, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["rosenbrock", "bdf"])
@pytest.mark.parametrize("rtol", [1e-3, 1e-4, 1e-5])
def test_loose_tolerance_stays_on_the_slow_manifold(method, rtol):
    """Positions at equal times keep to the tolerance; they would without the correction too."""
    prob, start = w6(2000)
    times = np.geomspace(1.0, 1e7, 15)
    options = {"t_max": 1e7, "save_at": times}
    flow = gradient_flow(prob, start, method=method, rtol=rtol, atol=1e-3 * rtol, **options)
    reference = gradient_flow(prob, start, method="rosenbrock", rtol=1e-8, atol=1e-11, **options)
    error = np.linalg.norm(flow.thetas - reference.thetas, axis=1)
    assert (error <= 30.0 * rtol * np.linalg.norm(reference.thetas, axis=1)).all(), error


@pytest.mark.parametrize(("rtol", "late"), [(1e-4, 4.0), (1e-5, 1.25), (1e-6, 1.25), (1e-7, 1.25)])
def test_gtol_is_reached_when_the_flow_reaches_it(rtol, late):
    """What a Rosenbrock step does with its residual (docs/decisions/0006).

    Error control leaves stiff components at the tolerance, where they hide the small gradient of
    the slow flow. Without the correction the ratio of times is 56 at 1e-4 and 3.1 at 1e-5.
    """
    prob, start = w6(2000)
    method = "rosenbrock"
    flow = gradient_flow(prob, start, method=method, rtol=rtol, atol=1e-3 * rtol, gtol=1e-9)
    reference = gradient_flow(prob, start, method=method, rtol=1e-8, atol=1e-11, gtol=1e-9)
    assert 1.0 / late <= flow.t / reference.t <= late
    there = gradient_flow(
        prob, start, rtol=1e-8, atol=1e-11, t_max=float(flow.t), save_at=[float(flow.t)]
    )
    error = np.linalg.norm(flow.theta - there.thetas[0])
    assert error <= 30.0 * rtol * np.linalg.norm(there.thetas[0])


def scipy_crossing(prob, start, gtol, rtol):
    """Time and place where SciPy's LSODA finds |gradient|_inf = gtol."""

    def field(_, theta):
        return -prob.gradient(theta)

    def crossing(_, theta):
        return np.abs(prob.gradient(theta)).max() - gtol

    crossing.terminal = True
    peer = solve_ivp(
        field,
        (0.0, 1e12),
        start,
        "LSODA",
        jac=lambda _, theta: -prob.hessian(theta),
        events=crossing,
        rtol=rtol,
        atol=1e-3 * rtol,
    )
    return peer.t_events[0][0], peer.y_events[0][0]


@pytest.mark.parametrize("samples", [200, 2000])
def test_multistep_stops_where_the_gradient_crosses_gtol(samples):
    """The end of a stiff flow is reproducible: the last, huge step lands on the crossing."""
    prob, start = w6(samples)
    time, place = scipy_crossing(prob, start, 1e-7, 1e-10)
    for rtol in 10.0 ** -np.arange(4.0, 10.0):
        flow = gradient_flow(prob, start, method="bdf", rtol=rtol, atol=1e-3 * rtol, gtol=1e-7)
        assert flow.success
        assert 1e-7 * (1.0 - 1.1e-5) <= flow.gradient_norm <= 1e-7
        assert flow.t == pytest.approx(time, rel=1e-5 + 30.0 * rtol)
        error = np.linalg.norm(flow.theta - place) / np.linalg.norm(place)
        assert error <= 1e-5 + 30.0 * rtol, rtol


SMOOTH = {
    "tanh": (("tanh", 4, 2, 1, True, False, "half_mean", 0.0, False), 100.0),
    "softplus, decayed": (("softplus", 3, 2, 1, False, False, "half_mean", 0.01, False), 1e3),
    "rational, two inputs": (("rational", 3, 2, 1, True, False, "mean", 0.0, False), 30.0),
    "silu": (("silu", 3, 2, 2, True, False, "mean", 0.0, False), 100.0),
}


@pytest.mark.parametrize(("options", "t_end"), SMOOTH.values(), ids=SMOOTH.keys())
def test_multistep_ends_against_stiff_peers(options, t_end):
    """At every tolerance as near to the tight peers as SciPy's BDF is, up to a factor of 4."""
    prob, starts = case(*options)

    def peer(method, rtol):
        return solve_ivp(
            lambda _, theta: -prob.gradient(theta),
            (0.0, t_end),
            starts[0],
            method,
            jac=lambda _, theta: -prob.hessian(theta),
            rtol=rtol,
            atol=1e-3 * rtol,
        ).y[:, -1]

    end = peer("LSODA", 1e-12)
    size = np.linalg.norm(end)
    assert np.linalg.norm(peer("Radau", 1e-10) - end) <= 5e-10 * size
    for rtol in 10.0 ** -np.arange(4.0, 10.0):
        flow = gradient_flow(
            prob, starts[0], method="bdf", rtol=rtol, atol=1e-3 * rtol, t_max=t_end
        )
        assert flow.t == t_end
        allowed = max(rtol * size, np.linalg.norm(peer("BDF", rtol) - end))
        assert np.linalg.norm(flow.theta - end) <= 4.0 * allowed, rtol


def test_multistep_needs_few_evaluations():
    """Where a Hessian costs little more than a gradient: one evaluation for most steps."""
    prob, start = w6(2000)
    flow = gradient_flow(prob, start, method="bdf", gtol=1e-9)
    assert flow.success
    assert flow.nfev + flow.njev <= 1.6 * flow.nstep
    one_step = gradient_flow(prob, start, method="rosenbrock", gtol=1e-9)
    assert flow.nfev + flow.njev <= 0.2 * one_step.nfev


def test_multistep_keeps_a_dear_hessian():
    rng = np.random.default_rng(0)
    net = TwoLayer(50, 3, activation="tanh", bias=True)
    x = rng.normal(size=(200, 3))
    target = Teacher(TwoLayer(4, 3, activation="tanh", bias=True), rng.normal(size=20))
    prob = Problem(net, Samples.of(target, x), loss="half_mean")
    start = 0.5 * rng.normal(size=net.n_params)
    flow = gradient_flow(prob, start, method="bdf", t_max=1e3)
    assert flow.njev <= 0.1 * flow.nstep
    assert flow.nfev <= 2.5 * flow.nstep
    reference = gradient_flow(prob, start, method="rosenbrock", rtol=1e-8, atol=1e-11, t_max=1e3)
    error = np.linalg.norm(flow.theta - reference.theta)
    assert error <= 30e-6 * np.linalg.norm(reference.theta)
