"""Reduction of a network and its match with the target."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import matching
from flowscape.branches.lines.family import LineBranches
from flowscape.errors import OptionError, ProblemError, ShapeError
from flowscape.problem import Teacher, TwoLayer


def test_members_match_their_labels(case, rng):
    family = case.family
    if isinstance(family, LineBranches):
        with pytest.raises(ProblemError, match="positively homogeneous"):
            matching(family[0].sample(rng), case.teacher, case.net)
        return
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
