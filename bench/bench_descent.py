"""Discrete dynamics: nanoseconds per network step, and a step against a gradient; CPU time."""

import statistics
import time

import numpy as np
import pytest

from flowscape import Problem, Samples, Teacher, TwoLayer, gradient_descent
from workloads import KERNELS

RUNS = 400


@pytest.fixture
def figure_four():
    """The single-neuron-target paper's Figure 4: two tanh neurons, six samples, 400 starts."""
    teacher = Teacher(TwoLayer(1, 1), np.array([1.0, 1.0, 1.0]))
    x = np.random.default_rng(4).normal(size=6)
    problem = Problem(TwoLayer(2, 1), Samples.of(teacher, x), "half_mean")
    return problem, problem.net.init(RUNS, rng=4, scale=0.5)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("algorithm", ["gradient_descent", "nesterov", "adam"])
def test_figure_four(benchmark, figure_four, algorithm):
    problem, theta = figure_four
    steps = 5_000
    options = {"learning_rate": 0.1, "steps": steps, "algorithm": algorithm, "n_threads": 1}
    run = benchmark(gradient_descent, problem, theta, **options)
    assert (run.step == steps).all()
    assert (run.loss < problem.loss(theta)).mean() > 0.99
    if benchmark.stats is not None:  # None with --benchmark-disable
        nanoseconds = 1e9 * benchmark.stats["median"] / (RUNS * steps)
        benchmark.extra_info["ns_per_network_step"] = nanoseconds
        benchmark.extra_info["seconds_of_figure_4"] = 4.0 * nanoseconds


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("name", KERNELS)
def test_step_against_gradient(benchmark, name):
    """The ratio is that of interleaved CPU times, medians of nine rounds."""
    work = KERNELS[name]()
    problem, theta = work.problem, work.theta
    calls = max(1, round(0.02 / _seconds(lambda: problem.evaluate(theta, 1, n_threads=1))))
    steps = 20 * calls
    options = {"learning_rate": 1e-9, "steps": steps, "n_threads": 1}
    run = gradient_descent(problem, theta, **{**options, "steps": 2})
    np.testing.assert_array_equal(run.theta, _move(problem, _move(problem, theta, 1e-9), 1e-9))
    ratios = []
    for _ in range(9):
        step = _seconds(lambda: gradient_descent(problem, theta, **options))
        # what a call does beside its steps: the last points and their eigenvalues
        step -= _seconds(lambda: gradient_descent(problem, theta, **{**options, "steps": 1}))
        many = _seconds(lambda: _evaluate(problem, theta, steps))
        ratios.append(step / many)
    benchmark.extra_info["step_over_gradient"] = statistics.median(ratios)
    benchmark.pedantic(gradient_descent, (problem, theta), options, rounds=1)


def _move(problem, theta, rate):
    return theta - rate * problem.gradient(theta)


def _evaluate(problem, theta, times):
    for _ in range(times):
        problem.evaluate(theta, 1, n_threads=1)  # no result is kept: memory would show


def _seconds(call):
    begin = time.process_time()
    call()
    return time.process_time() - begin
