"""Coupled families against a listing by brute force: solve every stratum, look for generic points.

A stratum (partition, labels, signs) is a component if it has a point at which no part of a group
could be a group of its own: no partial sum of outgoing weights is 0 or the target's, incoming
vectors are different. Such points are looked for by Newton's method from random starts, on the
defining equations alone. This uses no rule about which strata exist.
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
        self.size = case.m + len(self.free) * s.incoming + len(self.constant) * s.bias

    def split(self, y):
        """Return a (B, m), v (B, m, D) and the vectors of the groups."""
        d, m, size = self.s.incoming, self.m, len(y)
        u = y[:, m : m + len(self.free) * d].reshape(size, len(self.free), d)
        v = np.zeros((size, m, d))
        for t, block in enumerate(self.labelled):
            v[:, block] = self.signs[block, None] * self.target.incoming[t]
        for j, block in enumerate(self.free):
            v[:, block] = self.signs[block, None] * u[:, j, None]
        if self.s.bias and self.constant:
            v[:, self.constant, -1] = y[:, -len(self.constant) :] - self.s.centre
        return y[:, :m], v, u

    def __call__(self, y):
        s, target = self.s, self.target
        a, v, _ = self.split(y)
        pull = np.ones(self.m) if s.even else self.signs
        rows = [
            (a[:, block] * pull[block]).sum(axis=1) - target.outgoing[t, 0]
            for t, block in enumerate(self.labelled)
        ]
        rows += [(a[:, block] * pull[block]).sum(axis=1) for block in self.free]
        others = [k for k in range(self.m) if k not in self.constant]
        flat = (
            v[:, self.constant, -1] + s.centre if s.bias else np.zeros((len(y), len(self.constant)))
        )
        level = (a[:, self.constant] * s.sigma(flat)[0]).sum(axis=1)
        level = level + s.level * a[:, others].sum(axis=1)
        if s.slope:
            made = np.einsum("bk,bkj->bj", a[:, others], v[:, others])
            rows += list((made[:, : s.inputs] - target.linear[0]).T)
            level = level + s.slope * made[:, -1] * s.bias
        if s.level or s.bias:
            rows.append(level - target.constant[0])
        return np.stack(rows, axis=1)

    def generic(self, y):
        """Return which points are generic."""
        s, target = self.s, self.target
        a, v, u = self.split(y)
        pull = np.ones(self.m) if s.even else self.signs
        good = np.ones(len(y), bool)
        groups = [(b, target.outgoing[t, 0]) for t, b in enumerate(self.labelled)]
        groups += [(b, 0.0) for b in self.free]
        for block, weight in groups:
            for size in range(1, len(block)):
                for part in combinations(block, size):
                    total = (a[:, part] * pull[list(part)]).sum(axis=1)
                    good &= (np.abs(total) > CLEAR) & (np.abs(total - weight) > CLEAR)
        vectors = [np.broadcast_to(w, u[:, 0].shape) for w in target.incoming] if self.free else []
        for j in range(len(self.free)):
            good &= np.linalg.norm(u[:, j, : s.inputs], axis=1) > CLEAR
            for other in vectors:
                good &= np.linalg.norm(u[:, j] - other, axis=1) > CLEAR
                good &= np.linalg.norm(u[:, j] + other, axis=1) > CLEAR
            vectors.append(u[:, j])
        good &= (np.abs(a[:, self.constant]) > CLEAR).all(axis=1)
        for size in range(2, len(self.constant) + 1):
            for part in combinations(self.constant, size):
                if s.bias:
                    good &= np.ptp(v[:, part, -1], axis=1) > CLEAR
                    continue
                # at w = 0 they could be a free group of any signs
                for signs in product((1.0, -1.0), repeat=size):
                    good &= np.abs((a[:, part] * signs).sum(axis=1)) > CLEAR
        return good


def has_generic_point(equations, rng, starts=10, steps=30):
    y = 1.5 * rng.normal(size=(starts, equations.size))
    eye = 1e-6 * np.eye(equations.size)
    values = equations(y)
    damping = np.full(len(y), 1e-2)
    for _ in range(steps):
        moved = [(equations(y + e) - equations(y - e)) / 2e-6 for e in eye]
        jacobian = np.stack(moved, axis=2)
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
    return bool((solved & equations.generic(y) & (np.abs(y).max(axis=1) < 1e4)).any())


FEW = [
    {"formula": "sigmoid", "m": 3, "m0": 1, "bias": False},
    {"formula": "softplus", "m": 3, "m0": 1, "bias": False},
    {"formula": "softplus", "m": 3, "m0": 1},
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
]


@pytest.mark.parametrize(
    "arguments", [*FEW, *(pytest.param(case, marks=pytest.mark.slow) for case in MANY)], ids=str
)
def test_the_list_is_that_of_strata_with_generic_points(make_case, rng, arguments):
    case = make_case(**arguments)
    family = case.family
    listed = set()
    for branch in family:
        m0 = len(branch.shape.labelled)
        groups = branch.blocks[1 : 1 + m0], frozenset(branch.blocks[1 + m0 :]), branch.blocks[0]
        listed.add((*groups, branch.signs))
    found = set()
    flat = family.setting.bias or family.setting.level
    for stratum in strata(case.m, family.target.m0, constant=flat):
        labelled, free, constant, signs = stratum
        if has_generic_point(Equations(case, stratum), rng):
            groups = tuple(map(tuple, labelled)), frozenset(map(tuple, free)), tuple(constant)
            found.add((*groups, signs))
    assert found == listed
