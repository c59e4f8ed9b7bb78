"""Every zero of the loss is the limit of a non-constant flow: LR Proposition 5.1."""

import numpy as np
import pytest

import flowscape as fs

X = np.linspace(-2, 2, 6)
TIGHT = {"rtol": 1e-12, "atol": 1e-15, "method": "rosenbrock", "extrapolate": False}


def example(n=6, loss="half_sum", width=2, weights=None):
    target = fs.TwoLayer(1, 1, "tanh")
    x = np.linspace(-2, 2, n)
    teacher = fs.Teacher(target, [1.0, 1.0, 1.0])
    data = fs.Samples(x, teacher(x), weights)
    return fs.Problem(fs.TwoLayer(width, 1, "tanh"), data, loss, teacher=teacher)


def two_outputs():
    """exp, output bias, inputs in the plane."""
    net = fs.TwoLayer(2, 2, "exp", bias=True, outputs=2, output_bias=True)
    theta = np.random.default_rng(1).normal(size=net.n_params) * 0.5
    x = np.random.default_rng(2).normal(size=(20, 2))
    return fs.Problem(net, fs.Samples(x, net(theta, x)), "mean"), theta


def imperfect():
    """Three samples: a zero of the loss that is no perfect network."""
    prob = example(n=3)
    point = fs.polish(prob, fs.gradient_flow(prob, prob.net.init(1, rng=4)[0]).theta).theta
    assert float(prob.loss(point)) < 1e-28
    return prob, point


CASES = {
    "on Q1": (example(), [0.4, 1, 1, 0.6, 1, 1]),
    "on Q2": (example(weights=[1, 2, 3, 1, 0, 1]), [1, 1, 1, 0, 0.5, -0.3]),
    "where they meet": (example(loss="mean"), [1, 1, 1, 0, 1, 1]),
    "imperfect": imperfect(),
    "two outputs": two_outputs(),
}


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("name", CASES)
def test_the_flow_from_the_start_ends_in_the_given_zero(name, side):
    prob, zero = CASES[name]
    found = fs.flow_into(prob, zero, side=side)
    assert found.distance > 0.01
    assert found.error < 1e-9
    end = fs.gradient_flow(prob, found.start, **TIGHT)
    assert np.linalg.norm(end.theta - zero) < 1e-9 * (1 + np.linalg.norm(zero))
    # the tangent alone ends elsewhere: at a distance of second order
    bare = found.theta + found._radius * found._coefficients[1]
    wrong = fs.gradient_flow(prob, bare, **TIGHT)
    assert np.linalg.norm(wrong.theta - zero) > 1e3 * np.linalg.norm(end.theta - zero)


def test_the_solution_is_the_flow_at_all_times():
    prob, zero = CASES["on Q1"]
    found = fs.flow_into(prob, zero)
    times = np.linspace(0.0, 4.0, 7) / found.rate
    flow = fs.gradient_flow(prob, found.start, save_at=times, t_max=times[-1], **TIGHT)
    np.testing.assert_allclose(found(times), flow.thetas, rtol=0, atol=1e-10)
    assert found(0.0).tolist() == found.start.tolist()
    late = np.linalg.norm(found([1.5, 2.0]) - found.theta, axis=1)
    assert 2 * np.log(late[0] / late[1]) == pytest.approx(found.rate, rel=1e-4)


def test_the_two_sides_are_opposite():
    prob, zero = CASES["on Q2"]
    one, two = (fs.flow_into(prob, zero, side=side) for side in (1, -1))
    steps = [f(1.0) - f.theta for f in (one, two)]
    cosine = steps[0] @ steps[1] / np.linalg.norm(steps[0]) / np.linalg.norm(steps[1])
    assert cosine < -0.99
    assert "FlowInto(distance" in repr(one)


def test_misuse():
    prob, zero = CASES["on Q1"]
    with pytest.raises(fs.ProblemError, match=r"Proposition 5\.1"):
        fs.flow_into(prob, np.array(zero) + 1e-3)
    with pytest.raises(fs.OptionError, match="side=0"):
        fs.flow_into(prob, zero, side=0)
    with pytest.raises(fs.ProblemError, match=r"l2=0\.5"):
        fs.flow_into(fs.Problem(prob.net, prob.data, l2=0.5), zero)
    nothing = fs.Problem(fs.TwoLayer(1, 1, "tanh"), fs.Samples(X, 0 * X))
    with pytest.raises(fs.ProblemError, match="Hessian vanishes"):
        fs.flow_into(nothing, np.zeros(3))
