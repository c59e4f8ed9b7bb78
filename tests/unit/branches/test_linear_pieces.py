"""Components of W s + U q = L' with several outputs against random solutions, for many L' and W.

Entries are small integers, so that ranks fall, sums cancel and values are pinned. No rule is used:
a solution counts if all q_j != 0, s_t != +-abar_t and the u_j are input vectors of their own.
"""

from __future__ import annotations

import numpy as np

from flowscape.branches.fibres import fibre_codim
from flowscape.branches.strata import linear_pieces, split

CLEAR = 1e-4
TOL = 1e-9
CASES = 120


def derivative(s, q, u, columns):
    """Return the derivative (B, E O, variables) of columns s + U q."""
    size, outputs, count = len(q), q.shape[2], len(columns)
    one = np.eye(outputs)
    by_s = np.einsum("et,op->eotp", columns, one)[None] * np.ones((size, 1, 1, 1, 1))
    by_q = np.einsum("bje,op->beojp", u, one)
    by_u = np.einsum("ef,bjo->beojf", np.eye(count), q)
    parts = [
        part.reshape(size, count * outputs, part.shape[3] * part.shape[4])
        for part in (by_s, by_q, by_u)
    ]
    return np.concatenate(parts, axis=2)


def solutions(columns, right, pairs, rng, starts=40, steps=50):
    """Return s, q, u of solutions found by damped steps from random starts."""
    count, outputs = right.shape
    sizes = np.exp(rng.uniform(-2.0, 2.0, size=(starts, 1, 1)))
    s = rng.normal(size=(starts, columns.shape[1], outputs))
    q = rng.normal(size=(starts, pairs, outputs)) * sizes
    u = rng.normal(size=(starts, pairs, count)) / sizes
    cuts = np.cumsum([s[0].size, q[0].size])
    for _ in range(steps):
        gap = columns @ s + np.swapaxes(u, 1, 2) @ q - right
        slope = derivative(s, q, u, columns)
        gram = slope @ np.swapaxes(slope, 1, 2)
        gram += (1e-13 * np.trace(gram, axis1=1, axis2=2) + 1e-100)[:, None, None] * np.eye(
            gram.shape[1]
        )
        dual = np.linalg.solve(gram, gap.reshape(starts, -1, 1))
        ds, dq, du = np.split((np.swapaxes(slope, 1, 2) @ dual)[:, :, 0], cuts, axis=1)
        s, q, u = s - ds.reshape(s.shape), q - dq.reshape(q.shape), u - du.reshape(u.shape)
    gap = np.abs(columns @ s + np.swapaxes(u, 1, 2) @ q - right).max(axis=(1, 2))
    good = gap < 1e-12
    for part in (s, q, u):
        good &= np.abs(part).max(axis=(1, 2), initial=0.0) < 1e3
    return s[good], q[good], u[good]


def own_groups(s, q, u, weights, columns, heads):
    """Return which solutions are no solutions of a finer stratum."""
    good = np.linalg.norm(q, axis=2).min(axis=1, initial=np.inf) > CLEAR
    good &= np.linalg.norm(u[:, :, :heads], axis=2).min(axis=1, initial=np.inf) > CLEAR
    for sign in (1.0, -1.0):
        good &= np.linalg.norm(s - sign * weights, axis=2).min(axis=1, initial=np.inf) > CLEAR
        for j in range(u.shape[1]):
            others = [u[:, i] for i in range(j)] + [
                np.broadcast_to(w, u[:, 0].shape) for w in columns.T
            ]
            for other in others:
                good &= np.linalg.norm(u[:, j] - sign * other, axis=1) > CLEAR
    return good


def test_components_are_those_that_random_solutions_lie_on(rng):
    kinds = set()
    for _ in range(CASES):
        outputs, count, labelled, pairs = (
            int(rng.integers(*ends)) for ends in ((1, 4), (1, 4), (0, 3), (0, 4))
        )
        heads = count - int(rng.integers(2)) if count > 1 else 1
        columns = rng.integers(-2, 3, size=(count, labelled)).astype(float)
        columns[0, (columns[:heads] == 0.0).all(axis=0)] = 1.0
        weights = rng.integers(-2, 3, size=(labelled, outputs)).astype(float)
        weights[(weights == 0.0).all(axis=1)] = 1.0
        right = columns @ rng.integers(-2, 3, size=(labelled, outputs)).astype(float)
        for _ in range(int(rng.integers(4))):
            right += np.outer(rng.integers(-1, 2, size=count), rng.integers(-1, 2, size=outputs))
        if rng.integers(4) == 0:
            right[:heads] = 0.0
        s, q, u = solutions(columns, right, pairs, rng)
        good = own_groups(s, q, u, weights, columns, heads)
        parts = split(columns, right, TOL)
        found = set()
        for one_q, one_u, slope in zip(
            q[good], u[good], derivative(s, q, u, columns)[good], strict=True
        ):
            ranks = tuple(
                int(np.linalg.matrix_rank(part, tol=1e-5)) if part.size else 0
                for part in (one_q, one_u @ parts.off)
            )
            found.add(ranks)
            codim = outputs * parts.span.shape[1] + fibre_codim(outputs, parts.off.shape[1], ranks)
            assert np.linalg.matrix_rank(slope, tol=1e-6) == codim
        listed = linear_pieces(columns, weights, pairs, right, heads, TOL)
        assert found == set(listed), (columns, weights, pairs, right, heads)
        kinds.add((pairs > 0, min(len(listed), 2)))
    assert kinds == {(False, 0), (False, 1), (True, 0), (True, 1), (True, 2)}
