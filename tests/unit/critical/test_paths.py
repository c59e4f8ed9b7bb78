"""Paths of zero loss: every point of every side is the target."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.critical import connect, straight_barrier
from flowscape.errors import ProblemError
from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher, TwoLayer

SHIFTED = {"name": "tanh", "h": 0.3}


def setup(m, m0, activation, bias=False, output_bias=False, outputs=1, flat=False):
    rng = np.random.default_rng([m, m0])
    small = TwoLayer(m0 + flat, 2, activation, bias, outputs, output_bias)
    theta = rng.normal(size=small.n_params)
    parts = small.unpack(theta)
    parts.w[m0:] = 0.0
    parts.a[...] += np.sign(parts.a)
    teacher = Teacher(small, theta)
    return branches(TwoLayer(m, 2, activation, bias, outputs, output_bias), teacher), teacher


@pytest.mark.parametrize(
    ("m", "m0", "activation", "bias", "output_bias", "outputs", "flat"),
    [
        (3, 2, "exp", False, False, 1, False),
        (4, 2, SHIFTED, False, False, 2, False),
        (3, 2, "exp", False, True, 1, False),
        (3, 1, SHIFTED, False, False, 1, True),
        (3, 2, "tanh", False, False, 1, False),
        (3, 1, "tanh", True, False, 1, False),
        (4, 2, "tanh", True, True, 1, False),
        (4, 1, "tanh", True, False, 1, True),
        (3, 1, "tanh", True, False, 2, True),
        (3, 2, "gauss", False, False, 1, False),
        (3, 1, "gauss", True, False, 1, False),
        (4, 1, "gauss", True, False, 1, True),
    ],
)
def test_the_function_does_not_change_on_the_way(
    m, m0, activation, bias, output_bias, outputs, flat, rng
):
    family, teacher = setup(m, m0, activation, bias, output_bias, outputs, flat)
    x = rng.normal(size=(30, 2))
    wanted = teacher(x)
    moved = 0
    for _ in range(40):
        picks = rng.integers(family.count(), size=2)
        a, b = (family[int(i)].sample(rng) for i in picks)
        path = connect(family, a, b)
        np.testing.assert_array_equal(path.vertices[0], a)
        np.testing.assert_allclose(path.vertices[-1], b, atol=1e-13 * (1 + np.abs(b).max()))
        assert len(path.notes) == len(path.vertices) - 1
        points = path.points(301)
        # reference: the bound on rounding of sum a sigma(v x)
        largest = np.abs(points).max()
        size = 1.0 + largest**2 * (np.exp(largest) if activation == "exp" else 1.0)
        assert np.abs(family.net(points, x) - wanted).max() < 1e-12 * size
        assert path.length >= path.straight_length * (1 - 1e-12)
        steps = np.linalg.norm(np.diff(path.points(20_001), axis=0), axis=1).sum()
        assert steps == pytest.approx(path.length, rel=1e-2)
        moved += len(path.notes) > 2
    assert moved > 10


def test_the_path_to_oneself_has_length_zero(rng):
    family, _ = setup(3, 2, "exp")
    lone = next(b for b in family if b.l == 1).sample(rng)
    assert connect(family, lone, lone).length == pytest.approx(0.0, abs=1e-12)


def test_without_a_spare_neuron_there_is_no_path(rng):
    family, _ = setup(2, 2, "exp")
    one, other = (b.sample(rng) for b in family)
    with pytest.raises(ProblemError, match="no neuron to spare"):
        connect(family, one, other)
    assert connect(family, one, one).length == pytest.approx(0.0, abs=1e-15)


def test_points_must_be_perfect(rng):
    family, _ = setup(3, 2, "exp")
    good = family[0].sample(rng)
    with pytest.raises(ProblemError, match="theta_b"):
        connect(family, good, good + 0.1)
    with pytest.raises(ProblemError, match="theta_a"):
        connect(family, rng.normal(size=9), good)


def test_a_path_prints_on_a_line(rng):
    family, _ = setup(3, 2, "exp")
    a, b = (family[i].sample(rng) for i in (0, 5))
    path = connect(family, a, b)
    word = repr(path)
    assert word.startswith(f"ZeroLossPath(vertices=<{len(path.vertices)}x9 float64>")
    assert "\n" not in word
    assert len(word) < 200


def test_the_straight_line_has_a_barrier(rng):
    family, teacher = setup(3, 2, "tanh")
    x = rng.normal(size=(20, 2))
    prob = Problem(family.net, Samples.of(teacher, x), "mean", teacher=teacher)
    a, b = family[0].sample(rng), family[40].sample(rng)
    height, place = straight_barrier(prob, a, b)
    grid = np.linspace(0.0, 1.0, 40_001)
    loss = prob.loss(a + grid[:, None] * (b - a))
    assert height == pytest.approx(loss.max() - max(loss[0], loss[-1]), rel=1e-6)
    assert place == pytest.approx(grid[np.argmax(loss)], abs=1e-4)
    assert straight_barrier(prob, a, a)[0] == 0.0
