"""Common real roots of quadratic forms: every certificate against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.separation.forms import Roots, common_root


def ask(*forms, error=0.0):
    matrices = np.array(forms, dtype=float)
    return common_root(matrices, error, np.random.default_rng(0))


def test_one_form():
    assert ask(np.diag([1.0, 2.0])).roots is Roots.NONE_DEFINITE
    assert ask(np.diag([-1.0, -2.0])).roots is Roots.NONE_DEFINITE
    found = ask(np.diag([1.0, -4.0, 0.0]))
    assert found.roots is Roots.REGULAR
    assert found.root @ np.diag([1.0, -4.0, 0.0]) @ found.root == pytest.approx(0.0, abs=1e-14)
    assert ask(np.diag([1.0, 0.0])).roots is Roots.UNKNOWN
    assert ask(np.zeros((2, 2))).roots is Roots.UNKNOWN
    # an eigenvalue below the error says nothing
    assert ask(np.diag([1.0, 1e-3]), error=1e-2).roots is Roots.UNKNOWN
    assert ask(np.diag([1.0, -1e-3]), error=1e-2).roots is Roots.UNKNOWN


def test_two_forms_without_definite_member_and_without_root():
    # x^2 - y^2 and x y: every combination is indefinite, yet only 0 is a common root
    found = ask(np.diag([1.0, -1.0]), [[0.0, 0.5], [0.5, 0.0]])
    assert found.roots is Roots.NONE_EXCLUDED


def test_a_double_root_is_left_open():
    # x^2 and x y share (0, 1, *), where the gradient of x^2 vanishes
    found = ask(np.diag([1.0, 0.0, 0.0]), [[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]])
    assert found.roots is Roots.UNKNOWN


@pytest.mark.parametrize(
    ("count", "size"), [(1, 2), (1, 4), (2, 2), (2, 3), (3, 3), (2, 4), (3, 4)]
)
def test_random_forms_against_many_directions(count, size, rng):
    seen = set()
    for _ in range(25):
        forms = rng.normal(size=(count, size, size))
        forms = forms + np.swapaxes(forms, 1, 2)
        if rng.uniform() < 0.3:
            forms[0] += 4.0 * np.sqrt(size) * np.eye(size)  # make a definite one likely
        found = ask(*forms)
        seen.add(found.roots)
        points = rng.normal(size=(60_000, size))
        points /= np.linalg.norm(points, axis=1)[:, None]
        values = np.einsum("bp,jpq,bq->bj", points, forms, points)
        worst = np.abs(values).max(axis=1)
        if found.roots is Roots.REGULAR:
            at_root = np.einsum("p,jpq,q->j", found.root, forms, found.root)
            np.testing.assert_allclose(at_root, 0.0, atol=1e-12)
            gradients = 2.0 * forms @ found.root
            assert np.linalg.matrix_rank(gradients) == count
        elif found.roots is not Roots.UNKNOWN:
            # Newton from the best of the directions finds no zero either
            for v in points[np.argsort(worst)[:20]]:
                for _ in range(30):
                    gradient = 2.0 * forms @ v
                    v = v - np.linalg.lstsq(gradient, 0.5 * gradient @ v, rcond=None)[0]
                    v = v / np.linalg.norm(v)
                left = np.abs(np.einsum("p,jpq,q->j", v, forms, v)).max()
                assert left > 1e-9
        if count < size and found.roots is Roots.UNKNOWN:
            pytest.fail("generic forms in few variables are always decided")
    assert len(seen) >= (2 if count < size else 1)
