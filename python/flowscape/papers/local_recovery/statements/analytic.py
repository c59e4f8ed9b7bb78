"""Section 3.2 and Lemma 4.1: real analytic functions."""

from __future__ import annotations

import numpy as np

from flowscape.objective import Problem
from flowscape.papers.finding import Finding, between, compare
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import cases, draw, example
from flowscape.problem import Samples, TwoLayer

STATEMENTS.cited(
    "lemma-3-2",
    "Lemma 3.2",
    "rank theorem for analytic maps of constant rank",
    used="lemma-4-2-a: zeros of constant rank are manifolds",
)
STATEMENTS.cited(
    "lemma-3-3",
    "Lemma 3.3",
    "zeros of an analytic function: measure 0; locally within finitely many analytic "
    "hypersurfaces; "
    "a manifold among finitely many of one dimension that cover the zeros is isolated somewhere",
    used="lemma-3-4, corollary-3-5 (a); lemma-4-2-b (c)",
)


def _decay(prob: Problem, theta: np.ndarray, direction: np.ndarray) -> float:
    """Return how many times the last Chebyshev coefficients of R on a segment are smaller."""
    order = 128
    nodes = np.cos(np.pi * (np.arange(order) + 0.5) / order)
    values = prob.loss(theta + nodes[:, None] * direction)
    angles = np.pi * np.outer(np.arange(order), np.arange(order) + 0.5) / order
    c = np.abs(np.cos(angles) @ values) * 2.0 / order
    return float(c[-16:].max() / c.max())


@STATEMENTS.measured(
    "lemma-4-1",
    "Lemma 4.1; Corollary 3.3",
    "R is analytic if sigma is",
    mutation={"activation": "relu"},
    mutation_says="the activation is relu",
)
def lemma_4_1(activation: str = "") -> Finding:
    """Expand R on segments: Chebyshev coefficients of an analytic function fall to rounding."""
    worst, instances = 0.0, 0
    for k, case in enumerate(cases()):
        net = case.net
        if activation:
            net = TwoLayer(width=case.m, inputs=case.d, activation=activation, bias=False)
        x = case.inputs(5, k)
        prob = Problem(net, Samples.of(case.teacher, x), "sum")
        rng = draw(k, 41)
        for _ in range(4):
            theta = rng.normal(size=net.n_params)
            direction = 0.3 * rng.normal(size=net.n_params)
            worst = max(worst, _decay(prob, theta, direction))
            instances += 1
    return between(-np.inf, worst, 1e-12, instances=instances)


@STATEMENTS.measured(
    "corollary-3-4",
    "Corollary 3.4; Remark 3.4",
    "f(z, x) analytic, z in E of dimension s, no f(z, .) = 0: for n > s almost all x_1, ..., x_n "
    "have no common zero z",
    mutation={"more": 0},
    mutation_says="n = s",
)
def corollary_3_4(more: int = 1) -> Finding:
    """Solve f(z, x) = e^x - z_1 - z_2 x - ... - z_s x^(s-1) by least squares; s = 1, 2, 3."""
    least, instances = np.inf, 0
    for s in (1, 2, 3):
        for _ in range(50):
            x = draw(s, instances).uniform(-2.0, 2.0, s + more)
            powers = x[:, None] ** np.arange(s)
            z = np.linalg.lstsq(powers, np.exp(x), rcond=None)[0]
            least = min(least, float(np.abs(powers @ z - np.exp(x)).max()))
            instances += 1
    return between(1e-9, least, np.inf, instances=instances, predicted="no common zero")


@STATEMENTS.measured(
    "lemma-4-3-a",
    "Lemma 4.3 (a)",
    "for N and open O around Q* finitely many samples put R^-1(0) within |theta| <= N into O",
    mutation={"n": 3},
    mutation_says="only 3 samples",
)
def lemma_4_3_a(n: int = 40) -> Finding:
    """Find the least loss on the ball |theta| <= 2 outside the tube of radius 0.3 around Q*."""
    case = example()
    x = case.inputs(n, 43)
    prob = case.problem(x)
    rng = draw(44)
    least, instances = np.inf, 0
    theta = rng.normal(size=(400, case.net.n_params))
    theta *= (2.0 * rng.uniform(size=400) ** 0.25 / np.linalg.norm(theta, axis=1))[:, None]
    for _ in range(120):
        loss, gradient = prob.loss(theta), prob.gradient(theta)
        outside = case.family.locate(theta).distance >= 0.3
        least = min(least, float((loss / n)[outside].min()))
        step = 0.1 * np.minimum(1.0, 0.1 / np.maximum(1e-300, np.linalg.norm(gradient, axis=1)))
        trial = theta - np.minimum(step, 0.05)[:, None] * gradient
        norm = np.linalg.norm(trial, axis=1)
        trial *= np.minimum(1.0, 2.0 / norm)[:, None]
        better = (case.family.locate(trial).distance >= 0.3) & (prob.loss(trial) <= loss)
        theta = np.where(better[:, None], trial, theta)
        instances = len(theta)
    return between(1e-6, least, np.inf, instances=instances, predicted="loss > 0 outside the tube")


@STATEMENTS.measured(
    "remark-2-1",
    "Remark 2.1 (a)",
    "Q* is contained in R^-1(0)",
    mutation={"factor": 1.01},
    mutation_says="the members of Q* are multiplied by 1.01",
)
def remark_2_1(factor: float = 1.0) -> Finding:
    """Evaluate the loss on members of all branches."""
    worst, instances = 0.0, 0
    for k, case in enumerate(cases()):
        prob = case.problem(case.inputs(20, k))
        theta = np.array([b.sample(draw(k, b.index)) for b in case.family])
        worst = max(worst, float(prob.loss(factor * theta).max()))
        instances += len(theta)
    return compare(0.0, worst, 1e-24, instances=instances)
