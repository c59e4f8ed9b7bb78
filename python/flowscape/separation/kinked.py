"""Separation for sigma(z) = alpha |z| + lambda z: off the kinks the zeros near a point are linear.

As long as no sample crosses a kink, f(x_i) = sum over classes C of s_Ci V_C . x~_i. A class is the
neurons on one side of one line, s_Ci the slope that they share at sample i, V_C = sum a_k (w_k,
b_k). Proofs in ``docs/separation.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.parts import BranchParts
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError
from flowscape.separation.arguments import member_of, sample_sets
from flowscape.separation.features import EPS, extended
from flowscape.separation.rank import full_rank
from flowscape.separation.result import Reason, Separation, SeparationVerdict
from flowscape.separation.shared_features import exact_rank

__all__ = ["Class", "classes", "kinked_separation", "linear_map"]

Floats = NDArray[np.float64]
Answer = tuple[SeparationVerdict, Reason, int]

_POINTS = 8
_NEAR = 64.0 * EPS


@dataclass(frozen=True)
class Class:
    """Neurons on one side of one line.

    Attributes
    ----------
    members : tuple of int
    balanced : bool
        V_C = 0: all the neurons of a free group, or one with a = 0.
    """

    members: tuple[int, ...]
    balanced: bool

    @property
    def at_rest(self) -> bool:
        """Whether it is a single neuron with a = 0, so that only a moves the function."""
        return self.balanced and len(self.members) == 1

    @property
    def turns_apart(self) -> bool:
        """Whether its neurons can leave their line, D > 1, at the same V_C.

        Two neurons with V_C = 0 cannot: a_1 v_1 = -a_2 v_2 keeps them on one line.
        """
        return len(self.members) > 1 + int(self.balanced)


def classes(branch: BranchParts, theta: Floats) -> list[Class]:
    """Return the classes of a point (P,) of a branch, those with zero input weight last."""
    found = []
    outgoing, incoming, _ = (part[0] for part in branch.setting.split(theta[None]))
    moments = np.abs(outgoing[:, 0]) * np.linalg.norm(incoming, axis=1)
    still = moments <= _NEAR * moments.sum()
    for place, block in enumerate(branch.blocks[1:]):
        free = place >= len(branch.shape.labelled)
        for sign in (1, -1):
            members = tuple(k for k in block if branch.signs[k] == sign)
            if members:
                alone = len(members) == 1 and bool(still[members[0]])  # D = 1: a side of sum 0
                found.append(Class(members, alone or (free and len(members) == len(block))))
    biases = incoming[:, -1]
    for side in (biases > 0.0, biases < 0.0):
        members = tuple(k for k in branch.blocks[0] if side[k])
        if members:
            found.append(Class(members, False))
    return found


def kinked_separation(
    branch: BranchParts, x: ArrayLike, theta: ArrayLike | None, *, rng: np.random.Generator
) -> Separation:
    """Implement `Branch.separation` for one output."""
    s = branch.setting
    if s.outputs > 1:
        raise ProblemError(
            f"activation={str(s.activation)!r} with outputs={s.outputs} is not covered: a neuron "
            "moves a matrix of rank one then; use one output"
        )
    stack, single = sample_sets(x, s.inputs)
    members = [branch.sample(rng) for _ in range(_POINTS)]
    if theta is not None:
        members = [member_of(branch, theta)]
    answers = [list(_answers(branch, member, stack)) for member in members]
    if theta is None:
        answers = [[_agreed(branch, found) for found in zip(*answers, strict=True)]]
    verdict, reason, rank = (
        np.array(part, dtype=np.int8) for part in zip(*answers[0], strict=True)
    )
    common = (int(rank.max()), branch.codim, branch.dim, s.n_params, stack.shape[1], 0, 0)
    if single:
        first = SeparationVerdict(int(verdict[0])), Reason(int(reason[0]))
        return Separation(*first, *common, float("nan"), None)
    return Separation(verdict, reason, *common, np.full(len(stack), np.nan), None)


def _agreed(branch: BranchParts, found: tuple[Answer, ...]) -> Answer:
    """Return the verdict on almost every point, from those at some points.

    Where no line is free, all points have the same classes and slopes.
    """
    rank = found[0][2]
    if found[0][1] is Reason.ONE_SIDE:
        return found[0]
    verdicts = {answer[0] for answer in found}
    fixed = len(branch.blocks[1:]) == len(branch.shape.labelled) and not branch.blocks[0]
    if fixed and len(verdicts) == 1:
        return found[0]
    both = {SeparationVerdict.SEPARATED, SeparationVerdict.NOT_SEPARATED} <= verdicts
    why = Reason.VARIES_ALONG_BRANCH if both else Reason.DEPENDS_ON_POINT
    return SeparationVerdict.UNDECIDED, why, rank


def _answers(branch: BranchParts, theta: Floats, stack: Floats) -> Iterator[Answer]:
    """Yield verdict, reason and rank for every sample set, at one point."""
    s, codim = branch.setting, branch.codim
    found = classes(branch, theta)
    turning = s.incoming > 1 and any(one.turns_apart for one in found)
    for x in stack:
        matrix = linear_map(s, found, theta, x)
        if matrix is None:
            yield SeparationVerdict.UNDECIDED, Reason.ON_A_KINK, 0
        elif turning:
            yield SeparationVerdict.NOT_SEPARATED, Reason.ONE_SIDE, 0
        else:
            rank = _rank(s, found, theta, x, matrix)
            if rank == codim:
                yield SeparationVerdict.SEPARATED, Reason.RANK, rank
            elif rank == len(x):
                yield SeparationVerdict.NOT_SEPARATED, Reason.RANK, rank
            else:
                yield SeparationVerdict.NOT_SEPARATED, Reason.DEFICIENT, rank


def linear_map(s: Setting, found: list[Class], theta: Floats, x: Floats) -> Floats | None:
    """Return the map (n, k) from moves of the classes, and of the output bias, to f(x_i).

    A class has D columns, for V_C; one at rest one column, for a. None if a sample may lie on the
    kink of a neuron.
    """
    slopes = _slopes(s, found, theta, x)
    if slopes is None:
        return None
    incoming, inputs = s.split(theta[None])[1][0], extended(s, x)
    columns = []
    for one, slope in zip(found, slopes, strict=True):
        steep = slope[:, None] * inputs
        columns.append(steep @ incoming[one.members[0]][:, None] if one.at_rest else steep)
    if s.output_bias:
        columns.append(np.ones((len(x), 1)))
    return np.concatenate(columns, axis=1)


def _slopes(s: Setting, found: list[Class], theta: Floats, x: Floats) -> list[Floats] | None:
    """Return sigma' of the classes at the samples (n,), None if one may be at the kink."""
    incoming, inputs = s.split(theta[None])[1][0], extended(s, x)
    slopes = []
    for one in found:
        vectors = incoming[list(one.members)]
        z, spread = inputs @ vectors.T, np.abs(inputs) @ np.abs(vectors.T)
        if np.any(np.abs(z) <= _NEAR * spread):
            return None
        slopes.append(s.sigma(z[:, 0] + s.centre)[1])
    return slopes if len(slopes) else None


def _rank(s: Setting, found: list[Class], theta: Floats, x: Floats, matrix: Floats) -> int:
    """Return the rank of `linear_map`: proven by singular values, or by exact arithmetic."""
    error = 8.0 * s.incoming * EPS * np.abs(matrix)
    if full_rank(matrix[None], error[None]).full[0]:
        return min(matrix.shape)
    incoming, inputs = s.split(theta[None])[1][0], extended(s, x)
    slopes = _slopes(s, found, theta, x)
    assert slopes is not None
    rows = []
    for i, sample in enumerate(inputs.tolist()):
        exact = [Fraction(t) for t in sample]
        row: list[Fraction] = []
        for one, slope in zip(found, slopes, strict=True):
            steep = [Fraction(float(slope[i])) * t for t in exact]
            if one.at_rest:
                vector = incoming[one.members[0]].tolist()
                row.append(
                    sum((t * Fraction(v) for t, v in zip(steep, vector, strict=True)), Fraction(0))
                )
            else:
                row += steep
        rows.append(row + [Fraction(1)] * s.output_bias)
    return exact_rank(rows)
