"""Statements of a paper and the functions that examine them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowscape.errors import InternalError
from flowscape.papers.finding import Check, Finding, Verdict

__all__ = ["KINDS", "Statement", "Statements"]

KINDS: tuple[str, ...] = ("measured", "searched", "cited")

Examine = Callable[..., Finding]


@dataclass(frozen=True)
class Statement:
    """A claim of a paper and how it is examined.

    Attributes
    ----------
    name : str
        Unique in the paper, e.g. ``theorem-1-ii``.
    source, says, correction, kind : str
        As in `Check`.
    examine : callable
        Returns a `Finding`. Its keywords are the coefficients, signs and hypotheses of the
        statement, with the right ones as defaults.
    mutation : Mapping
        Keywords of `examine` under which the corrected statement must fail; empty unless the
        kind is measured.
    mutation_says : str
        What they change, in words.
    """

    name: str
    source: str
    says: str
    kind: str
    examine: Examine
    correction: str = ""
    mutation: Mapping[str, Any] = field(default_factory=dict)
    mutation_says: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InternalError(f"statement {self.name}: kind {self.kind!r} is none of {KINDS}")
        if (self.kind == "measured") != bool(self.mutation and self.mutation_says):
            raise InternalError(
                f"statement {self.name}: measured statements, and no others, have a mutation"
            )

    def check(self, paper: str, *, mutated: bool = False) -> Check:
        """Examine the statement; with `mutated`, its mutation instead."""
        begin = time.perf_counter()
        finding = self.examine(**(self.mutation if mutated else {}))
        printed = finding.printed
        if printed is None:
            printed = finding.corrected
        elif not self.correction and printed is not finding.corrected:
            raise InternalError(f"statement {self.name}: two verdicts, but no correction")
        return Check(
            paper=paper,
            statement=self.name,
            source=self.source,
            says=self.says,
            correction=self.correction,
            kind=self.kind,
            printed=printed,
            corrected=finding.corrected,
            predicted=finding.predicted,
            measured=finding.measured,
            tolerance=finding.tolerance,
            instances=finding.instances,
            evidence=dict(finding.evidence),
            mutation=self.mutation_says,
            seconds=time.perf_counter() - begin,
        )


class Statements:
    """The statements of one paper, collected by decorators in the order of the modules."""

    def __init__(self) -> None:
        self._all: dict[str, Statement] = {}

    def __iter__(self) -> Iterator[Statement]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def measured(
        self,
        name: str,
        source: str,
        says: str,
        *,
        mutation: Mapping[str, Any],
        mutation_says: str,
        correction: str = "",
    ) -> Callable[[Examine], Examine]:
        """Declare a statement whose numbers are compared; see `Statement`."""

        def add(examine: Examine) -> Examine:
            self._add(
                Statement(
                    name, source, says, "measured", examine, correction, mutation, mutation_says
                )
            )
            return examine

        return add

    def searched(
        self, name: str, source: str, says: str, *, correction: str = ""
    ) -> Callable[[Examine], Examine]:
        """Declare a statement to which counterexamples are sought."""

        def add(examine: Examine) -> Examine:
            self._add(Statement(name, source, says, "searched", examine, correction))
            return examine

        return add

    def cited(self, name: str, source: str, says: str, *, used: str) -> None:
        """Declare a textbook result; `used` says where it is at work here."""
        finding = Finding("", used, 0.0, 0, Verdict.CITED)
        self._add(Statement(name, source, says, "cited", lambda: finding))

    def _add(self, statement: Statement) -> None:
        if statement.name in self._all:
            raise InternalError(f"statement {statement.name} is declared twice")
        self._all[statement.name] = statement
