"""Papers, statement by statement and figure by figure: checked, and computed again.

One package per paper. Its statements are functions that return a `Finding`; its figures and tables
are pairs of a function that computes and one that draws. CONTRIBUTING.md says how to add one.
"""

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers, Reproduction
from flowscape.papers.finding import Check, Finding, Verdict
from flowscape.papers.registry import PAPERS, Paper, check, checks, mutations, paper, run
from flowscape.papers.statement import Statement, Statements

__all__ = [
    "PAPERS",
    "Check",
    "Comparison",
    "Exhibit",
    "Finding",
    "Numbers",
    "Paper",
    "Reproduction",
    "Statement",
    "Statements",
    "Verdict",
    "check",
    "checks",
    "mutations",
    "paper",
    "run",
]
