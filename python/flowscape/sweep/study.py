"""A study: one network, one target, and everything that `recover` sweeps over."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import OptionError, ProblemError, check_count, check_path, describe, nearest
from flowscape.objective import Problem
from flowscape.problem import Samples, Teacher, TwoLayer
from flowscape.problem.toml import dumps, loads, read_toml
from flowscape.sweep.data_files import DataFile
from flowscape.sweep.flow_options import FlowOptions
from flowscape.sweep.sample_sets import SampleRule, SampleSet, expand
from flowscape.sweep.study_file import study_fields

Floats = NDArray[np.float64]

DATA_COPY = "data.npz"
MOST_RUNS: int = 10**9
"""Largest number of flows of a study."""
MOST_SAMPLES: int = 10**8
"""Largest sample size of a study."""


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

    def __post_init__(self) -> None:
        if max(self.sizes) > MOST_SAMPLES:
            raise OptionError(
                f"study {self.name!r} asks for sizes={max(self.sizes)} and may ask for "
                f"{MOST_SAMPLES} samples; lower sizes"
            )
        if self.runs > MOST_RUNS:
            raise OptionError(
                f"study {self.name!r} asks for {self.runs} runs and may have {MOST_RUNS}; "
                "lower seeds, count of the sample sets, sizes or scales"
            )

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
        path = check_path("path", path, "give a study file")
        return cls(**study_fields(read_toml(path), str(path), path.parent, path.stem))

    @classmethod
    def packaged(cls, name: str) -> Study:
        """Return the study `name` that comes with the package.

        Raises
        ------
        OptionError
            If there is no such study; names those that exist.
        """
        known = packaged_names()
        if not isinstance(name, str) or name not in known:
            raise OptionError(
                f"study={describe(name)} is neither a TOML file nor a packaged study"
                f"{nearest(name, known)}; packaged: {', '.join(known)}"
            )
        entry = resources.files("flowscape") / "studies" / f"{name}.toml"
        source = f"{name}.toml"
        content = loads(entry.read_text(encoding="utf-8"), source)
        return cls(**study_fields(content, source, Path(), name))

    @classmethod
    def find(cls, name_or_path: str) -> Study:
        """Return the study in a TOML file, or the packaged study of that name."""
        path = check_path("name_or_path", name_or_path, "give a name or a study file")
        if path.suffix == ".toml" or os.path.isfile(path):
            return cls.from_toml(path)
        return cls.packaged(name_or_path)

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
        sets = sum(rule.count for rule in self.rules)
        return len(self.sizes) * sets * len(self.scales) * self.seeds

    def samples(self, size: int, sample_set: SampleSet) -> Samples:
        """Return n = `size` samples of one set.

        Raises
        ------
        OptionError
            If `size` is no number of samples, or `sample_set` none of `sample_sets`.
        """
        size = check_count("size", size, "give the number of samples")
        if not isinstance(sample_set, SampleSet):
            raise OptionError(f"sample_set={describe(sample_set)} must be one of study.sample_sets")
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
