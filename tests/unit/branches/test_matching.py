"""Reduction of a network and its match with the target."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import branches, matching
from flowscape.errors import OptionError, ShapeError
from flowscape.problem import Teacher, TwoLayer


def test_members_match_their_labels(case, rng):
    family = case.family
    for orbit in family.orbits():
        branch = orbit.representative
        found = matching(branch.sample(rng), case.teacher, case.net)
        assert found.perfect
        for group, label in zip(branch.groups, branch.labels, strict=True):
            # a label beyond the target's is its constant part, kept as a neuron with w = 0
            expected = label if label < found.target.m0 else -2
            assert (found.labels[list(group)] == expected).all()
            if label >= 0 and expected == label:
                np.testing.assert_array_equal(
                    found.signs[list(group)], [branch.signs[k] for k in group]
                )


@pytest.mark.parametrize(("bias", "output_bias"), [(False, False), (True, False), (True, True)])
def test_lines_are_matched(bias, output_bias, rng):
    """Three neurons on a target line, a free pair; and what is off is measured."""
    net = TwoLayer(5, 2, "leaky_relu", bias, 1, output_bias)
    small = TwoLayer(1, 2, "leaky_relu", bias, 1, output_bias)
    extra = {"b": [0.5]} if bias else {}
    target = small.pack(a=[1.2], w=[[0.6, -0.8]], **extra, **({"c": [0.3]} if output_bias else {}))
    teacher = Teacher(small, target)
    branch = next(b for b in branches(net, teacher) if b.kind == "labelled 3 | free 2")
    theta = branch.sample(rng)
    found = matching(theta, teacher, net)
    assert found.perfect
    k = branch.blocks[1][0]
    rows = theta[: 5 * (3 + bias)].reshape(5, -1)
    moved = rows.copy()
    moved[k, 0] += 0.1
    off = np.concatenate([moved.ravel(), theta[rows.size :]])
    found = matching(off, teacher, net)
    assert not found.perfect
    change = 0.1 * np.linalg.norm(rows[k, 1:])
    np.testing.assert_allclose(found.outgoing_error, [change])
    np.testing.assert_allclose(found.linear_error, 0.505 * 0.1 * np.linalg.norm(rows[k, 1:3]))
    if bias:
        np.testing.assert_allclose(found.constant_error, 0.505 * 0.1 * abs(rows[k, 3]))
    free = branch.blocks[2][0]
    moved = rows.copy()
    moved[free, 0] += 0.1
    found = matching(np.concatenate([moved.ravel(), theta[rows.size :]]), teacher, net)
    np.testing.assert_allclose(found.free_error, 0.1 * np.linalg.norm(rows[free, 1:]))


def test_constants_and_dead_neurons_of_relu_are_told_apart():
    net, small = TwoLayer(4, 1, "relu"), TwoLayer(1, 1, "relu")
    teacher = Teacher(small, [1.3, 0.9, 0.3])
    theta = np.array([2.6, 0.45, 0.15, 0.7, 0.0, -1.0, 0.4, 0.0, 0.0, 0.0, 0.0, 1.0])
    found = matching(theta, teacher, net)
    np.testing.assert_array_equal(found.labels, [0, -2, -3, -2])
    assert found.perfect
    theta[9] = 0.25
    found = matching(theta, teacher, net)
    np.testing.assert_allclose([found.constant_error, found.linear_error], [0.25, 0.0])


def test_mismatches_are_measured():
    net, teacher = TwoLayer(3, 1), Teacher(TwoLayer(1, 1), [1.0, 2.0, 1.0])
    theta = net.pack(a=[-0.25, 0.5, 0.1], w=[[-2.3], [2.3], [5.0]], b=[-1.4, 1.4, 0.0])
    found = matching(theta, teacher)
    np.testing.assert_array_equal(found.labels, [0, 0, -1])
    np.testing.assert_array_equal(found.signs, [-1, 1, 1])
    np.testing.assert_allclose(found.incoming_error, [0.5])
    np.testing.assert_allclose(found.outgoing_error, [0.25])
    assert found.free_error == pytest.approx(0.1)
    assert found.constant_error == 0.0
    assert not found.perfect
    assert any("merged" in note for note in found.notes)


def test_each_target_neuron_gets_one_group_at_most():
    teacher = Teacher(TwoLayer(2, 1), [1.0, 1.0, 0.0, 1.0, 1.2, 0.0])
    found = matching([2.0, 1.15, 0.0], teacher)
    assert found.labels.tolist() == [1]
    assert np.isinf(found.incoming_error[0])
    assert found.outgoing_error[0] == 1.0


def test_constants_and_silent_neurons():
    teacher = Teacher(TwoLayer(1, 1), [1.0, 2.0, 1.0])
    found = matching([1.0, 2.0, 1.0, 3.0, 0.0, 0.5], teacher)
    np.testing.assert_array_equal(found.labels, [0, -2])
    assert found.constant_error == pytest.approx(3.0 * np.tanh(0.5))
    no_bias = TwoLayer(1, 2, bias=False)
    found = matching([1.0, 2.0, 1.0, 3.0, 0.0, 0.0], Teacher(no_bias, [1.0, 2.0, 1.0]))
    np.testing.assert_array_equal(found.labels, [0, -3])
    assert found.perfect


def test_misuse_is_named():
    teacher = Teacher(TwoLayer(1, 1), [1.0, 2.0, 1.0])
    with pytest.raises(ShapeError, match="theta has shape"):
        matching(np.zeros(7), teacher)
    with pytest.raises(OptionError, match="tol="):
        matching(np.zeros(6), teacher, tol=0.0)
