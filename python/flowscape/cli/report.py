"""Draw tables and figures of a result folder again.

Reads DIR only; nothing is integrated. Tables and figures in DIR are replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from flowscape.cli.answer import Answer
from flowscape.cli.recover import report_data, report_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that recover wrote")
    parser.add_argument("--no-figures", action="store_true", help="write tables only")


def run(args: argparse.Namespace) -> Answer:
    """Write tables and figures from the stored runs."""
    from flowscape.errors import StoreError
    from flowscape.report import write_report
    from flowscape.sweep import load

    result = load(args.folder)
    try:
        files = write_report(result, args.folder, draw=not args.no_figures)
    except OSError as error:
        raise StoreError(
            f"{args.folder}: cannot be written ({error.strerror}); copy the folder first"
        ) from None
    return Answer(report_text(result, args.folder, files), report_data(result, args.folder, files))
