"""The components ("branches") of the set of perfect networks: integers and linear algebra."""

from flowscape.branches.branch import Branch
from flowscape.branches.components import connected_components
from flowscape.branches.enumeration import branches
from flowscape.branches.family import Branches, Orbit
from flowscape.branches.intersections.bilinear import BilinearSubspace
from flowscape.branches.intersections.curved_subspace import CurvedSubspace
from flowscape.branches.intersections.cut import CutSubspace
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.intersections.union import UnionOfPieces
from flowscape.branches.lines.intersection import LineCell, LineIntersection
from flowscape.branches.location.locate import Location
from flowscape.branches.matching import Matching, matching
from flowscape.branches.partitions import count_branches
from flowscape.branches.poset import Flat, IntersectionPoset, intersection_poset

__all__ = [
    "AffineSubspace",
    "BilinearSubspace",
    "Branch",
    "Branches",
    "CurvedSubspace",
    "CutSubspace",
    "Flat",
    "IntersectionPoset",
    "LineCell",
    "LineIntersection",
    "Location",
    "Matching",
    "Orbit",
    "UnionOfPieces",
    "branches",
    "connected_components",
    "count_branches",
    "intersection_poset",
    "matching",
]
