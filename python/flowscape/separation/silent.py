"""Between the rank and the codimension: verdicts from quadratic forms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.parts import BranchParts
from flowscape.separation.cells import Cell, cells_at, chambers
from flowscape.separation.features import PointOfBranch, at_point, features
from flowscape.separation.forms import Roots, common_root, root_of_indefinite
from flowscape.separation.one_form import MOST_SAMPLES, one_form
from flowscape.separation.rank import full_rank, left_null_space
from flowscape.separation.result import Reason, SeparationVerdict

__all__ = ["OF_ROOTS", "Answer", "combine", "silent_verdicts", "spots"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int8]
Answer = tuple[Ints, Ints, Floats, Floats | None]
"""Verdicts, reasons and margins (S,), and a root (P,) of the first sample set."""

_POINTS = 8


def spots(
    branch: BranchParts,
    points: list[PointOfBranch],
    theta: Floats | None,
    rng: np.random.Generator,
) -> list[tuple[PointOfBranch, list[Cell]]]:
    """Return where to look at the forms: points, and the sign patterns of interest there."""
    if theta is not None:
        return [(points[0], [cells_at(branch, points[0], theta)])]
    patterns = chambers(branch)
    if patterns is not None:
        return [(points[0], patterns)]
    spots = []
    for _ in range(_POINTS):
        member = branch.sample(rng)
        point = at_point(branch, member)
        spots.append((point, [cells_at(branch, point, member)]))
    return spots


def silent_verdicts(
    point: PointOfBranch, cells: list[Cell], stack: Floats, rng: np.random.Generator
) -> list[Answer]:
    """Return verdicts, reasons, margins, and a root (of the first set), for every cell."""
    n = stack.shape[1]
    structured = all(cell.inertias is not None for cell in cells)
    if structured and n - point.rank == 1 and n <= MOST_SAMPLES:
        form = one_form(point, stack)
        answers: list[Answer] = []
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


def _by_roots(point: PointOfBranch, cell: Cell, stack: Floats, rng: np.random.Generator) -> Answer:
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
        reason[i], verdict[i] = OF_ROOTS[answer.roots]
        margin[i] = answer.margin if verdict[i] else np.nan
        if i == 0 and answer.root is not None and cell.directions is not None:
            root = cell.directions @ answer.root
    return verdict, reason, margin, root


OF_ROOTS = {
    Roots.UNKNOWN: (Reason.DEGENERATE_FORMS, SeparationVerdict.UNDECIDED),
    Roots.NONE_DEFINITE: (Reason.DEFINITE_FORM, SeparationVerdict.SEPARATED),
    Roots.NONE_EXCLUDED: (Reason.NO_COMMON_ROOT, SeparationVerdict.SEPARATED),
    Roots.REGULAR: (Reason.REGULAR_ROOT, SeparationVerdict.NOT_SEPARATED),
}


def combine(answers: list[Answer]) -> tuple[Ints, Ints, Floats]:
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
