"""Verdicts on students whose branches are coupled: sigmoid, softplus, silu, gelu."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.classify import classify
from flowscape.flow import gradient_flow
from flowscape.objective import Problem, Samples
from flowscape.polish import polish
from flowscape.problem import Teacher, TwoLayer
from flowscape.status import Kind


@pytest.mark.parametrize(
    ("name", "width", "bias", "output_bias", "least_orbits"),
    [
        ("sigmoid", 2, False, False, 3),
        ("sigmoid", 2, True, True, 3),
        ("softplus", 3, False, False, 3),
        ("silu", 2, True, False, 2),
        ("gelu", 2, False, False, 3),
    ],
)
def test_perfect_limits_are_the_target_and_imperfect_ones_are_not(
    name, width, bias, output_bias, least_orbits
):
    rng = np.random.default_rng(3)
    one = TwoLayer(1, 1, name, bias=bias, output_bias=output_bias)
    theta = rng.normal(size=one.n_params)
    theta[:2] = 1.2, 1.5
    teacher = Teacher(one, theta)
    net = TwoLayer(width, 1, name, bias=bias, output_bias=output_bias)
    grid = np.linspace(-6.0, 6.0, 200)[:, None]
    orbits, seen = set(), set()
    for n in (3, 5, 9):
        x = 1.5 * rng.normal(size=(n, 1))
        prob = Problem(net, Samples.of(teacher, x), "sum", teacher=teacher)
        flow = gradient_flow(prob, 0.7 * rng.normal(size=(24, net.n_params)), max_steps=3000)
        points = polish(prob, flow.theta)
        found = classify(prob, points, flow)
        assert found.notes == ()
        error = np.abs(net(points.theta, grid) - teacher(grid)).max(axis=1)
        perfect = found.kind == Kind.PERFECT
        assert error[perfect].max(initial=0.0) < 1e-9
        assert error[found.kind == Kind.IMPERFECT].min(initial=1.0) > 1e-12
        orbits |= set(found.branch[perfect].tolist()) - {-1}
        seen |= set(found.kind.tolist())
        family = branches(net, teacher)
        for k in np.flatnonzero(perfect & (found.branch >= 0)):
            sets = [b for b in family if b.orbit == found.branch[k]]
            assert min(b.distance(points.theta[k]) for b in sets) < 1e-3
    assert {Kind.PERFECT, Kind.IMPERFECT} <= seen
    assert len(orbits) >= least_orbits
