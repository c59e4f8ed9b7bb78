"""Nearest points where groups are coupled: the search of `location.least_distance`."""

from flowscape.branches.location.least_distance import nearest

__all__ = ["nearest"]
