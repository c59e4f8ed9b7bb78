"""Branches of positively homogeneous students against the functions of their networks."""

from __future__ import annotations

import numpy as np
import pytest
from homogeneous import Student, family_of, fast_and_slow, some
from test_lines import TARGETS
from test_lines_constants import CASES, CONSTANT

ALL = {
    **{
        key: (Student(m, len(neurons[0]) - 1, name), neurons)
        for key, (m, neurons, name) in TARGETS.items()
    },
    **{f"bias: {key}": case for key, case in CASES.items()},
}


def family_and_wanted(student, neurons, probes):
    family = family_of(student, neurons, CONSTANT)
    return family, student.moments(np.asarray(family.teacher.theta), probes)[0]


@pytest.mark.parametrize("bias", [False, True])
def test_moments_are_those_of_the_function(bias, rng):
    student = Student(2, 1 + (not bias), "leaky_relu", bias, bias)
    theta = np.array([1.3, 0.9, -0.4, -0.7, 0.3, 0.8, 0.6][: 6 + bias])
    x, probe = rng.normal(size=(400_000, 2)), np.array([[0.6, -0.8]])
    values, jacobian = student.moments(theta, probe)
    if bias:
        x[:, 1] = np.abs(x[:, 1])
        f = x[:, 1] * student.value(theta, x[:, :1] / x[:, 1:])
    else:
        f = student.value(theta, x)
        np.testing.assert_allclose(values[1:], np.mean(f[:, None] * x, axis=0), atol=0.01)
    assert values[0] == pytest.approx(np.mean(f * np.abs(x @ probe[0])), abs=0.01)
    steps = 1e-6 * np.eye(len(theta))
    by_hand = [
        (student.moments(theta + h, probe)[0] - student.moments(theta - h, probe)[0]) / 2e-6
        for h in steps
    ]
    np.testing.assert_allclose(np.stack(by_hand, axis=1), jacobian, atol=1e-8)


NEAR = ["one", "both", "linear", "tilted", "ray", "rays", "abs"]
NEAR += [f"bias: {key}" for key in CASES if key not in ("planes", "zero, abs")]
NEAR_FAST = ("linear", "ray", "abs", "bias: one", "bias: two, c", "bias: only level")


def apart(branch, v):
    """Whether the lines of different groups are at angles above 0.2."""
    lines = [v[block[0]] for block in branch.blocks[1:] if block]
    units = np.array([line / np.linalg.norm(line) for line in lines])
    cosines = np.abs(units @ units.T) - np.eye(len(units))
    return cosines.max(initial=0.0) < np.cos(0.2)


@pytest.mark.parametrize("key", fast_and_slow(NEAR, NEAR_FAST))
def test_codimension_is_that_of_the_perfect_networks_nearby(key, rng):
    """Perfect networks near a member are on the branch, and span `dim` directions."""
    student, neurons = ALL[key]
    # three neurons on one side of a line can leave it such that the function changes by order t^3
    m = min(student.m, 3) if key != "tilted" else student.m
    student = Student(m, student.d, student.name, student.bias, student.output_bias)
    probes = student.probes(40, rng)
    family, wanted = family_and_wanted(student, neurons, probes)
    last = -1 if student.output_bias else None
    for b in some(family, rng, 3)[:3]:
        alone = [k for block in b.groups if len(block) == 1 for k in block]
        rest = [k for k in range(m) if k not in alone]
        for _ in range(200):  # not near others, which begin at a_k = 0 and where lines are equal
            theta = b.sample(rng)
            rows = theta[:last].reshape(m, -1)
            if np.abs(rows[rest, 0]).min(initial=1.0) > 0.3 and apart(b, rows[:, 1:]):
                break
        cloud = []
        # a constant that gets a kink at an angle t changes the moments by order t^3 only, so
        # such kinks are left to the test of all networks found
        held = np.zeros_like(rows, dtype=bool)
        held[list(b.blocks[0]), 1 : 1 + student.d] = student.bias
        moving = np.array([*~held.ravel(), *[True] * student.output_bias])
        radius = 1e-3 * min(np.linalg.norm(rows[:, 1:], axis=1))
        for _ in range(3 * len(theta)):
            point = theta + radius * rng.normal(size=len(theta)) * moving
            for _ in range(60):
                values, jacobian = student.moments(point, probes)
                gap = values - wanted
                if np.abs(gap).max() < 1e-13:  # dead neurons alone have a derivative of 0
                    break
                step = moving * np.linalg.lstsq(jacobian * moving, gap, rcond=1e-9)[0]
                point = point - step
                if np.abs(step).max() < 1e-13:
                    break
            if np.abs(values - wanted).max() < 1e-12 and np.abs(point - theta).max() < 8 * radius:
                # neurons that leave their line by angles of size t change the function by order t^2
                assert b.distance(point) < 0.02 * radius, b
                foot = b.project(point)
                assert np.abs(student.moments(foot, probes)[0] - wanted).max() < 1e-11
                cloud.append((foot - theta) / radius)
        spread = np.linalg.svd(np.array(cloud), compute_uv=False)
        assert len(cloud) > b.dim
        assert spread[b.dim - 1] > 0.1, b


@pytest.mark.parametrize("key", ALL)
def test_the_rank_of_the_jacobian_at_members(key, rng):
    student, neurons = ALL[key]
    probes = student.probes(60, rng)
    family, _ = family_and_wanted(student, neurons, probes)
    if student.block == 2:  # on one line |x| and x are all there is
        assert all(b.generic_rank is None for b in family)
        return
    for b in some(family, rng):
        if not b.shape.silent:
            jacobian = student.moments(b.sample(rng), probes)[1]
            values = np.linalg.svd(jacobian, compute_uv=False)
            rank = b.generic_rank
            size = max(values[0], 1.0)  # dead neurons alone: rank 0
            # nearly equal lines at an angle t have a singular value of order t^3
            assert rank == 0 or values[rank - 1] > 1e-11 * size, b
            assert values[rank:].max(initial=0.0) < 1e-13 * size, b


FOUND = ["one", "both", "linear", "ray", "rays", "abs"]
FOUND += [f"bias: {key}" for key in CASES if "plane" not in key and "zero" not in key]


FOUND_FAST = ("both", "ray", "bias: one", "bias: two")


@pytest.mark.parametrize("key", fast_and_slow(FOUND, FOUND_FAST))
def test_every_perfect_network_found_is_listed(key, rng):
    """Levenberg-Marquardt on the moments from random starts, some of them almost constants."""
    student, neurons = ALL[key]
    m = 2 if key == "abs" else min(student.m, 3)
    student = Student(m, student.d, student.name, student.bias, student.output_bias)
    probes = student.probes(40, rng)
    family, wanted = family_and_wanted(student, neurons, probes)
    found = []
    for _ in range(60):
        start = rng.normal(size=family.setting.n_params)
        if student.bias:
            rows = start[: m * student.block].reshape(m, -1)
            rows[rng.random(m) < 0.4, 1:-1] *= 1e-3
        point, residual = student.solve(start, wanted, probes)
        if residual < 1e-12:
            found.append(point)
        if len(found) == 12:
            break
    assert len(found) >= 10
    located = family.locate(np.array(found), 1e-4)
    # where neurons share a line the residual is of second order in the angle between them
    assert located.distance.max() < 1e-3
    assert np.median(located.distance) < 1e-6
    assert len(np.unique(located.nearest_orbit[located.second > 0.03])) >= 2
