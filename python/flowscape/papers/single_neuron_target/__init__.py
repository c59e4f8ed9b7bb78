"""J. Zhao, Z. Bai, Y. Zhang, "Disentangle Sample Size and Initialization Effect on Perfect
Generalization for Single-Neuron Target"; page: docs/papers/single-neuron-target.md.
"""  # noqa: D205

from flowscape.papers.registry import Paper
from flowscape.papers.single_neuron_target import statements as _statements  # noqa: F401
from flowscape.papers.single_neuron_target.exhibits import EXHIBITS
from flowscape.papers.single_neuron_target.ledger import STATEMENTS

__all__ = ["PAPER"]

PAPER = Paper(
    name="single-neuron-target",
    title="Sample size and initialization effect on perfect generalization for a "
    "single-neuron target (Zhao, Bai, Zhang)",
    statements=STATEMENTS,
    exhibits=EXHIBITS,
)
