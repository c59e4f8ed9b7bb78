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


def test_stiff_flow_against_radau():
    prob, start = w6(200)
    times = np.geomspace(1.0, 1e5, 6)
    flow = gradient_flow(
        prob, start, method="rosenbrock", rtol=1e-8, atol=1e-11, t_max=1e5, save_at=times
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


@pytest.mark.parametrize("rtol", [1e-3, 1e-4, 1e-5])
def test_loose_tolerance_stays_on_the_slow_manifold(rtol):
    """Positions at equal times keep to the tolerance; they would without the correction too."""
    prob, start = w6(2000)
    times = np.geomspace(1.0, 1e7, 15)
    flow = gradient_flow(prob, start, rtol=rtol, atol=1e-3 * rtol, t_max=1e7, save_at=times)
    reference = gradient_flow(prob, start, rtol=1e-8, atol=1e-11, t_max=1e7, save_at=times)
    error = np.linalg.norm(flow.thetas - reference.thetas, axis=1)
    assert (error <= 30.0 * rtol * np.linalg.norm(reference.thetas, axis=1)).all(), error


@pytest.mark.parametrize(("rtol", "late"), [(1e-4, 4.0), (1e-5, 1.25), (1e-6, 1.25), (1e-7, 1.25)])
def test_gtol_is_reached_when_the_flow_reaches_it(rtol, late):
    """What a Rosenbrock step does with its residual (docs/decisions/0006).

    Error control leaves stiff components at the tolerance, where they hide the small gradient of
    the slow flow. Without the correction the ratio of times is 56 at 1e-4 and 3.1 at 1e-5.
    """
    prob, start = w6(2000)
    flow = gradient_flow(prob, start, rtol=rtol, atol=1e-3 * rtol, gtol=1e-9)
    reference = gradient_flow(prob, start, rtol=1e-8, atol=1e-11, gtol=1e-9)
    assert 1.0 / late <= flow.t / reference.t <= late
    there = gradient_flow(
        prob, start, rtol=1e-8, atol=1e-11, t_max=float(flow.t), save_at=[float(flow.t)]
    )
    error = np.linalg.norm(flow.theta - there.thetas[0])
    assert error <= 30.0 * rtol * np.linalg.norm(there.thetas[0])
