"""Positively homogeneous families in any units: (a, v) -> (a / s, s v) is the same function."""

from __future__ import annotations

import numpy as np
import pytest
from homogeneous import Student, family_of
from test_lines import ONE, TARGETS
from test_lines_constants import CASES

from flowscape.branches import branches
from flowscape.problem import Teacher, TwoLayer

SCALES = [(1.0, 1.0), (1e8, 1.0), (1e-8, 1.0), (1e10, 1e-10), (1e5, 1e5), (1e-10, 1e-4)]
KEYS = ["both", "tilted", "space", "abs", "level, leaky", "two, c", "abs, level"]


def students(key):
    """Student, target rows and output bias."""
    if key in CASES:
        student, neurons = CASES[key]
        return student, np.array(neurons), 0.4 * student.output_bias
    m, neurons, name = TARGETS[key]
    return Student(m, len(neurons[0]) - 1, name), np.array(neurons), 0.0


def members(student, family, scale, spread, sets, rng):
    """Random members in these units; every neuron in units of its own, up to 10^spread."""
    last = student.m * student.block
    points = np.stack([family[int(which)].sample(rng) for which in sets])
    rows = points[:, :last].reshape(len(sets), student.m, student.block)
    factors = 10.0 ** rng.uniform(-spread, spread, size=(len(sets), student.m))
    rows[:, :, 0] *= scale[0] / factors
    rows[:, :, 1:] *= scale[1] * factors[:, :, None]
    points[:, last:] *= scale[0] * scale[1]
    return points


def is_the_target(student, point, x, wanted, part=1e-12):
    """The function is the target's, up to a part of its largest terms."""
    a, v, c = student.split(point)
    terms = np.abs(a) @ np.linalg.norm(v, axis=1) + np.abs(c) + np.abs(wanted).max()
    return np.abs(student.value(point, x) - wanted).max() <= part * terms


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_members_are_recognized_and_others_are_not(key, scale, rng):
    student, neurons, constant = students(key)
    plain = family_of(student, neurons, constant)
    units = np.array([scale[0], *[scale[1]] * (student.block - 1)])
    scaled = family_of(student, neurons * units, constant * scale[0] * scale[1])
    assert scaled.shapes == plain.shapes
    x = rng.normal(size=(40, student.d))
    wanted = student.value(np.asarray(scaled.teacher.theta), x)
    sets = rng.choice(plain.count(), size=min(plain.count(), 6), replace=False)
    for spread in (0.0, 8.0):
        points = members(student, plain, scale, spread, sets, rng)
        for which, theta in zip(sets.tolist(), points, strict=True):
            branch, size = scaled[which], np.linalg.norm(theta)
            found = branch.project(theta)
            assert np.linalg.norm(found - theta) <= 1e-14 * size
            assert branch.contains(theta, 1e-12 * size)
            assert is_the_target(student, found, x, wanted)
            if spread == 0.0 and max(scale) <= 1e8 * min(scale):
                # else its rounding is as far as other sets
                located = scaled.locate(theta, 1e-14 * size, near_only=True)
                assert located.candidates >= 1
                assert located.index in (which, -1)
        for which, theta in zip(sets[:2].tolist(), points, strict=False):
            branch = scaled[which]
            if not branch.shape.labelled:
                continue
            # with another weight the sum is wrong by half a term, at least so far away
            k = np.array(branch.blocks[1])
            a, v, _ = student.split(theta)
            gap = 0.5 * np.abs(a[k[0]]) * np.linalg.norm(v[k[0]])
            a[k[0]] *= 1.5
            rho = np.hypot(np.linalg.norm(a[k]), np.linalg.norm(v[k]))
            found = branch.project(theta)
            if np.isfinite(found).all():
                least = 2.0 * gap / (np.sqrt(rho**2 + 2.0 * gap) + rho)
                assert np.linalg.norm(found - theta) >= 0.99 * least
                assert is_the_target(student, found, x, wanted, 1e-7 if spread else 1e-10)
            else:
                assert spread


def test_the_units_of_all_parameters_change_distances_by_their_factor(rng):
    """theta -> t theta is a similarity: powers of 2 leave every bit."""
    student = Student(3, 2, "leaky_relu")
    plain = family_of(student, ONE)
    t = 2.0**20
    scaled = family_of(student, np.array(ONE) * t)
    points = np.stack([b.sample(rng) for b in plain])
    points = np.concatenate([points, points + 1e-3 * rng.normal(size=points.shape)])
    one, other = plain.locate(points, 1e-2), scaled.locate(t * points, t * 1e-2)
    np.testing.assert_array_equal(one.nearest_index, other.nearest_index)
    np.testing.assert_array_equal(t * one.distances, other.distances)


@pytest.mark.parametrize("factor", [1e-5, 1e4, 1e6])
@pytest.mark.parametrize("idle", [-0.8, -8e5])
def test_rescaled_members_with_an_idle_neuron_and_several_outputs(factor, idle):
    """(a s, v / s) makes what (a, v) does; the second neuron, on the other side, has a = 0."""
    a, w = np.array([0.3, -0.7]), 1.1
    target = Teacher(TwoLayer(1, 1, "relu", False, 2), np.array([*a, w]))
    family = branches(TwoLayer(2, 1, "relu", False, 2), target)
    theta = np.array([*(a * factor), w / factor, 0.0, 0.0, idle])
    (branch,) = [b for b in family if b.name == "{1,-2}=t1"]
    assert branch.distance(theta) <= 1e-15 * np.abs(theta).max()
    for near_only in (True, False):
        found = family.locate(theta, 1e-4, near_only=near_only)
        assert found.distance <= 1e-15 * np.abs(theta).max()
