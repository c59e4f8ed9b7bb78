"""Follow every flow of a study to its limit and say which branch it recovers.

STUDY is a TOML file or the name of a packaged study, such as two-tanh-neurons. The results go
to a new folder: tables, manifest, runs and figures. `flowscape report` draws them again.
"""

from __future__ import annotations

import argparse
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowscape.cli.answer import Answer, add_threads, count

if TYPE_CHECKING:
    from flowscape.report import ReportFiles
    from flowscape.sweep import RecoverResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("study", metavar="STUDY", help="TOML file or name of a packaged study")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="result folder (default: results/<name>)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing result folder")
    parser.add_argument("--seeds", type=count, metavar="N", help="number of seeds per setting")
    add_threads(parser)
    parser.add_argument("--no-figures", action="store_true", help="write tables only")


def run(args: argparse.Namespace) -> Answer:
    """Run the study and write its result folder."""
    from flowscape.cli.progress import progress_bar
    from flowscape.report import write_report
    from flowscape.sweep import Study, recover
    from flowscape.sweep.store import check_target, new_folder, write_result

    study = Study.find(args.study)
    if args.seeds is not None:
        study = study.with_seeds(args.seeds)
    output = args.output or Path("results") / study.name
    check_target(output, force=args.force)
    with progress_bar(" flows") as progress:
        result = recover(study, n_threads=args.n_threads, progress=progress)
    with new_folder(output, force=args.force) as folder:
        write_result(result, folder)
        files = write_report(result, folder, draw=not args.no_figures)
    return Answer(report_text(result, output, files), report_data(result, output, files))


def report_text(result: RecoverResult, output: Path, files: ReportFiles) -> str:
    """Return the one-screen summary: problem, branches next to outcomes, time, files."""
    from flowscape.cli.words import describe, plural
    from flowscape.report import summary

    study, manifest = result.study, result.manifest
    seconds = manifest["seconds"]
    sizes = ", ".join(map(str, study.sizes))
    scales = ", ".join(f"{scale:g}" for scale in study.scales)
    lines = [
        f"{study.title or study.name}",
        f"student: {describe(study.net)}; loss {study.loss}",
        f"sweep: n = {sizes}; {plural(len(study.sample_sets), 'sample set')}; scales {scales}; "
        f"{plural(study.seeds, 'seed')}",
        "",
        *([note_text(result.note), ""] if result.note else []),
        summary(result),
        "",
        f"{study.runs} flows in {seconds['total']:.1f} s (flow {seconds['flow']:.1f}, polish "
        f"{seconds['polish']:.1f}, classify {seconds['classify']:.1f}) on {manifest['threads']} "
        f"threads, {manifest['isa']}",
        f"results: {output}/ with {', '.join((*files.tables, *files.figures))}",
    ]
    if files.skipped:
        lines.append(skipped_text(files))
    return "\n".join(lines)


def note_text(note: str) -> str:
    """Return why there are no branches, in lines of a screen."""
    return textwrap.fill(f"Note: {note}.", width=96, break_long_words=False)


def skipped_text(files: ReportFiles) -> str:
    """Return the line that says which figures are missing and why."""
    return (
        f"figures skipped: {', '.join(files.skipped)} (matplotlib is not installed; "
        "pip install 'flowscape[plot]', then flowscape report)"
    )


def report_data(result: RecoverResult, output: Path, files: ReportFiles) -> dict[str, Any]:
    """Return the summary for a program."""
    keys = [verdict.key for verdict in result.verdicts]
    return {
        "study": result.study.name,
        "output": str(output),
        "note": result.note,
        "branches": [asdict(row) for row in result.branches],
        "outcomes": [
            asdict(outcome) | {"fractions": dict(zip(keys, outcome.fractions, strict=True))}
            for outcome in result.outcomes()
        ],
        "manifest": dict(result.manifest),
        "files": asdict(files),
    }
