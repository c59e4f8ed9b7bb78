"""The tables and figures inside a result folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from flowscape.report import figures
from flowscape.report.tables import outcome_table, summary
from flowscape.sweep import RecoverResult
from flowscape.sweep.store import branches_csv, outcomes_csv

FIGURES = "figures"
SUMMARY = "summary.txt"


@dataclass(frozen=True)
class ReportFiles:
    """What `write_report` did.

    Attributes
    ----------
    tables, figures : tuple of str
        Files written, relative to the folder.
    skipped : tuple of str
        Figures that were not drawn because matplotlib is not installed.
    """

    tables: tuple[str, ...]
    figures: tuple[str, ...]
    skipped: tuple[str, ...]


def write_report(result: RecoverResult, folder: Path, *, draw: bool = True) -> ReportFiles:
    """Write tables and figures into a result folder, each file whole or not at all.

    Parameters
    ----------
    result : RecoverResult
    folder : Path
        Existing files of the same names are replaced.
    draw : bool
        Whether to draw figures.
    """
    tables = {
        SUMMARY: f"{summary(result)}\n\n{outcome_table(result)}\n",
        "branches.csv": branches_csv(result.branches),
        "outcomes.csv": outcomes_csv(result),
    }
    for name, text in tables.items():
        draft = folder / f".{name}"
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, folder / name)
    wanted = tuple(figures.names(result)) if draw else ()
    if not figures.available():
        return ReportFiles(tuple(tables), (), wanted)
    written = []
    if wanted:
        (folder / FIGURES).mkdir(exist_ok=True)
    for name in wanted:
        target = folder / FIGURES / f"{name}.png"
        draft = target.with_name(f".{name}.png")
        figures.save(result, name, draft)
        os.replace(draft, target)
        written.append(f"{FIGURES}/{target.name}")
    return ReportFiles(tuple(tables), tuple(written), ())
