"""The workloads W1 to W6: problems, starts, and the fair operation counts of W1 to W4.

Sizes are arguments so that the formulas of the peers can be tested on small ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import flowscape as fs

Floats = NDArray[np.float64]

# Operations charged per call: what a well-written vector function of at most 2 ulp needs, not
# what this engine spends. A fused multiply-add is 2, a division 1.
TANH = 46
SOFTPLUS_SIGMOID = 78


@dataclass(frozen=True, eq=False)
class Workload:
    """A two-layer network with one output on samples, and a batch of parameters.

    Parameters are neuron-major, (a, w_1 .. w_d, b) per neuron.
    """

    name: str
    title: str
    width: int
    activation: str
    bias: bool
    loss: str
    x: Floats
    y: Floats
    theta: Floats
    flops: dict[int, float]
    """Fair operations of one call by derivative order; empty where none is stated."""

    @property
    def inputs(self) -> int:
        return self.x.shape[1]

    @property
    def incoming(self) -> int:
        """D: incoming parameters of a neuron, the bias included."""
        return self.inputs + self.bias

    @property
    def scale(self) -> float:
        """s in L = s * sum of squares."""
        return {"sum": 1.0, "half_sum": 0.5, "mean": 1.0 / len(self.y)}[self.loss]

    @functools.cached_property
    def x1(self) -> Floats:
        """(n, D): the inputs, with a column of ones if there is a bias."""
        ones = np.ones((len(self.x), 1)) if self.bias else np.empty((len(self.x), 0))
        return np.hstack([self.x, ones])

    @functools.cached_property
    def a(self) -> Floats:
        """(B, m): outgoing weights."""
        return np.ascontiguousarray(self._neurons[..., 0])

    @functools.cached_property
    def w(self) -> Floats:
        """(B, m, D): incoming weights, the bias last."""
        return np.ascontiguousarray(self._neurons[..., 1:])

    @property
    def _neurons(self) -> Floats:
        return self.theta.reshape(len(self.theta), self.width, 1 + self.incoming)

    @functools.cached_property
    def problem(self) -> fs.Problem:
        net = fs.TwoLayer(self.width, self.inputs, self.activation, bias=self.bias)
        return fs.Problem(net, fs.Samples(self.x, self.y), loss=self.loss)


@dataclass(frozen=True, eq=False)
class FlowWorkload:
    """Gradient flows of all rows of `at.theta`, to |gradient| <= gtol or t_max."""

    name: str
    title: str
    at: Workload
    gtol: float
    t_max: float
    rtol: float = 1e-6
    atol: float = 1e-9

    def follow(self, method: str = "auto", n_threads: int = 1, first: int | None = None) -> fs.Flow:
        """The public call that every ratio refers to, of the `first` runs or all."""
        return fs.gradient_flow(
            self.at.problem,
            self.at.theta[:first],
            rtol=self.rtol,
            atol=self.atol,
            method=method,
            t_max=self.t_max,
            gtol=self.gtol,
            n_threads=n_threads,
        )


def softplus(z: Floats) -> Floats:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def w1(batch: int = 4096) -> Workload:
    """Many tiny problems."""
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    # per neuron and sample: z 2, output 2, derivative 2, residual times it 1, three sums 6;
    # per sample: residual and loss 3. Hessian: second derivative and products 6 more, and 20
    # distinct sums of products with 6 further operations per sample.
    gradient = 12 * (TANH + 13) + 6 * 3
    hessian = gradient + 12 * 6 + 6 * (20 * 2 + 6)
    return Workload(
        "W1",
        f"tanh, d = 1 with bias, m = 2, n = 6, B = {batch} networks",
        2,
        "tanh",
        True,
        "sum",
        x,
        np.tanh(x[:, 0] + 1.0),
        np.random.default_rng(0).normal(size=(batch, 6)),
        {1: float(batch * gradient), 2: float(batch * hessian)},
    )


def w2(batch: int = 4, samples: int = 100_000) -> Workload:
    """Much data."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(samples, 2))
    teacher = rng.normal(size=(4, 3))
    # per neuron and sample: z 3, output 2, three sums with the residual 6; per sample 5.
    # Hessian: Jacobian 2, residual part 14, and the 110 distinct sums of its products.
    gradient = 5 * (SOFTPLUS_SIGMOID + 11) + 5
    hessian = 5 * (SOFTPLUS_SIGMOID + 21) + 5 + 110 * 2
    return Workload(
        "W2",
        f"softplus, d = 2, m = 5 (P = 15), N = {samples}, B = {batch}",
        5,
        "softplus",
        False,
        "sum",
        x,
        softplus(x @ teacher[:, 1:].T) @ teacher[:, 0],
        rng.normal(size=(batch, 15)),
        {1: float(batch * samples * gradient), 2: float(batch * samples * hessian)},
    )


def w3(batch: int = 64, width: int = 50, samples: int = 200) -> Workload:
    """Many parameters."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(samples, 3))
    p = 5 * width
    # Hessian: the whole upper triangle of the Gauss-Newton part is charged, P (P + 1) / 2 sums.
    gradient = width * (TANH + 21)
    hessian = width * (TANH + 48) + p * (p + 1)
    return Workload(
        "W3",
        f"tanh, d = 3 with bias, m = {width} (P = {p}), n = {samples}, B = {batch}",
        width,
        "tanh",
        True,
        "sum",
        x,
        np.sin(x.sum(axis=1)),
        0.5 * rng.normal(size=(batch, p)),
        {1: float(batch * samples * gradient), 2: float(batch * samples * hessian)},
    )


def w4(batch: int = 8, width: int = 1000) -> Workload:
    """Very wide, few samples; a gradient workload."""
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    return Workload(
        "W4",
        f"x / (1 + x^2), d = 1 with bias, m = {width} (P = {3 * width}), n = 6, B = {batch}",
        width,
        "rational",
        True,
        "sum",
        x,
        np.tanh(x[:, 0] + 1.0),
        np.random.default_rng(4).normal(size=(batch, 3 * width)) / np.sqrt(width),
        {1: float(batch * width * 6 * 18)},
    )


def w5(batch: int = 1000) -> FlowWorkload:
    """Flows of many tiny networks: Example 1 of the single-neuron-target paper, n = 6."""
    x = np.linspace(-2.0, 2.0, 6)[:, None]
    at = Workload(
        "W5",
        "",
        2,
        "tanh",
        True,
        "half_sum",
        x,
        np.tanh(x[:, 0] + 1.0),
        0.1 * np.random.default_rng(1).normal(size=(batch, 6)),
        {},
    )
    title = f"gradient flow of {batch} tiny networks until |gradient| < 1e-10 or t = 1e6"
    return FlowWorkload("W5", title, at, gtol=1e-10, t_max=1e6)


def w6(samples: int = 100_000) -> FlowWorkload:
    """One stiff flow on much data; fewer `samples` are the first of the full draw's inputs."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(100_000, 2))
    teacher = rng.normal(size=(4, 3))
    start = 0.5 * rng.normal(size=(1, 15))
    x = x[:samples]
    y = softplus(x @ teacher[:, 1:].T) @ teacher[:, 0]
    at = Workload("W6", "", 5, "softplus", False, "mean", x, y, start, {})
    title = f"one stiff gradient flow, softplus, d = 2, m = 5, N = {samples}, to |gradient| < 1e-9"
    return FlowWorkload("W6", title, at, gtol=1e-9, t_max=1e12)


KERNELS = {"W1": w1, "W2": w2, "W3": w3, "W4": w4}
FLOWS = {"W5": w5, "W6": w6}
