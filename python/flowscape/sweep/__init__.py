"""Sweeps: a study in a file, the flows it asks for, a result folder that can be read back."""

from flowscape.sweep.branch_rows import BranchRow, branch_rows
from flowscape.sweep.flow_options import FlowOptions
from flowscape.sweep.recover import Progress, recover
from flowscape.sweep.results import Outcome, RecoverResult, Verdict
from flowscape.sweep.store import load
from flowscape.sweep.study import Study

__all__ = [
    "BranchRow",
    "FlowOptions",
    "Outcome",
    "Progress",
    "RecoverResult",
    "Study",
    "Verdict",
    "branch_rows",
    "load",
    "recover",
]
