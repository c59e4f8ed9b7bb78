"""Components of {A B^T = M} against random solutions of the equations, without any rule."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from flowscape.branches.fibres import fibre_codim, fibre_components


def solutions(matrix, inner, rng, starts=60, steps=60):
    """Return pairs (A, B) with A B^T = matrix, by damped steps from random starts."""
    outputs, rest = matrix.shape
    a = rng.normal(size=(starts, outputs, inner)) * np.exp(rng.uniform(-3, 1, (starts, 1, 1)))
    b = rng.normal(size=(starts, rest, inner)) * np.exp(rng.uniform(-3, 1, (starts, 1, 1)))
    for _ in range(steps):
        gap = a @ np.swapaxes(b, 1, 2) - matrix
        slope = derivative(a, b)
        gram = slope @ np.swapaxes(slope, 1, 2)
        gram = gram + 1e-14 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(
            gram.shape[1]
        )
        dual = np.linalg.solve(gram + 1e-200 * np.eye(gram.shape[1]), gap.reshape(starts, -1, 1))
        step = (np.swapaxes(slope, 1, 2) @ dual)[:, :, 0]
        a = a - step[:, : outputs * inner].reshape(a.shape)
        b = b - step[:, outputs * inner :].reshape(b.shape)
    good = np.abs(a @ np.swapaxes(b, 1, 2) - matrix).max(axis=(1, 2)) < 1e-13
    good &= np.maximum(np.abs(a).max(axis=(1, 2)), np.abs(b).max(axis=(1, 2))) < 100.0
    return a[good], b[good]


def derivative(a, b):
    """Return the derivative (S, O E, (O + E) J) of A B^T."""
    (starts, outputs, _), rest = a.shape, b.shape[1]
    by_a = np.einsum("op,sej->soepj", np.eye(outputs), b)
    by_b = np.einsum("soj,ef->soefj", a, np.eye(rest))
    shape = starts, outputs * rest, -1
    return np.concatenate([by_a.reshape(shape), by_b.reshape(shape)], axis=2)


@pytest.mark.parametrize(("outputs", "rest"), list(product((1, 2, 3), repeat=2)))
def test_components_are_those_that_random_solutions_lie_on(outputs, rest):
    rng = np.random.default_rng(outputs + 10 * rest)
    for inner, rank in product((1, 2, 3, 4), range(min(outputs, rest) + 1)):
        matrix = rng.normal(size=(outputs, rank)) @ rng.normal(size=(rank, rest))
        listed = fibre_components(outputs, rest, inner, rank)
        if rank > inner:
            assert listed == ()
            continue
        found = set()
        for a, b in zip(*solutions(matrix, inner, rng), strict=True):
            ranks = tuple(int(np.linalg.matrix_rank(factor, tol=1e-5)) for factor in (a, b))
            found.add(ranks)
            slope = derivative(a[None], b[None])[0]
            assert np.linalg.matrix_rank(slope, tol=1e-7) == fibre_codim(outputs, rest, ranks)
        assert found == set(listed)
