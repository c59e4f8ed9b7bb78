"""Theorems 2 and 4, Lemma 1 and Equation (10): ends of small starts (section 5.2, A.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flowscape.flow import gradient_flow
from flowscape.limits import initial_imbalance, limit_flow
from flowscape.objective import Problem
from flowscape.papers.finding import Finding, between, compare
from flowscape.papers.single_neuron_target.ledger import STATEMENTS
from flowscape.papers.single_neuron_target.origin import origin
from flowscape.papers.single_neuron_target.setting import (
    SEED,
    even_inputs,
    example_1,
    gaussian_inputs,
)
from flowscape.papers.single_neuron_target.statements.small_starts import (
    Case,
    aligned,
    cases,
    exponent,
)
from flowscape.problem import Samples, Teacher, TwoLayer

Floats = NDArray[np.float64]

_CONVERGES = 0.25
_RTOL = 1e-10
# Ratios of imbalance whose ends on Q2, or on the zeros of three samples, are regular.
_RATIOS = (0.15, 0.3, 0.45)


def _end(prob: Problem, theta0: Floats) -> Floats:
    """Return the limits of flows from starts (B, P), accurately."""
    atol = 1e-2 * _RTOL * np.abs(theta0).max(axis=1)
    return gradient_flow(prob, theta0, rtol=_RTOL, atol=np.minimum(atol, 1e-12)).theta


def _problems() -> list[Problem]:
    return [
        example_1(even_inputs(6)),
        example_1(even_inputs(3)),
        example_1(gaussian_inputs(4, 2)),
    ]


def _saddle() -> Problem:
    """Return a problem whose flow of balanced small starts ends at a saddle.

    The target has two different neurons; a student with equal neurons is one neuron and stays so.
    """
    one = TwoLayer(width=2, inputs=1, activation="tanh", bias=True)
    teacher = Teacher(one, one.pack(a=[1.0, 1.0], w=[[2.5], [0.5]], b=[-1.5, 1.0]))
    return Problem(one, Samples.of(teacher, even_inputs(8)), "half_sum", teacher=teacher)


def _starts(prob: Problem, imbalance: Floats, seed: int) -> Floats:
    """Return a start of this C with a random part orthogonal to the leading eigenspace."""
    at_0 = origin(prob)
    other = np.random.default_rng(SEED + seed).normal(size=prob.net.n_params)
    kernel = other - at_0.start(at_0.imbalance(other))
    return at_0.start(imbalance) + kernel / np.linalg.norm(kernel)


@STATEMENTS.measured(
    "theorem-2-i",
    "Theorem 2 (i)",
    "h(theta, t) = lim phi(alpha theta, t + log(1/alpha)/|gamma|) exists, sigma analytic",
    correction="with mu_1 = |sigma'(0)| |gamma| as in Theorem 1",
    mutation={"factor": 2.0},
    mutation_says="the leading part of theta is taken twice as large",
)
def theorem_2_i(factor: float = 1.0) -> Finding:
    """Compare flows from 1e-9 theta with h computed from the unstable manifold of the origin.

    Neither is used in the other. The distance is of order alpha.
    """
    worst, printed, instances = 0.0, 0.0, 0
    for case in cases():
        t = np.array([-1.0, 0.0, 1.0]) / case.origin.rate
        found = initial_imbalance(case.prob, case.theta)
        shift = np.log(factor * found.amplitude) / found.rate
        h = limit_flow(case.prob, found.ratio, rtol=1e-11, t_max=t[-1] + shift, save_at=t + shift)
        thetas = h.flow.thetas
        assert thetas is not None

        def gap(rate: float, case: Case = case, t: Floats = t, thetas: Floats = thetas) -> float:
            (near,) = aligned(case.prob, case.theta, rate, t, [1e-9])
            return float((np.abs(near - thetas) / np.abs(thetas).max()).max())

        worst = max(worst, gap(case.origin.rate))
        if abs(case.origin.slope) != 1.0:
            printed = max(printed, gap(case.origin.norm))
        instances += 1
    return compare(
        0.0,
        worst,
        1e-7,
        instances=instances,
        as_printed=printed,
    )


@STATEMENTS.measured(
    "theorem-2-ii",
    "Theorem 2 (ii)",
    "if bounded, h(theta, t) has a limit for t -> infinity, determined by C/|C|",
    mutation={"sign": -1.0},
    mutation_says="the sign of w.gamma in C is reversed",
)
def theorem_2_ii(sign: float = 1.0) -> Finding:
    """Compare the ends from two starts of scale 1e-30 with the same C/|C|."""
    gaps = []
    for prob in _problems():
        at_0 = origin(prob)
        for k, ratio in enumerate(_RATIOS):
            one = _starts(prob, np.array([1.0, ratio]), k)
            neurons = one.reshape(2, -1) * [1.0, sign, sign]
            c = at_0.imbalance(neurons.ravel())
            other = _starts(prob, 3.0 * c, 10 + k)
            first, second = _end(prob, 1e-30 * np.array([one, other]))
            gaps.append(float(np.abs(first - second).max()))
    return compare(0.0, max(gaps), 1e-6, instances=len(gaps))


def _interchange(prob: Problem, imbalance: Floats, seed: int) -> tuple[float, float]:
    """Return the powers of alpha and of delta with which ends approach that of h.

    Alpha: ends of flows from alpha theta. Delta: ends of h for a C that differs by delta.
    """
    limit = limit_flow(prob, imbalance, rtol=_RTOL).theta
    alphas = (1e-2, 1e-3, 1e-4, 1e-5)
    theta = _starts(prob, imbalance, seed)
    of_alpha = np.abs(_end(prob, np.outer(alphas, theta)) - limit).max(axis=1)
    deltas = (1e-2, 1e-3, 1e-4)
    moved = imbalance + np.outer(deltas, [0.6, -0.8])
    of_delta = np.abs(limit_flow(prob, moved, rtol=_RTOL).theta - limit).max(axis=1)
    return _power(of_alpha, alphas), _power(of_delta, deltas)


def _power(gaps: Floats, steps: Sequence[float]) -> float:
    return exponent(np.where(gaps > 1e-8, gaps, 0.0), steps)


@STATEMENTS.measured(
    "theorem-2-iii",
    "Theorem 2 (iii)",
    "if lim_t h(theta_0, t) is no saddle, the limits t -> infinity and alpha -> 0 can be "
    "interchanged, and lim_t h is continuous at theta_0",
    mutation={"saddle": True},
    mutation_says="the limit is a saddle: two balanced neurons, a target of two",
)
def theorem_2_iii(saddle: bool = False) -> Finding:
    """Measure the powers of alpha and delta; they are positive where the limits agree."""
    powers: list[float] = []
    if saddle:
        powers += _interchange(_saddle(), np.array([1.0, 1.0]), 0)
    else:
        for prob in _problems():
            for k, ratio in enumerate(_RATIOS):
                powers += _interchange(prob, np.array([1.0, ratio]), k)
    return between(
        _CONVERGES, min(powers), np.inf, predicted="powers > 0", instances=len(powers) // 2
    )


@STATEMENTS.measured(
    "theorem-4",
    "Theorem 4",
    "the same for any analytic l >= 0 with a strict saddle at 0: near v_0 and for small alpha all "
    "flows have limits, and lim_t h is the limit of limits",
    mutation={"saddle": True},
    mutation_says="the limit of h is a saddle",
)
def theorem_4(saddle: bool = False) -> Finding:
    """Follow 32 flows from alpha (v + delta) + u for alpha = 1e-4 and delta up to 1e-3.

    Their ends lie within 10 (alpha + delta), the size of the derivative, of the end of h.
    """
    rng = np.random.default_rng(SEED + 40)
    alpha, delta, worst, instances = 1e-5, 1e-3, 0.0, 0
    chosen = [(_saddle(), np.array([1.0, 1.0]))] if saddle else []
    if not saddle:
        net = TwoLayer(width=3, inputs=2, activation="sin", bias=False)
        teacher = Teacher(net, net.pack(a=[1.0, 0.5, 0.3], w=[[0.9, 0.2], [-0.5, 0.8], [0.1, 1]]))
        x = rng.uniform(-1.0, 1.0, (4, 2))
        chosen += [(Problem(net, Samples.of(teacher, x), "half_sum"), np.array([1.0, 0.5, -0.3]))]
        chosen += [(prob, np.array([1.0, 0.3])) for prob in _problems()]
    for prob, c in chosen:
        limit = limit_flow(prob, c, rtol=_RTOL).theta
        moved = c + delta * rng.normal(size=(8, len(c)))
        starts = alpha * np.array([_starts(prob, one, 50 + k) for k, one in enumerate(moved)])
        gaps = np.abs(_end(prob, starts) - limit).max(axis=1)
        worst = max(worst, float(gaps.max()))
        instances += len(starts)
    return between(-np.inf, worst, 10 * (alpha + delta), instances=instances)


@STATEMENTS.measured(
    "lemma-1",
    "Lemma 1",
    "if the flow from v_0 ends at a local minimum, the limits of flows from near v_0 exist and are "
    "continuous at v_0",
    mutation={"saddle": True},
    mutation_says="the flow from v_0 ends at a saddle: v_0 = 0",
)
def lemma_1(saddle: bool = False) -> Finding:
    """Measure the power of the distance of starts with which the ends approach one another."""
    rng = np.random.default_rng(SEED + 60)
    deltas = (1e-2, 1e-3, 1e-4)
    powers = []
    for prob in _problems():
        v_0 = np.zeros((1, 6)) if saddle else rng.normal(size=(4, 6))
        for start, end in zip(v_0, v_0 if saddle else _end(prob, v_0), strict=True):
            direction = rng.normal(size=6)
            ends = _end(prob, start + np.outer(deltas, direction))
            powers.append(_power(np.abs(ends - end).max(axis=1), deltas))
    return between(_CONVERGES, min(powers), np.inf, predicted="powers > 0", instances=len(powers))


@STATEMENTS.measured(
    "equation-10",
    "Equations (10) and (11)",
    "the length of the flow from t_0 on is at most (l(t_0) - l(end))^(1-mu) / (C (1-mu)) where "
    "|grad l| >= C |l - l(end)|^mu",
    mutation={"divisor": 4.0},
    mutation_says="C (1-mu) in the denominator is four times too large",
)
def equation_10(divisor: float = 1.0) -> Finding:
    """Measure lengths along flows that end at regular zeros, where mu = 1/2.

    C is the least |grad l| / sqrt(l) on the path. The length is that of a polygon through 400
    points, a little too short.
    """
    worst, instances = 0.0, 0
    for prob in _problems()[1:]:
        for ratio in _RATIOS:
            end = limit_flow(prob, [1.0, ratio], rtol=_RTOL)
            start = end.theta + 0.05 * np.random.default_rng(SEED + 70).normal(size=6)
            t = np.concatenate([[0.0], np.logspace(-3, 5, 400)])
            path = gradient_flow(prob, start, rtol=1e-10, atol=1e-13, t_max=t[-1], save_at=t)
            assert path.thetas is not None
            loss = prob.loss(path.thetas)
            seen = loss > 1e-20
            slope = np.linalg.norm(prob.gradient(path.thetas[seen]), axis=1)
            constant = float((slope / np.sqrt(loss[seen])).min())
            length = np.linalg.norm(np.diff(path.thetas, axis=0), axis=1).sum()
            worst = max(worst, divisor * length * constant * 0.5 / float(np.sqrt(loss[0])))
            instances += 1
    return between(
        -np.inf, worst, 1.0, predicted="length at most the bound: ratio <= 1", instances=instances
    )


STATEMENTS.cited(
    "lojasiewicz",
    "A.3, the displayed inequality",
    "near a critical point of an analytic function |grad l| >= C |l - l*|^mu with mu < 1",
    used="in docs/limits.md: exponents of tails",
)
STATEMENTS.cited(
    "saddles-are-rare",
    "Section 5.2 (Panageas et al. 2019)",
    "gradient descent rarely converges to strict saddles",
    used="no flow of Figure 4 ends at one",
)
