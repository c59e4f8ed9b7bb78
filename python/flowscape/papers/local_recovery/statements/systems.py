"""Lemmas 5.1 and 5.2, Remarks 5.1 and 5.2, Figure 8: solutions of systems (13)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, Verdict, between, compare, holds_if
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import draw
from flowscape.papers.local_recovery.system_13 import Field, follow, no_centre, with_centre

Floats = NDArray[np.float64]


@STATEMENTS.measured(
    "lemma-5-1-a",
    "Lemma 5.1 (a)",
    "system (13), c = 0: |z(t)-z*| = O(|y(t)|^2)",
    mutation={"power": 3},
    mutation_says="O(|y|^3)",
)
def lemma_5_1_a(power: int = 2) -> Finding:
    """Follow random systems; z* is the end, where |y| < 1e-12.

    |z-z*|/|y|^p must not grow from |y| in [1e-5, 1e-4] to |y| in [1e-7, 1e-6].
    """
    worst, instances = 0.0, 0
    for key in range(8):
        start = 0.2 * draw(81, key).normal(size=3)
        _, u = follow(no_centre(key), start, 30.0, 0.05)
        y = np.linalg.norm(u[:, :2], axis=1)
        ratio = np.abs(u[:, 2] - u[-1, 2]) / y**power
        late, early = (ratio[(y > s) & (y < 10 * s)].max() for s in (1e-7, 1e-5))
        worst = max(worst, float(late / early))
        instances += 1
    return between(
        -np.inf, worst, 2.0, instances=instances, predicted=f"|z-z*|/|y|^{power} stays bounded"
    )


@STATEMENTS.measured(
    "lemma-5-1-b",
    "Lemma 5.1 (b)",
    "system (13), c > 0: if lim |y|/|x|^2 < infinity then |y| = O(|x|^2)",
    correction="liminf in place of lim, as the proof uses it; with lim nothing is left to prove",
    mutation={"power": 3},
    mutation_says="O(|x|^3)",
)
def lemma_5_1_b(power: int = 2) -> Finding:
    """Follow flows until x is small; |y|/|x|^p must not grow over the last part."""
    growth = _growth(with_centre(), power)
    return between(-np.inf, growth, 1.5, instances=16, predicted=f"|y|/|x|^{power} stays bounded")


def _growth(field: Field, power: int) -> float:
    """Return by how much max |y|/|x|^p grows from times 5-50 to times 400-500."""
    start = draw(82).uniform(0.1, 0.4, size=(16, 3)) * np.array([1.0, -1.0, 0.3])
    t, u = follow(field, start, 500.0, 0.25)
    ratio = np.abs(u[:, :, 1]) / np.abs(u[:, :, 0]) ** power
    early = ratio[(t >= 5) & (t <= 50)].max(axis=0)
    return float((ratio[t >= 400].max(axis=0) / early).max())


@STATEMENTS.measured(
    "lemma-5-2",
    "Lemma 5.2",
    "system (13), c > 0, (0, 0, z) asymptotically stable in (14): |y| = O(|x|^2 + e^(-beta t)), "
    "beta "
    "as near to -lambda as wanted, lambda the largest eigenvalue of H",
    mutation={"factor": 1.5},
    mutation_says="beta is near to -1.5 lambda",
)
def lemma_5_2(factor: float = 1.0) -> Finding:
    """Follow flows with x = 0, where only e^(-beta t) is left, and others; fit beta."""
    start = np.stack([np.zeros(6), np.linspace(-0.3, 0.3, 6), np.linspace(-0.2, 0.2, 6)], axis=1)
    t, u = follow(with_centre(), start, 20.0, 0.02)
    part = t >= 12.0
    beta = [-np.polyfit(t[part], np.log(np.abs(y)), 1)[0] for y in u[part, :, 1].T]
    lam = -(1.0 + 0.25 * u[-1, :, 2])
    excess = float(np.max(np.abs(np.array(beta) + factor * lam)))
    bounded = _growth(with_centre(), 2)
    return Finding(
        0.0,
        excess,
        1e-3,
        22,
        holds_if(excess <= 1e-3 and bounded <= 1.5),
        None,
        {"growth_of_y_over_x_squared": bounded},
    )


@STATEMENTS.measured(
    "remark-5-1",
    "Remark 5.1",
    "c > 0: |z(t)-z*| <= C' times the integral of |x|^2 over [t, infinity)",
    correction="where |y| = O(|x|); not on solutions with x = 0, whose z still moves",
    mutation={"power": 8},
    mutation_says="the integral of |x|^8",
)
def remark_5_1(power: int = 2) -> Finding:
    """Integrate |x|^2 along flows to t = 500, z* at the end; printed: a solution with x = 0.

    Both integrals are cut off at the end, so the quotient is looked at before t = 250.
    """
    start = draw(83).uniform(0.1, 0.4, size=(16, 3)) * np.array([1.0, -1.0, 0.3])
    t, u = follow(with_centre(), start, 500.0, 0.25)
    rest = np.cumsum((np.abs(u[:, :, 0]) ** power)[::-1], axis=0)[::-1] * 0.25
    quotient = np.abs(u[:, :, 2] - u[-1, :, 2]) / rest
    early, late = quotient[(t > 5) & (t < 20)].max(), quotient[(t > 120) & (t < 250)].max()
    _, axis = follow(with_centre(), np.array([[0.0, 0.3, 0.0]]), 20.0, 0.02)
    moved = float(abs(axis[-1, 0, 2] - axis[0, 0, 2]))
    return between(
        -np.inf,
        float(late / early),
        1.5,
        instances=16,
        predicted="the quotient stays bounded",
        printed=holds_if(moved <= 1e-9),
        z_moved_at_x_equal_0=moved,
    )


@STATEMENTS.measured(
    "remark-5-2",
    "Remark 5.2, first sentence",
    "if |x(t)| >= Omega(e^(-mu t/2)) for some mu > -lambda, then |y| = O(|x|^2)",
    correction="for some mu < -lambda, as in the remark's second half",
    mutation={"mu": 4.5},
    mutation_says="mu = 4.5 > -lambda = 1",
)
def remark_5_2(mu: float = 0.5) -> Finding:
    """Look at the solution of x' = -x^3 + y^2, y' = -y along which x falls like e^(-2t).

    It satisfies the printed hypothesis with mu = 4 > 1, and |y|/|x|^2 grows like e^(3t). With
    mu < 1 the hypothesis excludes it; flows that satisfy it fall like t^(-1/2).
    """

    def field(u: Floats) -> Floats:
        x, y = u.T
        return np.stack([-(x**3) + y**2, -y], axis=1)

    low, high = -0.5, 0.0  # x(0) of starts that end below and above x = 0, y(0) = 1/2
    for _ in range(45):
        middle = 0.5 * (low + high)
        end = follow(field, np.array([[middle, 0.5]]), 14.0, 0.05)[1][-1, 0, 0]
        low, high = (middle, high) if end < 0.0 else (low, middle)
    t, u = follow(field, np.array([[low, 0.5], [0.3, 0.5]]), 14.0, 0.05)
    x, y = np.abs(u[:, :, 0]), np.abs(u[:, :, 1])
    part = (t > 2.0) & (t < 6.0)
    growth, rate = [], []
    for i in range(2):
        growth.append(float(np.polyfit(t[part], np.log(y[part, i] / x[part, i] ** 2), 1)[0]))
        rate.append(float(-np.polyfit(t[part], np.log(x[part, i]), 1)[0]))

    def implied(bound: float) -> bool:
        """Whether all solutions with |x| >= c e^(-bound t/2) have |y| = O(|x|^2)."""
        return all(g <= 0.05 for g, r in zip(growth, rate, strict=True) if r <= 0.5 * bound)

    return Finding(
        "no exception",
        "no exception" if implied(mu) else "an exception",
        0.0,
        2,
        holds_if(implied(mu)),
        holds_if(implied(4.5)),
        {
            "decay_of_x": str(np.round(rate, 3)),
            "growth_of_y_over_x_squared": str(np.round(growth, 3)),
        },
    )


@STATEMENTS.measured(
    "figure-8-caption",
    "Caption of Figure 8",
    "for c > 0 the curve is biased towards the y-direction, which is non-degenerate",
    correction="towards the x-direction, the degenerate one: |y| = O(|x|^2) makes it tangent to x",
    mutation={"swap": True},
    mutation_says="x and y are swapped",
)
def figure_8_caption(swap: bool = False) -> Finding:
    """Take the angle between the curve's end and the x-direction at t = 50 and 500."""
    start = draw(84).uniform(0.1, 0.4, size=(16, 3))
    _, u = follow(with_centre(), start, 500.0, 0.25)
    tangent = np.abs(u[:, :, 1]) / np.abs(u[:, :, 0])
    late, early = float(tangent[-1].max()), float(tangent[200].max())
    angle = 90.0 - np.degrees(np.arctan(late)) if swap else np.degrees(np.arctan(late))
    return compare(
        0.0,
        float(angle),
        5.0,
        instances=16,
        printed=Verdict.FAILS if late < 0.5 * early else Verdict.HOLDS,
        angle_at_50=float(np.degrees(np.arctan(early))),
    )
