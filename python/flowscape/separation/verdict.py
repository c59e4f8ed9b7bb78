"""Whether a branch is separated from the imperfect zeros of the loss, for given sample sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.parts import BranchParts
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError, finite_array
from flowscape.problem.traits import traits
from flowscape.separation.arguments import member_of, sample_sets
from flowscape.separation.cells import chambers
from flowscape.separation.features import Features, PointOfBranch, at_point, features
from flowscape.separation.kinked import kinked_separation
from flowscape.separation.output_features import OutputFeatures, output_features
from flowscape.separation.output_forms import output_verdicts
from flowscape.separation.outputs import PointOfOutputs, at_outputs
from flowscape.separation.rank import full_rank
from flowscape.separation.result import Reason, Separation, SeparationVerdict
from flowscape.separation.silent import Answer, combine, silent_verdicts, spots

__all__ = ["separation"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int8]
_Point = TypeVar("_Point", PointOfBranch, PointOfOutputs)

_ON = 1e-8
_POINTS = 8
_CHUNK = 8192


def separation(
    branch: BranchParts, x: ArrayLike, theta: ArrayLike | None, *, rng: np.random.Generator
) -> Separation:
    """Implement `Branch.separation`; see there."""
    s = branch.setting
    if traits(s.activation).has_kink:
        return kinked_separation(branch, x, theta, rng=rng)
    stack, single = sample_sets(x, s.inputs)
    row = None if theta is None else finite_array("theta", theta, (s.n_params,))
    if s.outputs > 1 and s.slope:
        raise ProblemError(
            f"activation={str(s.activation)!r} with outputs={s.outputs} is not covered: signs "
            "couple the groups by a matrix, and separation is known then for one output; use one"
        )
    if s.outputs > 1:
        return _several_outputs(branch, stack, row, single, rng)
    points = _points(branch, row, rng, at_point)
    n, rho, codim = stack.shape[1], points[0].rank, branch.codim
    silent = rho < n < codim
    verdict = np.zeros(len(stack), dtype=np.int8)
    reason = np.zeros(len(stack), dtype=np.int8)
    margin = np.full(len(stack), np.nan)
    root = None
    if silent:
        looked_at = spots(branch, points, row, rng)
        for start in range(0, len(stack), _CHUNK):
            part = slice(start, start + _CHUNK)
            answers = [
                answer
                for point, cells in looked_at
                for answer in silent_verdicts(point, cells, stack[part], rng)
            ]
            verdict[part], reason[part], margin[part] = combine(answers)
            root = answers[0][3] if single and row is not None else None
        if row is None and chambers(branch) is None:
            _leave_to_points(verdict, reason, margin)
    else:
        settled = SeparationVerdict.SEPARATED if n >= codim else SeparationVerdict.NOT_SEPARATED
        why = Reason.CODIMENSION if n >= codim and rho < codim else Reason.RANK
        for start in range(0, len(stack), _CHUNK):
            part = slice(start, start + _CHUNK)
            full, room = _full_somewhere(points, stack[part])
            if why is Reason.CODIMENSION:  # the theorem counts equations, so repetitions do not
                full &= _different(stack[part], s) >= codim
            verdict[part] = np.where(full, settled, SeparationVerdict.UNDECIDED)
            reason[part] = np.where(full, why, Reason.NOT_SEPARATING_INPUTS)
            margin[part] = np.where(full, room, np.nan)
    return _result(branch, (verdict, reason, margin, root), n, rho, silent, single)


def _several_outputs(
    branch: BranchParts, stack: Floats, row: Floats | None, single: bool, rng: np.random.Generator
) -> Separation:
    """Answer for several outputs; the cases stand in ``docs/separation.md``."""
    s, codim, n = branch.setting, branch.codim, stack.shape[1]
    points = _points(branch, row, rng, at_outputs)
    members = [row] if row is not None else [branch.sample(rng) for _ in range(_POINTS)]
    rho, equations = points[0].rank, n * s.outputs
    silent = rho < equations and rho < codim and n < codim
    if silent:
        answers = [
            output_verdicts(branch, at_outputs(branch, one), one, stack, rng) for one in members
        ]
        verdict, reason, margin = combine(answers)
        root = answers[0][3] if single and row is not None else None
        if row is None:
            _leave_to_points(verdict, reason, margin)
    else:
        full, margin, root = *_full_somewhere(points, stack), None
        settled, why = SeparationVerdict.SEPARATED, Reason.RANK
        if equations <= rho and equations < codim:
            settled = SeparationVerdict.NOT_SEPARATED
        elif rho < codim:
            why = Reason.CODIMENSION
            full &= _different(stack, s) >= codim
        verdict = np.where(full, settled, SeparationVerdict.UNDECIDED).astype(np.int8)
        reason = np.where(full, why, Reason.NOT_SEPARATING_INPUTS).astype(np.int8)
        margin = np.where(full, margin, np.nan)
    for point in points:
        found, room = output_features(point, stack).alone(point)
        rows = np.flatnonzero(found.any(axis=1) & (verdict == SeparationVerdict.UNDECIDED))
        verdict[rows], reason[rows] = SeparationVerdict.NOT_SEPARATED, Reason.ONE_GROUP
        margin[rows] = np.nanmax(room[rows], axis=1)
    return _result(branch, (verdict, reason, margin, root), n, rho, silent, single)


def _leave_to_points(verdict: Ints, reason: Ints, margin: Floats) -> None:
    """Withdraw verdicts that several points agree on: others may not."""
    agreed = verdict != SeparationVerdict.UNDECIDED
    reason[agreed] = Reason.DEPENDS_ON_POINT
    verdict[agreed] = SeparationVerdict.UNDECIDED
    margin[agreed] = np.nan


def _result(
    branch: BranchParts, answer: Answer, n: int, rho: int, silent: bool, single: bool
) -> Separation:
    s, codim = branch.setting, branch.codim
    verdict, reason, margin, root = answer
    equations = n * s.outputs
    forms, variables = (equations - rho, codim - rho) if silent else (0, 0)
    common = (min(equations, rho), codim, branch.dim, s.n_params, n, forms, variables)
    if single:
        first = SeparationVerdict(int(verdict[0])), Reason(int(reason[0]))
        return Separation(*first, *common, float(margin[0]), root, s.outputs)
    return Separation(verdict, reason, *common, margin, None, s.outputs)


def _points(
    branch: BranchParts,
    row: Floats | None,
    rng: np.random.Generator,
    at: Callable[[BranchParts, Floats], _Point],
) -> list[_Point]:
    generic = at(branch, branch.sample(rng))
    if row is None:
        return [generic] + [at(branch, branch.sample(rng)) for _ in range(_POINTS - 1)]
    point = at(branch, member_of(branch, row))
    if point.rank != generic.rank or _coincide(point):
        raise ProblemError(
            f"theta is not a generic point of the branch {branch.name}: groups share an incoming "
            "vector, or their outgoing weights vanish; take another one, such as sample(rng)"
        )
    return [point]


def _coincide(point: PointOfBranch | PointOfOutputs) -> bool:
    vectors = [g.vector for g in point.groups]
    if point.setting.signed:
        vectors += [-v for v in vectors]
    return any(np.linalg.norm(v - w) <= _ON for i, v in enumerate(vectors) for w in vectors[:i])


def _full_somewhere(points: list[_Point], stack: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Return whether the features have full rank at one of the points, hence at almost all."""
    full = np.zeros(len(stack), dtype=np.bool_)
    room = np.full(len(stack), np.nan)
    for point in points:
        rows = np.flatnonzero(~full)
        if len(rows) == 0:
            break
        if isinstance(point, PointOfOutputs):
            found: Features | OutputFeatures = output_features(point, stack[rows])
        else:
            found = features(point, stack[rows])
        rank = full_rank(found.phi, found.error)
        full[rows] = rank.full
        room[rows] = rank.smallest - rank.bound
    return full, room


def _different(stack: Floats, setting: Setting) -> NDArray[np.int64]:
    """Return how many samples of each set give different equations, (S,).

    Repeated samples do not. Without hidden bias and sigma odd or even, x and -x give the same
    equation (up to sign), and an odd one none at x = 0. What is added then, a constant (also by an
    output bias) or a linear function, makes equations of its own at pairs x, -x: one, or as many
    as these x are independent.
    """
    folded = setting.signed and not setting.bias
    size, n = stack.shape[:2]
    count = np.zeros(size, dtype=np.int64)
    paired = np.zeros((size, n), dtype=np.bool_)
    for i in range(n):
        new = np.ones(size, dtype=np.bool_)
        zero = ~np.any(stack[:, i] != 0.0, axis=1)
        if folded and not setting.even:
            new &= ~zero
            paired[:, i] |= zero
        for j in range(i):
            new &= np.any(stack[:, i] != stack[:, j], axis=1)
            if folded:
                opposite = ~np.any(stack[:, i] != -stack[:, j], axis=1)
                paired[:, i] |= opposite
                new &= ~opposite
        count += new
    if folded and setting.slope:
        count += np.linalg.matrix_rank(np.where(paired[:, :, None], stack, 0.0))
    elif folded and not setting.even and (setting.level or setting.output_bias):
        count += paired.any(axis=1)
    return count
