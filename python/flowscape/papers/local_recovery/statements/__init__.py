"""Statements of the paper; importing this package declares them all, in the paper's order."""

# ruff: isort: off
from flowscape.papers.local_recovery.statements import landscape
from flowscape.papers.local_recovery.statements import independence
from flowscape.papers.local_recovery.statements import rapid_decrease
from flowscape.papers.local_recovery.statements import separating
from flowscape.papers.local_recovery.statements import analytic
from flowscape.papers.local_recovery.statements import geometry
from flowscape.papers.local_recovery.statements import intersections
from flowscape.papers.local_recovery.statements import morse_bott
from flowscape.papers.local_recovery.statements import separation
from flowscape.papers.local_recovery.statements import global_zeros
from flowscape.papers.local_recovery.statements import systems
from flowscape.papers.local_recovery.statements import projections
from flowscape.papers.local_recovery.statements import convergence
from flowscape.papers.local_recovery.statements import directions
from flowscape.papers.local_recovery.statements import stability

__all__ = [
    "analytic",
    "convergence",
    "directions",
    "geometry",
    "global_zeros",
    "independence",
    "intersections",
    "landscape",
    "morse_bott",
    "projections",
    "rapid_decrease",
    "separating",
    "separation",
    "stability",
    "systems",
]
