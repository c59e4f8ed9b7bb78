"""The papers: their statements and exhibits, found by name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flowscape.errors import OptionError, describe, nearest
from flowscape.papers.exhibit import Exhibit, Reproduction
from flowscape.papers.finding import Check
from flowscape.papers.statement import Statement, Statements

__all__ = ["PAPERS", "Paper", "check", "checks", "mutations", "paper", "run", "split_name"]

# One package per paper; it holds a `PAPER`. Imported when it is asked for.
_HOMES = {
    "local-recovery": "flowscape.papers.local_recovery",
    "single-neuron-target": "flowscape.papers.single_neuron_target",
}

PAPERS: tuple[str, ...] = tuple(_HOMES)


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes
    ----------
    name, title : str
    statements : Statements
    exhibits : tuple of Exhibit
    """

    name: str
    title: str
    statements: Statements
    exhibits: tuple[Exhibit, ...]

    def select_statements(self, prefix: str) -> list[Statement]:
        """Return the statement of this name, or all whose name starts with it and a hyphen.

        Raises
        ------
        OptionError
            If there is none.
        """
        chosen = [s for s in self.statements if f"{s.name}-".startswith(f"{prefix}-") or not prefix]
        if not chosen:
            names = [s.name for s in self.statements]
            raise OptionError(
                f"statement={describe(prefix)} is unknown in {self.name}"
                f"{nearest(prefix, names)}; the statements are {', '.join(names)}"
            )
        return chosen

    def exhibit(self, name: str) -> Exhibit:
        """Return the figure or table of this name.

        Raises
        ------
        OptionError
            If there is none.
        """
        for exhibit in self.exhibits:
            if exhibit.answers_to(name):
                return exhibit
        names = [exhibit.name for exhibit in self.exhibits]
        raise OptionError(
            f"exhibit={describe(name)} is unknown in {self.name}{nearest(name, names)}; "
            f"there are {', '.join(names)}"
        )


def paper(name: str) -> Paper:
    """Return a paper by name.

    Raises
    ------
    OptionError
        If it is unknown.
    """
    if not isinstance(name, str) or name not in _HOMES:
        raise OptionError(
            f"paper={describe(name)} is unknown{nearest(name, PAPERS)}; there are "
            f"{', '.join(PAPERS)}"
        )
    found: Paper = importlib.import_module(_HOMES[name]).PAPER
    return found


def split_name(name: str) -> tuple[str, str]:
    """Return the paper and what follows the first slash, empty without one.

    Raises
    ------
    OptionError
        If nothing follows the slash after the name of a paper: a variable of a shell script may
        be empty, and all of a paper takes minutes.
    """
    if not isinstance(name, str):
        raise OptionError(f"name={describe(name)} must be a string such as 'paper/statement'")
    first, slash, rest = name.partition("/")
    if slash and not rest and first in _HOMES:
        raise OptionError(
            f"name={describe(name)} ends with a slash and must name something after it; "
            f"give {first!r} for all of the paper"
        )
    return first, rest


def checks(name: str) -> Iterator[Check]:
    """Examine statements one after the other; see `check`."""
    source, statement = split_name(name)
    found = paper(source)
    for one in found.select_statements(statement):
        yield one.check(found.name)


def check(name: str) -> list[Check]:
    """Examine the statements of a paper.

    Parameters
    ----------
    name : str
        ``"paper"`` for all, ``"paper/statement"`` for one or for all whose names begin with it:
        ``"single-neuron-target/theorem-1"`` gives theorem-1-i, -ii and -iii.

    Returns
    -------
    list of Check
        In the order in which the paper's package declares them. Everything is computed now.

    Raises
    ------
    OptionError
        If the paper or the statement is unknown.
    """
    return list(checks(name))


def mutations(name: str) -> Iterator[Check]:
    """Examine the measured statements under their mutation: each must come out as FAILS."""
    source, statement = split_name(name)
    found = paper(source)
    for one in found.select_statements(statement):
        if one.kind == "measured":
            yield one.check(found.name, mutated=True)


def run(name: str, *, n_threads: int | None = None, **options: Any) -> Reproduction:
    """Compute a figure or table of a paper again.

    Parameters
    ----------
    name : str
        ``"paper/exhibit"``, e.g. ``"single-neuron-target/fig3"``.
    n_threads : int, optional
        Threads of the compiled core; the results do not depend on it.
    **options
        Keywords of the exhibit that make it smaller or larger; they are recorded.

    Returns
    -------
    Reproduction
        Its numbers; ``.draw()`` gives the picture.

    Raises
    ------
    OptionError
        If the paper, the exhibit or an option is unknown, or an option has a wrong value.
    """
    source, exhibit = split_name(name)
    found = paper(source)
    if not exhibit:
        names = ", ".join(f"{found.name}/{one.name}" for one in found.exhibits)
        raise OptionError(f"name={describe(name)} names no exhibit; there are {names}")
    return found.exhibit(exhibit).run(found.name, n_threads=n_threads, **options)
