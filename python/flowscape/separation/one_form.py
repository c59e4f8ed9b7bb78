"""The silent regime with one quadratic form, for large stacks of sample sets.

n = rho + 1 samples leave one form, a sum of blocks A_g (x) M_g (`cells`). Its signs need no
eigenvectors: the null vector of the features is the vector of their maximal minors. All arrays have
the stack as last axis, so that every operation is one pass over contiguous memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.separation.cells import Inertias
from flowscape.separation.features import EPS, PointOfBranch, sigma_with_error

__all__ = ["MOST_SAMPLES", "OneForm", "one_form"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_SAMPLES: int = 8
"""Largest n: the minors are 2^n."""
# Errors are carried as multiples of this: |error| <= _UNIT * bulk.
_UNIT = 64.0 * EPS


@dataclass(frozen=True)
class _Signs:
    """What is certain of one symmetric matrix per sample set; arrays (S,)."""

    positive: Bools
    negative: Bools
    has_plus: Bools
    has_minus: Bools
    margin: Floats


@dataclass(frozen=True)
class OneForm:
    """Certified signs of the blocks M_g of one form, for a stack of S sample sets.

    Attributes
    ----------
    full : (S,) ndarray of bool
        The features have full column rank: a minor exceeds its error bound.
    """

    full: Bools
    _blocks: tuple[_Signs, ...]

    def definite(self, inertias: Inertias) -> tuple[NDArray[np.int8], Floats]:
        """Return +1 where the form is definite, -1 where it is indefinite, 0 where unclear.

        Parameters
        ----------
        inertias : tuple of (int, int)
            Of the A_g.

        Returns
        -------
        sign : (S,) ndarray of int8
        margin : (S,) ndarray
            Least determinant or eigenvalue beyond its bound, over the size of its terms.
        """
        shape = self.full.shape
        all_plus, all_minus = np.ones(shape, dtype=bool), np.ones(shape, dtype=bool)
        some_plus, some_minus = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        margin = np.full(shape, np.inf)
        for signs, (plus, minus) in zip(self._blocks, inertias, strict=True):
            for count, same in ((plus, True), (minus, False)):
                if count == 0:
                    continue
                all_plus &= signs.positive if same else signs.negative
                all_minus &= signs.negative if same else signs.positive
                some_plus |= signs.has_plus if same else signs.has_minus
                some_minus |= signs.has_minus if same else signs.has_plus
                margin = np.minimum(margin, signs.margin)
        sign = np.where(all_plus | all_minus, 1, np.where(some_plus & some_minus, -1, 0))
        return sign.astype(np.int8), margin


def one_form(point: PointOfBranch, stack: Floats) -> OneForm:
    """Return the form of every sample set of a stack (S, n, d) with n = rho + 1."""
    s = point.setting
    x = np.ascontiguousarray(stack.transpose(2, 1, 0))
    inputs = [*x, np.ones_like(x[0])] if s.bias else list(x)
    sizes = [np.abs(part) for part in inputs]
    columns: list[Floats] = []
    bulks: list[Floats] = []
    curvatures: list[tuple[Floats, Floats]] = []
    for group in point.groups:
        z, spread = np.full_like(x[0], s.centre), np.full_like(x[0], abs(s.centre))
        for weight, part, size in zip(group.vector, inputs, sizes, strict=True):
            z += weight * part
            spread += abs(weight) * size
        (value, slope, second), error = sigma_with_error(s, z, spread)
        error /= _UNIT
        columns.append(value)
        bulks.append(np.abs(value) + error)
        if group.live:
            steep = np.abs(slope) + error
            for part, size in zip(inputs, sizes, strict=True):
                columns.append(slope * part)
                bulks.append(steep * size)
        curvatures.append((second, np.abs(second) + error))
    if point.has_one:
        columns.append(np.ones_like(x[0]))
        bulks.append(np.ones_like(x[0]))
    if point.has_slope:
        columns.extend(x)
        bulks.extend(sizes[: s.inputs])
    n = stack.shape[1]
    null, bulk = _minors(columns), _minors(bulks, permanent=True)
    # n - 1 entries with an error of one unit each (and the product slope * x one rounding more),
    # n - 1 products and sums of up to n terms
    factor = 1.01 * (2.0 * n * _UNIT + n * n * EPS)
    full = np.zeros(len(stack), dtype=bool)
    for value, size in zip(null, bulk, strict=True):
        full |= np.abs(value) > factor * size
    blocks = [_block(null, bulk, factor, pair, inputs, sizes) for pair in curvatures]
    return OneForm(full, tuple(blocks))


def _minors(columns: Sequence[Floats], permanent: bool = False) -> list[Floats]:
    """Return the signed maximal minors of an n x (n - 1) matrix given by its columns (n, S).

    Laplace expansion along the columns: no division, no pivot. They are a left null vector. With
    `permanent` all signs are +: of the absolute values, that bounds the errors.
    """
    n = len(columns) + 1
    below: dict[int, Floats] = {1 << i: columns[0][i] for i in range(n)}
    for place, column in enumerate(columns[1:], start=1):
        above: dict[int, Floats] = {}
        for rows in range(1 << n):
            if rows.bit_count() != place + 1:
                continue
            total: Floats | None = None
            for number, i in enumerate(i for i in range(n) if rows >> i & 1):
                term = column[i] * below[rows & ~(1 << i)]
                if total is None:
                    negative = not permanent and (number + place) % 2 == 1
                    total = -term if negative else term
                elif permanent or (number + place) % 2 == 0:
                    total += term
                else:
                    total -= term
            assert total is not None
            above[rows] = total
        below = above
    everything = (1 << n) - 1
    minors = [below[everything & ~(1 << i)] for i in range(n)]
    return minors if permanent else [-m if i % 2 else m for i, m in enumerate(minors)]


def _block(
    null: list[Floats],
    bulk: list[Floats],
    factor: float,
    curvature: tuple[Floats, Floats],
    inputs: list[Floats],
    sizes: list[Floats],
) -> _Signs:
    """Return the signs of M = sum_i c_i sigma''_i x_i x_i^T."""
    second, height = curvature
    n, size = len(null), len(inputs)
    weight = [null[i] * second[i] for i in range(n)]
    unsure = [bulk[i] * height[i] for i in range(n)]
    # errors of c (factor), of sigma'' (one unit), of products and the sum
    relative = 1.01 * (factor + _UNIT + (n + 4) * EPS)
    form, error = {}, {}
    for p in range(size):
        for q in range(p, size):
            total, doubt = np.zeros_like(null[0]), np.zeros_like(null[0])
            for i in range(n):
                total += weight[i] * (inputs[p][i] * inputs[q][i])
                doubt += unsure[i] * (sizes[p][i] * sizes[q][i])
            form[p, q], error[p, q] = total, relative * doubt
    if size == 1:
        return _signs_of_numbers(form[0, 0], error[0, 0])
    if size == 2:
        return _signs_of_pairs(form, error)
    return _signs_of_matrices(form, error, size)


_Entries = dict[tuple[int, int], Floats]


def _signs_of_numbers(value: Floats, bound: Floats) -> _Signs:
    plus, minus = value > bound, value < -bound
    margin = (np.abs(value) - bound) / np.maximum(np.abs(value), 1e-300)
    return _Signs(plus, minus, plus, minus, margin)


def _signs_of_pairs(form: _Entries, error: _Entries) -> _Signs:
    """2 x 2: by the determinant."""
    a, b, c = form[0, 0], form[0, 1], form[1, 1]
    wrong_a, wrong_b, wrong_c = error[0, 0], error[0, 1], error[1, 1]
    terms = np.abs(a * c) + b * b
    bound = np.abs(a) * wrong_c + np.abs(c) * wrong_a + wrong_a * wrong_c
    bound += (2.0 * np.abs(b) + wrong_b) * wrong_b + 4 * EPS * terms
    det = a * c - b * b
    definite, mixed = det > bound, det < -bound
    positive, negative = definite & (a > wrong_a), definite & (a < -wrong_a)
    has_plus = positive | mixed | (a > wrong_a) | (c > wrong_c)
    has_minus = negative | mixed | (a < -wrong_a) | (c < -wrong_c)
    margin = (np.abs(det) - bound) / np.maximum(terms, 1e-300)
    return _Signs(positive, negative, has_plus, has_minus, margin)


def _signs_of_matrices(form: _Entries, error: _Entries, size: int) -> _Signs:
    """By eigenvalues, against the Frobenius norm of the errors (Weyl)."""
    count = len(form[0, 0])
    matrix, doubt = np.zeros((count, size, size)), np.zeros((count, size, size))
    for (p, q), value in form.items():
        matrix[:, p, q] = matrix[:, q, p] = value
        doubt[:, p, q] = doubt[:, q, p] = error[p, q]
    values = np.linalg.eigvalsh(matrix)
    largest = np.abs(values).max(axis=1)
    bound = np.sqrt((doubt**2).sum(axis=(1, 2))) + 10 * size * EPS * largest
    margin = (np.abs(values).min(axis=1) - bound) / np.maximum(largest, 1e-300)
    return _Signs(
        values[:, 0] > bound,
        values[:, -1] < -bound,
        values[:, -1] > bound,
        values[:, 0] < -bound,
        margin,
    )
