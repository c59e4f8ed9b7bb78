"""Examine the statements of a paper: as printed, as corrected, with the evidence.

NAME is a paper, such as single-neuron-target, or paper/statement. Everything is measured now. The
exit code is 1 if a statement fails as Flowscape implements it, not if it fails only as printed.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from flowscape.cli.answer import Answer

if TYPE_CHECKING:
    from flowscape.papers import Check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="paper, or paper/statement")


def run(args: argparse.Namespace) -> Answer:
    """Examine the statements one after the other."""
    from flowscape.cli.progress import progress_bar
    from flowscape.papers import checks, paper
    from flowscape.papers.registry import split_name

    name, statement = split_name(args.name)
    chosen = paper(name).select_statements(statement)
    done: list[Check] = []
    with progress_bar(" checks") as progress:
        if progress is not None:
            progress.total(len(chosen))
        for check in checks(args.name):
            done.append(check)
            if progress is not None:
                progress.advance(1)
    data = {"checks": [asdict(check) | {"passed": check.passed} for check in done]}
    return Answer(_text(done), data, code=int(not all(check.passed for check in done)))


def _text(done: list[Check]) -> str:
    from flowscape.cli.words import plural
    from flowscape.report.text import align

    rows = [["statement", "kind", "as printed", "as corrected", "cases", "predicted", "measured"]]
    rows += [
        [
            check.statement,
            check.kind,
            check.printed.value,
            check.corrected.value if check.correction else "same",
            str(check.instances),
            _number(check.predicted),
            _number(check.measured) + (f" ± {check.tolerance:.1g}" if check.tolerance else ""),
        ]
        for check in done
    ]
    lines = align(rows, left=7)
    for check in done if len(done) <= 6 else []:
        lines += ["", f"{check.statement} ({check.source})", f"  printed    {check.says}"]
        if check.correction:
            lines += [f"  corrected  {check.correction}"]
        if check.mutation:
            lines += [f"  mutation   {check.mutation}"]
        lines += [f"  {key:<10} {_number(value)}" for key, value in check.evidence.items()]
    failed = [check.statement for check in done if not check.passed]
    seconds = sum(check.seconds for check in done)
    misprints = sum(check.correction != "" and check.printed == "fails" for check in done)
    lines += [
        "",
        f"{plural(len(done), 'statement')} in {seconds:.1f} s: {len(failed)} failed"
        f"{' (' + ', '.join(failed) + ')' if failed else ''}; {misprints} wrong as printed and "
        "corrected",
    ]
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
