"""What `save_at` returns, and that asking changes nothing."""

import numpy as np
import pytest

from flowscape import Problem, Samples, Status, TwoLayer, gradient_flow

X = np.array([-1.0, 0.0, 1.0])
NET = TwoLayer(2, 1)
PROB = Problem(NET, Samples(X, X))
METHODS = ["rosenbrock", "rk45", "bdf"]


@pytest.mark.parametrize("method", METHODS)
def test_asking_for_times_changes_no_bit_of_the_flow(method):
    theta = NET.init(20, rng=1)
    plain = gradient_flow(PROB, theta, method=method, t_max=3.0)
    asked = gradient_flow(PROB, theta, method=method, t_max=3.0, save_at=[0.0, 0.1, 0.1, 2.0])
    for field in ("theta", "t", "loss", "gradient_norm", "status", "nstep", "nfev"):
        assert getattr(plain, field).tobytes() == getattr(asked, field).tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_time_0_is_the_start_and_equal_times_are_equal(method):
    theta = NET.init(20, rng=2)
    flow = gradient_flow(PROB, theta, method=method, t_max=1.0, save_at=[0.0, 0.0, 0.5, 0.5])
    assert flow.thetas[:, 0].tobytes() == theta.tobytes()
    assert flow.thetas[:, 1].tobytes() == theta.tobytes()
    assert flow.thetas[:, 2].tobytes() == flow.thetas[:, 3].tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_the_end_time_holds_the_end_of_the_flow(method):
    """Many end times: t + h of the last step may round to either side of t_max."""
    rng = np.random.default_rng(0)
    for seed in range(100):
        t_max = float(10.0 ** rng.uniform(-3, 1))
        theta = NET.init(20, rng=seed)
        flow = gradient_flow(PROB, theta, method=method, t_max=t_max, save_at=[t_max])
        ended = np.isin(flow.status, [Status.TIME_LIMIT, Status.CONVERGED])
        assert ended.all()
        np.testing.assert_array_equal(flow.thetas[:, 0], flow.theta)
