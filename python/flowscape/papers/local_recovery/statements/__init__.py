"""Statements of the paper; importing this package declares them all, in the paper's order."""

from flowscape.papers.local_recovery.statements import (
    section_2,
    section_3_1,
    section_3_2,
    section_3_4,
    section_4,
    section_5,
)

__all__ = ["section_2", "section_3_1", "section_3_2", "section_3_4", "section_4", "section_5"]
