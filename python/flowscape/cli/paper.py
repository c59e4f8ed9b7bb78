"""List the figures and tables of the papers, or compute them again.

`paper list` shows the papers with their statements and exhibits. `paper run NAME` computes the
exhibit NAME, e.g. single-neuron-target/fig3, or all exhibits of the paper NAME, and writes picture,
numbers and a comparison with the paper into a folder for each.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowscape.cli.answer import Answer, add_threads

if TYPE_CHECKING:
    from flowscape.papers import Reproduction
    from flowscape.papers.folder import WrittenFiles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=("list", "run"), metavar="list|run")
    parser.add_argument("name", nargs="?", metavar="NAME", help="paper, or paper/exhibit")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder above those of the exhibits (default: results/<paper>)",
    )
    parser.add_argument("--force", action="store_true", help="replace existing result folders")
    add_threads(parser)
    parser.add_argument("--no-figures", action="store_true", help="write numbers only")


def run(args: argparse.Namespace) -> Answer:
    """List or run."""
    if args.action == "list":
        return _list(args)
    return _run(args)


def _list(args: argparse.Namespace) -> Answer:
    from flowscape.papers import PAPERS, paper

    papers = [paper(name) for name in (PAPERS if args.name is None else (args.name,))]
    lines, data = [], []
    for one in papers:
        lines.append(f"{one.name}: {one.title}")
        width = max((len(exhibit.name) for exhibit in one.exhibits), default=0)
        lines += [f"  {exhibit.name:<{width}}  {exhibit.title}" for exhibit in one.exhibits]
        lines.append(f"  {len(one.statements)} statements: flowscape check {one.name}")
        data.append(
            {
                "name": one.name,
                "title": one.title,
                "exhibits": {exhibit.name: exhibit.title for exhibit in one.exhibits},
                "statements": [statement.name for statement in one.statements],
            }
        )
    return Answer("\n".join(lines), {"papers": data})


def _run(args: argparse.Namespace) -> Answer:
    from flowscape.cli.progress import progress_bar
    from flowscape.errors import OptionError
    from flowscape.papers import paper
    from flowscape.papers.folder import write
    from flowscape.papers.registry import split_name
    from flowscape.sweep.store import check_target

    if args.name is None:
        raise OptionError(
            "NAME is missing; give a paper or paper/exhibit, see flowscape paper list"
        )
    name, exhibit = split_name(args.name)
    found = paper(name)
    exhibits = (found.exhibit(exhibit),) if exhibit else found.exhibits
    output = args.output or Path("results") / found.name
    for one in exhibits:
        check_target(output / one.name, force=args.force)
    done: list[tuple[Reproduction, WrittenFiles]] = []
    try:
        with progress_bar(" exhibits") as progress:
            if progress is not None:
                progress.total(len(exhibits))
            for one in exhibits:
                result = one.run(found.name, n_threads=args.n_threads)
                files = write(result, output / one.name, force=args.force, draw=not args.no_figures)
                done.append((result, files))
                if progress is not None:
                    progress.advance(1)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_kept(done)) from None
    return Answer(_text(done), {"exhibits": [_data(*one) for one in done]})


def _kept(done: list[tuple[Reproduction, WrittenFiles]]) -> str:
    """Return what an interrupt leaves behind; empty if nothing."""
    folders = ", ".join(f"{files.folder}/" for _, files in done)
    return f"finished and kept: {folders}; run the other exhibits by name" if done else ""


def _text(done: list[tuple[Reproduction, WrittenFiles]]) -> str:
    lines = []
    for result, files in done:
        lines += [f"{result.name}: {result.title} ({result.seconds:.1f} s)"]
        for c in result.numbers.comparison:
            lines += [
                f"  {c.quantity}",
                f"    paper      {c.paper}",
                f"    Flowscape  {c.flowscape}",
            ]
            lines += [f"    why        {c.why}"]
        lines += [f"  written: {files.folder}/ with {', '.join(files.files)}", ""]
    skipped = [name for _, files in done for name in files.skipped]
    if skipped:
        lines += [
            f"figures skipped: {', '.join(skipped)} (matplotlib is not installed; "
            "pip install 'flowscape[plot]')"
        ]
    return "\n".join(lines).rstrip()


def _data(result: Reproduction, files: WrittenFiles) -> dict[str, Any]:
    return {
        "paper": result.paper,
        "exhibit": result.name,
        "title": result.title,
        "seconds": result.seconds,
        "comparison": [vars(c) for c in result.numbers.comparison],
        "folder": str(files.folder),
        "files": files.files,
        "skipped": files.skipped,
    }
