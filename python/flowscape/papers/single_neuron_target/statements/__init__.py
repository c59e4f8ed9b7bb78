"""Statements of the paper; importing this package declares them all, in the paper's order."""

from flowscape.papers.single_neuron_target.statements import (
    example_1,
    theorem_1,
    theorem_2,
    theorem_3,
)

__all__ = ["example_1", "theorem_1", "theorem_2", "theorem_3"]
