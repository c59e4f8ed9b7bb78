"""Several outputs: the codimension counts samples, not equations."""

import numpy as np
import pytest

from flowscape import Kind, Problem, Samples, Teacher, TwoLayer, classify, polish

X = np.array([[-1.0], [0.3], [1.4]])
TARGET = Teacher(TwoLayer(1, 1, outputs=2), [1.0, -0.7, 1.0, 0.5])
LABELLED = np.array([1.0, 0.5])


def neuron(v):
    return np.tanh(v[0] * X[:, 0] + v[1])


def imperfect_zero(size):
    """A zero at distance `size` from Q2.

    The first neuron is moved by `size` along t and the second chosen such that both still span
    the target's values on the three samples.
    """
    slopes = np.stack([(1 - neuron(LABELLED) ** 2) * X[:, 0], 1 - neuron(LABELLED) ** 2], 1)
    free = np.array([-0.6, 0.9])
    normal = np.cross(neuron(LABELLED), neuron(free)) @ slopes
    moved = LABELLED + size * np.array([-normal[1], normal[0]]) / np.linalg.norm(normal)

    def volume(w):
        change = (neuron(moved) - neuron(LABELLED)) / size
        return np.linalg.det(np.stack([neuron(LABELLED), change, neuron([w, free[1]])], 1))

    for _ in range(20):
        slope = (volume(free[0] + 1e-6) - volume(free[0] - 1e-6)) / 2e-6
        free[0] -= volume(free[0]) / slope
    a, *_ = np.linalg.lstsq(np.stack([neuron(moved), neuron(free)], 1), TARGET(X), rcond=None)
    return np.concatenate([a[0], moved, a[1], free])


@pytest.mark.parametrize("size", [1e-6, 1e-8, 3e-9])
def test_three_samples_of_two_outputs_do_not_separate(size):
    """Six equations, of rank 5 near Q2 whose codimension is 6: imperfect zeros are near."""
    prob = Problem(TwoLayer(2, 1, outputs=2), Samples.of(TARGET, X), "half_sum", teacher=TARGET)
    verdict = classify(prob, polish(prob, imperfect_zero(size)))
    assert verdict.evidence["loss_over_zero"] <= 1.0
    assert verdict.evidence["branch_distance"] > 0.1 * size
    assert verdict.kind == Kind.UNRESOLVED
