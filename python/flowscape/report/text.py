"""Plain-text tables."""

from __future__ import annotations

from collections.abc import Sequence


def align(rows: Sequence[Sequence[str]], *, left: int = 1, gap: str = "  ") -> list[str]:
    """Return the rows as lines of one table.

    Parameters
    ----------
    rows : sequence of sequences of str
        The first row is the header. A row of one cell is a heading across the table.
    left : int
        Number of leading columns aligned to the left; the rest is aligned to the right.
    gap : str
        Between columns.
    """
    columns = max(len(row) for row in rows)
    full = [row for row in rows if len(row) > 1 or columns == 1]
    widths = [max(len(row[i]) for row in full) for i in range(columns)]
    lines = []
    for row in rows:
        if len(row) < columns:
            lines.append(row[0])
            continue
        cells = (
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(gap.join(cells).rstrip())
    return lines


def percent(fraction: float) -> str:
    """Return a fraction as a percentage that never rounds a rare run away; 0 is a dot."""
    if fraction == 0:
        return "·"
    if fraction == 1:
        return "100%"
    if fraction < 0.01:
        return "<1%"
    return f"{min(round(100 * fraction), 99)}%"


def short(value: float) -> str:
    """Return a positive number with two digits; a dash where there is none."""
    if value != value:
        return "-"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+00", "").replace("e+0", "e+")
