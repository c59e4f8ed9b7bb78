"""Limits of flows in both senses: initialization to zero, and time to infinity."""

from flowscape.limits.imbalance import Imbalance, initial_imbalance
from flowscape.limits.limit_flow import LimitFlow, limit_flow

__all__ = ["Imbalance", "LimitFlow", "initial_imbalance", "limit_flow"]
