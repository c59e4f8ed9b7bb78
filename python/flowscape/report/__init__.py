"""Reports: tables and figures of a result. Reads results only, never integrates."""

from flowscape.report.figures import draw
from flowscape.report.folder import ReportFiles, write_report
from flowscape.report.tables import branch_table, outcome_table, summary

__all__ = [
    "ReportFiles",
    "branch_table",
    "draw",
    "outcome_table",
    "summary",
    "write_report",
]
