"""The worked example of section 2.2 and the networks that the checks range over.

The paper gives no numbers; these are ours. Target weights are distinct and not 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branch, Branches, branches
from flowscape.objective import Problem
from flowscape.problem import Activation, Samples, Teacher, TwoLayer
from flowscape.problem.activation import ActivationSpec

__all__ = ["GENERIC", "Case", "cases", "draw", "example", "features", "rank"]

Floats = NDArray[np.float64]

GENERIC: dict[str, ActivationSpec] = {
    "exp(z)": "exp",
    "tanh(z+0.7)": {"name": "tanh", "h": 0.7},
    "sigmoid(z-0.9)": {"name": "sigmoid", "h": -0.9},
    "softplus(z+0.5)": {"name": "softplus", "h": 0.5},
}
"""Activations that satisfy Assumption 2.1."""

# Relative size below which a singular value is not told from rounding.
_ROUNDING = 1e-12


def draw(*key: int) -> np.random.Generator:
    """Return the random stream of this key, the same in every run."""
    return np.random.default_rng([1906, *key])


@dataclass(frozen=True)
class Case:
    """A network of width m, its target of width m0, and inputs to draw from.

    Attributes
    ----------
    net : TwoLayer
    teacher : Teacher
    """

    net: TwoLayer
    teacher: Teacher

    @property
    def m(self) -> int:
        """Width of the network."""
        return self.net.width

    @property
    def m0(self) -> int:
        """Width of the target."""
        return self.teacher.net.width

    @property
    def d(self) -> int:
        """Input dimension."""
        return self.net.inputs

    @cached_property
    def family(self) -> Branches:
        """The branches of Q*."""
        return branches(self.net, self.teacher)

    @property
    def representatives(self) -> list[Branch]:
        """One branch of every kind."""
        return [orbit.representative for orbit in self.family.orbits()]

    def inputs(self, n: int, *key: int) -> Floats:
        """Return n standard normal inputs (n, d)."""
        return draw(n, *key).normal(size=(n, self.d))

    def problem(self, x: Floats) -> Problem:
        """Return the sum loss of the paper's Equation (2)."""
        return Problem(self.net, Samples.of(self.teacher, x), "sum", teacher=self.teacher)

    def defect(self, theta: Floats) -> Floats:
        """Return max |g - f*| over 200 further inputs, relative to max |f*|."""
        probe = draw(200).normal(size=(200, self.d))
        wanted = self.teacher(probe)
        return np.abs(self.net(theta, probe) - wanted).max(axis=-1) / np.abs(wanted).max()


def case(activation: ActivationSpec, m: int, m0: int, d: int, key: int = 0) -> Case:
    """Return a network and a random target with |a| between 1/2 and 3/2."""
    rng = draw(m, m0, d, key)
    net = TwoLayer(width=m, inputs=d, activation=activation, bias=False)
    small = TwoLayer(width=m0, inputs=d, activation=activation, bias=False)
    a = rng.choice([-1.0, 1.0], size=m0) * rng.uniform(0.5, 1.5, size=m0)
    return Case(net, Teacher(small, small.pack(a=a, w=rng.normal(size=(m0, d)))))


@cache
def example(m: int = 2, d: int = 2) -> Case:
    """Return the worked example: exp, m neurons, one target neuron, two inputs."""
    net = TwoLayer(width=m, inputs=d, activation="exp", bias=False)
    small = TwoLayer(width=1, inputs=d, activation="exp", bias=False)
    w = np.array([[0.5, -0.4, 0.3]])[:, :d]
    return Case(net, Teacher(small, small.pack(a=[1.2], w=w)))


@cache
def _cases() -> tuple[Case, ...]:
    names = list(GENERIC)
    shapes = ((2, 1, 2), (3, 1, 1), (3, 2, 2), (4, 2, 1), (2, 2, 1))
    return tuple(
        case(GENERIC[names[i % len(names)]], *shape, key=i) for i, shape in enumerate(shapes)
    )


def cases() -> Iterator[Case]:
    """Yield small networks of four generic activations, m0 = m among them."""
    yield from _cases()


def features(activation: ActivationSpec, w: Floats, x: Floats, slopes: int | None = None) -> Floats:
    """Return matrix (7) of the paper: columns sigma(w_t.x_i), then sigma'(w_t.x_i) x_i.

    Parameters
    ----------
    activation
        Specification.
    w : (r, d) ndarray
    x : (n, d) ndarray
    slopes : int, optional
        Only this many vectors get their derivatives; default all.
    """
    value, slope = Activation.of(activation).values(x @ w.T, 1)
    used = slope.shape[1] if slopes is None else slopes
    return np.hstack([value, *(slope[:, [t]] * x for t in range(used))])


def rank(matrix: Floats) -> int:
    """Return the number of singular values that rounding cannot explain."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return int((values > _ROUNDING * max(matrix.shape) * values[0]).sum())
