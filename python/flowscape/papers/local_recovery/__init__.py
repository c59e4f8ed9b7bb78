"""L. Zhang, Y. Zhang, T. Luo, "Local Recovery of Two-layer Neural Networks at
Overparameterization"; page: docs/papers/local-recovery.md.
"""  # noqa: D205

from flowscape.papers.local_recovery import statements as _statements  # noqa: F401
from flowscape.papers.local_recovery.exhibits import EXHIBITS
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.registry import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="local-recovery",
    title="Local recovery of two-layer neural networks at overparameterization (Zhang, Zhang, Luo)",
    statements=STATEMENTS,
    exhibits=EXHIBITS,
)
