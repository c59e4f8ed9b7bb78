"""Whether a branch is separated from the imperfect zeros of the loss, for given sample sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.parts import BranchParts
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError, finite_array
from flowscape.separation.cells import chambers
from flowscape.separation.features import PointOfBranch, at_point, features
from flowscape.separation.rank import full_rank
from flowscape.separation.result import Reason, Separation, SeparationVerdict
from flowscape.separation.silent import combine, silent_verdicts, spots

__all__ = ["separation"]

Floats = NDArray[np.float64]

_ON = 1e-8
_POINTS = 8
_CHUNK = 8192


def separation(
    branch: BranchParts, x: ArrayLike, theta: ArrayLike | None, *, rng: np.random.Generator
) -> Separation:
    """Implement `Branch.separation`; see there."""
    s = branch.setting
    if s.outputs != 1:
        raise ProblemError(
            f"outputs={s.outputs} is not covered, separation is known for one output; use one"
        )
    stack, single = _stack(x, s.inputs)
    row = None if theta is None else finite_array("theta", theta, (s.n_params,))
    points = _points(branch, row, rng)
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
            root = answers[0][3] if single and theta is not None else None
        if theta is None and chambers(branch) is None:
            agreed = (verdict != SeparationVerdict.UNDECIDED).astype(bool)
            reason[agreed] = Reason.DEPENDS_ON_POINT
            verdict[agreed] = SeparationVerdict.UNDECIDED
            margin[agreed] = np.nan
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
    forms, variables = (n - rho, codim - rho) if silent else (0, 0)
    common = (min(n, rho), codim, branch.dim, s.n_params, n, forms, variables)
    if single:
        first = SeparationVerdict(int(verdict[0])), Reason(int(reason[0]))
        return Separation(*first, *common, float(margin[0]), root)
    return Separation(verdict, reason, *common, margin, None)


def _stack(x: ArrayLike, inputs: int) -> tuple[Floats, bool]:
    array = finite_array("x", x, ("n", inputs), ("S", "n", inputs))
    if array.shape[-2] == 0:
        raise ProblemError(
            f"x has shape {array.shape} and must hold at least one sample; give n >= 1 samples"
        )
    return (array[None], True) if array.ndim == 2 else (array, False)


def _points(
    branch: BranchParts, row: Floats | None, rng: np.random.Generator
) -> list[PointOfBranch]:
    generic = at_point(branch, branch.sample(rng))
    if row is None:
        return [generic, *(at_point(branch, branch.sample(rng)) for _ in range(_POINTS - 1))]
    distance = float(branch.distance(row))
    if distance > _ON * (1.0 + float(np.abs(row).max())):
        raise ProblemError(
            f"theta is {distance:.1e} away from the branch {branch.name} and must lie on it; "
            "take project(theta)"
        )
    point = at_point(branch, row)
    if point.rank != generic.rank or _coincide(point):
        raise ProblemError(
            f"theta is not a generic point of the branch {branch.name}: groups share an incoming "
            "vector, or their outgoing weights vanish; take another one, such as sample(rng)"
        )
    return [point]


def _coincide(point: PointOfBranch) -> bool:
    vectors = [g.vector for g in point.groups]
    if point.setting.signed:
        vectors += [-v for v in vectors]
    return any(np.linalg.norm(v - w) <= _ON for i, v in enumerate(vectors) for w in vectors[:i])


def _full_somewhere(points: list[PointOfBranch], stack: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Return whether the features have full rank at one of the points, hence at almost all."""
    full = np.zeros(len(stack), dtype=np.bool_)
    room = np.full(len(stack), np.nan)
    for point in points:
        rows = np.flatnonzero(~full)
        if len(rows) == 0:
            break
        found = features(point, stack[rows])
        rank = full_rank(found.phi, found.error)
        full[rows] = rank.full
        room[rows] = rank.smallest - rank.bound
    return full, room


def _different(stack: Floats, setting: Setting) -> NDArray[np.int64]:
    """Return how many samples of each set give different equations, (S,).

    Repeated samples do not; without hidden bias an odd or even activation gives x and -x the same
    equation (up to sign), and an odd one none at x = 0.
    """
    folded = setting.signed and not setting.bias and not setting.output_bias
    size, n = stack.shape[:2]
    count = np.zeros(size, dtype=np.int64)
    for i in range(n):
        new = np.ones(size, dtype=np.bool_)
        if folded and not setting.even:
            new &= np.any(stack[:, i] != 0.0, axis=1)
        for j in range(i):
            new &= np.any(stack[:, i] != stack[:, j], axis=1)
            if folded:
                new &= np.any(stack[:, i] != -stack[:, j], axis=1)
        count += new
    return count
