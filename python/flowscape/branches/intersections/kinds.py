"""What an intersection of closures can be."""

from __future__ import annotations

from flowscape.branches.intersections.bilinear import BilinearSubspace
from flowscape.branches.intersections.curved_subspace import CurvedSubspace
from flowscape.branches.intersections.cut import CutSubspace
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.intersections.union import UnionOfPieces
from flowscape.branches.lines.intersection import LineIntersection

__all__ = ["Intersection"]

Intersection = (
    AffineSubspace
    | CurvedSubspace
    | BilinearSubspace
    | CutSubspace
    | UnionOfPieces
    | LineIntersection
)
"""All have dim, codim, pieces, contains and sample, all but the last one project and distance."""
