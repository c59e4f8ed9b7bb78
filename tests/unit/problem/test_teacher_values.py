"""Targets through the compiled core."""

import numpy as np
import pytest

from flowscape.errors import ShapeError
from flowscape.problem.data import Samples
from flowscape.problem.network import TwoLayer
from flowscape.problem.teacher import Teacher


def test_samples_of_a_teacher():
    teacher = Teacher(TwoLayer(1, 1), [2.0, 1.0, 1.0])
    x = np.linspace(-2, 2, 5)
    samples = Samples.of(teacher, x, weights=[1, 2, 3, 4, 5])
    np.testing.assert_array_equal(samples.x, x[:, None])
    np.testing.assert_allclose(samples.y, 2 * np.tanh(x + 1), rtol=4e-16)
    np.testing.assert_array_equal(samples.y, teacher(x))
    assert samples.total_weight == 15.0


def test_several_outputs():
    net = TwoLayer(2, 2, "exp", False, 3, True)
    teacher = Teacher(net, np.random.default_rng(0).normal(size=net.n_params))
    samples = Samples.of(teacher, [[0.0, 0.0], [1.0, 2.0]])
    parts = teacher.parameters
    expected = np.exp(samples.x @ parts.w.T) @ parts.a + parts.c
    np.testing.assert_allclose(samples.y, expected, rtol=1e-14)


def test_a_plain_list_needs_one_input():
    teacher = Teacher(TwoLayer(1, 2), np.ones(4))
    with pytest.raises(ShapeError, match="x has shape"):
        Samples.of(teacher, [1.0, 2.0])
