"""Branches of positively homogeneous students with several outputs, against their functions."""

from __future__ import annotations

import numpy as np
import pytest
from homogeneous import fast_and_slow, some
from line_outputs import OutputStudent, output_family
from test_lines_outputs import TARGETS
from test_lines_outputs_constants import CASES, CONSTANT

ALL = {
    **{
        key: (OutputStudent(m, len(neurons[0]) - outputs, name, outputs=outputs), neurons)
        for key, (m, neurons, name, outputs) in TARGETS.items()
    },
    **{f"bias: {key}": case for key, case in CASES.items()},
}


def family_and_wanted(student, neurons, probes):
    family = output_family(student, neurons, CONSTANT)
    return family, student.moments(np.asarray(family.teacher.theta), probes)[0]


@pytest.mark.parametrize("key", ALL)
def test_the_rank_of_the_jacobian_at_members(key, rng):
    student, neurons = ALL[key]
    probes = student.probes(60, rng)
    family, _ = family_and_wanted(student, neurons, probes)
    if student.d + student.bias == 1:
        assert all(b.generic_rank is None for b in family)
        return
    for b in some(family, rng, 12):
        if not b.shape.silent:
            jacobian = student.moments(b.sample(rng), probes)[1]
            values = np.linalg.svd(jacobian, compute_uv=False)
            rank, size = b.generic_rank, max(values[0], 1.0)
            # nearly equal lines at an angle t have a singular value of order t^3
            assert rank == 0 or values[rank - 1] > 1e-10 * size, b
            assert values[rank:].max(initial=0.0) < 1e-13 * size, b


NEAR = {
    "one": 2,
    "both": 2,
    "linear": 4,
    "plane": 4,
    "zero": 3,
    "ray": 3,
    "one, abs": 2,
    "bias: one": 2,
    "bias: one, c": 2,
    "bias: level": 2,
}


NEAR_FAST = ("one", "both", "zero", "ray", "one, abs", "bias: one")


@pytest.mark.parametrize("key", fast_and_slow(NEAR, NEAR_FAST))
def test_codimension_is_that_of_the_perfect_networks_nearby(key, rng):
    """Perfect networks near a member are on the branch, and span `dim` directions."""
    student, neurons = ALL[key]
    m = NEAR[key]
    student = OutputStudent(
        m, student.d, student.name, student.bias, student.output_bias, student.outputs
    )
    probes = student.probes(40, rng)
    family, wanted = family_and_wanted(student, neurons, probes)
    last = -student.outputs if student.output_bias else None
    for b in some(family, rng, 3)[:3]:
        if b.shape.silent:
            continue
        alone = [k for block in b.groups if len(block) == 1 for k in block]
        rest = [k for k in range(m) if k not in alone]
        for _ in range(400):  # not near other branches, which begin at a_k = 0
            theta = b.sample(rng)
            rows = theta[:last].reshape(m, -1)
            weights = np.linalg.norm(rows[rest, : student.outputs], axis=1)
            if weights.min(initial=1.0) > 0.3 and np.abs(theta).max() < 8.0:
                break
        held = np.zeros_like(rows, dtype=bool)
        first = student.outputs
        held[list(b.blocks[0]), first : first + student.d] = student.bias
        moving = np.array([*~held.ravel(), *[True] * student.outputs * student.output_bias])
        radius = 1e-3 * min(np.linalg.norm(rows[:, first:], axis=1))
        cloud = []
        for _ in range(4 * len(theta)):
            point = theta + radius * rng.normal(size=len(theta)) * moving
            for _ in range(60):
                values, jacobian = student.moments(point, probes)
                gap = values - wanted
                if np.abs(gap).max() < 1e-13:
                    break
                moves = jacobian * moving  # Levenberg's damping by the residual keeps steps short
                gram = moves.T @ moves + np.linalg.norm(gap) * np.eye(len(point))
                point = point - np.linalg.solve(gram, moves.T @ gap)
            if np.abs(values - wanted).max() < 1e-12 and np.abs(point - theta).max() < 8 * radius:
                # neurons that leave their line by angles of size t change the function by order t^2
                assert b.distance(point) < 0.02 * radius, b
                foot = b.project(point)
                assert np.abs(student.moments(foot, probes)[0] - wanted).max() < 1e-11
                cloud.append((foot - theta) / radius)
        spread = np.linalg.svd(np.array(cloud), compute_uv=False)
        assert len(cloud) > b.dim
        assert spread[b.dim - 1] > 0.1, b


FOUND = {"one": 2, "both": 2, "linear": 3, "plane": 4, "ray": 3, "rays": 3, "one, abs": 2}
FOUND |= {"bias: one": 2, "bias: one, c": 2, "bias: level": 2}


FOUND_FAST = ("both", "plane", "rays", "bias: one", "bias: level")


@pytest.mark.parametrize("key", fast_and_slow(FOUND, FOUND_FAST))
def test_every_perfect_network_found_is_listed(key, rng):
    student, neurons = ALL[key]
    m = FOUND[key]
    student = OutputStudent(
        m, student.d, student.name, student.bias, student.output_bias, student.outputs
    )
    probes = student.probes(40, rng)
    family, wanted = family_and_wanted(student, neurons, probes)
    found = []
    for _ in range(60):
        start = rng.normal(size=family.setting.n_params)
        if student.bias:
            rows = start[: m * student.block].reshape(m, -1)
            rows[rng.random(m) < 0.4, student.outputs : -1] *= 1e-3
        point, residual = student.solve(start, wanted, probes)
        if residual < 1e-12:
            found.append(point)
        if len(found) == 10:
            break
    assert len(found) >= 6
    located = family.locate(np.array(found), 1e-4)
    # where neurons share a line the residual is of second order in the angle between them
    assert located.distance.max() < 1e-3
    assert np.median(located.distance) < 1e-6
