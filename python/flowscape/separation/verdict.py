"""Whether a branch is separated from the imperfect zeros of the loss, for given sample sets."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.parts import BranchParts
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError, finite_array
from flowscape.separation.cells import Cell, cells_at, chambers
from flowscape.separation.features import PointOfBranch, at_point, features
from flowscape.separation.forms import Roots, common_root, root_of_indefinite
from flowscape.separation.one_form import MOST_SAMPLES, one_form
from flowscape.separation.rank import full_rank, left_null_space

__all__ = ["Reason", "Separation", "SeparationVerdict", "separation"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int8]

_ON = 1e-8
_POINTS = 8
_CHUNK = 8192


class SeparationVerdict(enum.IntEnum):
    """Whether the zeros of the loss near a branch are the branch's own points."""

    UNDECIDED = 0
    SEPARATED = 1
    NOT_SEPARATED = 2


class Reason(enum.IntEnum):
    """Why; see ``docs/separation.md``."""

    RANK = 1
    CODIMENSION = 2
    DEFINITE_FORM = 3
    NO_COMMON_ROOT = 4
    REGULAR_ROOT = 5
    NOT_SEPARATING_INPUTS = 6
    DEGENERATE_FORMS = 7
    VARIES_ALONG_BRANCH = 8
    DEPENDS_ON_POINT = 9


_SENTENCES = {
    Reason.RANK: "the Jacobian has full row rank below the codimension, or the codimension as rank",
    Reason.CODIMENSION: "at least as many samples as the codimension, true for almost all samples",
    Reason.DEFINITE_FORM: "a combination of the quadratic forms is definite: no common root",
    Reason.NO_COMMON_ROOT: "interval exclusion: the quadratic forms have no common root",
    Reason.REGULAR_ROOT: "the quadratic forms have a common root with independent gradients",
    Reason.NOT_SEPARATING_INPUTS: "full rank of the features is not proven for these samples",
    Reason.DEGENERATE_FORMS: "the quadratic forms do not decide: higher order",
    Reason.VARIES_ALONG_BRANCH: "separated near some points of the branch, not near others",
    Reason.DEPENDS_ON_POINT: "depends on the free incoming vectors; ask at a point theta",
}


@dataclass(frozen=True)
class Separation:
    """Verdicts on one branch for one sample set, or for a stack of S of them.

    Attributes
    ----------
    verdict : SeparationVerdict, or (S,) ndarray of int8
    reason : Reason, or (S,) ndarray of int8
    rank : int
        Of the Jacobian where its full rank is proven: min(n, rho).
    codim, dim, n_params, n : int
        Of the branch, of the network, and the number of samples.
    n_forms, n_variables : int
        Of the silent regime rho < n < codim; 0 outside.
    margin : float or (S,) ndarray
        How far the certificate is from failing, in its own unit; NaN where there is none.
    root : (P,) ndarray or None
        At a single point and sample set with a regular root: a unit direction in parameter space
        along which imperfect zeros leave the branch.
    """

    verdict: SeparationVerdict | Ints
    reason: Reason | Ints
    rank: int
    codim: int
    dim: int
    n_params: int
    n: int
    n_forms: int
    n_variables: int
    margin: float | Floats
    root: Floats | None

    @property
    def message(self) -> str:
        """One sentence on the reason; of one sample set."""
        return _SENTENCES[Reason(int(self.reason))]

    @property
    def local_dimension(self) -> NDArray[np.int64] | int:
        """Dimension of the zeros of the loss near generic points of the branch; -1: undecided.

        dim of the branch where it is separated, P - n where it is not.
        """
        verdict = np.asarray(self.verdict)
        found = np.where(verdict == SeparationVerdict.SEPARATED, self.dim, -1)
        found = np.where(verdict == SeparationVerdict.NOT_SEPARATED, self.n_params - self.n, found)
        return found.astype(np.int64) if found.ndim else int(found)

    @property
    def morse_bott(self) -> bool | list[bool | None] | None:
        """Whether the loss is Morse-Bott at generic points of the branch; None: undecided.

        It is exactly where the rank of the Jacobian is the codimension of the set of zeros: rank =
        codim of a separated branch, or rank = n. Elsewhere the rank is smaller, and at a regular
        root the zeros are not even a manifold.
        """
        verdict, reason = np.asarray(self.verdict), np.asarray(self.reason)
        by_rank = (reason == Reason.RANK) | (self.rank == self.codim)
        answers = [
            None if v == SeparationVerdict.UNDECIDED else bool(r)
            for v, r in zip(np.atleast_1d(verdict), np.atleast_1d(by_rank), strict=True)
        ]
        return answers if verdict.ndim else answers[0]


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
    points = _points(branch, theta, rng)
    n, rho, codim = stack.shape[1], points[0].rank, branch.codim
    silent = rho < n < codim
    verdict = np.zeros(len(stack), dtype=np.int8)
    reason = np.zeros(len(stack), dtype=np.int8)
    margin = np.full(len(stack), np.nan)
    root = None
    if silent:
        spots = _spots(branch, points, theta, rng)
        for start in range(0, len(stack), _CHUNK):
            part = slice(start, start + _CHUNK)
            answers = [
                answer
                for point, cells in spots
                for answer in _silent(point, cells, stack[part], rng)
            ]
            verdict[part], reason[part], margin[part] = _combine(answers)
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
    if 0 in array.shape:
        raise ProblemError(
            f"x has shape {array.shape} and must hold at least one sample; give n >= 1 samples"
        )
    return (array[None], True) if array.ndim == 2 else (array, False)


def _points(
    branch: BranchParts, theta: ArrayLike | None, rng: np.random.Generator
) -> list[PointOfBranch]:
    generic = at_point(branch, branch.sample(rng))
    if theta is None:
        return [generic, *(at_point(branch, branch.sample(rng)) for _ in range(_POINTS - 1))]
    row = finite_array("theta", theta, (branch.setting.n_params,))
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


_Answer = tuple[Ints, Ints, Floats, Floats | None]


def _spots(
    branch: BranchParts,
    points: list[PointOfBranch],
    theta: ArrayLike | None,
    rng: np.random.Generator,
) -> list[tuple[PointOfBranch, list[Cell]]]:
    """Return where to look at the forms: points, and the sign patterns of interest there."""
    if theta is not None:
        return [(points[0], [cells_at(branch, points[0], np.asarray(theta, dtype=np.float64))])]
    patterns = chambers(branch)
    if patterns is not None:
        return [(points[0], patterns)]
    spots = []
    for _ in range(_POINTS):
        member = branch.sample(rng)
        point = at_point(branch, member)
        spots.append((point, [cells_at(branch, point, member)]))
    return spots


def _silent(
    point: PointOfBranch, cells: list[Cell], stack: Floats, rng: np.random.Generator
) -> list[_Answer]:
    """Return verdicts, reasons, margins, and a root (of the first set), for every cell."""
    n = stack.shape[1]
    structured = all(cell.inertias is not None for cell in cells)
    if structured and n - point.rank == 1 and n <= MOST_SAMPLES:
        form = one_form(point, stack)
        answers: list[_Answer] = []
        for cell in cells:
            sign, room = form.definite(cell.inertias or ())
            sign[~form.full] = 0
            verdict = _SIGN_VERDICTS[sign]
            reason = np.where(form.full, _SIGN_REASONS[sign], Reason.NOT_SEPARATING_INPUTS)
            margin = np.where(sign != 0, room, np.nan)
            answers.append((verdict, reason.astype(np.int8), margin, None))
        wanted = cells[0].directions is not None and len(stack) == 1
        if wanted and answers[0][0][0] == SeparationVerdict.NOT_SEPARATED:
            answers[0] = (*answers[0][:3], _direction(point, cells[0], stack))
        return answers
    return [_by_roots(point, cell, stack, rng) for cell in cells]


def _direction(point: PointOfBranch, cell: Cell, stack: Floats) -> Floats | None:
    """Return a root of the single form that the minors prove to be indefinite."""
    found = features(point, stack)
    null_space, wrong = left_null_space(found.phi[0], found.error[0])
    forms, _ = cell.forms(null_space, wrong, found, 0)
    root = root_of_indefinite(forms[0])
    if root is None or cell.directions is None:
        return None
    return np.asarray(cell.directions @ root)


# indexed by sign: 0, 1, -1
_SIGN_VERDICTS = np.array([0, 1, 2], dtype=np.int8)
_SIGN_REASONS = np.array(
    [Reason.DEGENERATE_FORMS, Reason.DEFINITE_FORM, Reason.REGULAR_ROOT], dtype=np.int8
)


def _by_roots(point: PointOfBranch, cell: Cell, stack: Floats, rng: np.random.Generator) -> _Answer:
    """Answer with the certificates of `forms`, one sample set after the other."""
    found = features(point, stack)
    size = len(stack)
    verdict, reason = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int8)
    margin, root = np.full(size, np.nan), None
    rank = full_rank(found.phi, found.error)
    for i in range(size):
        if not rank.full[i]:
            reason[i] = Reason.NOT_SEPARATING_INPUTS
            continue
        null_space, wrong = left_null_space(found.phi[i], found.error[i])
        forms, error = cell.forms(null_space, wrong, found, i)
        answer = common_root(forms, error, rng)
        reason[i], verdict[i] = _OF_ROOTS[answer.roots]
        margin[i] = answer.margin if verdict[i] else np.nan
        if i == 0 and answer.root is not None and cell.directions is not None:
            root = cell.directions @ answer.root
    return verdict, reason, margin, root


_OF_ROOTS = {
    Roots.UNKNOWN: (Reason.DEGENERATE_FORMS, SeparationVerdict.UNDECIDED),
    Roots.NONE_DEFINITE: (Reason.DEFINITE_FORM, SeparationVerdict.SEPARATED),
    Roots.NONE_EXCLUDED: (Reason.NO_COMMON_ROOT, SeparationVerdict.SEPARATED),
    Roots.REGULAR: (Reason.REGULAR_ROOT, SeparationVerdict.NOT_SEPARATED),
}


def _combine(answers: list[_Answer]) -> tuple[Ints, Ints, Floats]:
    """Return one verdict per sample set from those of several points of the branch."""
    verdicts = np.stack([answer[0] for answer in answers])
    reasons = np.stack([answer[1] for answer in answers])
    margins = np.stack([answer[2] for answer in answers])
    same = (verdicts == verdicts[0]).all(axis=0)
    separated = (verdicts == SeparationVerdict.SEPARATED).any(axis=0)
    not_separated = (verdicts == SeparationVerdict.NOT_SEPARATED).any(axis=0)
    varies = separated & not_separated
    verdict = np.where(same, verdicts[0], SeparationVerdict.UNDECIDED).astype(np.int8)
    unclear = np.where(verdicts == SeparationVerdict.UNDECIDED, reasons, 0).max(axis=0)
    reason = np.where(same, reasons[0], unclear)
    reason = np.where(varies, Reason.VARIES_ALONG_BRANCH, reason).astype(np.int8)
    margin = np.where(same & (verdict != 0), margins.min(axis=0), np.nan)
    return verdict, reason, margin
