"""Students and targets of every kind that the enumeration knows, with their own slow network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from flowscape.branches import Branches, branches
from flowscape.problem import Teacher, TwoLayer

TANH = "tanh"
SHIFTED = {"name": "tanh", "h": 0.3}
LIFTED = [{"name": "tanh", "h": 0.3}, {"name": "const", "c": -float(np.tanh(0.3))}]
MIXED = ["tanh", "softplus"]
STEEP = {"name": "exp", "c": -1.5, "s": -0.7, "h": 0.2}
ABS = ["relu", {"name": "relu", "s": -1.0}]
BUMPY = [{"name": "gauss", "h": 0.2}, {"name": "const", "c": -0.4}]
WAVY = [{"name": "tanh", "s": 3.0}, {"name": "tanh", "c": -1.5}]

LOWERED = ["sigmoid", {"name": "const", "c": -0.2}]
LEANING = [{"name": "gauss", "h": 0.4}, {"name": "identity", "c": 0.7}]

FORMULAS: dict[str, tuple[object, Callable[[np.ndarray], np.ndarray]]] = {
    "tanh": (TANH, np.tanh),
    "shifted": (SHIFTED, lambda z: np.tanh(z + 0.3)),
    "lifted": (LIFTED, lambda z: np.tanh(z + 0.3) - np.tanh(0.3)),
    "mixed": (MIXED, lambda z: np.tanh(z) + np.logaddexp(0.0, z)),
    "wavy": (WAVY, lambda z: np.tanh(3.0 * z) - 1.5 * np.tanh(z)),
    "exp": ("exp", np.exp),
    "steep": (STEEP, lambda z: -1.5 * np.exp(-0.7 * z + 0.2)),
    "relu": ("relu", lambda z: np.maximum(z, 0.0)),
    "leaky": ("leaky_relu", lambda z: np.where(z > 0.0, z, 0.01 * z)),
    "abs": (ABS, np.abs),
    "gauss": ("gauss", lambda z: np.exp(-(z**2))),
    "sigmoid": ("sigmoid", lambda z: 0.5 + 0.5 * np.tanh(0.5 * z)),
    "lowered": (LOWERED, lambda z: 0.3 + 0.5 * np.tanh(0.5 * z)),
    "softplus": ("softplus", lambda z: np.logaddexp(0.0, z)),
    "silu": ("silu", lambda z: z * (0.5 + 0.5 * np.tanh(0.5 * z))),
    "leaning": (LEANING, lambda z: np.exp(-((z + 0.4) ** 2)) + 0.7 * z),
    "bumpy": (BUMPY, lambda z: np.exp(-((z + 0.2) ** 2)) - 0.4),
}


@dataclass(frozen=True)
class Case:
    """A student, a target, and the network function written once more.

    `flat` counts target neurons with zero input weight: they make a constant part. `weights` are
    the target's outgoing weights, random ones otherwise.
    """

    formula: str
    m: int
    m0: int
    d: int = 1
    outputs: int = 1
    bias: bool = True
    output_bias: bool = False
    flat: int = 0
    weights: tuple[float, ...] = ()

    @property
    def net(self) -> TwoLayer:
        return self._net(self.m)

    def _net(self, width: int) -> TwoLayer:
        spec = FORMULAS[self.formula][0]
        return TwoLayer(width, self.d, spec, self.bias, self.outputs, self.output_bias)

    @property
    def teacher_width(self) -> int:
        return max(1, self.m0 + self.flat)  # the target 0 is a neuron with a = 0

    @property
    def teacher(self) -> Teacher:
        rng = np.random.default_rng(5)
        width = self.teacher_width
        net = self._net(width)
        w = rng.normal(size=(width, self.d)) + 0.5 * np.sign(rng.normal(size=(width, self.d)))
        w[self.m0 :] = 0.0
        a = 1.0 + rng.uniform(size=(width, self.outputs))
        a[self.m0 + self.flat :] = 0.0
        if self.weights:
            a[:] = np.array(self.weights)[:, None]
        parts = {"a": a if self.outputs > 1 else a[:, 0], "w": w}
        if self.bias:
            parts["b"] = rng.normal(size=width)
        if self.output_bias:
            parts["c"] = rng.normal(size=self.outputs)
        return Teacher(net, net.pack(**parts))

    @property
    def family(self) -> Branches:
        return branches(self.net, self.teacher)

    def forward(self, theta: np.ndarray, x: np.ndarray, width: int | None = None) -> np.ndarray:
        """Return the values (..., N, O) of networks (..., P), neuron by neuron."""
        sigma = FORMULAS[self.formula][1]
        block = self.outputs + self.d + self.bias
        total = np.zeros((*theta.shape[:-1], len(x), self.outputs))
        for k in range(width or self.m):
            neuron = theta[..., k * block : (k + 1) * block]
            z = neuron[..., self.outputs : self.outputs + self.d] @ x.T
            if self.bias:
                z = z + neuron[..., -1:]
            total += sigma(z)[..., None] * neuron[..., None, : self.outputs]
        if self.output_bias:
            total += theta[..., None, -self.outputs :]
        return total

    def target(self, x: np.ndarray) -> np.ndarray:
        """Return the target's values (N, O)."""
        return self.forward(self.teacher.theta, x, self.teacher_width)

    def defect(self, theta: np.ndarray, n: int = 60) -> float:
        """Return the largest deviation from the target on random inputs."""
        x = 2.0 * np.random.default_rng(6).normal(size=(n, self.d))
        return float(np.abs(self.forward(theta, x) - self.target(x)).max())

    def __str__(self) -> str:
        words = [self.formula, f"m{self.m}", f"t{self.m0}", f"d{self.d}"]
        words += [f"o{self.outputs}"] * (self.outputs > 1) + ["bias"] * self.bias
        words += ["outbias"] * self.output_bias + ["const"] * (self.flat > 0)
        words += [str(self.weights)] * bool(self.weights)
        return "-".join(words)


CASES = [
    Case("shifted", 3, 1, bias=False),
    Case("shifted", 3, 2, d=2, bias=False),
    Case("shifted", 3, 1, outputs=2, bias=False),
    Case("shifted", 3, 1, bias=False, flat=1),
    Case("shifted", 3, 1, bias=False, output_bias=True, flat=1),
    Case("exp", 3, 1, d=2, bias=False),
    Case("exp", 3, 1, outputs=2, bias=False, output_bias=True),
    Case("lifted", 3, 1, bias=False),
    Case("lifted", 3, 1, bias=False, outputs=2, output_bias=True),
    Case("tanh", 3, 1, bias=False),
    Case("tanh", 3, 2, d=2, bias=False, outputs=2),
    Case("tanh", 2, 1),
    Case("tanh", 3, 1),
    Case("tanh", 3, 2, d=2),
    Case("tanh", 3, 0),
    Case("tanh", 3, 1, outputs=2),
    Case("tanh", 4, 1, outputs=2),
    Case("tanh", 3, 1, flat=1),
    Case("tanh", 3, 1, d=2, outputs=2, flat=1),
    Case("tanh", 2, 1, output_bias=True),
    Case("tanh", 3, 1, outputs=2, output_bias=True, flat=1),
    Case("shifted", 3, 1),
    Case("shifted", 3, 1, flat=1),
    Case("mixed", 3, 1),
    Case("mixed", 3, 1, d=2, output_bias=True),
    Case("mixed", 3, 1, outputs=2, flat=1),
    Case("wavy", 3, 1),
    Case("wavy", 3, 1, outputs=2),
    Case("wavy", 3, 1, flat=1),
    Case("gauss", 3, 1, bias=False),
    Case("gauss", 3, 2, d=2, bias=False, outputs=2),
    Case("gauss", 3, 1, bias=False, output_bias=True, flat=1),
    Case("gauss", 2, 1),
    Case("gauss", 3, 2, d=2),
    Case("gauss", 3, 1, flat=1),
    Case("bumpy", 3, 1),
    Case("bumpy", 3, 1, outputs=2),
    Case("exp", 3, 1),
    Case("exp", 3, 2, d=2),
    Case("exp", 2, 0),
    Case("exp", 3, 1, outputs=2),
    Case("exp", 3, 1, flat=1),
    Case("exp", 3, 1, output_bias=True, flat=1),
    Case("steep", 3, 1, d=2, outputs=2, output_bias=True),
    Case("relu", 3, 1, d=2, bias=False),
    Case("leaky", 3, 2, d=3, bias=False, output_bias=True),
    Case("relu", 3, 0, d=2, bias=False),
    Case("relu", 3, 1, bias=False),
    Case("abs", 2, 1, d=2, bias=False),
    Case("abs", 2, 1, bias=False),
]

COUPLED = [
    Case("sigmoid", 3, 1, bias=False),
    Case("sigmoid", 3, 2, bias=False, d=2, weights=(1.0, -1.0)),
    Case("sigmoid", 3, 1, bias=False, outputs=2),
    Case("sigmoid", 3, 1),
    Case("sigmoid", 3, 1, output_bias=True, outputs=2),
    Case("lowered", 3, 1),
    Case("softplus", 3, 1, bias=False),
    Case("softplus", 3, 2, bias=False, weights=(1.0, -1.0)),
    Case("softplus", 3, 1, bias=False, flat=1),
    Case("silu", 3, 1, bias=False),
    Case("silu", 3, 1),
    Case("softplus", 3, 1, output_bias=True),
    Case("leaning", 3, 2, d=2),
    Case("softplus", 3, 1, bias=False, outputs=2, d=2),
    Case("softplus", 3, 1, outputs=2),
    Case("silu", 3, 1, outputs=2),
]
COUPLED_MORE = [
    Case("sigmoid", 3, 1, bias=False, output_bias=True),
    Case("sigmoid", 3, 1, bias=False, flat=1),
    Case("sigmoid", 3, 0, bias=False),
    Case("sigmoid", 4, 1),
    Case("sigmoid", 3, 1, flat=1),
    Case("lowered", 3, 1, outputs=2),
    Case("softplus", 4, 1, bias=False, d=2),
    Case("softplus", 3, 1, bias=False, output_bias=True),
    Case("softplus", 3, 0, bias=False),
    Case("silu", 3, 1, bias=False, output_bias=True),
    Case("softplus", 3, 1),
    Case("softplus", 4, 1),
    Case("softplus", 4, 2, output_bias=True),
    Case("softplus", 3, 0),
    Case("silu", 3, 1, flat=1),
    Case("leaning", 3, 1),
    Case("softplus", 4, 1, bias=False, outputs=2, d=2),
    Case("softplus", 5, 1, bias=False, outputs=2, d=2),
    Case("softplus", 4, 0, bias=False, outputs=3, d=3),
    Case("softplus", 4, 2, bias=False, outputs=2, weights=(1.0, -1.0)),
    Case("softplus", 5, 0, outputs=2, d=2),
    Case("silu", 4, 1, outputs=2, output_bias=True),
]

SLOW = [pytest.param(case, marks=pytest.mark.slow) for case in COUPLED_MORE]


@pytest.fixture(params=[*CASES, *COUPLED, *SLOW], ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Each kind of student and target in turn."""
    return request.param


@pytest.fixture
def make_case() -> type[Case]:
    """Build one student and target."""
    return Case


@pytest.fixture
def rng() -> np.random.Generator:
    """A fixed random stream."""
    return np.random.default_rng(20)
