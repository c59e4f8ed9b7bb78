"""Networks and numbers in words."""

from __future__ import annotations

from flowscape.problem import TwoLayer


def describe(net: TwoLayer) -> str:
    """Return a network in words."""
    activation = net.activation.spec()
    name = activation if isinstance(activation, str) else f"a sum of {len(activation)} terms"
    outputs = "" if net.outputs == 1 else f", {net.outputs} outputs"
    bias = "with bias" if net.bias else "without bias"
    return f"{plural(net.width, 'neuron')}, {name}, {plural(net.inputs, 'input')}{outputs}, {bias}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
