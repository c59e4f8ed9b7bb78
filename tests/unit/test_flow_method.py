"""What `method="auto"` takes, at the borders of its cost model, and that runs do not mix."""

import numpy as np
import pytest

from flowscape import Problem, Samples, Status, TwoLayer, _core, gradient_flow
from flowscape.flow.method import choose_method, trial_costs

NET = TwoLayer(2, 1, activation="tanh", bias=True)


def problem(samples, net=NET, loss="half_sum"):
    x = np.linspace(-2.0, 2.0, samples)[:, None] * np.ones(net.inputs)
    return Problem(net, Samples(x, np.tanh(x[:, 0] + 1.0)), loss=loss)


def choose(prob, starts=None, rtol=1e-6, t_max=np.inf):
    starts = np.full((1, prob.net.n_params), 0.1) if starts is None else starts
    return choose_method(prob, starts, rtol, t_max, 1)


def test_operations_of_the_smallest_workload():
    """m = 2, D = 2, K = 1, N = 6 by hand: sums and products of moments.hpp, 60 an activation."""
    counts = _core.operation_counts(problem(6).core)
    neurons = 2 * (2 * 3 + 60)
    first = 3 + 2 * (1 + 2 + 3)
    assert counts["gradient"] == 6 * (neurons + 2 * first)
    assert counts["hessian"] == 6 * (neurons + 2 * (first + 3 * (1 + 4 + 3))) + 36
    assert counts["factor"] == pytest.approx(72.0)
    assert counts["solve"] == 72.0
    assert not counts["hessian_is_dear"]
    costs = trial_costs(problem(6))
    g, h = counts["gradient"], counts["hessian"]
    assert costs["rosenbrock"] == pytest.approx(7 * g + h + 72 + 10 * 72 + 840)
    assert costs["rk45"] == pytest.approx(6 * g + h / 16 + 300)
    assert costs["bdf"] == pytest.approx(h + 1.3 * g + 72 + 1.3 * 72 + 600 + 4500)


def test_bounds_are_those_of_gershgorin():
    prob = problem(9)
    starts = np.random.default_rng(1).normal(size=(11, 6))
    bounds = _core.spectral_bounds(prob.core, starts, 1)
    hessians = prob.hessian(starts)
    np.testing.assert_allclose(bounds, np.abs(hessians).sum(axis=2).max(axis=1), rtol=1e-13)
    assert (bounds >= np.abs(np.linalg.eigvalsh(hessians)).max(axis=1) * (1.0 - 1e-12)).all()
    np.testing.assert_array_equal(_core.spectral_bounds(prob.core, starts[3:4], 1), bounds[3])
    np.testing.assert_array_equal(_core.spectral_bounds(prob.core, starts, 3), bounds)


def border(pick, low, high):
    """Largest integer that gives what `low` gives; one more gives what `high` gives."""
    first, last = pick(low), pick(high)
    assert first != last
    while high - low > 1:
        middle = (low + high) // 2
        if pick(middle) == first:
            low = middle
        else:
            high = middle
    return low, first, last


def test_samples_decide_where_time_has_no_end():
    at, few, many = border(lambda n: str(choose(problem(n)).method[0]), 2, 100)
    assert (at, few, many) == (16, "rosenbrock", "bdf")


def test_tolerance_decides():
    """The one-step method pays more for accuracy than the multistep one."""
    prob = problem(25)
    assert choose(prob, rtol=1e-4).method[0] == "rosenbrock"
    assert choose(prob, rtol=1e-7).method[0] == "bdf"


def test_stiffness_decides_for_short_times():
    prob = problem(6)
    start = np.full((1, 6), 0.1)
    bound = _core.spectral_bounds(prob.core, start, 1)[0]
    at, short, long = border(
        lambda s: str(choose(prob, start, t_max=s / bound).method[0]), 1, 10_000
    )
    assert (at, short, long) == (136, "rk45", "rosenbrock")
    choice = choose(prob, start, t_max=50.0)
    assert choice.stiffness[0] == pytest.approx(50.0 * bound)
    assert choice.cost[choice.method[0]][0] == min(cost[0] for cost in choice.cost.values())


@pytest.mark.parametrize(
    ("net", "samples", "method"),
    [
        (NET, 6, "rosenbrock"),  # W5
        (TwoLayer(5, 2, activation="softplus", bias=False), 100_000, "bdf"),  # W6
        (TwoLayer(50, 3, activation="tanh", bias=True), 200, "bdf"),
        (TwoLayer(1, 1, activation="tanh", bias=True), 8, "rosenbrock"),
    ],
)
def test_workloads(net, samples, method):
    choice = choose(problem(samples, net))
    assert choice.method[0] == method
    assert np.isinf(choice.stiffness[0])
    assert np.isinf(choice.cost["rk45"][0])


def mixed():
    """Starts of very different stiffness."""
    starts = np.random.default_rng(5).normal(size=(24, 6))
    return problem(6), starts * np.geomspace(0.05, 3.0, 24)[:, None]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_run_is_what_its_method_makes_of_it_alone(n_threads):
    prob, starts = mixed()
    options = {"t_max": 10.0, "save_at": [0.0, 1.0, 10.0], "n_threads": n_threads}
    flow = gradient_flow(prob, starts, **options)
    assert set(flow.choice.method) == {"rk45", "rosenbrock"}
    assert set(flow.method.split("+")) == {"rk45", "rosenbrock"}
    assert (flow.status == Status.TIME_LIMIT).all()
    fields = ("theta", "t", "loss", "floor", "nstep", "nrejected", "nfev", "njev", "thetas")
    for b in range(0, 24, 5):
        named = gradient_flow(prob, starts[b], method=str(flow.choice.method[b]), **options)
        alone = gradient_flow(prob, starts[b], **options)
        assert alone.choice.method == flow.choice.method[b]
        assert alone.choice.stiffness == flow.choice.stiffness[b]
        for field in fields:
            row = getattr(flow, field)[b]
            np.testing.assert_array_equal(getattr(named, field), row)
            np.testing.assert_array_equal(getattr(alone, field), row)
    shuffle = np.random.default_rng(1).permutation(24)
    shuffled = gradient_flow(prob, starts[shuffle], **options)
    for field in fields:
        np.testing.assert_array_equal(getattr(shuffled, field), getattr(flow, field)[shuffle])


def test_the_result_says_what_was_taken_and_why():
    prob, starts = mixed()
    flow = gradient_flow(prob, starts, t_max=1.0)
    assert flow.method == "rk45"
    assert repr(flow).startswith("Flow(24 runs, rk45 (auto), ")
    cost = flow.choice.cost
    assert set(cost) == {"rosenbrock", "rk45", "bdf"}
    assert (cost["rk45"] < cost["rosenbrock"]).all()
    text = repr(flow.choice)
    assert f"rk45 for 24: {cost['rk45'].mean():.2g} operations" in text
    assert f"rosenbrock {cost['rosenbrock'].mean():.2g}" in text
    named = gradient_flow(prob, starts, t_max=1.0, method="rosenbrock")
    assert named.choice is None
    assert "auto" not in repr(named)


def test_a_start_without_a_finite_hessian():
    prob = problem(6)
    flow = gradient_flow(prob, [[1e200] * 6, [0.1] * 6], t_max=1.0)
    assert flow.status[0] == Status.NONFINITE
    assert flow.choice.method[0] != "rk45"
    assert flow.status[1] == Status.TIME_LIMIT


def test_no_time_and_no_runs():
    prob = problem(6)
    still = gradient_flow(prob, np.ones((3, 6)), t_max=0.0)
    assert (still.t == 0.0).all()
    empty = gradient_flow(prob, np.empty((0, 6)), save_at=[1.0])
    assert empty.theta.shape == (0, 6)
    assert empty.thetas.shape == (0, 1, 6)


def test_progress_goes_on_from_method_to_method():
    prob, starts = mixed()
    told = []
    starts = np.repeat(starts, 200, axis=0)
    gradient_flow(prob, starts, t_max=20.0, rtol=1e-9, n_threads=1, progress=told.append)
    assert told
    assert told == sorted(told)
    assert told[-1] <= len(starts)


def test_a_flow_that_leaves_a_saddle_does_not_die_with_rk45():
    """Targets without a linear part: the Hessian at a small start says nothing of what comes."""
    x = np.linspace(-2.0, 2.0, 12)
    y = -(x**3 - x * (x @ x**3) / (x @ x))
    prob = Problem(TwoLayer(3, 1, activation="tanh", bias=False), Samples(x, y))
    starts = 1e-2 * np.random.default_rng(0).normal(size=(5, 6))
    settings = {"t_max": 3e3, "atol": 1e-12}
    first = choose(prob, starts, t_max=3e3).method == "rk45"
    assert first.any()
    assert not first.all()
    flow = gradient_flow(prob, starts, **settings)
    truth = gradient_flow(prob, starts, method="rosenbrock", **settings)
    assert (flow.choice.method == "rosenbrock").all()
    np.testing.assert_array_equal(flow.theta, truth.theta)
    assert (flow.status == Status.TIME_LIMIT).all()
    np.testing.assert_array_equal(flow.nfev > truth.nfev, first)  # what was tried first counts
    for b, start in enumerate(starts):
        alone = gradient_flow(prob, start, **settings)
        assert alone.nfev == flow.nfev[b]
        np.testing.assert_array_equal(alone.theta, flow.theta[b])


def test_no_run_at_all():
    flow = gradient_flow(problem(6), np.empty((0, 6)))
    assert flow.method == "rosenbrock"
    assert flow.theta.shape == (0, 6)
