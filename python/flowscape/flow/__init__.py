"""Gradient flows of many starting points at once, followed to their limits."""

from flowscape.flow.integrate import METHODS, gradient_flow
from flowscape.flow.limits import VANISHING
from flowscape.flow.method import MethodChoice
from flowscape.flow.result import Flow
from flowscape.flow.tails import Law, Tails

__all__ = ["METHODS", "VANISHING", "Flow", "Law", "MethodChoice", "Tails", "gradient_flow"]
