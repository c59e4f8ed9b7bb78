"""Where the inputs of a study come from: grids, random streams, a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.problem.streams import Purpose, stream_key
from flowscape.sweep.data_files import DataFile
from flowscape.sweep.fields import Table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SampleRule:
    """One entry of `[samples] sets`: a rule that makes one or several sample sets.

    Attributes
    ----------
    kind : {"linspace", "gaussian", "uniform", "file"}
        Evenly spaced from `low` to `high` (one input); normal with standard deviation `scale`;
        uniform on [low, high); the first rows of the study's data file.
    count : int
        Number of sets; above 1 for the random kinds only.
    low, high, scale : float
        As the kind asks for.
    """

    kind: str
    count: int = 1
    low: float = 0.0
    high: float = 0.0
    scale: float = 1.0

    @classmethod
    def from_table(cls, table: Table, *, inputs: int, data: DataFile | None) -> SampleRule:
        """Read and check one rule.

        Raises
        ------
        OptionError
            For an unknown kind or key, an empty interval, a grid of more than one input, or a
            rule that needs a data file or a teacher that the study lacks.
        """
        kind = table.text("kind", choices=("linspace", "gaussian", "uniform", "file"))
        if kind == "file":
            if data is None:
                raise table.error("kind", "needs a data file; add [data] with file and inputs")
            rule = cls(kind)
        elif kind == "gaussian":
            rule = cls(
                kind,
                count=table.count("count", 1),
                scale=table.positive("scale", 1.0),
            )
        else:
            if kind == "linspace" and inputs != 1:
                raise table.error(
                    "kind", f"needs inputs=1, the network has {inputs}; use gaussian or uniform"
                )
            low, high = table.real("low"), table.real("high")
            if not low < high:
                raise table.error("high", f"must be greater than low={low!r}")
            count = table.count("count", 1) if kind == "uniform" else 1
            rule = cls(kind, count=count, low=low, high=high)
        table.finish()
        return rule

    def as_table(self) -> dict[str, Any]:
        """Return the entry as a study file holds it."""
        match self.kind:
            case "linspace":
                return {"kind": self.kind, "low": self.low, "high": self.high}
            case "gaussian":
                return {"kind": self.kind, "count": self.count, "scale": self.scale}
            case "uniform":
                return {
                    "kind": self.kind,
                    "low": self.low,
                    "high": self.high,
                    "count": self.count,
                }
        return {"kind": self.kind}

    @property
    def title(self) -> str:
        """What a reader of a table or figure calls these sets."""
        sets = "set" if self.count == 1 else "sets"
        match self.kind:
            case "linspace":
                return f"evenly spaced on [{self.low:g}, {self.high:g}]"
            case "gaussian":
                spread = "" if self.scale == 1.0 else f", scale {self.scale:g}"
                return f"{self.count} Gaussian {sets}{spread}"
            case "uniform":
                return f"{self.count} uniform {sets} on [{self.low:g}, {self.high:g})"
        return "rows of the data file"


@dataclass(frozen=True)
class SampleSet:
    """One sample set of a study, for every sample size.

    Attributes
    ----------
    name : str
        Unique in the study, e.g. "linspace" or "gaussian-3".
    rule : SampleRule
    stream : int
        Position among all sets; part of the random key.
    """

    name: str
    rule: SampleRule
    stream: int

    def inputs(self, n: int, inputs: int, seed: int, data: DataFile | None) -> Floats:
        """Return the first n inputs, shape (n, inputs).

        Random sets are nested: the first n points of one Philox stream, whose key comes from
        (seed, stream, purpose), so a larger set holds the smaller ones. A grid is not nested.
        """
        rule = self.rule
        if rule.kind == "linspace":
            return np.linspace(rule.low, rule.high, n)[:, None]
        if rule.kind == "file":
            assert data is not None
            return data.x[:n]
        root = np.random.SeedSequence(seed, spawn_key=(self.stream,))
        key = np.array(stream_key(root, Purpose.SAMPLES), dtype=np.uint64)
        stream = np.random.Generator(np.random.Philox(key=key))
        if rule.kind == "gaussian":
            return rule.scale * stream.standard_normal((n, inputs))
        return stream.uniform(rule.low, rule.high, (n, inputs))


def expand(rules: tuple[SampleRule, ...]) -> tuple[SampleSet, ...]:
    """Return the sets of all rules, each with a name of its own."""
    sets: list[SampleSet] = []
    kinds = [rule.kind for rule in rules]
    made: dict[str, int] = {}
    for rule in rules:
        several = rule.count > 1 or kinds.count(rule.kind) > 1
        for _ in range(rule.count):
            made[rule.kind] = made.get(rule.kind, 0) + 1
            name = f"{rule.kind}-{made[rule.kind]}" if several else rule.kind
            sets.append(SampleSet(name, rule, len(sets)))
    return tuple(sets)
