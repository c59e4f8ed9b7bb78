"""The border between the branches as a limit quantity, and the end points along it."""

from functools import cache

import numpy as np
import pytest
import scipy.integrate

import flowscape as fs
from flowscape.papers.single_neuron_target.demarcation import (
    demarcation,
    end_points,
    first_branch_fraction,
)
from flowscape.papers.single_neuron_target.setting import even_inputs, example_1


@cache
def found_for(n):
    return demarcation(example_1(even_inputs(n)))


@pytest.mark.parametrize("n", [6, 12])
def test_two_computations_agree_within_their_error_bars(n):
    found = found_for(n)
    assert found.error < 1e-7
    assert found.bracket_error < 1e-6
    assert abs(found.ratio - found.bracketed) < found.error + found.bracket_error
    # at early times the quantity is far from conserved: without the limit the value is another
    assert found.ratios[0] - found.ratio > 10 * found.error
    assert found.boundary.edge.kind == "meeting"
    assert found.fraction == first_branch_fraction(found.ratio)


def test_finite_starts_end_on_the_two_sides():
    prob, found = example_1(even_inputs(6)), found_for(6)
    direction = fs.limits.imbalance.Origin.of(prob).direction
    ratios = found.ratio + np.array([-2e-5, 2e-5])
    starts = np.stack([np.outer([1.0, c], direction).ravel() for c in ratios])
    flow = fs.gradient_flow(
        prob, 1e-9 * starts, rtol=1e-10, atol=1e-14, method="rosenbrock", extrapolate=False
    )
    a, v = flow.end[:, 3], flow.end[:, 4:] - flow.end[:, 1:3]
    quantity = (v**2).sum(axis=1) - 4 * a**2
    assert quantity[0] > 0 > quantity[1]


def test_verdicts_are_right_up_to_the_border_and_next_to_the_origin():
    """At small ratios the limit is next to the branch on which neuron 2 is silent."""
    prob, found = example_1(even_inputs(6)), found_for(6)
    ratios = np.array([0.005, 0.01, 0.02, found.ratio - 1e-4, found.ratio + 1e-4, 0.72])
    flow = end_points(prob, ratios).flow
    verdicts = fs.classify(prob, fs.polish(prob, flow.theta), flow)
    kinds = [o.representative.kind for o in fs.branches(prob.net, prob.teacher).orbits()]
    assert (verdicts.kind == fs.Kind.PERFECT).all()
    second, first = "labelled 1 | free 1", "labelled 2"
    assert [kinds[k] for k in verdicts.branch] == [second] * 4 + [first] * 2


def test_samples_that_do_not_separate_have_no_demarcation():
    with pytest.raises(fs.OptionError, match="at least 5 samples"):
        demarcation(example_1(even_inputs(4)))


def test_the_fraction_is_that_of_gaussian_starts():
    """8000 starts: the standard error of the fraction is below 0.0046."""
    prob = example_1(even_inputs(6))
    ratio = fs.initial_imbalance(prob, prob.net.init(8000, rng=1, scale=1e-9)).ratio
    small = np.abs(ratio).min(axis=1) / np.abs(ratio).max(axis=1)
    assert np.mean(small > 0.71) == pytest.approx(first_branch_fraction(0.71), abs=0.015)
    assert first_branch_fraction(0.0) == 1.0
    assert first_branch_fraction(1.0) == pytest.approx(0.0)


def test_end_points_to_one_in_a_million():
    """On Q1 the tail is t^(-1/2): the limits are extrapolated here a second time."""
    prob = example_1(even_inputs(6))
    ratios = np.arange(1, 21) / 20
    found = end_points(prob, ratios)
    assert (found.theta_error < 1e-6).all()
    assert np.abs(prob.residual(found.theta)).max() < 1e-6
    times = 10.0 ** np.arange(7.0, 9.6, 0.5)
    imbalance = np.stack([np.ones(20), ratios], axis=1)
    saved = fs.limit_flow(
        prob, imbalance, rtol=1e-10, save_at=times, t_max=times[-1], method="rosenbrock"
    ).flow.thetas
    columns = (times[:, None] / times[-1]) ** (-0.5 * np.arange(5))
    limit = np.linalg.lstsq(columns, np.moveaxis(saved, 1, 0).reshape(6, -1), rcond=None)[0][0]
    gap = np.linalg.norm(limit.reshape(20, 6) - found.theta, axis=1)
    assert (gap < 1e-6).all()


def test_scipy_finds_the_same_quantity_from_a_finite_start():
    """Radau with a gradient written here, from 1e-7 in the eigenspace of the origin."""
    prob = example_1(even_inputs(6))
    x, y = prob.data.x[:, 0], prob.data.y
    inputs = np.stack([x, np.ones(6)])

    def pull(_, theta):
        a, v = theta[[0, 3]], theta.reshape(2, 3)[:, 1:]
        value = np.tanh(v @ inputs)
        residual = a @ value - y
        force = np.empty((2, 3))
        force[:, 0] = -value @ residual
        force[:, 1:] = -(a[:, None] * (1 - value**2) * residual) @ inputs.T
        return force.ravel()

    times = np.array([1.0, 1e2, 1e4])
    gamma = inputs @ y
    rate = np.linalg.norm(gamma)
    ratio = np.array([1.0, found_for(6).ratio]) / np.hypot(1.0, found_for(6).ratio)
    start = 1e-7 * np.outer(ratio, np.r_[1.0, gamma / rate] / np.sqrt(2)).ravel()
    wait = np.log(1e7) / rate
    solution = scipy.integrate.solve_ivp(
        pull, (0, wait + times[-1]), start, "Radau", wait + times, rtol=1e-9, atol=1e-16
    )
    saved = fs.limit_flow(prob, ratio, rtol=1e-11, save_at=times, t_max=times[-1]).flow.thetas
    np.testing.assert_allclose(saved, solution.y.T, rtol=0, atol=2e-8)
    gap = np.linalg.norm(saved[:, 4:] - saved[:, 1:3], axis=1)
    quantity, size = gap**2 - 4 * saved[:, 3] ** 2, gap**2 + 4 * saved[:, 3] ** 2
    # zero at the limit: at every time of the order of the distance to the meeting
    assert (np.abs(quantity / size)[1:] < 3 * saved[1:, 3]).all()
