"""A study: one network, one target, and everything that `recover` sweeps over."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import OptionError, ProblemError, check_count, nearest
from flowscape.flow import METHODS
from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher, TwoLayer
from flowscape.problem.loss import LOSSES
from flowscape.problem.network import INITIALIZATIONS
from flowscape.problem.toml import dumps, loads, read_toml
from flowscape.sweep.data_files import DataFile, read_samples
from flowscape.sweep.fields import REQUIRED, Table
from flowscape.sweep.sample_sets import SampleRule, SampleSet, expand

Floats = NDArray[np.float64]
T = TypeVar("T")

DATA_COPY = "data.npz"
_SEED_LIMIT = 2**63 - 1


@dataclass(frozen=True)
class FlowOptions:
    """Options of `gradient_flow`; None leaves its default.

    Attributes
    ----------
    rtol, atol : float, optional
        Tolerances. Without `atol` a run gets 1e-9 times the smaller of 1 and its initialization
        scale, so that the linear phase of a tiny initialization is resolved.
    method : str, optional
    t_max : float, optional
    max_steps : int, optional
    """

    rtol: float | None = None
    atol: float | None = None
    method: str | None = None
    t_max: float | None = None
    max_steps: int | None = None

    def given(self) -> dict[str, Any]:
        """Return the options that were given."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def keywords(self, scale: Floats) -> dict[str, Any]:
        """Return the keyword arguments of `gradient_flow` for runs of these scales, (B,)."""
        return {"atol": 1e-9 * np.minimum(1.0, scale)} | self.given()


@dataclass(frozen=True)
class Study:
    """A student network, a target, sample sets and a sweep; read from a TOML file.

    The sweep is the product of sample sizes, sample sets, initialization scales and seeds. Run
    `seed` starts from the same standard initial values in every size, set and scale.

    Attributes
    ----------
    name : str
        Short name; names the result folder.
    net : TwoLayer
        The student.
    teacher : Teacher or None
        The target; None when the targets come from `data`.
    data : DataFile or None
        Inputs, and without a teacher targets, from the user's file.
    loss, l2
        As for `Problem`.
    sizes : tuple of int
        Sample sizes n.
    rules : tuple of SampleRule
        Where the inputs come from; `sample_sets` lists the sets they make.
    scales : tuple of float
        Standard deviations of the initial values.
    seeds : int
        Runs per size, set and scale.
    seed : int
        Root of every random stream.
    """

    name: str
    net: TwoLayer
    teacher: Teacher | None
    data: DataFile | None
    sizes: tuple[int, ...]
    rules: tuple[SampleRule, ...]
    scales: tuple[float, ...]
    seeds: int
    title: str = ""
    seed: int = 0
    loss: str = "half_sum"
    l2: float = 0.0
    init_kind: str = "normal"
    flow: FlowOptions = field(default_factory=FlowOptions)

    @classmethod
    def from_toml(cls, path: str | Path) -> Study:
        """Read a study file; paths in it are relative to the file.

        Raises
        ------
        OptionError
            For a missing or unknown key or a value outside its range; names file, table, key,
            value, rule and remedy.
        ProblemError
            If the file or its data file cannot be read.
        """
        path = Path(path)
        return cls._from_table(read_toml(path), str(path), path.parent, path.stem)

    @classmethod
    def packaged(cls, name: str) -> Study:
        """Return the study `name` that comes with the package.

        Raises
        ------
        OptionError
            If there is no such study; names those that exist.
        """
        known = packaged_names()
        if name not in known:
            raise OptionError(
                f"study={name!r} is neither a TOML file nor a packaged study"
                f"{nearest(name, known)}; packaged: {', '.join(known)}"
            )
        entry = resources.files("flowscape") / "studies" / f"{name}.toml"
        source = f"{name}.toml"
        content = loads(entry.read_text(encoding="utf-8"), source)
        return cls._from_table(content, source, Path(), name)

    @classmethod
    def find(cls, name_or_path: str) -> Study:
        """Return the study in a TOML file, or the packaged study of that name."""
        path = Path(name_or_path)
        if path.suffix == ".toml" or os.path.isfile(path):
            return cls.from_toml(path)
        return cls.packaged(name_or_path)

    @classmethod
    def _from_table(cls, content: dict[str, Any], source: str, folder: Path, name: str) -> Study:
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
        study = cls(
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
            flow=_flow(top.table("flow")),
        )
        if teacher is None and any(rule.kind != "file" for rule in study.rules):
            raise samples.error(
                "sets", "makes inputs without targets; add [teacher], or use kind='file' only"
            )
        for table in (top, samples, init, loss):
            table.finish()
        return study

    def to_toml(self) -> str:
        """Return the study as the text of a study file; data refer to the file `data.npz`."""
        tables: dict[str, Any] = {"name": self.name, "title": self.title, "seed": self.seed}
        tables["network"] = self.net.to_toml()
        if self.teacher is not None:
            tables["teacher"] = {
                "width": self.teacher.net.width,
                "theta": self.teacher.theta,
            }
        if self.data is not None:
            tables["data"] = {"file": DATA_COPY}
        tables["loss"] = {"kind": self.loss, "l2": self.l2}
        tables["samples"] = {
            "sizes": list(self.sizes),
            "sets": [rule.as_table() for rule in self.rules],
        }
        tables["init"] = {
            "kind": self.init_kind,
            "scales": list(self.scales),
            "seeds": self.seeds,
        }
        if self.flow.given():
            tables["flow"] = self.flow.given()
        return dumps(tables)

    def with_seeds(self, seeds: int) -> Study:
        """Return the same study with another number of seeds."""
        return replace(self, seeds=check_count("seeds", seeds, "give the runs per setting"))

    @cached_property
    def sample_sets(self) -> tuple[SampleSet, ...]:
        """The sample sets that the rules make, in order."""
        return expand(self.rules)

    @property
    def runs(self) -> int:
        """Number of flows in the sweep."""
        return len(self.sizes) * len(self.sample_sets) * len(self.scales) * self.seeds

    def samples(self, size: int, sample_set: SampleSet) -> Samples:
        """Return n = `size` samples of one set."""
        x = sample_set.inputs(size, self.net.inputs, self.seed, self.data)
        own = self.data if sample_set.rule.kind == "file" else None
        weights = None if own is None or own.weights is None else own.weights[:size]
        if own is not None and own.y is not None:
            return Samples(x, own.y[:size], weights)
        if self.teacher is None:
            raise ProblemError(f"sample set {sample_set.name!r} has no targets; give a teacher")
        return Samples.of(self.teacher, x, weights)

    def problem(self, size: int, sample_set: SampleSet) -> Problem:
        """Return the problem of one sample size and set."""
        return Problem(
            self.net,
            self.samples(size, sample_set),
            loss=self.loss,
            l2=self.l2,
            teacher=self.teacher,
        )

    def initial_values(self) -> Floats:
        """Return the initial values at scale 1, shape (seeds, P); row i belongs to seed i."""
        return self.net.init(self.seeds, scale=1.0, rng=self.seed, kind=self.init_kind)


def packaged_names() -> list[str]:
    """Return the names of the studies that come with the package."""
    folder = resources.files("flowscape") / "studies"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def _short_name(top: Table, default: str) -> str:
    name: str = top.text("name", default)
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


def _flow(table: Table) -> FlowOptions:
    options = FlowOptions(
        rtol=table.positive("rtol", None),
        atol=table.positive("atol", None),
        method=table.text("method", None, choices=METHODS),
        t_max=table.positive("t_max", None, infinite=True),
        max_steps=table.count("max_steps", None),
    )
    table.finish()
    return options


def _located(table: Table, build: Callable[[], T]) -> T:
    """Put file and table in front of the message of a constructor."""
    try:
        return build()
    except ValueError as error:
        raise type(error)(f"{table.source}: [{table.name}] {error}") from None
