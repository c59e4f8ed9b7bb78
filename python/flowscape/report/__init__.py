"""Reports: tables and figures of a result. Reads results only, never integrates."""

from flowscape.report.figures import write_figures
from flowscape.report.tables import branch_table, outcome_table, summary

__all__ = ["branch_table", "outcome_table", "summary", "write_figures"]
