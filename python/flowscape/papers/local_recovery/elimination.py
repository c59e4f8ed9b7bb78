"""Ranks and solvability over the rationals, by elimination with Python's integers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

__all__ = ["integer_rank", "solution_dimension"]


def integer_rank(matrix: Sequence[Sequence[int]]) -> int:
    """Return the exact rank of an integer matrix."""
    return len(_echelon(matrix))


def solution_dimension(rows: Sequence[Sequence[int]], unknowns: int) -> int | None:
    """Return the dimension of {z : A z = b}, None if it is empty; rows are (A | b)."""
    pivots = _echelon(rows)
    return None if unknowns in pivots else unknowns - len(pivots)


def _echelon(matrix: Sequence[Sequence[int]]) -> list[int]:
    """Return the columns of the pivots."""
    rows = [[Fraction(v) for v in row] for row in matrix if any(row)]
    pivots: list[int] = []
    column = 0
    width = len(rows[0]) if rows else 0
    while rows and column < width:
        place = next((i for i, row in enumerate(rows) if row[column]), None)
        if place is not None:
            pivot = rows.pop(place)
            pivots.append(column)
            reduced = []
            for row in rows:
                if row[column]:
                    factor = row[column] / pivot[column]
                    row = [v - factor * p for v, p in zip(row, pivot, strict=True)]
                if any(row):
                    reduced.append(row)
            rows = reduced
        column += 1
    return pivots
