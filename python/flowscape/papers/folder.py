"""The files of a reproduced figure or table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flowscape.papers.exhibit import Reproduction
from flowscape.report import style
from flowscape.report.figures import available
from flowscape.sweep.store import MANIFEST, new_folder

__all__ = ["WrittenFiles", "comparison_text", "write"]


@dataclass(frozen=True)
class WrittenFiles:
    """What `write` did.

    Attributes
    ----------
    folder : Path
    files : tuple of str
        Relative to the folder.
    skipped : tuple of str
        Pictures that were not drawn because matplotlib is not installed.
    """

    folder: Path
    files: tuple[str, ...]
    skipped: tuple[str, ...]


def write(
    result: Reproduction, folder: Path, *, force: bool = False, draw: bool = True
) -> WrittenFiles:
    """Write picture, numbers and comparison into a new folder, whole or not at all.

    Raises
    ------
    StoreError
        If the folder exists (with `force`: if it is not a result folder) or cannot be written.
    """
    picture = f"{result.name}.png"
    skipped = (picture,) if draw and not available() else ()
    with new_folder(folder, force=force) as draft:
        arrays = result.numbers.arrays
        np.savez_compressed(draft / "data.npz", **arrays)  # type: ignore[arg-type]  # see DataFile
        if result.numbers.table:
            (draft / "table.csv").write_text(_csv(result), encoding="utf-8")
        (draft / "comparison.md").write_text(comparison_text(result), encoding="utf-8")
        manifest = {
            "kind": "paper",
            "paper": result.paper,
            "exhibit": result.name,
            "options": dict(result.options),
            **result.manifest,
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str) + "\n")
        if draw and not skipped:
            with style.context():
                result.draw().savefig(draft / picture)
        names = tuple(sorted(path.name for path in draft.iterdir()))
    return WrittenFiles(folder, names, skipped)


def comparison_text(result: Reproduction) -> str:
    """Return comparison.md: what the paper prints, what was found, why they differ."""
    lines = [f"# {result.paper}, {result.name}: {result.title}", ""]
    lines += ["| quantity | paper | Flowscape | why they differ |", "|---|---|---|---|"]
    lines += [
        f"| {_cell(c.quantity)} | {_cell(c.paper)} | {_cell(c.flowscape)} | {_cell(c.why)} |"
        for c in result.numbers.comparison
    ]
    made = ", ".join(
        f"{key} {result.manifest[key]}" for key in ("flowscape", "commit", "isa", "threads")
    )
    lines += ["", f"Computed in {result.seconds:.1f} s ({made})."]
    if result.options:
        lines += [f"Options: {', '.join(f'{k}={v!r}' for k, v in result.options.items())}."]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _csv(result: Reproduction) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(result.numbers.table)
    writer.writerows(zip(*result.numbers.table.values(), strict=True))
    return stream.getvalue()
