"""Borders of basins of attraction: between two starts, or between two imbalances."""

from flowscape.basins.boundary import Boundary, boundary
from flowscape.basins.edge import Edge

__all__ = ["Boundary", "Edge", "boundary"]
