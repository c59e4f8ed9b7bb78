"""The quadratic forms of the silent regime: their blocks, and where along a branch they change.

With c in the left null space of the features, the residual restricted to the kernel of the Jacobian
and normal to the branch is, to second order, half of

    sum_i c_i sum_k a_k sigma''(v_k . x_i) (e_k . x_i)^2,      e_k the change of v_k.

On a labelled group the e_k obey sum a_k e_k = 0, on a free one also sum e_k = 0. So a group
contributes A_g (x) M_g, with M_g = sum_i c_i sigma''(v_g . x_i) x_i x_i^T and A_g the restriction
of diag(a): only the inertia of A_g matters, and that depends on the signs of the a_k alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.parts import BranchParts
from flowscape.separation.features import EPS, Features, Group, PointOfBranch

Floats = NDArray[np.float64]
Inertias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Cell:
    """Where on a branch the forms are taken.

    Attributes
    ----------
    inertias : tuple of (int, int) or None
        Numbers of positive and negative eigenvalues of A_g, group by group; None where the forms
        are not of this shape (a constant group takes part, or a weight in a group is 0).
    directions : (P, k) ndarray or None
        Orthonormal basis of the variables at a point.
    outgoing : (m,) ndarray or None
        a_k at that point, with signs eps_k.
    blocks : (m, D, k) ndarray or None
        The incoming part of the directions, neuron by neuron.
    group_of : tuple of int
        Group of every neuron, -1 in the constant group.
    constant_curvature : (m,) ndarray or None
        sigma''(b_k) of the constant neurons.
    """

    inertias: Inertias | None
    directions: Floats | None = None
    outgoing: Floats | None = None
    blocks: Floats | None = None
    group_of: tuple[int, ...] = ()
    constant_curvature: Floats | None = None

    def forms(
        self, null_space: Floats, wrong: float, found: Features, i: int
    ) -> tuple[Floats, float]:
        """Return the forms (s, k, k) of sample set i, and a bound on their errors."""
        curvature, doubt = found.curvature[i], found.curvature_error[i]
        inputs = found.inputs[i]
        squares = (inputs**2).sum(axis=1)
        if self.directions is None:
            blocks = [
                sign * np.einsum("ji,i,ip,iq->jpq", null_space, curvature[:, g], inputs, inputs)
                for g, (plus, minus) in enumerate(self.inertias or ())
                for sign in (1.0,) * plus + (-1.0,) * minus
            ]
            size = inputs.shape[1]
            forms = np.zeros((len(null_space), size * len(blocks), size * len(blocks)))
            for place, block in enumerate(blocks):
                part = slice(place * size, (place + 1) * size)
                forms[:, part, part] = block
            height = np.abs(curvature).max(axis=1, initial=0.0)
            unsure = doubt.max(axis=1, initial=0.0)
            factor = 1.0
        else:
            assert self.outgoing is not None
            assert self.blocks is not None
            columns = [
                curvature[:, g] if g >= 0 else np.full(len(inputs), self._flat(k))
                for k, g in enumerate(self.group_of)
            ]
            moved = np.einsum("kdp,id->kip", self.blocks, inputs)
            weights = np.stack([a * c for a, c in zip(self.outgoing, columns, strict=True)])
            forms = np.einsum("ji,ki,kip,kiq->jpq", null_space, weights, moved, moved)
            height = np.abs(np.stack(columns)).max(axis=0, initial=0.0)
            unsure = doubt.max(axis=1, initial=0.0) + 8 * EPS * height
            factor = float(np.abs(self.outgoing).sum())
        rounding = 4 * len(inputs) * EPS
        error = factor * float(((wrong + rounding) * height + unsure) @ squares)
        return 0.5 * (forms + np.swapaxes(forms, 1, 2)), error

    def _flat(self, k: int) -> float:
        return 0.0 if self.constant_curvature is None else float(self.constant_curvature[k])


def group_inertia(group: Group) -> tuple[int, int] | None:
    """Return the inertia of A_g; None if it is degenerate because some a_k is 0.

    diag(a) has one eigenvalue per neuron. Restricting it to sum a_k y_k = 0, the complement of
    (1, ..., 1) in the sense of the form, removes one of the sign of sum a_k. For a free group
    sum a_k = 0: (1, ..., 1) is isotropic, and the restriction to its complement modulo itself
    loses one of each sign.
    """
    plus = int((group.outgoing > 0.0).sum())
    minus = int((group.outgoing < 0.0).sum())
    if group.free and len(group.members) == 1:
        return 0, 0
    if plus + minus < len(group.members):
        return None
    if group.free:
        return plus - 1, minus - 1
    return (plus - 1, minus) if group.outgoing.sum() > 0.0 else (plus, minus - 1)


def cells_at(branch: BranchParts, point: PointOfBranch, theta: Floats) -> Cell:
    """Return the cell of one point (P,)."""
    s = branch.setting
    inertias = tuple(group_inertia(group) for group in point.groups)
    variables = branch.codim - point.rank
    known = [pair for pair in inertias if pair is not None]
    structured = len(known) == len(inertias)
    structured &= s.incoming * sum(map(sum, known)) == variables
    stacked = np.concatenate([point.matrix, branch.tangent(theta).T])
    directions = np.linalg.svd(stacked)[2][len(stacked) :].T
    outgoing, incoming, _ = (part[0] for part in s.split(theta[None]))
    blocks = np.zeros((s.width, s.incoming, variables))
    for k in range(s.width):
        for j in range(s.incoming):
            blocks[k, j] = directions[s.v_index(k, j)]
    group_of = [-1] * s.width
    for g, group in enumerate(point.groups):
        for k in group.members:
            group_of[k] = g
    eps = np.array(branch.signs, dtype=np.float64)
    flat = np.zeros(s.width)
    for k in branch.blocks[0]:
        bias = incoming[k, -1] + s.centre if s.bias else 0.0
        flat[k] = s.activation.jet(float(bias))[2]
    return Cell(
        tuple(known) if structured else None,
        directions,
        s.pull(eps) * outgoing[:, 0],
        blocks,
        tuple(group_of),
        flat,
    )


def chambers(branch: BranchParts) -> list[Cell] | None:
    """Return the cells of all sign patterns of a branch without free vectors that matter.

    None if a free or constant group takes part: then the forms depend on more than signs. Also
    where signs are flipped and groups are coupled, which excludes some of the patterns.
    """
    s = branch.setting
    if branch.shape.free or branch.blocks[0]:
        return None
    if (s.level or s.slope) and min(branch.signs) < 0:
        return None
    return [Cell(pattern) for pattern in dict.fromkeys(_patterns(branch))]


def _patterns(branch: BranchParts) -> Iterator[Inertias]:
    choices = []
    for place, size in enumerate(branch.shape.labelled):
        positive = float(branch.target.outgoing[place, 0]) > 0.0
        pairs = [(p - 1, size - p) for p in range(1, size + 1)]
        choices.append(pairs if positive else [(minus, plus) for plus, minus in pairs])
    yield from product(*choices)
