"""Statements of the paper; importing this package declares them all, in the paper's order."""

from flowscape.papers.single_neuron_target.statements import theorem_1, theorem_3

__all__ = ["theorem_1", "theorem_3"]
