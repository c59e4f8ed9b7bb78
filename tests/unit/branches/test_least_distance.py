"""Nearest points of small curved sets, for batches, against one row after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.branches.location.bounded import nearest_by_bounds
from flowscape.branches.location.least_distance import OfOneSize, nearest, shortest
from flowscape.problem import Teacher, TwoLayer


@dataclass(frozen=True)
class Bilinear(OfOneSize):
    """(matrix (B, k, n, n), shift (B, n), right (B, k)): (x M x) / 2 = right at x = shift + z."""

    matrix: np.ndarray
    shift: np.ndarray
    right: np.ndarray

    def __call__(self, z):
        x = self.shift + z
        jacobian = np.einsum("bkij,bj->bki", self.matrix, x)
        return 0.5 * np.einsum("bki,bi->bk", jacobian, x) - self.right, jacobian

    @property
    def scale(self):
        return np.ones(len(self.shift))

    def take(self, index):
        return Bilinear(self.matrix[index], self.shift[index], self.right[index])


def problem(rng, size, equations, n):
    """A known solution at a random distance; so the set is not empty, and has curvature 1."""
    matrix = rng.normal(size=(size, equations, n, n))
    matrix = matrix + np.swapaxes(matrix, 2, 3)
    solution = rng.normal(size=(size, n))
    right = 0.5 * np.einsum("bkij,bi,bj->bk", matrix, solution, solution)
    step = rng.normal(size=(size, n)) * 10.0 ** rng.uniform(-6, -1, size=(size, 1))
    return Bilinear(matrix, solution - step, right), step


def by_hand(equations, row):
    """The nearest point by steps on the linearized set, one row, until nothing moves."""
    one, z = equations.take(np.array([row])), np.zeros(equations.shift.shape[1])
    for _ in range(500):
        values, jacobian = (part[0] for part in one(z[None]))
        new = np.linalg.pinv(jacobian) @ (jacobian @ z - values)
        if np.abs(new - z).max() <= 1e-15 * (1.0 + np.abs(z).max()):
            break
        z = new
    return z


@pytest.mark.parametrize("equations", [1, 2, 3])
def test_a_batch_finds_the_nearest_points(equations, rng):
    found, step = problem(rng, 200, equations, 5)
    z = nearest(found, np.zeros_like(step))
    values, jacobian = found(z)
    assert np.abs(values).max() < 1e-12
    assert (np.linalg.norm(z, axis=1) <= np.linalg.norm(step, axis=1) * (1.0 + 1e-6)).mean() > 0.99
    for row in range(0, 200, 5):
        length = np.linalg.norm(z[row])
        assert length <= np.linalg.norm(by_hand(found, row)) * (1.0 + 1e-9) + 1e-13
        # at the nearest point z is normal to the set; steps below 1e-10 end the search
        along = z[row] - np.linalg.pinv(jacobian[row]) @ (jacobian[row] @ z[row])
        assert np.linalg.norm(along) <= 1e-9


def test_no_row_depends_on_the_others(rng):
    found, step = problem(rng, 60, 2, 4)
    whole = nearest(found, np.zeros_like(step))
    for rows in (np.arange(7), np.arange(59, 20, -3)):
        part = nearest(found.take(rows), np.zeros((len(rows), 4)))
        np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("equations", [1, 2, 4])
def test_shortest_solutions(equations, rng):
    jacobian, right = rng.normal(size=(50, equations, 6)), rng.normal(size=(50, equations))
    jacobian[:25] *= 10.0 ** rng.uniform(-8, 8, size=(25, 1, 1))
    for row, x in enumerate(shortest(jacobian, right)):
        wanted = np.linalg.pinv(jacobian[row]) @ right[row]
        np.testing.assert_allclose(x, wanted, rtol=1e-10, atol=1e-10 * np.abs(wanted).max())
    # rows of very different size, and a row of zeros
    steep = rng.normal(size=(1, 2, 4)) * np.array([1.0, 1e-5])[:, None]
    np.testing.assert_allclose(
        shortest(steep, np.ones((1, 2)))[0], np.linalg.pinv(steep[0]) @ np.ones(2), rtol=1e-3
    )
    steep[0, 1] = 0.0
    np.testing.assert_allclose(
        shortest(steep, np.array([[1.0, 0.0]]))[0], np.linalg.pinv(steep[0])[:, 0], rtol=1e-12
    )


def test_only_what_the_bounds_leave_is_searched(rng):
    costs = rng.uniform(0.0, 1.0, size=(30, 200))
    bounds, asked = costs * rng.uniform(0.0, 1.0, size=costs.shape), []

    def cost(rows, sets):
        asked.append(len(rows))
        return costs[sets, rows]

    best, which = nearest_by_bounds(bounds.copy(), cost)
    np.testing.assert_array_equal(best, costs.min(axis=0))
    np.testing.assert_array_equal(which, costs.argmin(axis=0))
    needed = (bounds < costs.min(axis=0)).sum()
    assert needed <= sum(asked) < 2 * needed
    asked.clear()
    near, found = nearest_by_bounds(bounds.copy(), cost, 0.01)
    hit = costs.min(axis=0) <= 0.01
    np.testing.assert_array_equal(near[hit], best[hit])
    np.testing.assert_array_equal(found[hit], which[hit])
    assert sum(asked) <= (bounds <= 0.01).sum()
    nothing = nearest_by_bounds(np.zeros((0, 3)), cost)
    assert np.isinf(nothing[0]).all()
    assert (nothing[1] == -1).all()


def test_random_members_are_exact_to_rounding(rng):
    """Equations of matrices: steps to the nearest point are damped relative to the point."""
    net, small = TwoLayer(8, 2, "softplus", False, 2), TwoLayer(3, 2, "softplus", False, 2)
    target = Teacher(small, rng.normal(size=small.n_params))
    family, x = branches(net, target), rng.normal(size=(50, 2))
    for index in rng.integers(family.count(), size=60).tolist():
        theta = family[index].sample(rng)
        gap = np.abs(net(theta, x) - small(target.theta, x)).max()
        assert gap <= 4e-15 * (1.0 + np.abs(theta).max()) ** 2
