"""Discrete dynamics of many starting points at once: gradient descent and its relatives."""

from flowscape.descent.batches import SAMPLINGS, batch_indices
from flowscape.descent.descend import ALGORITHMS, gradient_descent
from flowscape.descent.linear_phase import linear_phase_steps
from flowscape.descent.options import DescentOptions
from flowscape.descent.result import Descent

__all__ = [
    "ALGORITHMS",
    "SAMPLINGS",
    "Descent",
    "DescentOptions",
    "batch_indices",
    "gradient_descent",
    "linear_phase_steps",
]
