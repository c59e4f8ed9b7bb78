"""Limits of flows in both senses: initialization to zero, and time to infinity."""

from flowscape.limits.approach import Approach, fit_approach
from flowscape.limits.fibre import FlowInto, flow_into
from flowscape.limits.geometry import LimitGeometry, limit_geometry
from flowscape.limits.imbalance import Imbalance, initial_imbalance
from flowscape.limits.limit_flow import LimitFlow, limit_flow

__all__ = [
    "Approach",
    "FlowInto",
    "Imbalance",
    "LimitFlow",
    "LimitGeometry",
    "fit_approach",
    "flow_into",
    "initial_imbalance",
    "limit_flow",
    "limit_geometry",
]
