"""Flows across kinks of the activation, against integration piece by piece in plain NumPy."""

from collections import Counter

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from flowscape import Problem, Samples, Status, Teacher, TwoLayer, gradient_flow

METHODS = ("rosenbrock", "rk45", "bdf")
LEFT = {"relu": 0.0, "leaky_relu": 0.01}


class Pieces:
    """The flow of half the sum of squares with the side of every pre-activation held."""

    def __init__(self, name, x, y, m):
        self.left, self.y, self.m = LEFT[name], y, m
        self.features = np.column_stack([x, np.ones(len(x))])

    def split(self, theta):
        rows = theta.reshape(self.m, -1)
        return rows[:, 0], rows[:, 1:]

    def arguments(self, theta):
        return self.split(theta)[1] @ self.features.T

    def velocity(self, theta, sides):
        a, v = self.split(theta)
        slopes = np.where(sides > 0, 1.0, self.left)
        hidden = slopes * (v @ self.features.T)
        residual = a @ hidden - self.y
        moves = (slopes * residual * a[:, None]) @ self.features
        return -np.column_stack([hidden @ residual, moves]).ravel()

    def follow(self, theta, t_max):
        """Where the flow is at t_max, or where it begins to slide; how many kinks it passes."""
        t, passed, sides = 0.0, 0, np.sign(self.arguments(theta))
        while True:

            def nearest(_, point, sides=sides):
                return (sides * self.arguments(point)).min()

            nearest.terminal, nearest.direction = True, -1.0
            step = solve_ivp(
                lambda _, point, sides=sides: self.velocity(point, sides),
                (t, t_max),
                theta,
                method="DOP853",
                events=nearest,
                max_step=0.01,
                rtol=1e-11,
                atol=1e-13,
            )
            t, theta = step.t[-1], step.y[:, -1]
            if step.status == 0:
                return t, theta, passed, False
            k, i = np.unravel_index(np.argmin(sides * self.arguments(theta)), sides.shape)
            sides = sides.copy()
            sides[k, i] *= -1.0
            ahead = theta + 1e-9 * self.velocity(theta, sides)
            if sides[k, i] * (self.arguments(ahead) - self.arguments(theta))[k, i] < 0.0:
                return t, theta, passed, True
            rows = theta.reshape(self.m, -1).copy()  # a neuron at rest would stay on the kink
            rows[k, 1:] += 1e-9 * sides[k, i] * self.features[i]
            theta, passed = rows.ravel(), passed + 1


def problem(name, m, n, d, seed):
    x = np.random.default_rng(seed).normal(size=(n, d))
    target = Teacher(TwoLayer(1, d, name, True), np.array([1.0, *np.ones(d), 0.5]))
    prob = Problem(
        TwoLayer(m, d, name, True), Samples.of(target, x), loss="half_sum", teacher=target
    )
    y = np.where(x.sum(axis=1) + 0.5 > 0.0, 1.0, LEFT[name]) * (x.sum(axis=1) + 0.5)
    return prob, Pieces(name, x, y, m)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", LEFT)
def test_kinks_are_passed_where_pieces_say_so(name, method):
    prob, pieces = problem(name, 3, 8, 1, seed=1)
    starts = prob.net.init(16, rng=1, scale=0.5)
    flow = gradient_flow(prob, starts, method=method, t_max=2.0, gtol=0.0, rtol=1e-8, atol=1e-10)
    slid = passed = 0
    for theta, status, t, end in zip(starts, flow.status, flow.t, flow.theta, strict=True):
        time, point, number, slides = pieces.follow(theta, 2.0)
        assert (status == Status.KINK) == slides
        assert t == pytest.approx(time, abs=1e-5) or status == Status.CONVERGED
        np.testing.assert_allclose(end, point, atol=2e-6)
        slid, passed = slid + slides, passed + number
    assert slid >= 1
    assert passed >= 12


@pytest.mark.parametrize("method", ["rosenbrock", "bdf"])
@pytest.mark.parametrize(("m", "n", "d"), [(2, 6, 1), (3, 6, 1), (4, 10, 1), (5, 10, 2)])
def test_no_flow_hovers_at_a_kink(m, n, d, method):
    prob, _ = problem("relu", m, n, d, seed=1)
    starts = prob.net.init(100, rng=1, scale=0.5)
    flow = gradient_flow(prob, starts, method=method, t_max=1e4)
    assert flow.nstep.max() < 2000
    assert flow.nrejected.max() < 4000
    ends = Counter(Status(code) for code in flow.status)
    assert set(ends) <= {Status.CONVERGED, Status.TIME_LIMIT, Status.KINK, Status.TAIL_EXTRAPOLATED}
    assert ends[Status.KINK] >= 1
    assert ends[Status.CONVERGED] >= 20


@pytest.mark.parametrize("method", METHODS)
def test_a_flow_that_slides_stops_at_the_kink(method):
    """One sample carries the argument of the other one up, which drives itself down above 0."""
    prob = Problem(
        TwoLayer(1, 1, activation="leaky_relu", bias=True),
        Samples(np.array([0.5, -0.25]), np.array([3.0, -4.0])),
        loss="half_sum",
    )
    flow = gradient_flow(prob, [1.0, 1.0, 0.2], method=method, t_max=1e4, save_at=[0.0, 1e-3, 1e4])
    assert flow.status == Status.KINK
    assert "slides" in flow.message
    assert abs(flow.theta[2] - 0.25 * flow.theta[1]) < 1e-5
    assert np.isnan(flow.thetas[2]).all()
    assert flow.loss == prob.loss(flow.theta)
    for side in (1e-3, -1e-3):  # the gradient points at the kink on both sides
        gradient = prob.gradient(flow.theta + np.array([0.0, 0.0, side]))
        assert side * (gradient[2] - 0.25 * gradient[1]) > 0.0


@pytest.mark.parametrize("method", METHODS)
def test_relu_away_from_kinks_converges(method):
    prob = Problem(
        TwoLayer(1, 1, activation="relu", bias=False),
        Samples(np.array([[1.0], [2.0]]), np.array([1.0, 2.5])),
        loss="half_sum",
    )
    flow = gradient_flow(prob, [0.5, 0.8], method=method, gtol=1e-9)
    assert flow.status == Status.CONVERGED
    assert flow.theta[0] * flow.theta[1] == pytest.approx(6.0 / 5.0, abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_passing_kinks_does_not_depend_on_the_batch(method):
    prob, _ = problem("relu", 3, 6, 1, seed=1)
    starts = prob.net.init(33, rng=3, scale=0.5)
    whole = gradient_flow(prob, starts, method=method, t_max=1e3)
    for b in range(0, 33, 8):
        alone = gradient_flow(prob, starts[b], method=method, t_max=1e3)
        np.testing.assert_array_equal(alone.theta, whole.theta[b])
        assert alone.nstep == whole.nstep[b]


@pytest.mark.parametrize("method", METHODS)
def test_weight_decay_leads_a_dead_neuron_to_zero_and_not_along_the_kink(method):
    """Behind the kink all parameters decay: z shrinks, and never comes back to 0."""
    prob = Problem(
        TwoLayer(1, 1, activation="relu", bias=True),
        Samples(np.array([1.0]), np.array([-3.0])),
        loss="half_sum",
        l2=0.1,
    )
    r = np.random.default_rng(0)
    starts = np.column_stack([1.0 + r.random(60), r.random(60), 0.5 * r.random(60)])
    flow = gradient_flow(prob, starts, method=method, t_max=100.0, save_at=[50.0, 100.0])
    assert (flow.status == Status.TIME_LIMIT).all()
    np.testing.assert_allclose(
        flow.thetas[:, 1], np.exp(-5.0) * flow.thetas[:, 0], rtol=1e-4, atol=1e-9
    )
