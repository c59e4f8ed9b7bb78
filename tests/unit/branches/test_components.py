"""The listed sets are the components of Q*: members, dimension, maximality, completeness."""

from __future__ import annotations

import numpy as np
import pytest

PICKS = 12


def some(family, rng):
    """Every orbit's representative, and random sets of the family."""
    picks = [orbit.representative for orbit in family.orbits()]
    picks += [family[int(i)] for i in rng.integers(family.count(), size=PICKS)]
    return list({branch.index: branch for branch in picks}.values())


def differences(function, theta, step=1e-5):
    """Return the derivative of a vector function by central differences."""
    columns = [
        (function(theta + step * unit) - function(theta - step * unit)) / (2.0 * step)
        for unit in np.eye(len(theta))
    ]
    return np.stack(columns, axis=1)


def test_members_are_the_target(case, rng):
    for branch in some(case.family, rng):
        theta = branch.sample(rng)
        scale = 1.0 + np.abs(theta).max()
        assert case.defect(theta) < 1e-12 * scale**2, branch
        assert np.abs(branch.equations(theta)).max(initial=0.0) < 1e-12 * scale
        assert branch.contains(theta, 1e-12 * scale)


def test_points_off_the_closure_are_not_the_target(case, rng):
    family = case.family
    for branch in some(family, rng):
        if branch.codim == 0:
            continue
        moved = branch.sample(rng) + 0.05 * rng.normal(size=family.setting.n_params)
        assert branch.distance(moved) > 1e-4
        assert case.defect(moved) > 1e-5, branch


def test_codimension_is_the_rank_of_the_equations(case, rng):
    for branch in some(case.family, rng):
        theta = branch.sample(rng)
        by_hand = differences(branch.equations, theta)
        exact = branch.equations_jacobian(theta)
        assert by_hand.shape == exact.shape == (branch.codim, branch.setting.n_params)
        np.testing.assert_allclose(by_hand, exact, atol=1e-7 * (1.0 + np.abs(theta).max()))
        assert np.linalg.matrix_rank(exact, tol=1e-7) == branch.codim == len(theta) - branch.dim


def test_the_function_is_constant_along_the_tangent_space(case, rng):
    x = 2.0 * rng.normal(size=(40, case.d))
    for branch in some(case.family, rng):
        theta = branch.sample(rng)
        tangent = branch.tangent(theta)
        assert tangent.shape == (len(theta), branch.dim)
        np.testing.assert_allclose(tangent.T @ tangent, np.eye(branch.dim), atol=1e-12)
        jacobian = differences(lambda t: case.forward(t, x).ravel(), theta)
        size = np.abs(jacobian).max()
        np.testing.assert_allclose(jacobian @ tangent, 0.0, atol=1e-7 * (1.0 + size))


def test_no_component_lies_in_another(case, rng):
    family = case.family
    everything = list(family)
    for branch in some(family, rng):
        theta = branch.sample(rng)
        inside = [
            other.index
            for other in everything
            if np.abs(other.equations(theta)).max(initial=0.0) < 1e-7
            and other.distance(theta) < 1e-7
        ]
        assert inside == [branch.index]


def residual_jacobian(case, thetas, x):
    """Return residuals (B, NO) and their derivatives by central differences, for a batch."""
    step, size = 1e-6, thetas.shape[1]

    def value(points):
        return (case.forward(points, x) - case.target(x)).reshape(*points.shape[:-1], -1)

    shifts = step * np.eye(size)
    points = thetas[:, None, :]
    return value(thetas), np.swapaxes(value(points + shifts) - value(points - shifts), 1, 2) / (
        2.0 * step
    )


def perfect_networks(case, rng, starts, steps=120):
    """Return networks that fit many samples to round-off, by Levenberg-Marquardt."""
    size = case.net.n_params
    x = 2.0 * rng.normal(size=(2 * size + 10, case.d))
    scale = np.exp(rng.uniform(-4.0, 0.7, size=(starts, size)))
    thetas = scale * rng.normal(size=(starts, size))
    damping = np.ones(starts)
    base, jacobian = residual_jacobian(case, thetas, x)
    for _ in range(steps):
        gram = np.swapaxes(jacobian, 1, 2) @ jacobian
        gradient = np.einsum("bnp,bn->bp", jacobian, base)
        step = np.linalg.solve(gram + damping[:, None, None] * np.eye(size), gradient[..., None])
        trial = thetas - step[..., 0]
        new, new_jacobian = residual_jacobian(case, trial, x)
        better = (new**2).sum(axis=1) < (base**2).sum(axis=1)
        thetas[better], base[better] = trial[better], new[better]
        jacobian[better] = new_jacobian[better]
        damping = np.clip(damping * np.where(better, 0.2, 5.0), 1e-11, 1e6)
    return thetas[np.abs(base).max(axis=1) < 1e-11]


@pytest.mark.parametrize(
    ("arguments", "least_orbits"),
    [
        ({"formula": "tanh", "m": 2, "m0": 1}, 3),
        ({"formula": "shifted", "m": 2, "m0": 1, "bias": False}, 2),
        ({"formula": "tanh", "m": 2, "m0": 1, "output_bias": True}, 3),
        ({"formula": "mixed", "m": 2, "m0": 1}, 2),
        ({"formula": "tanh", "m": 2, "m0": 0, "flat": 1}, 2),
        ({"formula": "tanh", "m": 2, "m0": 1, "bias": False}, 2),
        ({"formula": "tanh", "m": 3, "m0": 1, "bias": False}, 3),
        ({"formula": "tanh", "m": 2, "m0": 1, "outputs": 2}, 2),
        ({"formula": "tanh", "m": 2, "m0": 1, "flat": 1}, 1),
        ({"formula": "shifted", "m": 2, "m0": 1, "bias": False, "output_bias": True}, 2),
        ({"formula": "lifted", "m": 2, "m0": 1, "bias": False}, 2),
        ({"formula": "wavy", "m": 2, "m0": 0}, 2),
        ({"formula": "sigmoid", "m": 2, "m0": 1, "bias": False}, 3),
        ({"formula": "sigmoid", "m": 3, "m0": 1, "bias": False}, 5),
        ({"formula": "lowered", "m": 2, "m0": 1}, 4),
        ({"formula": "sigmoid", "m": 2, "m0": 1, "flat": 1}, 3),
        ({"formula": "softplus", "m": 3, "m0": 1, "bias": False}, 4),
        ({"formula": "silu", "m": 2, "m0": 1}, 2),
        ({"formula": "steep", "m": 2, "m0": 1}, 2),
        ({"formula": "exp", "m": 2, "m0": 1, "output_bias": True}, 2),
    ],
)
def test_every_perfect_network_found_is_listed(make_case, rng, arguments, least_orbits):
    case = make_case(**arguments)
    found = perfect_networks(case, rng, starts=60)
    assert len(found) >= 10
    located = case.family.locate(found, 1e-4)
    # where closures cross, the residual is of order up to 4 in the distance: (1e-11)^(1/4) =
    # 2e-3; a set that is not listed would be found at distances of order 1
    assert located.distance.max() < 5e-3
    assert np.median(located.distance) < 1e-6
    alone = located.nearest_orbit[located.second > 0.03]
    assert len(np.unique(alone)) >= least_orbits  # without one of them this test would fail
