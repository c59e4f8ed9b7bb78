"""Polish given parameter vectors and say what each of them is.

FILE is a CSV file with one network per row, or an NPZ file with an array theta. --study gives
the problem: a TOML file, a packaged study or a result folder, with --size and --set to choose
among its sample sets (default: the largest size, the first set). A result folder as FILE stands
for the end points of its runs of that size and set, and brings its own study.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowscape.cli.answer import Answer, add_threads, count

if TYPE_CHECKING:
    import numpy as np

    from flowscape.sweep import Study
    from flowscape.sweep.sample_sets import SampleSet

_MOST_LINES = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV, NPZ or result folder")
    parser.add_argument("--study", metavar="STUDY", help="problem: study or result folder")
    parser.add_argument("--size", type=count, metavar="N", help="sample size of the study")
    parser.add_argument("--set", dest="sample_set", metavar="NAME", help="sample set of the study")
    add_threads(parser)


def run(args: argparse.Namespace) -> Answer:
    """Classify every row."""
    from flowscape.classify import classify
    from flowscape.cli.recover import note_text
    from flowscape.polish import polish
    from flowscape.report.text import align, short
    from flowscape.status import Kind
    from flowscape.sweep import branch_rows

    study, size, sample_set, theta = _inputs(args)
    prob = study.problem(size, sample_set)
    points = polish(prob, theta, n_threads=args.n_threads)
    found = classify(prob, points, n_threads=args.n_threads)
    branches, note = branch_rows(study.net, study.teacher)
    names = [branches[b].name if b >= 0 else "" for b in found.branch]
    kinds = [Kind(kind).name for kind in found.kind]
    error = found.evidence.get("generalization_error", [float("nan")] * len(theta))
    columns: dict[str, Any] = {
        "kind": kinds,
        "branch": names,
        "index": found.index,
        "certified": found.certified,
        "loss": points.loss,
        "gradient_norm": points.gradient_norm,
        "displacement": points.displacement,
        "generalization_error": error,
    }
    data = {
        "study": study.name,
        "size": size,
        "sample_set": sample_set.name,
        "note": note,
        "rows": [
            {"row": i + 1} | {name: values[i] for name, values in columns.items()}
            for i in range(len(theta))
        ],
    }
    header = [
        "row",
        "verdict",
        "branch",
        "index",
        "certified",
        "loss",
        "gradient",
        "moved",
        "error",
    ]
    table = [header] + [
        [
            str(i + 1),
            kinds[i].lower().replace("_", " "),
            names[i] or "-",
            str(found.index[i]) if found.index[i] >= 0 else "-",
            "yes" if found.certified[i] else "no",
            *(short(float(columns[name][i])) for name in list(columns)[4:]),
        ]
        for i in range(len(theta))
    ]
    lines = [f"{study.title or study.name}: n = {size}, sample set {sample_set.name}", ""]
    lines += align(table[: _MOST_LINES + 1], left=3)
    if len(theta) > _MOST_LINES:
        lines.append(f"... {len(theta) - _MOST_LINES} more rows; --json prints all")
    verdicts = Counter(f"{row[1]} {row[2]}".removesuffix(" -") for row in table[1:])
    lines += ["", ", ".join(f"{number} {what}" for what, number in verdicts.most_common())]
    lines += [note_text(note)] if note else []
    return Answer("\n".join(lines), data)


def _inputs(args: argparse.Namespace) -> tuple[Study, int, SampleSet, np.ndarray]:
    from flowscape.errors import OptionError
    from flowscape.sweep import Study, load
    from flowscape.sweep.data_files import read_parameters

    if os.path.isdir(args.file):
        if args.study is not None:
            raise OptionError(
                f"--study={args.study!r} and the result folder {str(args.file)!r} both give the "
                "problem; leave out --study"
            )
        result = load(args.file)
        size, position = _choose(result.study, args)
        rows = result.select(size=size, sample_sets=[position])
        theta = result.runs["theta"][rows]
        return result.study, size, result.study.sample_sets[position], theta
    if args.study is None:
        raise OptionError(
            "--study is missing; give the TOML file, packaged study or result folder whose "
            "problem the networks belong to"
        )
    study = load(args.study).study if os.path.isdir(args.study) else Study.find(args.study)
    size, position = _choose(study, args)
    theta = read_parameters(args.file, study.net.n_params)
    return study, size, study.sample_sets[position], theta


def _choose(study: Study, args: argparse.Namespace) -> tuple[int, int]:
    from flowscape.errors import OptionError, check_choice

    size = max(study.sizes) if args.size is None else args.size
    if size not in study.sizes:
        sizes = ", ".join(map(str, study.sizes))
        raise OptionError(f"--size={size} must be a sample size of the study; it has {sizes}")
    names = [sample_set.name for sample_set in study.sample_sets]
    if args.sample_set is None:
        return size, 0
    return size, names.index(check_choice("--set", args.sample_set, names))
