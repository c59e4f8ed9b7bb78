"""Section 5.2, Table 1: rates and limiting directions of flows next to a branch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import (
    Finding,
    Verdict,
    between,
    compare,
    holds_if,
    no_exception,
)
from flowscape.papers.local_recovery.approach import (
    RUNS,
    Approach,
    approach,
    approaches,
    branch_of,
    slope,
)
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import draw, example, rank
from flowscape.separation import rank_drops

Floats = NDArray[np.float64]


@STATEMENTS.measured(
    "system-13",
    "System (13)",
    "near a branch the flow is x' = f, y' = H(z) y + g, z' = m with f, g, m = O(|x|^2 + |y|^2)",
    mutation={"power": 3},
    mutation_says="O(|x|^3 + |y|^3)",
)
def system_13(power: int = 2) -> Finding:
    """Fit the order of -grad R + Hess R(theta*) v at theta* + v, v normal to the branch."""
    one, least, instances = example(), np.inf, 0
    for r, n in ((1, 5), (2, 4), (1, 4)):
        for key in range(3):
            rng, branch = draw(93, r, n, key), branch_of(r)
            prob, theta = one.problem(one.inputs(n, 93, key)), branch.sample(draw(93, r, n, key))
            along = branch.tangent(theta)
            v = rng.normal(size=len(theta))
            v -= along @ (along.T @ v)
            sizes = np.geomspace(1e-3, 1e-2, 9)
            points = theta + sizes[:, None] * v
            rest = -prob.gradient(points) + (points - theta) @ prob.hessian(theta)
            least = min(least, slope(sizes, np.linalg.norm(rest, axis=1)))
            instances += 1
    return between(
        power - 0.1, least, np.inf, instances=instances, predicted=f"order {power} or more"
    )


@STATEMENTS.measured(
    "theorem-5-3-a",
    "Theorem 5.3 (a)",
    "n >= m+(m+m0-r)d, l = 2r-m-m0, or n <= (d+1)m0: linear rate, |pi_p| = O(|pi_s|)",
    correction="n >= r+(m+m0-r)d suffices, and |pi_p| = O(|pi_s|^2)",
    mutation={"power": 3},
    mutation_says="|pi_p| = O(|pi_s|^3)",
)
def theorem_5_3_a(power: int = 2) -> Finding:
    """Follow flows to Q2 (n = 4) and to imperfect zeros (n = 3).

    |pi_p|/|pi_s|^p must not grow from |pi_s| in [1e-3, 1e-2] to |pi_s| in [1e-5, 1e-4].
    """
    growth, printed, rates = [], [], []
    for r, n in ((2, 4), (1, 3)):
        for one in approaches(r, n):
            growth.append(_growth(one, power))
            printed.append(_growth(one, 1))
            rates.append(abs(one.rate(one.gap) / one.slowest - 1.0))
    linear = len(growth) == 2 * RUNS and max(rates) <= 0.02
    return Finding(
        f"|pi_p|/|pi_s|^{power} stays bounded",
        float(max(growth)),
        2.0,
        len(growth),
        holds_if(linear and max(growth) <= 2.0),
        holds_if(linear and max(printed) <= 2.0),
        {"largest_error_of_the_rate": max(rates)},
    )


def _growth(one: Approach, power: int) -> float:
    late, early = (
        (one.p[part] / one.s[part] ** power).max()
        for part in ((one.s >= b) & (one.s <= 10.0 * b) for b in (1e-5, 1e-3))
    )
    return float(late / early)


@STATEMENTS.measured(
    "theorem-5-3-b",
    "Theorem 5.3 (b)",
    "r < (m+m0)/2 or l < 2r-m-m0: if the tail length is Omega(e^(-mu t)) for some mu above the "
    "largest negative eigenvalue of Hess R, then |pi_s| = O(|pi_c|^2)",
    correction="l > 2r-m-m0, n >= r+(m+m0-r)d, 0 < mu < smallest positive eigenvalue of Hess R, "
    "and "
    "derivatives in the tail length",
    mutation={"power": 3},
    mutation_says="|pi_s| = O(|pi_c|^3)",
)
def theorem_5_3_b(power: int = 2) -> Finding:
    """Fit |pi_s| ~ |pi_c|^p for flows to Q1 (n = 5).

    As printed any mu > 0 will do, as the Hessian has no negative eigenvalue; the flow from a start
    with two equal neurons ends at linear rate with pi_c = 0 and contradicts it.
    """
    found = [slope(one.c[one.late], one.s[one.late]) for one in approaches(1, 5)]
    one, rng = example(), draw(94)
    w = one.teacher.parameters.w[0] + 0.05 * rng.normal(size=2)
    start = one.net.pack(a=[0.62, 0.62], w=np.stack([w, w]))
    run = approach(one.problem(one.inputs(5, 94)), start, branch_of(1))
    assert run is not None
    part = run.straight
    linear = abs(run.rate(run.gap) / run.slowest - 1.0) <= 0.01
    contradicts = linear and bool((run.c[part] <= 1e-3 * run.s[part]).all())
    return _at_least(
        power,
        found,
        printed=holds_if(not contradicts),
        rate_of_the_symmetric_flow=run.rate(run.gap),
    )


def _at_least(power: int, found: list[float], *, printed: Verdict, **evidence: Any) -> Finding:
    """Return the finding that all fitted exponents, one of each flow, are at least `power`."""
    return between(
        power - 0.1,
        min(found) if len(found) == RUNS else np.nan,
        np.inf,
        instances=len(found),
        predicted=f"exponent {power} or more",
        printed=printed,
        **evidence,
    )


@STATEMENTS.measured(
    "theorem-5-3-c",
    "Theorem 5.3 (c)",
    "(a) holds at all theta* of Q^m, (b) at all of Q^m0: there the rank of Hess R is constant",
    correction="constant on Q^m0, not on Q^m: for n = codim it drops at exceptional points",
    mutation={"r": 2},
    mutation_says="constant on Q^m",
)
def theorem_5_3_c(r: int = 1) -> Finding:
    """Find ranks at many members of Q1, and locate drops on segments of Q2 by sign changes."""
    one, drops, looked = example(), 0, 0
    for key in range(20):
        rng = draw(95, key)
        x, branch = rng.normal(size=(4, 2)), branch_of(2)
        start, end = branch.sample(rng), branch.sample(rng)
        for drop in rank_drops(branch, x, start, end, grid=100):
            drops += rank(np.linalg.qr(one.problem(x).jacobian(drop.theta))[1]) < 4
        looked += 1
    varying = 0
    for key in range(50):
        rng = draw(96, key)
        theta = branch_of(1).sample(rng) * np.array([100.0**key if key < 3 else 1.0, 1, 1, 1, 1, 1])
        theta = branch_of(1).project(theta)
        varying += rank(one.problem(one.inputs(5, 96, key)).jacobian(theta)) != 3
    return no_exception(
        varying if r == 1 else drops,
        instances=50,
        printed=holds_if(drops == 0),
        drops_on_Q2=drops,
        segments=looked,
    )


@STATEMENTS.measured(
    "corollary-5-1-a",
    "Corollary 5.1 (a)",
    "under the conditions of Theorem 5.3 (a) R(gamma(t)) -> 0 at linear rate",
    correction="n >= r+(m+m0-r)d suffices",
    mutation={"factor": 1.0},
    mutation_says="at the rate of theta itself",
)
def corollary_5_1_a(factor: float = 2.0) -> Finding:
    """Compare the rate of R with twice the smallest positive eigenvalue."""
    runs = (*approaches(2, 4), *approaches(1, 3))
    worst = max(abs(one.rate(one.loss) / (factor * one.slowest) - 1.0) for one in runs)
    return compare(0.0, float(worst), 0.02, instances=len(runs))


@STATEMENTS.measured(
    "corollary-5-1-b",
    "Corollary 5.1 (b)",
    "r < (m+m0)/2 and l < 2r-m-m0: R(gamma(t)) = O(|gamma(t)-theta*|^4 + e^(-beta t))",
    correction="or l > 2r-m-m0; the printed hypotheses exclude each other, so nothing is claimed",
    mutation={"power": 5},
    mutation_says="O(|gamma(t)-theta*|^5 + e^(-beta t))",
)
def corollary_5_1_b(power: int = 4) -> Finding:
    """Fit R ~ |theta-theta*|^p for flows to Q1."""
    runs = approaches(1, 5)
    found = [slope(one.gap[one.late], one.loss[one.late]) for one in runs]
    return _at_least(power, found, printed=Verdict.HOLDS, exponents=str(np.round(found, 4)))


@STATEMENTS.measured(
    "table-1",
    "Table 1",
    "n >= (d+1)m0: linear for all branches; n >= r+(m+m0-r)d: linear if r >= (m+m0)/2 and l = "
    "2r-m-m0, else maybe not",
    correction="n <= (d+1)m0 in the first row",
    mutation={"at_least": True},
    mutation_says="n >= (d+1)m0 in the first row, with n = 5",
)
def table_1(at_least: bool = False) -> Finding:
    """Count the flows of every cell that converge as said."""
    slow_at_5 = sum(one.power_law for one in approaches(1, 5))
    linear = {
        key: sum(abs(one.rate(one.gap) / one.slowest - 1.0) <= 0.02 for one in approaches(*key))
        for key in ((1, 3), (2, 3), (2, 4))
    }
    good = sum(linear.values()) + (RUNS - slow_at_5 if at_least else slow_at_5)
    return compare(
        4.0 * RUNS,
        float(good),
        0.0,
        instances=4 * RUNS,
        printed=holds_if(slow_at_5 == 0),
        linear_n_3=linear[1, 3] + linear[2, 3],
        linear_n_4_Q2=linear[2, 4],
        power_law_n_5_Q1=slow_at_5,
    )
