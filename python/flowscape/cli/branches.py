"""List the branches of the perfect solutions with dimensions and sample thresholds.

Give a STUDY, or a student by --width and --inputs and a generic target by --teacher-width.
A study of own data has no target: give it a generic one by --teacher-width.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from flowscape.cli.answer import Answer, count

if TYPE_CHECKING:
    from flowscape.problem import Teacher, TwoLayer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("study", metavar="STUDY", nargs="?", help="TOML file or packaged study")
    parser.add_argument("--width", type=count, metavar="M", help="neurons of the student")
    parser.add_argument("--teacher-width", type=count, metavar="M0", help="neurons of the target")
    parser.add_argument("--inputs", type=count, metavar="D", help="input dimension")
    parser.add_argument(
        "--activation", metavar="NAME", help="name, or a list of terms as JSON (default: tanh)"
    )
    parser.add_argument("--bias", action="store_true", default=None, help="the neurons have biases")


def run(args: argparse.Namespace) -> Answer:
    """Enumerate the branches; the target is generic unless a study gives it."""
    from flowscape.branches import branches
    from flowscape.cli.words import describe, plural
    from flowscape.report import branch_table
    from flowscape.report.tables import LEGEND
    from flowscape.sweep import branch_rows

    net, teacher = _from_study(args) if args.study is not None else _from_options(args)
    rows, note = branch_rows(net, teacher)
    sets = sum(row.sets for row in rows)
    data = {
        "network": net.to_toml(),
        "teacher_width": teacher.net.width,
        "note": note,
        "sets": sets,
        "branches": [asdict(row) for row in rows],
    }
    head = f"student: {describe(net)}; target: {plural(teacher.net.width, 'neuron')}"
    if not rows:
        return Answer(f"{head}\nno branches: {note}", data)
    coupled = branches(net, teacher).setting.coupled
    total = (
        f"{plural(sets, 'set')}, {len(rows)} up to permutations{'' if coupled else ' and signs'}"
    )
    return Answer(f"{head}\n{total}\n\n{branch_table(rows)}\n\n{LEGEND}", data)


def _from_study(args: argparse.Namespace) -> tuple[TwoLayer, Teacher]:
    from flowscape.errors import OptionError, ProblemError
    from flowscape.sweep import Study

    study = Study.find(args.study)
    options = [
        "width",
        "inputs",
        "activation",
        "bias",
        *(["teacher_width"] if study.teacher else []),
    ]
    for option in options:
        if getattr(args, option) is not None:
            raise OptionError(
                f"--{option.replace('_', '-')}={getattr(args, option)!r} and STUDY both describe "
                "the network; give one of them"
            )
    if study.teacher is not None:
        return study.net, study.teacher
    if args.teacher_width is None:
        raise ProblemError(
            f"study {study.name!r} has no [teacher], so its branches are not defined; "
            "add one, or give --teacher-width for a generic target"
        )
    return study.net, _generic(replace(study.net, width=args.teacher_width))


def _from_options(args: argparse.Namespace) -> tuple[TwoLayer, Teacher]:
    from flowscape.errors import OptionError
    from flowscape.problem import TwoLayer

    for option in ("width", "teacher_width", "inputs"):
        if getattr(args, option) is None:
            raise OptionError(
                f"--{option.replace('_', '-')} is missing; give STUDY, or --width, "
                "--teacher-width and --inputs"
            )
    shape: dict[str, Any] = {
        "inputs": args.inputs,
        "activation": parse_activation(args.activation or "tanh"),
        "bias": bool(args.bias),
    }
    target = TwoLayer(width=args.teacher_width, **shape)
    return TwoLayer(width=args.width, **shape), _generic(target)


def _generic(net: TwoLayer) -> Teacher:
    """Return a target without coincidences: no equal, opposite or zero weights."""
    import numpy as np

    from flowscape.problem import Teacher

    stream = np.random.Generator(np.random.Philox(0))
    return Teacher(net, stream.uniform(0.5, 1.5, net.n_params))


def parse_activation(text: str) -> Any:
    """Read a name, or a list of terms as JSON."""
    from flowscape.errors import OptionError

    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise OptionError(f"--activation={text!r} is not valid JSON: {error}") from None
