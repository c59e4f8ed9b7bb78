"""The tables of a recovery study, as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flowscape.report.text import align, percent, short
from flowscape.status import Kind, Status
from flowscape.sweep import BranchRow, Outcome, RecoverResult, Verdict

LEGEND = (
    "dim, codim: of the branch; def: deficient number; opt: optimistic sample size of the target;\n"
    "sep: sample size from which the branch is separated."
)
_ERROR_LEGEND = " Error: root mean square of f - f*."


def summary(result: RecoverResult) -> str:
    """Return the branch table next to the measured outcome, one block per scale.

    A block pools the sample sets. Kinds that no run of the study got are left out;
    unresolved runs are a number, not a percentage.
    """
    study = result.study
    shown = [
        (i, verdict)
        for i, verdict in enumerate(result.verdicts)
        if verdict.branch >= 0 or ((result.verdict == i).any() and verdict.kind != Kind.UNRESOLVED)
    ]
    outcomes = result.outcomes(pooled=True)
    sizes = [f"n={size}" for size in study.sizes]
    header = ["", "dim", "codim", "def", "opt", "sep", *sizes]
    rows: list[list[str]] = [header]
    for k, scale in enumerate(study.scales):
        block = outcomes[k :: len(study.scales)]
        rows.append([f"initialization scale {scale:g}, {block[0].runs} runs per n"])
        for i, verdict in shown:
            cells = [percent(outcome.fractions[i]) for outcome in block]
            rows.append([f"  {verdict.label}", *_properties(result, verdict, k == 0), *cells])
        rows += _errors(block, study.teacher is not None)
    if not result.branches:
        rows = [[row[0], *row[6:]] if len(row) > 1 else row for row in rows]
    lines = [*align(rows), *_endings(result)]
    return "\n".join([*lines, "", LEGEND + _ERROR_LEGEND] if result.branches else lines)


def outcome_table(result: RecoverResult) -> str:
    """Return the outcome of every sample size, sample set and scale."""
    shown = [i for i in range(len(result.verdicts)) if (result.verdict == i).any()]
    labels = [result.verdicts[i].label for i in shown]
    rows = [["n", "sample set", "scale", "runs", *labels, "median error", "worst error"]]
    rows += [
        [
            str(o.size),
            o.sample_set,
            f"{o.scale:g}",
            str(o.runs),
            *(percent(o.fractions[i]) for i in shown),
            short(o.median_error),
            short(o.worst_error),
        ]
        for o in result.outcomes()
    ]
    return "\n".join(align(rows, left=2))


def branch_table(rows: Sequence[BranchRow]) -> str:
    """Return the branches with their groups, dimensions, thresholds and numbers of sets."""
    header = ["branch", "neurons", "r", "def", "dim", "codim", "opt", "sep", "sets"]
    lines = [header]
    for row in rows:
        numbers = (row.r, row.l, row.dim, row.codim, row.optimistic, row.separation, row.sets)
        lines.append([row.name, row.neurons, *map(_cell, numbers)])
    return "\n".join(align(lines, left=2))


def _properties(result: RecoverResult, verdict: Verdict, first: bool) -> list[str]:
    if verdict.branch < 0 or not first:
        return [""] * 5
    row = result.branches[verdict.branch]
    values = (row.dim, row.codim, row.l, row.optimistic, row.separation)
    return [_cell(value) for value in values]


def _errors(block: list[Outcome], teacher: bool) -> list[list[str]]:
    blank = [""] * 5
    unresolved = [str(outcome.unresolved or "·") for outcome in block]
    rows = [["  unresolved runs", *blank, *unresolved]]
    if teacher:
        rows.append(["  median error", *blank, *(short(o.median_error) for o in block)])
        rows.append(["  worst error", *blank, *(short(o.worst_error) for o in block)])
    return rows


def _endings(result: RecoverResult) -> list[str]:
    """Return a line that says how the flows of the unresolved runs ended, if there are any."""
    status = result.runs["status"][result.runs["kind"] == Kind.UNRESOLVED]
    counts = Counter(Status(code).name.lower().replace("_", " ") for code in status)
    ended = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    return [f"the flows of unresolved runs ended: {ended}"] if ended else []


def _cell(value: int | None) -> str:
    return "?" if value is None else str(value)
