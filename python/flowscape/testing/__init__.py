"""Slow, independent references for tests; nothing else in the package imports this."""

from flowscape.testing.activations import activation_sizes, activation_values
from flowscape.testing.kernels import KERNELS, on_kernel
from flowscape.testing.problems import dyadic, random_problem, random_theta
from flowscape.testing.reference import Derivatives, hessian_vector, reference

__all__ = [
    "KERNELS",
    "Derivatives",
    "activation_sizes",
    "activation_values",
    "dyadic",
    "hessian_vector",
    "on_kernel",
    "random_problem",
    "random_theta",
    "reference",
]
