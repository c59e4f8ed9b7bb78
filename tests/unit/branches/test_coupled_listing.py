"""Coupled families against a listing by brute force: solve every stratum, look for generic points.

A stratum (partition, labels, signs) is a component if it has a point at which no part of a group
could be a group of its own: no partial sum of outgoing weights is 0 or the target's, incoming
vectors are different. Such points are looked for by Newton's method from random starts, on the
defining equations alone. This uses no rule about which strata exist. The rank of the equations'
derivative there is the codimension, and with several outputs the ranks of the outgoing sums and
the incoming vectors of free groups with both signs tell components of one stratum apart.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from every_stratum import strata

CLEAR = 1e-5


class Equations:
    """The equations of one stratum in (a, u of the free groups, b of the constant ones)."""

    def __init__(self, case, stratum):
        self.labelled, self.free, self.constant, signs = stratum
        s, target = case.family.setting, case.family.target
        self.s, self.target, self.m, self.signs = s, target, case.m, np.array(signs, float)
        self.flat = len(self.constant) * s.bias
        self.size = case.m * s.outputs + len(self.free) * s.incoming + self.flat

    def split(self, y):
        """Return a (B, m, O), v (B, m, D) and the vectors of the groups."""
        d, m, size = self.s.incoming, self.m, len(y)
        a, rest = np.split(y, [m * self.s.outputs], axis=1)
        u = rest[:, : len(self.free) * d].reshape(size, len(self.free), d)
        v = np.zeros((size, m, d))
        for t, block in enumerate(self.labelled):
            v[:, block] = self.signs[block, None] * self.target.incoming[t]
        for j, block in enumerate(self.free):
            v[:, block] = self.signs[block, None] * u[:, j, None]
        if self.s.bias and self.constant:
            v[:, self.constant, -1] = y[:, -len(self.constant) :] - self.s.centre
        return a.reshape(size, m, -1), v, u

    def __call__(self, y):
        return self.parts(y)[0]

    def parts(self, y):
        """Return the left minus right sides, and the output bias (B, O) where there is one."""
        s, target = self.s, self.target
        a, v, _ = self.split(y)
        pull = self.pull()
        rows = [
            (a[:, block] * pull[block, None]).sum(axis=1) - target.outgoing[t]
            for t, block in enumerate(self.labelled)
        ]
        rows += [(a[:, block] * pull[block, None]).sum(axis=1) for block in self.free]
        others = [k for k in range(self.m) if k not in self.constant]
        flat = (
            v[:, self.constant, -1] + s.centre if s.bias else np.zeros((len(y), len(self.constant)))
        )
        level = (a[:, self.constant] * s.sigma(flat)[0][:, :, None]).sum(axis=1)
        level = level + s.level * a[:, others].sum(axis=1)
        if s.slope:
            made = np.einsum("bko,bkj->bjo", a[:, others], v[:, others])
            rows += list(np.swapaxes(made[:, : s.inputs] - target.linear.T, 0, 1))
            level = level + s.slope * made[:, -1] * s.bias
        level = level - target.constant
        if (s.level or s.bias) and not s.output_bias:
            rows.append(level)
        return np.concatenate(rows, axis=1), -level * s.output_bias

    def pull(self):
        return np.ones(self.m) if self.s.even else self.signs

    def ranks(self, y):
        """Return the ranks of q and of U off the span of W at one point; None without pairs."""
        s = self.s
        a, _, u = self.split(y[None])
        pairs = [j for j, b in enumerate(self.free) if len(set(self.signs[b])) == 2]
        if s.outputs == 1 or not pairs:
            return None
        q = [self.signs[self.free[j]] @ a[0, self.free[j]] for j in pairs]
        heads = s.inputs if self.constant or s.output_bias else s.incoming
        mixed = [t for t, b in enumerate(self.labelled) if len(set(self.signs[b])) == 2]
        columns = self.target.incoming[mixed, :heads].T
        vectors = u[0, pairs, :heads].T
        vectors = vectors - columns @ np.linalg.lstsq(columns, vectors, rcond=1e-9)[0]
        return tuple(int(np.linalg.matrix_rank(part, tol=1e-4)) for part in (q, vectors))

    def generic(self, y):
        """Return which points are generic."""
        s, target = self.s, self.target
        a, v, u = self.split(y)
        pull = self.pull()
        good = np.ones(len(y), bool)
        groups = [(b, target.outgoing[t]) for t, b in enumerate(self.labelled)]
        groups += [(b, 0.0) for b in self.free]
        for block, weight in groups:
            for size in range(1, len(block)):
                for part in combinations(block, size):
                    total = (a[:, part] * pull[list(part), None]).sum(axis=1)
                    for gap in (total, total - weight):
                        good &= np.linalg.norm(gap, axis=1) > CLEAR
        vectors = [np.broadcast_to(w, u[:, 0].shape) for w in target.incoming] if self.free else []
        for j in range(len(self.free)):
            good &= np.linalg.norm(u[:, j, : s.inputs], axis=1) > CLEAR
            for other in vectors:
                good &= np.linalg.norm(u[:, j] - other, axis=1) > CLEAR
                good &= np.linalg.norm(u[:, j] + other, axis=1) > CLEAR
            vectors.append(u[:, j])
        good &= (np.abs(a[:, self.constant]) > CLEAR).all(axis=(1, 2))
        for size in range(2, len(self.constant) + 1):
            for part in combinations(self.constant, size):
                if s.bias:
                    good &= np.ptp(v[:, part, -1], axis=1) > CLEAR
                    continue
                # at w = 0 they could be a free group of any signs
                for signs in product((1.0, -1.0), repeat=size):
                    total = (a[:, part] * np.array(signs)[:, None]).sum(axis=1)
                    good &= np.linalg.norm(total, axis=1) > CLEAR
        return good


def derivative(equations, y):
    eye = 1e-6 * np.eye(equations.size)
    moved = [(equations(y + e) - equations(y - e)) / 2e-6 for e in eye]
    return np.stack(moved, axis=2)


def generic_points(equations, rng, starts=10, steps=30, spread=0.0):
    """Return generic points (B, size); a and u start with sizes up to exp(+-spread)."""
    y = 1.5 * rng.normal(size=(starts, equations.size))
    head = equations.m * equations.s.outputs
    scale = np.exp(rng.uniform(-spread, spread, size=starts))[:, None]
    y[:, :head] *= scale
    y[:, head : equations.size - equations.flat] /= scale
    values = equations(y)
    damping = np.full(len(y), 1e-2)
    for _ in range(steps):
        jacobian = derivative(equations, y)
        gram = jacobian @ np.swapaxes(jacobian, 1, 2)
        gram = gram + damping[:, None, None] * np.eye(gram.shape[1])
        step = np.swapaxes(jacobian, 1, 2) @ np.linalg.solve(gram, values[:, :, None])
        trial = y - step[:, :, 0]
        new = equations(trial)
        better = (new**2).sum(axis=1) < (values**2).sum(axis=1)
        if not better.any():
            break
        y[better], values[better] = trial[better], new[better]
        damping = np.clip(damping * np.where(better, 0.1, 10.0), 1e-14, 1e4)
    solved = np.abs(values).max(axis=1) < 1e-10
    return y[solved & equations.generic(y) & (np.abs(y).max(axis=1) < 1e4)]


def pieces(equations, points):
    """Return (dimension, ranks) of the solution set at points where the dimension is clear."""
    found = set()
    if not len(points):
        return found
    for y, slope in zip(points, derivative(equations, points), strict=True):
        sizes = np.linalg.svd(slope, compute_uv=False)
        if not ((sizes > 1e-6) & (sizes < 1e-3)).any():
            found.add((equations.size - int((sizes > 1e-4).sum()), equations.ranks(y)))
    return found


FEW = [
    {"formula": "sigmoid", "m": 3, "m0": 1, "bias": False},
    {"formula": "softplus", "m": 3, "m0": 1, "bias": False},
    {"formula": "softplus", "m": 3, "m0": 1},
    {"formula": "softplus", "m": 3, "m0": 1, "bias": False, "outputs": 2},
]
MANY = [
    {"formula": "sigmoid", "m": 3, "m0": 2, "bias": False, "weights": (1.0, -1.0)},
    {"formula": "sigmoid", "m": 3, "m0": 1, "bias": False, "flat": 1},
    {"formula": "sigmoid", "m": 3, "m0": 1},
    {"formula": "lowered", "m": 3, "m0": 1, "flat": 1},
    {"formula": "lowered", "m": 3, "m0": 1},
    {"formula": "softplus", "m": 4, "m0": 0, "d": 2, "bias": False},
    {"formula": "softplus", "m": 4, "m0": 1, "bias": False},
    {"formula": "softplus", "m": 4, "m0": 1, "d": 2, "bias": False},
    {"formula": "softplus", "m": 3, "m0": 2, "bias": False, "weights": (1.0, -1.0)},
    {"formula": "softplus", "m": 4, "m0": 2, "bias": False},
    {"formula": "softplus", "m": 4, "m0": 0},
    {"formula": "softplus", "m": 4, "m0": 1},
    {"formula": "silu", "m": 3, "m0": 1},
    {"formula": "silu", "m": 3, "m0": 1, "flat": 1},
    {"formula": "leaning", "m": 3, "m0": 1, "flat": 1},
    {"formula": "softplus", "m": 3, "m0": 1, "outputs": 2},
    {"formula": "silu", "m": 3, "m0": 1, "outputs": 2},
    {"formula": "silu", "m": 3, "m0": 1, "outputs": 2, "output_bias": True},
    {"formula": "softplus", "m": 4, "m0": 1, "d": 2, "bias": False, "outputs": 2},
    {"formula": "softplus", "m": 4, "m0": 2, "bias": False, "outputs": 2, "weights": (1.0, -1.0)},
]


def groups_of(branch):
    """Return the groups and signs of a branch as `key` does."""
    m0 = len(branch.shape.labelled)
    blocks = branch.blocks
    return blocks[1 : 1 + m0], frozenset(blocks[1 + m0 :]), blocks[0], branch.signs


def key(labelled, free, constant, signs):
    return tuple(map(tuple, labelled)), frozenset(map(tuple, free)), tuple(constant), tuple(signs)


@pytest.mark.parametrize(
    "arguments", [*FEW, *(pytest.param(case, marks=pytest.mark.slow) for case in MANY)], ids=str
)
def test_the_list_is_that_of_strata_with_generic_points(make_case, rng, arguments):
    case = make_case(**arguments)
    family = case.family
    listed = {(groups_of(b), b.dim, b.shape.ranks) for b in family}
    found = set()
    flat = family.setting.bias or family.setting.level
    for stratum in strata(case.m, family.target.m0, constant=flat):
        equations = Equations(case, stratum)
        for dim, ranks in pieces(equations, generic_points(equations, rng)):
            found.add((key(*stratum), dim, ranks))
    assert found == listed


PAIRS = [[1, 2], [3, 4]]
RANKED = [
    # q U^T = L' of rank 1: two components
    ({"m": 5, "m0": 1, "d": 2}, ([[0]], PAIRS, [], (-1, 1, -1, 1, -1)), {(2, 1), (1, 2)}),
    ({"m": 5, "m0": 1, "d": 3, "outputs": 3}, ([[0]], PAIRS, [], (-1, 1, -1, 1, -1)), None),
    # L' = 0
    ({"m": 5, "m0": 1, "d": 2}, ([[0]], PAIRS, [], (1, 1, -1, 1, -1)), {(1, 1)}),
    ({"m": 6, "m0": 0, "d": 3}, ([], [[0, 1], *[[2, 3], [4, 5]]], [], (1, -1) * 3), None),
    # a mixed labelled group beside them takes up what is on its line
    ({"m": 6, "m0": 1, "d": 2}, ([[0, 5]], PAIRS, [], (1, 1, -1, 1, -1, -1)), {(2, 0), (1, 1)}),
    # one pair cannot make a matrix of rank 2
    ({"m": 5, "m0": 2, "d": 2}, ([[0], [3]], [[1, 2, 4]], [], (-1, 1, -1, -1, 1)), set()),
    ({"m": 6, "m0": 2, "d": 2}, ([[0], [5]], PAIRS, [], (-1, 1, -1, 1, -1, -1)), {(2, 2)}),
    # the same, with weights that make L' of rank 1
    (
        {"m": 6, "m0": 2, "d": 2, "weights": (1.0, -1.0)},
        ([[0], [5]], PAIRS, [], (-1, 1, -1, 1, -1, -1)),
        {(2, 1), (1, 2)},
    ),
    # a hidden bias makes the vectors longer, constant neurons or an output bias shorter again
    ({"m": 5, "m0": 1, "bias": True}, ([[0]], PAIRS, [], (-1, 1, -1, 1, -1)), {(2, 1), (1, 2)}),
    ({"m": 6, "m0": 1, "bias": True}, ([[0]], PAIRS, [5], (-1, 1, -1, 1, -1, 1)), {(2, 1)}),
    (
        {"m": 5, "m0": 1, "d": 2, "bias": True, "output_bias": True},
        ([[0]], PAIRS, [], (-1, 1, -1, 1, -1)),
        {(2, 1), (1, 2)},
    ),
]


@pytest.mark.parametrize(("arguments", "stratum", "expected"), RANKED, ids=str)
def test_components_of_a_stratum_differ_by_ranks(make_case, rng, arguments, stratum, expected):
    case = make_case(**{"formula": "softplus", "bias": False, "outputs": 2} | arguments)
    equations = Equations(case, stratum)
    points = generic_points(equations, rng, starts=30, steps=50, spread=2.0)
    found = pieces(equations, points)
    family, wanted = case.family, key(*stratum)
    listed = [branch for branch in same_sizes(family, stratum) if groups_of(branch) == wanted]
    assert found == {(branch.dim, branch.shape.ranks) for branch in listed}
    if expected is not None:
        assert {ranks for _, ranks in found} == expected
    if len(points):  # every solution found is on one of them
        a, v, _ = equations.split(points)
        thetas = family.setting.join(a, v, equations.parts(points)[1])
        sizes = 1.0 + np.abs(thetas).max(axis=1)
        assert (np.array([case.defect(theta) for theta in thetas]) < 1e-7 * sizes**2).all()
        assert np.min([branch.distance(thetas) for branch in listed], axis=0).max() < 1e-6


def same_sizes(family, stratum):
    """Yield the branches whose groups have the sizes of those of a stratum."""
    labelled, free, constant, _ = stratum
    sizes = tuple(map(len, labelled)), tuple(map(len, free)), len(constant)
    for orbit, shape in enumerate(family.shapes):
        if (shape.labelled, shape.free, shape.constant.size) == sizes:
            start = family.ends[orbit - 1] if orbit else 0
            yield from (family[i] for i in range(start, family.ends[orbit]))
