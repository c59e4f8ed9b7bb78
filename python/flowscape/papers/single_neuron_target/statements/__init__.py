"""Statements of the paper; importing this package declares them all."""

from flowscape.papers.single_neuron_target.statements import (
    end_points,
    example_1,
    larger_networks,
    recovery,
    scale,
    theorem_1,
    theorem_2,
    theorem_3,
)

__all__ = [
    "end_points",
    "example_1",
    "larger_networks",
    "recovery",
    "scale",
    "theorem_1",
    "theorem_2",
    "theorem_3",
]
