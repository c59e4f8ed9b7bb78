"""Figures and tables of a paper, computed again: numbers, picture, comparison."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import (
    InternalError,
    OptionError,
    check_count,
    check_flag,
    check_positive,
    nearest,
)
from flowscape.sweep.provenance import provenance
from flowscape.threads import thread_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison", "Exhibit", "Numbers", "Reproduction"]


@dataclass(frozen=True)
class Comparison:
    """One quantity of a figure or table: what the paper prints, what was found, and why.

    Attributes
    ----------
    quantity, paper, flowscape : str
        What is compared, and the two values with their units.
    why : str
        Why they differ; "agree" where they do not.
    """

    quantity: str
    paper: str
    flowscape: str
    why: str

    @classmethod
    def of(
        cls, quantity: str, paper: str, flowscape: str, *, agrees: bool | np.bool_, why: str
    ) -> Comparison:
        """Return a comparison that says "agree" where they do, else why they differ."""
        return cls(quantity, paper, flowscape, "agree" if agrees else why)


@dataclass(frozen=True)
class Numbers:
    """What an exhibit computes.

    Attributes
    ----------
    arrays : Mapping of str to ndarray
        Everything that the picture shows, for data.npz.
    comparison : sequence of Comparison
    table : Mapping of str to sequence
        Columns of equal length, for table.csv; empty if there is no natural table.
    """

    arrays: Mapping[str, NDArray]
    comparison: Sequence[Comparison]
    table: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len({len(column) for column in self.table.values()}) > 1:
            raise InternalError("the columns of a table have different lengths")


@dataclass(frozen=True)
class Reproduction:
    """A figure or table computed again.

    Attributes
    ----------
    paper, name, title : str
    numbers : Numbers
    options : Mapping
        The keywords that differ from the defaults of the exhibit.
    manifest : Mapping
        Version, commit, instruction set, threads and seconds.
    draw : callable
        Returns the matplotlib figure.
    """

    paper: str
    name: str
    title: str
    numbers: Numbers
    options: Mapping[str, Any]
    manifest: Mapping[str, Any]
    draw: Callable[[], Figure] = field(repr=False)

    @property
    def seconds(self) -> float:
        """Wall time of the computation, without drawing."""
        return float(self.manifest["seconds"])


@dataclass(frozen=True)
class Exhibit:
    """A figure or table of a paper.

    Attributes
    ----------
    name : str
        ``fig3``, ``table1``.
    title : str
        What it shows.
    compute : callable
        ``compute(n_threads=None, **options) -> Numbers``; the options make it smaller.
    draw : callable
        ``draw(arrays) -> Figure``; calls matplotlib, computes nothing.
    panels : str
        Letters of its parts: ``fig3a`` names ``fig3``.
    """

    name: str
    title: str
    compute: Callable[..., Numbers]
    draw: Callable[[Mapping[str, NDArray]], Figure]
    panels: str = ""

    def answers_to(self, name: str) -> bool:
        """Return whether `name` means this exhibit or one of its panels."""
        return name == self.name or (name[:-1] == self.name and name[-1:] in [*self.panels])

    def _check(self, options: Mapping[str, Any]) -> None:
        known = inspect.signature(self.compute).parameters
        names = [name for name in known if name != "n_threads"]
        for name, value in options.items():
            if name not in names:
                raise OptionError(
                    f"{self.name} has no option {name!r}{nearest(name, names)}; its options are "
                    f"{', '.join(names) or 'none'}"
                )
            default = known[name].default
            if isinstance(default, bool):
                check_flag(name, value)
            elif isinstance(default, int):
                check_count(name, value)
            elif isinstance(default, float):
                check_positive(name, value)

    def run(self, paper: str, *, n_threads: int | None = None, **options: Any) -> Reproduction:
        """Compute the numbers.

        Raises
        ------
        OptionError
            If an option is unknown, or is no number > 0 where the default is one.
        """
        self._check(options)
        thread_count(n_threads)
        begin = time.perf_counter()
        numbers = self.compute(n_threads=n_threads, **options)
        seconds = time.perf_counter() - begin
        arrays = {name: np.asarray(value) for name, value in numbers.arrays.items()}
        return Reproduction(
            paper=paper,
            name=self.name,
            title=self.title,
            numbers=Numbers(arrays, tuple(numbers.comparison), numbers.table),
            options=options,
            manifest=provenance(n_threads) | {"seconds": seconds},
            draw=lambda: self.draw(arrays),
        )
