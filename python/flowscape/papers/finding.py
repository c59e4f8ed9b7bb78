"""What examining a statement of a paper gives: one `Check`, the same for every paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from flowscape.errors import InternalError

__all__ = [
    "Check",
    "Finding",
    "Verdict",
    "between",
    "compare",
    "holds_if",
    "no_exception",
    "search",
]


class Verdict(StrEnum):
    """What a check says about a statement.

    HOLDS, FAILS
        Measured: the numbers agree, or do not. Searched: FAILS, with a counterexample at hand.
    UNREFUTED
        Searched: no counterexample was found within the budget.
    UNDECIDED
        The evidence does not suffice.
    CITED
        A textbook result, shown in use; no verdict of ours.
    """

    HOLDS = "holds"
    FAILS = "fails"
    UNREFUTED = "unrefuted"
    UNDECIDED = "undecided"
    CITED = "cited"


@dataclass(frozen=True)
class Finding:
    """What the function behind a statement measured.

    Attributes
    ----------
    predicted, measured : float or str
        What the corrected statement says, and what was found: numbers where there are numbers.
    tolerance : float
        The largest |measured - predicted|, or the bound, that still agrees; 0 for exact
        statements.
    instances : int
        Cases examined.
    corrected : Verdict
        On the statement as Flowscape implements it.
    printed : Verdict or None
        On the statement as printed, from evidence of its own; None where they are the same.
    evidence : Mapping
        Further numbers, by name.
    """

    predicted: float | str
    measured: float | str
    tolerance: float
    instances: int
    corrected: Verdict
    printed: Verdict | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One statement of a paper, examined.

    Attributes
    ----------
    paper, statement : str
        ``fs.check(f"{paper}/{statement}")`` repeats it.
    source : str
        Where the statement stands.
    says : str
        The statement as printed, in short.
    correction : str
        The statement that Flowscape implements; empty where the printed one stands.
    kind : {"measured", "searched", "cited"}
        Measured: could have failed. Searched: a counterexample was sought. Cited: a textbook
        result, shown in use.
    printed, corrected : Verdict
        As printed and as corrected.
    predicted, measured, tolerance, instances, evidence
        As in `Finding`.
    mutation : str
        The error (wrong coefficient, sign or hypothesis) under which a measured check fails.
    seconds : float
        Wall time.
    """

    paper: str
    statement: str
    source: str
    says: str
    correction: str
    kind: str
    printed: Verdict
    corrected: Verdict
    predicted: float | str
    measured: float | str
    tolerance: float
    instances: int
    evidence: Mapping[str, Any]
    mutation: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the statement as Flowscape implements it did not fail."""
        return self.corrected is not Verdict.FAILS

    def __repr__(self) -> str:
        return (
            f"Check({self.paper}/{self.statement}: as printed {self.printed}, as corrected "
            f"{self.corrected}; {self.kind}, {self.instances} instances)"
        )


def compare(
    predicted: float,
    measured: float,
    tolerance: float,
    *,
    instances: int,
    as_printed: float | None = None,
    printed: Verdict | None = None,
    **evidence: Any,
) -> Finding:
    """Return the finding that a number is what it should be, to within `tolerance`.

    Parameters
    ----------
    predicted, measured, tolerance, instances, printed, evidence
        As in `Finding`.
    as_printed : float, optional
        What was measured of the statement as printed; it decides `printed` by the same rule and
        is recorded as evidence of this name.

    Returns
    -------
    Finding
        A number that is not finite leaves the statement undecided.
    """

    def verdict(number: float) -> Verdict:
        gap = abs(number - predicted)
        return holds_if(gap <= tolerance) if np.isfinite(gap) else Verdict.UNDECIDED

    if as_printed is not None:
        printed, evidence = verdict(as_printed), {"as_printed": as_printed, **evidence}
    return Finding(predicted, measured, tolerance, instances, verdict(measured), printed, evidence)


def no_exception(
    exceptions: int | np.integer,
    /,
    *,
    instances: int,
    printed: Verdict | None = None,
    **evidence: Any,
) -> Finding:
    """Return the finding that a statement without exceptions has none, by their number."""
    return compare(0.0, float(exceptions), 0.0, instances=instances, printed=printed, **evidence)


def between(
    low: float,
    measured: float,
    high: float,
    *,
    instances: int,
    predicted: float | str | None = None,
    as_printed: float | None = None,
    printed: Verdict | None = None,
    **evidence: Any,
) -> Finding:
    """Return the finding that a number lies in [low, high], one of which may be infinite.

    `as_printed` is that of `compare`.
    """
    if not low < high:
        raise InternalError(f"the interval [{low}, {high}] of a check is empty")
    if predicted is None:
        predicted = (
            f"at least {low:.6g}"
            if np.isinf(high)
            else f"at most {high:.6g}"
            if np.isinf(low)
            else f"in [{low:.6g}, {high:.6g}]"
        )

    def verdict(number: float) -> Verdict:
        return holds_if(low <= number <= high) if np.isfinite(number) else Verdict.UNDECIDED

    if as_printed is not None:
        printed, evidence = verdict(as_printed), {"as_printed": as_printed, **evidence}
    return Finding(predicted, measured, 0.0, instances, verdict(measured), printed, evidence)


def search(
    found: int,
    budget: int,
    *,
    looked_for: str,
    printed: Verdict | None = None,
    **evidence: Any,
) -> Finding:
    """Return the finding of a search for counterexamples among `budget` cases."""
    verdict = Verdict.FAILS if found else Verdict.UNREFUTED
    measured = f"{found} of {budget}"
    return Finding(f"no {looked_for}", measured, 0.0, budget, verdict, printed, evidence)


def holds_if(condition: bool | np.bool_) -> Verdict:
    """Return HOLDS or FAILS."""
    return Verdict.HOLDS if bool(condition) else Verdict.FAILS
