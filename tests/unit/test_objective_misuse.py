"""Misuse of problems, flows and polish: which error, and what its message names."""

import numpy as np
import pytest

import flowscape as fs
from flowscape import (
    OptionError,
    Problem,
    ProblemError,
    Samples,
    ShapeError,
    Teacher,
    TwoLayer,
    gradient_flow,
    polish,
)

NAN, INF = np.nan, np.inf
NET = TwoLayer(2, 1)
X, Y = np.array([-1.0, 0.0, 1.0]), np.array([0.5, 0.0, -0.5])
DATA = Samples(X, Y)
PROB = Problem(NET, DATA)
THETA = NET.init(4, rng=1)
WIDE = TwoLayer(2, 3)


def with_value(array, index, value):
    copy = np.array(array, dtype=float)
    copy[index] = value
    return copy


def teacher(net):
    return Teacher(net, net.init(1, rng=1)[0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TwoLayer(0, 1), OptionError, r"^width=0 must be an integer >= 1; "),
        (lambda: TwoLayer(-3, 1), OptionError, r"^width=-3 must"),
        (lambda: TwoLayer(2.0, 1), OptionError, r"^width=2.0 must"),
        (lambda: TwoLayer(2, 0), OptionError, r"^inputs=0 must"),
        (lambda: TwoLayer(2, 1, outputs=0), OptionError, r"^outputs=0 must"),
        (lambda: TwoLayer(2, 1, "tahn"), OptionError, r"'tahn'.*did you mean 'tanh'"),
        (lambda: TwoLayer(2, 1, [{"name": "tanh", "q": 1}]), OptionError, r"'q'"),
        (lambda: TwoLayer(2, 1, bias=1), OptionError, r"^bias=1 must be true or false"),
        (lambda: Samples([], []), ProblemError, r"^x has shape \(0, 1\).*at least one sample"),
        (lambda: Samples(X, Y[:2]), ShapeError, r"^y has shape \(2,\) and must have shape \(3,\)"),
        (lambda: Samples(np.zeros((3, 1, 1)), Y), ShapeError, r"^x has shape \(3, 1, 1\)"),
        (lambda: Samples(with_value(X, 1, NAN), Y), ProblemError, r"^x\[1.*\]=nan must be finite"),
        (lambda: Samples(X, with_value(Y, 2, -INF)), ProblemError, r"^y\[2\]=-inf must be finite"),
        (lambda: Samples(X, Y, [1, 1]), ShapeError, r"^weights has shape \(2,\)"),
        (lambda: Samples(X, Y, [1, NAN, 1]), ProblemError, r"^weights\[1\]=nan"),
        (lambda: Samples(X, Y, [1, -1, 1]), ProblemError, r"^weights\[1\]=-1.0 must be >= 0"),
        (lambda: Samples(X, Y, [0, 0, 0]), ProblemError, r"^weights=.*positive"),
        (lambda: Samples(X, ["a", "b", "c"]), ProblemError, r"^y=.*real numbers"),
        (lambda: Samples(X, Y * 1j), ProblemError, r"^y=.*real numbers"),
        (lambda: Problem("net", DATA), ProblemError, r"^net='net' must be a TwoLayer"),
        (lambda: Problem(NET, (X, Y)), ProblemError, r"^data=.* must be Samples"),
        (lambda: Problem(NET, DATA, "mse"), OptionError, r"^loss='mse' must be"),
        (lambda: Problem(NET, DATA, "half-sum"), OptionError, r"did you mean 'half_sum'"),
        (lambda: Problem(NET, DATA, l2=-0.1), OptionError, r"^l2=-0.1 must be .*>= 0"),
        (lambda: Problem(NET, DATA, l2=NAN), OptionError, r"^l2=nan must"),
        (lambda: Problem(NET, DATA, l2=INF), OptionError, r"^l2=inf must"),
        (lambda: Problem(WIDE, DATA), ProblemError, r"data has 1 inputs and the network has 3"),
        (lambda: Problem(TwoLayer(2, 1, outputs=2), DATA), ProblemError, r"data has 1 outputs"),
        (lambda: Problem(NET, DATA, teacher=teacher(WIDE)), ProblemError, r"teacher has 3 inputs"),
        (lambda: Problem(NET, DATA, teacher=np.tanh), ProblemError, r"^teacher=.*Teacher or None"),
    ],
)
def test_bad_problems(make, error, message):
    with pytest.raises(error, match=message):
        make()


METHODS = ["loss", "gradient", "hessian", "evaluate", "jacobian", "residual", "noise"]


@pytest.mark.parametrize("shape", [(), (5,), (7,), (6, 1), (2, 3), (1, 1, 6), (0,)])
@pytest.mark.parametrize("name", METHODS)
def test_bad_shapes_of_parameters(name, shape):
    with pytest.raises(ShapeError, match=r"^theta has shape .* must have shape \(6,\) or \(B, 6\)"):
        getattr(PROB, name)(np.zeros(shape))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("bad", [np.zeros(6) * 1j, ["a"] * 6, [None] * 6, np.zeros(6, bool)])
def test_parameters_that_are_no_numbers(name, bad):
    with pytest.raises(ProblemError, match=r"^theta=.*real numbers"):
        getattr(PROB, name)(bad)


def test_ragged_parameters():
    with pytest.raises(ShapeError, match=r"^theta=.*one length"):
        PROB.loss([[1.0] * 6, [1.0] * 5])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_bad_thread_counts(name, threads):
    with pytest.raises(OptionError, match=r"^n_threads=.* must be an integer >= 1"):
        getattr(PROB, name)(THETA, n_threads=threads)


AMBIGUOUS = np.array([0, 1])


@pytest.mark.parametrize("order", [-1, 3, 1.5, True, "2", None, [1], AMBIGUOUS])
def test_bad_orders(order):
    with pytest.raises(OptionError, match=r"^order=.* must be an integer >= 0 and <= 2"):
        PROB.evaluate(THETA, order)


UNEQUAL = np.zeros((3, 6))


@pytest.mark.parametrize("v", [np.zeros(5), UNEQUAL, np.zeros((4, 5))])
def test_bad_directions(v):
    """The message is about v: theta is right."""
    with pytest.raises(ShapeError, match=r"^v has shape .* must have shape"):
        PROB.hvp(THETA, v)


@pytest.mark.parametrize(("theta", "v"), [(THETA, THETA[0]), (THETA[0], THETA)])
def test_one_direction_serves_a_batch(theta, v):
    expected = np.einsum("...ij,...j->...i", PROB.hessian(theta), v)
    product = PROB.hvp(theta, v)
    assert product.shape == (4, 6)
    np.testing.assert_allclose(product, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rtol": 0.0}, OptionError, r"^rtol=0.0 must be a finite number > 0"),
        ({"rtol": -1e-6}, OptionError, r"^rtol=-1e-06 must"),
        ({"rtol": NAN}, OptionError, r"^rtol=nan must"),
        ({"rtol": INF}, OptionError, r"^rtol=inf must"),
        ({"rtol": 1e-14}, OptionError, r"^rtol=1e-14 must be >= 1e-13"),
        ({"rtol": "1e-6"}, OptionError, r"^rtol='1e-6' must"),
        ({"atol": 0.0}, OptionError, r"^atol=0.0 must"),
        ({"atol": -1.0}, OptionError, r"^atol=-1.0 must"),
        ({"atol": [1e-9, 1e-9, 0.0, 1e-9]}, OptionError, r"^atol(\[2\])?=0.0 must"),
        ({"atol": NAN}, ProblemError, r"^atol=nan must be finite"),
        ({"atol": [1e-9] * 3}, ShapeError, r"^atol has shape \(3,\) and must have shape"),
        ({"method": "euler"}, OptionError, r"^method='euler' must be"),
        ({"method": "rk54"}, OptionError, r"did you mean 'rk45'"),
        ({"method": None}, OptionError, r"^method=None must be"),
        ({"t_max": -1.0}, OptionError, r"^t_max=-1.0 must be a number >= 0"),
        ({"t_max": NAN}, OptionError, r"^t_max=nan must"),
        ({"gtol": -1e-9}, OptionError, r"^gtol=-1e-09 must"),
        ({"gtol": INF}, OptionError, r"^gtol=inf must"),
        ({"max_steps": 0}, OptionError, r"^max_steps=0 must be an integer >= 1"),
        ({"max_steps": 10.0}, OptionError, r"^max_steps=10.0 must"),
        ({"max_steps": 2**63}, OptionError, r"^max_steps=9223372036854775808 must"),
        ({"escape": 0.0}, OptionError, r"^escape=0.0 must"),
        ({"escape": NAN}, OptionError, r"^escape=nan must"),
        ({"n_threads": 0}, OptionError, r"^n_threads=0 must"),
        ({"n_threads": 2**31}, OptionError, r"^n_threads=2147483648 must"),
        ({"save_at": []}, OptionError, r"^save_at=\[\] must hold at least one time"),
        ({"save_at": 1.0}, ShapeError, r"^save_at has shape \(\)"),
        ({"save_at": [2.0, 1.0]}, OptionError, r"^save_at.* ascending"),
        ({"save_at": [-1.0]}, OptionError, r"^save_at.*-1.0"),
        ({"save_at": [NAN]}, OptionError, r"^save_at.*nan"),
        ({"save_at": [INF]}, OptionError, r"^save_at.*inf"),
        ({"save_at": [1.0, 3.0], "t_max": 2.0}, OptionError, r"^save_at.*3.0.*t_max=2.0"),
        ({"progress": 3}, OptionError, r"^progress=3 must"),
    ],
)
def test_bad_options_of_a_flow(options, error, message):
    with pytest.raises(error, match=message):
        gradient_flow(PROB, THETA, **options)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_flow_starts_at_finite_points(bad):
    with pytest.raises(ProblemError, match=r"^theta0\[2, 3\]=.* must be finite"):
        gradient_flow(PROB, with_value(THETA, (2, 3), bad))


@pytest.mark.parametrize("shape", [(5,), (4, 7), (1, 1, 6), ()])
def test_bad_shapes_of_starts(shape):
    with pytest.raises(ShapeError, match=r"^theta0 has shape"):
        gradient_flow(PROB, np.zeros(shape))
    with pytest.raises(ShapeError, match=r"^theta has shape"):
        polish(PROB, np.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gtol": -1.0}, r"^gtol=-1.0 must"),
        ({"gtol": NAN}, r"^gtol=nan must"),
        ({"max_iterations": 0}, r"^max_iterations=0 must be an integer >= 1"),
        ({"max_iterations": 2**63}, r"^max_iterations=9223372036854775808 must"),
        ({"n_threads": 0}, r"^n_threads=0 must"),
        ({"n_threads": 2**31}, r"^n_threads=2147483648 must"),
        ({"progress": "yes"}, r"^progress='yes' must"),
    ],
)
def test_bad_options_of_polish(options, message):
    with pytest.raises(OptionError, match=message):
        polish(PROB, THETA, **options)


@pytest.mark.parametrize(
    "run",
    [
        gradient_flow,
        polish,
        fs.classify,
        fs.limit_flow,
        fs.initial_imbalance,
        fs.limit_geometry,
        fs.flow_into,
        fs.residual_dd,
        lambda prob, theta: fs.boundary(prob, theta[0], theta[1]),
        lambda prob, theta: fs.straight_barrier(prob, theta[0], theta[1]),
        lambda prob, theta: fs.gradient_descent(prob, theta, learning_rate=0.1, steps=1),
    ],
)
def test_something_else_than_a_problem(run):
    with pytest.raises(OptionError, match=r"^prob=.* must be a Problem; build it from"):
        run(NET, THETA)


def test_a_flow_is_told_from_its_points():
    points = polish(PROB, THETA)
    with pytest.raises(OptionError, match=r"^flow=.* must be the result of gradient_flow"):
        fs.classify(PROB, points, THETA)


def test_a_row_that_is_not_finite_is_a_row_of_polish():
    points = polish(PROB, with_value(THETA, (1, 0), NAN))
    assert points.status[1] == 6
    assert np.isnan(points.theta[1, 0])
    assert points.inertia[1].tolist() == [0, 0, 0]
    assert not points.certified[1]
    assert (np.delete(points.status, 1) != 6).all()


@pytest.mark.parametrize("method", ["rosenbrock", "rk45", "bdf"])
def test_a_start_that_overflows_is_a_row_of_the_flow(method):
    net = TwoLayer(2, 1, "exp")
    prob = Problem(net, DATA)
    theta = net.init(5, rng=3, scale=0.1)
    theta[2] = 900.0
    flow = gradient_flow(prob, theta, method=method, t_max=0.1)
    assert flow.status[2] == 6
    assert flow.nstep[2] == 0
    np.testing.assert_array_equal(flow.theta[2], theta[2])
    assert (np.delete(flow.status, 2) == 3).all()
