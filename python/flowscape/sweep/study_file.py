"""The tables of a study file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from flowscape.errors import OptionError, ProblemError
from flowscape.problem import Teacher, TwoLayer
from flowscape.problem.loss import LOSSES
from flowscape.problem.network import INITIALIZATIONS
from flowscape.sweep.data_files import DataFile, read_samples
from flowscape.sweep.fields import REQUIRED, Table
from flowscape.sweep.flow_options import FlowOptions
from flowscape.sweep.sample_sets import SampleRule

T = TypeVar("T")

_SEED_LIMIT = 2**63 - 1


def study_fields(content: dict[str, Any], source: str, folder: Path, name: str) -> dict[str, Any]:
    """Return the fields of a `Study`.

    Parameters
    ----------
    content : dict
        The file as TOML gives it.
    source : str
        What messages call it.
    folder : Path
        Paths in the file are relative to it.
    name : str
        Short name of a study that gives none.

    Raises
    ------
    OptionError, ProblemError
        As `Study.from_toml`.
    """
    top = Table(content, source)
    net = TwoLayer.from_toml(
        top.raw("network", remedy="add a table [network]"), f"{source}: [network]"
    )
    target, file = top.table("teacher"), top.table("data")
    teacher = _teacher(target, net) if "teacher" in top else None
    data = _data(file, folder, net, teacher) if "data" in top else None
    if teacher is None and (data is None or data.y is None):
        raise OptionError(
            f"{source}: the targets are missing; add [teacher] with its parameters, "
            "or [data] with file, inputs and targets"
        )
    samples = top.table("samples", required=data is None)
    init = top.table("init", required=True)
    loss = top.table("loss")
    fields: dict[str, Any] = dict(
        name=_short_name(top, name),
        title=top.text("title", ""),
        seed=top.count("seed", 0, minimum=0, maximum=_SEED_LIMIT),
        net=net,
        teacher=teacher,
        data=data,
        sizes=_sizes(samples, data),
        rules=_rules(samples, net, data),
        loss=loss.text("kind", "half_sum", choices=LOSSES),
        l2=loss.positive("l2", 0.0, zero=True),
        scales=init.positives("scales"),
        seeds=init.count("seeds", maximum=2**32),
        init_kind=init.text("kind", "normal", choices=INITIALIZATIONS),
        flow=FlowOptions.from_table(top.table("flow")),
    )
    if teacher is None and any(rule.kind != "file" for rule in fields["rules"]):
        raise samples.error(
            "sets", "makes inputs without targets; add [teacher], or use kind='file' only"
        )
    for table in (top, samples, init, loss):
        table.finish()
    return fields


def _short_name(top: Table, default: str) -> str:
    default = "".join(c if c.isalnum() or c in "-_." else "-" for c in default).lstrip(".")
    name: str = top.text("name", default or "study")
    if not name or not all(c.isalnum() or c in "-_." for c in name) or name.startswith("."):
        raise top.error("name", "must be letters, digits, - and _; it names the result folder")
    return name


def _teacher(table: Table, net: TwoLayer) -> Teacher:
    width = table.count("width")
    target = replace(net, width=width)
    theta = table.array("theta")
    parts = {name: table.array(name) for name in ("a", "w", "b", "c")}
    table.finish()
    given = {name: value for name, value in parts.items() if value is not None}
    if (theta is None) == (not given):
        raise table.error("theta", "or a, w, b must give the parameters, one way and not both")
    if theta is not None:
        return _located(table, lambda: Teacher(target, theta))
    if net.inputs == 1 and "w" in given and given["w"].ndim == 1:
        given["w"] = given["w"][:, None]
    return _located(table, lambda: Teacher(target, target.pack(**given)))


def _data(table: Table, folder: Path, net: TwoLayer, teacher: Teacher | None) -> DataFile:
    file = folder / table.text("file")
    inputs, targets = table.names("inputs"), table.names("targets")
    weights = table.text("weights", None)
    table.finish()
    if teacher is not None and targets:
        raise table.error("targets", "and [teacher] both give the targets; remove one of them")
    data = read_samples(file, inputs=inputs, targets=targets, weights=weights)
    if teacher is not None and data.y is not None:
        raise ProblemError(
            f"{file}: array y and [teacher] both give the targets; remove one of them"
        )
    if data.x.shape[1] != net.inputs:
        raise table.error(
            "inputs" if inputs else "file",
            f"gives {data.x.shape[1]} input columns, [network] inputs={net.inputs}; "
            'name the columns: inputs = ["…"]',
        )
    return data


def _sizes(table: Table, data: DataFile | None) -> tuple[int, ...]:
    sizes: tuple[int, ...] = table.counts("sizes", REQUIRED if data is None else (len(data),))
    return sizes


def _rules(table: Table, net: TwoLayer, data: DataFile | None) -> tuple[SampleRule, ...]:
    if "sets" not in table and data is not None:
        table.raw("sets", None)
        rules: tuple[SampleRule, ...] = (SampleRule("file"),)
    else:
        rules = tuple(
            SampleRule.from_table(entry, inputs=net.inputs, data=data)
            for entry in table.tables("sets")
        )
    largest = max(_sizes(table, data))
    if data is not None and largest > len(data) and any(rule.kind == "file" for rule in rules):
        raise table.error("sizes", f"asks for {largest} samples, {data.source} has {len(data)}")
    return rules


def _located(table: Table, build: Callable[[], T]) -> T:
    """Put file and table in front of the message of a constructor."""
    try:
        return build()
    except ValueError as error:
        raise type(error)(f"{table.source}: [{table.name}] {error}") from None
