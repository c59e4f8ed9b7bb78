"""Theorems 2.2, 5.1 and 5.2, Proposition 5.1: flows converge, with lengths; zeros are limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flowscape.flow import gradient_flow
from flowscape.objective import Problem
from flowscape.papers.finding import (
    Finding,
    between,
    compare,
    holds_if,
)
from flowscape.papers.local_recovery.approach import (
    NEAR,
    RTOL,
    RUNS,
    Approach,
    approaches,
    branch_of,
    slope,
)
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import draw, example
from flowscape.separation import imperfect_zero

Floats = NDArray[np.float64]


@STATEMENTS.measured(
    "theorem-2-2-a",
    "Theorem 2.2 (a); Example (c) in section 2.3",
    "t <= N', n >= N_t: a generic flow near Q_t converges to a point of it, not at linear rate, "
    "and "
    "biased towards ker Hess R",
    mutation={"n": 3},
    mutation_says="n = 3",
)
def theorem_2_2_a(n: int = 5) -> Finding:
    """Follow flows to Q1: |pi_c| falls like t^(-1/2), and |pi_s|/|pi_c| goes to 0."""
    runs = approaches(1, n)
    good = sum(one.power_law and one.s[-1] <= 1e-2 * one.c[-1] for one in runs)
    exponents = str([round(one.exponent, 4) for one in runs])
    return compare(RUNS, float(good), 0.0, instances=RUNS, exponents=exponents)


@STATEMENTS.measured(
    "theorem-2-2-b",
    "Theorem 2.2 (b); Example (c) in section 2.3",
    "t > N', n >= N_t: flows near Q_t converge to points of it at linear rate",
    mutation={"factor": 2.0},
    mutation_says="the rate is twice the smallest positive eigenvalue",
)
def theorem_2_2_b(factor: float = 1.0) -> Finding:
    """Follow flows to Q2, n = 4: the rate is the smallest positive eigenvalue at the limit."""
    return _rates(approaches(2, 4), factor)


def _rates(runs: tuple[Approach, ...], factor: float) -> Finding:
    gaps = [abs(one.rate(one.gap) / (factor * one.slowest) - 1.0) for one in runs]
    worst = max(gaps) if len(runs) == RUNS else np.inf
    rates = str([f"{one.slowest:.3g}" for one in runs])
    return Finding(0.0, worst, 0.01, len(runs), holds_if(worst <= 0.01), None, {"rates": rates})


STATEMENTS.cited(
    "theorem-5-1",
    "Theorem 5.1",
    "Lojasiewicz inequality |grad f| >= C |f - f(p)|^mu, 1/2 <= mu < 1",
    used="lojasiewicz: mu = 3/4 next to Q1 and 1/2 next to Q2",
)


@STATEMENTS.measured(
    "lojasiewicz",
    "Theorem 5.1 for R",
    "mu in [1/2, 1)",
    correction="with values: 3/4 at generic points of Q1 (n = 5), 1/2 of Q2 (n = 4)",
    mutation={"at_q1": 0.5},
    mutation_says="mu = 1/2 at Q1",
)
def lojasiewicz(at_q1: float = 0.75) -> Finding:
    """Fit |grad R| ~ R^mu along flows."""
    return _exponents(at_q1, 0.5 - NEAR, lambda one: one.gradient)


@STATEMENTS.measured(
    "theorem-5-2",
    "Theorem 5.2",
    "flows near a local minimum converge, with length l = O((f - f(p))^beta), 0 < beta < 1",
    correction="with values beta = 1 - mu: 1/4 at generic points of Q1, 1/2 of Q2",
    mutation={"at_q1": 0.5},
    mutation_says="beta = 1/2 at Q1",
)
def theorem_5_2(at_q1: float = 0.25) -> Finding:
    """Fit l ~ R^beta along flows; l is summed from 600 points."""
    return _exponents(at_q1, 0.0, lambda one: one.way)


def _exponents(at_q1: float, above: float, values: Callable[[Approach], Floats]) -> Finding:
    """Fit values ~ R^p along flows: p is `at_q1` next to Q1, 1/2 next to Q2.

    As printed p lies between `above` and 1.
    """
    found, gaps = [], []
    for r, n, said in ((1, 5, at_q1), (2, 4, 0.5)):
        for one in approaches(r, n):
            part = one.late if r == 1 else one.straight
            found.append(slope(one.loss[part], values(one)[part]))
            gaps.append(abs(found[-1] - said))
    return compare(
        0.0,
        max(gaps),
        NEAR,
        instances=len(gaps),
        printed=holds_if(min(found) > above and max(found) < 1.0),
        exponents=str(np.round(found, 4)),
    )


@STATEMENTS.measured(
    "proposition-5-1",
    "Proposition 5.1; Theorem 2.2",
    "every zero of f >= 0 is the limit of a non-constant flow, in particular for analytic f",
    correction="every zero at which f does not vanish on a whole neighbourhood",
    mutation={"corrections": 0},
    mutation_says="the start is not corrected: the flow ends elsewhere",
)
def proposition_5_1(corrections: int = 12) -> Finding:
    """Shoot: move the start along the zeros until the limit is the wanted one.

    Wanted are a generic member of Q1 (n = 5) and of Q2 (n = 4), and an imperfect zero (n = 3). As
    printed, f = max(0, |x|-1)^4 contradicts it at x = 0.
    """
    one, misses, bars = example(), [], []
    for key in range(2):
        for r, n in ((1, 5), (2, 4), (1, 3)):
            branch, rng = branch_of(r), draw(92, r, n, key)
            x = one.inputs(n, 92, r, key)
            prob, wanted = one.problem(x), branch.sample(rng)
            if n == 3:
                zero = imperfect_zero(branch, x, wanted, distance=0.05, rng=rng)
                assert zero is not None
                wanted = zero.theta
                values, vectors = np.linalg.eigh(prob.hessian(wanted))
                along = vectors[:, values <= 1e-9 * values[-1]]
            else:
                along = branch.tangent(wanted)
            miss, bar = _shoot(prob, wanted, along, rng, corrections)
            misses.append(miss)
            bars.append(bar)
    flat = np.linspace(-0.9, 0.9, 19)
    gradient = 4.0 * np.maximum(0.0, np.abs(flat) - 1.0) ** 3
    excess = float(np.max(np.array(misses) / np.array(bars)))
    return between(
        -np.inf,
        excess,
        3.0,
        instances=len(misses),
        predicted="at most 3 error bars of the limit",
        printed=holds_if(gradient.any()),
        largest_distance=max(misses),
    )


def _shoot(
    prob: Problem, wanted: Floats, along: Floats, rng: np.random.Generator, corrections: int
) -> tuple[float, float]:
    """Return the distance of the flow's limit to the wanted one, and the limit's error bar."""
    start = wanted + 0.02 * rng.normal(size=len(wanted))
    for step in range(corrections + 1):
        flow = gradient_flow(prob, start, **RTOL)
        if step < corrections:
            start = start + along @ (along.T @ (wanted - flow.theta))
    moved = np.linalg.norm(start - flow.theta) > 1e-3
    miss = float(np.linalg.norm(flow.theta - wanted))
    return (miss, float(flow.theta_error)) if flow.success and moved else (np.inf, 1.0)
