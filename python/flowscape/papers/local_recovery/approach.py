"""Flows of the worked example on their way to a limit, taken apart in the limit's directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branch
from flowscape.flow import gradient_flow
from flowscape.objective import Problem
from flowscape.papers.local_recovery.setting import draw, example

__all__ = ["NEAR", "RTOL", "RUNS", "Approach", "approach", "approaches", "branch_of", "slope"]

Floats = NDArray[np.float64]


class Tolerances(TypedDict):
    """Tolerances of a flow."""

    rtol: float
    atol: float


RTOL: Tolerances = {"rtol": 1e-10, "atol": 1e-14}
RUNS = 6
"""Flows of one `approaches`, if all reach their limits."""
NEAR = 0.05
"""Error of fitted exponents, of which the next terms fade slowly."""
_RANGE = 1e-9  # eigenvalues below, relative to the largest, belong to the kernel


def slope(x: Floats, y: Floats) -> float:
    """Return the exponent p of y ~ x^p by least squares, NaN with fewer than 8 points."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if len(x) >= 8 else np.nan


@dataclass(frozen=True)
class Approach:
    """One flow and its limit.

    Attributes
    ----------
    prob : Problem
    limit : (P,) ndarray
        On a branch: the limit, moved onto it.
    t, loss, gradient, way : (T,) ndarray
        Times, R, |grad R|, and the length of the curve that is left.
    s, c, p, gap : (T,) ndarray
        |pi_s|, |pi_c|, |pi_p| of theta(t) - limit, and |theta(t) - limit|.
    slowest : float
        Smallest positive eigenvalue of Hess R(limit).
    """

    prob: Problem
    limit: Floats
    t: Floats
    loss: Floats
    gradient: Floats
    way: Floats
    s: Floats
    c: Floats
    p: Floats
    gap: Floats
    slowest: float

    @property
    def late(self) -> NDArray[np.bool_]:
        """Points with 1.2 to 4 times the last |theta - limit|; those of a slow approach."""
        return (self.gap >= 1.2 * self.gap[-1]) & (self.gap <= 4.0 * self.gap[-1])

    @property
    def straight(self) -> NDArray[np.bool_]:
        """Points 1e-8 to 1e-4 from the limit; those of an exponential approach."""
        return (self.gap >= 1e-8) & (self.gap <= 1e-4)

    @property
    def exponent(self) -> float:
        """Q of |pi_c| ~ t^-q at the end; NaN where there is no pi_c."""
        return -slope(self.t[self.late], self.c[self.late])

    @property
    def power_law(self) -> bool:
        """Whether |pi_c| falls like t^(-1/2)."""
        return abs(self.exponent - 0.5) <= NEAR

    def rate(self, values: Floats) -> float:
        """Return the rate at which `values` fall exponentially near the limit."""
        part = self.straight
        if part.sum() < 8:
            return np.nan
        return float(-np.polyfit(self.t[part], np.log(values[part]), 1)[0])


def branch_of(r: int) -> Branch:
    """Return the branch of the worked example with r groups, the first of two for r = 2."""
    return next(b for b in example().family if b.r == r)


def approach(prob: Problem, start: Floats, flat: Branch | None) -> Approach | None:
    """Follow one flow; `flat` is the branch of its limit, None where zeros have codimension n.

    None if the flow does not reach a limit, or one off the branch.
    """
    flow = gradient_flow(prob, start, **RTOL)
    if not flow.success or (flat is not None and flat.distance(flow.theta) > 1e-2):
        return None
    limit = flow.theta if flat is None else flat.project(flow.theta)
    values, vectors = np.linalg.eigh(prob.hessian(limit))
    stiff = values > _RANGE * values[-1]
    strong = vectors[:, stiff]
    along = vectors[:, ~stiff] if flat is None else flat.tangent(limit)
    t = np.geomspace(1e-3, float(flow.t), 600)
    run = gradient_flow(prob, start, **RTOL, save_at=t, extrapolate=False)
    assert run.thetas is not None
    gap = run.thetas - limit
    basis = np.linalg.qr(np.hstack([strong, along]))[0]
    rest = gap - gap @ basis @ basis.T
    steps = np.linalg.norm(np.diff(run.thetas, axis=0), axis=1)
    size = np.linalg.norm(gap, axis=1)
    return Approach(
        prob,
        limit,
        t,
        prob.loss(run.thetas),
        np.linalg.norm(prob.gradient(run.thetas), axis=1),
        np.append(np.cumsum(steps[::-1])[::-1], 0.0) + size[-1],
        np.linalg.norm(gap @ strong, axis=1),
        np.linalg.norm(rest, axis=1),
        np.linalg.norm(gap @ along, axis=1),
        size,
        float(values[stiff].min()),
    )


@cache
def approaches(r: int, n: int) -> tuple[Approach, ...]:
    """Follow six flows from perturbed members of the branch with r groups, n samples each.

    For n <= 3 the limits are imperfect and lie on a manifold of codimension n.
    """
    one, branch, found = example(), branch_of(r), []
    for key in range(3):
        rng = draw(90, r, n, key)
        prob = one.problem(one.inputs(n, r, key, 90))
        member = branch.sample(rng)
        for _ in range(2):
            start = member + 0.05 * rng.normal(size=one.net.n_params)
            run = approach(prob, start, None if n <= 3 else branch)
            if run is not None:
                found.append(run)
    return tuple(found)
