"""The components ("branches") of the set of perfect networks: integers and linear algebra."""

from flowscape.branches.branch import Branch
from flowscape.branches.family import Branches, Orbit, branches
from flowscape.branches.locate import Location
from flowscape.branches.matching import Matching, matching
from flowscape.branches.partitions import count_branches

__all__ = [
    "Branch",
    "Branches",
    "Location",
    "Matching",
    "Orbit",
    "branches",
    "count_branches",
    "matching",
]
