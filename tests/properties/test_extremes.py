"""Huge, tiny and vanishing parameters: rows with a status, no warning, no crawling."""

import numpy as np
import pytest

from flowscape import Problem, Samples, Status, TwoLayer, gradient_flow, polish

X = np.linspace(-2.0, 2.0, 6)


SIZES = [1e-300, 1e-5, 1.0, 50.0, 100.0, 300.0, 500.0, 1e5, 1e300]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["exp", "sinh", "tanh", "softplus", "gauss", "sin"])
def test_polish_gives_rows_without_warnings(name, size):
    net = TwoLayer(2, 1, name)
    points = polish(Problem(net, Samples(X, X)), size * net.init(4, rng=1), max_iterations=5)
    assert not points.certified[points.status == Status.NONFINITE].any()


DECAY = Problem(TwoLayer(3, 1), Samples(X, np.tanh(X + 1)), l2=100.0)


@pytest.mark.parametrize("size", [1e-3, 1e-8, 1e-16, 1e-100])
def test_polish_reaches_a_minimum_at_the_origin(size):
    points = polish(DECAY, size * DECAY.net.init(4, rng=3))
    assert (points.status == Status.CONVERGED).all()
    assert (np.abs(points.theta) < 1e-100).all()


@pytest.mark.parametrize("method", ["rosenbrock", "rk45", "bdf"])
def test_a_flow_reaches_a_minimum_at_the_origin(method):
    """Weight decay 100: the rate is 100, so a few hundred explicit steps suffice."""
    flow = gradient_flow(DECAY, DECAY.net.init(4, rng=3), method=method, max_steps=20_000)
    assert (flow.status == Status.CONVERGED).all()
