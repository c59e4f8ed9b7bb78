"""Linear forms of the outgoing weights, modulo the equations of several branches, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

__all__ = ["Sums"]

Name = int | str
Combination = dict[Name, Fraction]
Row = Mapping[int, int]


class Sums:
    """The equations row . a = right, by elimination over the rationals.

    Parameters
    ----------
    rows : sequence of {int: int}
        Coefficients.
    rights : sequence of Name or None
        Formal right sides, None for 0.

    Attributes
    ----------
    consistent : bool
        False if a combination of the rows is 0 and that of the right sides is not.
    """

    def __init__(self, rows: Sequence[Row], rights: Sequence[Name | None]) -> None:
        self._pivots: dict[int, tuple[dict[int, Fraction], Combination]] = {}
        self.consistent = True
        for row, right in zip(rows, rights, strict=True):
            rest, made = self._reduce(row)
            left = {name: -value for name, value in made.items()}
            if right is not None:
                left[right] = left.get(right, Fraction(0)) + 1
            left = {name: value for name, value in left.items() if value}
            if not rest:
                self.consistent &= not left
                continue
            pivot = min(rest)
            head = rest[pivot]
            self._pivots[pivot] = (
                {k: value / head for k, value in rest.items()},
                {name: value / head for name, value in left.items()},
            )

    @property
    def rank(self) -> int:
        """Number of independent equations."""
        return len(self._pivots)

    def value(self, row: Row) -> Combination | None:
        """Return the form as a combination of right sides, None if it is not fixed."""
        rest, made = self._reduce(row)
        return None if rest else {name: value for name, value in made.items() if value}

    def _reduce(self, row: Row) -> tuple[dict[int, Fraction], Combination]:
        """Return what is left of a row, and the right side of what was taken away."""
        rest = {k: Fraction(value) for k, value in row.items() if value}
        made: Combination = {}
        for pivot in sorted(self._pivots):  # every later row is 0 at the earlier pivots
            factor = rest.get(pivot)
            if not factor:
                continue
            head, right = self._pivots[pivot]
            for k, value in head.items():
                rest[k] = rest.get(k, Fraction(0)) - factor * value
            rest = {k: value for k, value in rest.items() if value}
            for name, value in right.items():
                made[name] = made.get(name, Fraction(0)) + factor * value
        return rest, made
