"""Section 5: flows near Q*: rates, directions, recovery stability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branch
from flowscape.critical import recovery_stability
from flowscape.flow import gradient_flow
from flowscape.papers.finding import Finding, compare, holds_if
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import (
    SHIFTED,
    WORKED,
    family,
    problem,
    stream,
    worked_example,
)
from flowscape.separation import rank_drops

Floats = NDArray[np.float64]

STATEMENTS.cited(
    "theorem-5-1",
    "Theorem 5.1",
    "Lojasiewicz: near a critical point |grad f| >= C |f - f(p)|^mu with mu in [1/2, 1)",
    used="a power-law tail means mu > 1/2: Flow.tails",
)
STATEMENTS.cited(
    "theorem-5-2",
    "Theorem 5.2",
    "near a local minimum of an analytic function every gradient flow converges",
    used="every flow has a limit to be located: Branches.locate",
)

# One sample inside the triangle of the others; two more.
_TRIANGLE = np.array([[0.0, 1.0], [-0.9, -0.6], [0.9, -0.5], [0.1, 0.05]])
_CONVEX = np.array([[1.0, 0.1], [-0.9, 0.1], [0.1, 1.1], [0.0, -1.0]])
_MORE = np.array([[0.4, -0.6], [-0.3, 0.5], [1.2, 0.8]])


def _points() -> tuple[tuple[Branch, Floats], tuple[Branch, Floats]]:
    """Return Q^1 and Q^2 of the worked example, each with a generic point."""
    found, w = worked_example(), WORKED[1:]
    shared = np.array([0.5, *w, 0.8, *w])
    free = np.array([*WORKED, 0.0, -0.5, 0.6])
    return (found[0], shared), (found[1], free)


def _slope(size: Floats, other: Floats) -> float:
    """Return the power p in other ~ size^p, by the median over pairs of points of a curve."""
    return float(np.polyfit(np.log(size), np.log(other), 1)[0])


def _follow(branch: Branch, theta: Floats, x: Floats, radius: float, runs: int, key: int) -> Any:
    """Return (flow, start) of perturbed points, with dense output."""
    prob = problem(worked_example(), x)
    step = stream(key).normal(size=(runs, len(theta)))
    start = theta + radius * step / np.linalg.norm(step, axis=1)[:, None]
    rate = np.linalg.eigvalsh(prob.hessian(theta))
    slow = float(rate[rate > 1e-8 * rate[-1]][0])
    return prob, start, slow


@STATEMENTS.measured(
    "theorem-5-3-a",
    "Theorem 5.3 (a)",
    "n >= m + (m+m0-r)d, l = 2r-m-m0: linear rate and |pi_p(gamma - theta*)| = "
    "O(|pi_s(gamma - theta*)|)",
    correction="n >= r + (m+m0-r)d, and O(|pi_s|^2)",
    mutation={"power": 3.0},
    mutation_says="O(|pi_s|^3)",
)
def theorem_5_3_a(power: float = 2.0) -> Finding:
    """Fit log|pi_p| against log|pi_s| along flows to Q^2 (m = 2, m0 = 1, d = 2, n = 5)."""
    _, (branch, theta) = _points()
    x = np.concatenate([_TRIANGLE, _MORE[:1]])
    prob, start, slow = _follow(branch, theta, x, 3e-3, 6, 17)
    times = np.linspace(2.0, 9.0, 25) / slow
    flow = gradient_flow(prob, start, rtol=1e-11, atol=1e-15, method="rosenbrock", save_at=times)
    slopes = []
    for limit, curve in zip(flow.theta, flow.thetas, strict=True):
        foot = branch.project(limit)
        tangent = branch.tangent(foot)
        way = curve - foot
        parallel = way @ tangent
        normal = np.linalg.norm(way - parallel @ tangent.T, axis=1)
        along = np.linalg.norm(parallel, axis=1)
        clear = (along > 1e-11) & (normal > 1e-9)
        if clear.sum() >= 8:
            slopes.append(_slope(normal[clear], along[clear]))
    return compare(
        power,
        float(np.median(slopes)) if slopes else np.nan,
        0.25,
        instances=len(slopes),
        printed=holds_if(bool(slopes) and np.median(slopes) >= 1.0),
        slopes=[round(s, 3) for s in slopes],
    )


@STATEMENTS.measured(
    "corollary-5-1",
    "Corollary 5.1 (b), Theorem 5.3 (b)",
    "where R is not Morse-Bott, |pi_s| = O(|pi_c|^2) and R(gamma) = O(|gamma - theta*|^4 + "
    "e^(-beta t)); conditions r < (m+m0)/2 and l < 2r-m-m0",
    correction="l < 2r-m-m0 is impossible: read l > 2r-m-m0, and 'or' for 'and'",
    mutation={"order": 2.0},
    mutation_says="R is of second order",
)
def corollary_5_1(order: float = 4.0) -> Finding:
    """Fit log R against the log of the distance to Q^1, along power-law tails with four samples."""
    (branch, theta), _ = _points()
    prob, start, slow = _follow(branch, theta, _TRIANGLE, 3e-2, 6, 18)
    times = np.geomspace(1e3, 1e6, 25) / slow
    flow = gradient_flow(prob, start, rtol=1e-10, atol=1e-14, method="rosenbrock", save_at=times)
    slopes = []
    for curve in flow.thetas:
        distance = branch.distance(curve)
        loss = prob.loss(curve)
        clear = (loss > 1e-26) & np.isfinite(distance)
        if clear.sum() >= 8:
            slopes.append(_slope(distance[clear], loss[clear]))
    least_l = all(b.l >= 2 * b.r - 3 for b in worked_example())
    return compare(
        order,
        float(np.median(slopes)) if slopes else np.nan,
        0.2,
        instances=len(slopes),
        printed=holds_if(not least_l),
        slopes=[round(s, 3) for s in slopes],
    )


@STATEMENTS.measured(
    "theorem-5-3-c",
    "Theorem 5.3 (c)",
    "the rank of Hess R is constant on Q^{m0} and on Q^m, so (a) holds for all points of Q^m",
    correction="it is constant on Q^{m0}; on Q^m it drops at exceptional points",
    mutation={"constant": True},
    mutation_says="the rank is constant on Q^m too",
)
def theorem_5_3_c(constant: bool = False) -> Finding:
    """Look for rank drops on Q^2 of a one-input student, between points on a segment."""
    rng, budget = stream(19), 5
    drops = _drops("exp", rng, budget)
    tanh = _drops(SHIFTED, rng, budget)
    seen = drops + tanh > 0
    return compare(
        float(not constant),
        float(seen),
        0.0,
        instances=2 * budget,
        printed=holds_if(not seen),
        sample_sets_with_drops_exp=drops,
        sample_sets_with_drops_shifted_tanh=tanh,
    )


def _drops(activation: Any, rng: np.random.Generator, budget: int) -> int:
    """Return for how many sample sets the rank drops along a segment of Q^m, m = 3, m0 = 2."""
    branch = next(b for b in family(3, 2, 1, activation) if b.l == 1)
    free, drops = branch.groups[-1][0], 0
    for _ in range(budget):
        start = branch.sample(rng)
        end = start.copy()
        start[2 * free + 1], end[2 * free + 1] = -4.0, 4.0
        x = 1.5 * rng.normal(size=(branch.r + (branch.r - branch.l), 1))
        drops += len(rank_drops(branch, x, start, end, grid=60)) > 0
    return drops


@STATEMENTS.measured(
    "theorem-5-4",
    "Theorem 5.4, Definition 5.1 and Table 2",
    "no point is recovery stable for n <= r + (r-l)d, almost all are for n >= r + (m+m0-r)d",
    correction="not stable for n <= r + (r-l)d if n < codim: where both are equal (l = 2r-m-m0) "
    "the truth is stable; between them the quadratic forms decide",
    mutation={"swapped": True},
    mutation_says="stable and unstable are exchanged",
)
def theorem_5_4(swapped: bool = False) -> Finding:
    """Compare predictions with flows from perturbations of points of Q^1 and Q^2, n = 2, ..., 7."""
    rng, wrong, instances, kept = stream(20), 0, 0, 0
    for number, (branch, theta) in enumerate(_points()):
        radius = (0.03, 1e-3)[number]
        for base in (_TRIANGLE, _CONVEX):
            x = np.concatenate([base, _MORE])
            for n in (2, 3, 4, 5, 7):
                found = recovery_stability(
                    branch, worked_example().teacher, x[:n], theta, radius=radius, runs=8, rng=rng
                )
                stable = found.prediction.stable
                if stable is None:
                    continue
                lost, recovered = float(found.lost.mean()), float(found.recovered.mean())
                agrees = recovered >= 0.5 and lost == 0.0 if stable else lost >= 0.5
                wrong += agrees == swapped
                kept += number == 1 and n == 4 and agrees and bool(stable)
                instances += 1
    # n = 4 on Q^2 is r + (r-l)d = codim: as printed no point is stable there
    return compare(0.0, float(wrong), 0.0, instances=instances, printed=holds_if(kept == 0))


@STATEMENTS.measured(
    "lemma-5-1",
    "Lemma 5.1 (a), system (13) with c = 0",
    "|z(t) - z*| = O(|y(t)|^2)",
    mutation={"power": 3.0},
    mutation_says="O(|y|^3)",
)
def lemma_5_1(power: float = 2.0) -> Finding:
    """Integrate y' = -(1 + z^2) y + y^2, z' = y^2 + y^3."""

    def field(v: Floats) -> Floats:
        return np.array([-(1.0 + v[1] ** 2) * v[0] + v[0] ** 2, v[0] ** 2 + v[0] ** 3])

    trail = _runge_kutta(field, np.array([0.1, 0.3]), 4e-3, 4000, 250)
    y, z = trail[-1]
    limit = z + y * y / (2.0 * (1.0 + z * z))  # what is left: the integral of y^2
    ys, zs = trail.T
    early = slice(0, 8)
    slope = _slope(ys[early], np.abs(zs[early] - limit))
    return compare(power, slope, 0.1, instances=1)


def _runge_kutta(
    field: Callable[[Floats], Floats], v: Floats, dt: float, steps: int, every: int
) -> Floats:
    """Return every so many points of the classical Runge-Kutta method, the first included."""
    trail = [v]
    for step in range(1, steps + 1):
        k1 = field(v)
        k2 = field(v + 0.5 * dt * k1)
        k3 = field(v + 0.5 * dt * k2)
        k4 = field(v + dt * k3)
        v = v + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6.0
        if step % every == 0:
            trail.append(v)
    return np.array(trail)


@STATEMENTS.measured(
    "lemma-5-2",
    "Lemma 5.1 (b) and Lemma 5.2, system (13) with c > 0",
    "|y(t)| = O(|x(t)|^2 + e^(-beta t))",
    mutation={"power": 3.0},
    mutation_says="O(|x|^3)",
)
def lemma_5_2(power: float = 2.0) -> Finding:
    """Integrate x' = -x^2 + y^2, y' = -(1 + z^2) y + x^2, z' = x^2 y; compare late times."""

    def field(v: Floats) -> Floats:
        x, y, z = v
        return np.array([-x * x + y * y, -(1.0 + z * z) * y + x * x, x * x * y])

    trail = _runge_kutta(field, np.array([0.3, -0.2, 0.4]), 0.05, 20_000, 500)
    late = trail[8:]
    slope = _slope(late[:, 0], np.abs(late[:, 1]))
    return compare(power, slope, 0.1, instances=1)


@STATEMENTS.measured(
    "tables-conditions",
    "Table 1 first row; Theorem 5.3 (a) and (b): n >= m + (m+m0-r)d",
    "linear rate for n >= (d+1)m0 and arbitrary branches; thresholds with m in front",
    correction="n <= (d+1)m0; r + (m+m0-r)d",
    mutation={"bound": "ge"},
    mutation_says="n >= (d+1)m0, as printed",
)
def tables_conditions(bound: str = "le") -> Finding:
    """Rates predicted by Morse-Bott verdicts on every branch, m = 3, m0 = 1 and 2, d = 2."""
    rng, wrong, printed_wrong, instances = stream(21), 0, 0, 0
    for m, m0 in ((2, 1), (3, 1), (3, 2)):
        for orbit in family(m, m0, 2).orbits():
            branch = orbit.representative
            for n in range(1, 3 * m):
                small, large = n <= 3 * m0, n >= 3 * m0
                found = branch.separation(rng.normal(size=(n, 2)))
                if found.morse_bott is None:
                    continue
                linear = bool(found.morse_bott)
                wrong += (small if bound == "le" else large) and not linear
                printed_wrong += large and not linear
                instances += 1
    return compare(
        0.0, float(wrong), 0.0, instances=instances, printed=holds_if(printed_wrong == 0)
    )
