"""Which integrator ``method="auto"`` takes: a cost model in operation counts.

The choice is made for every run on its own, from the shape of the problem, the tolerance and the
run's own stiffness: never from a clock, the batch or the number of threads, on which its result
must not depend. docs/decisions/0010 has the measurements behind the constants.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flowscape import _core
from flowscape.objective import Problem

__all__ = ["MethodChoice", "choose_method", "trial_costs"]

Floats = NDArray[np.float64]

# Trial steps of a run at rtol 1e-6, with L = log(1 + s) and s = t_max times a bound on the largest
# |eigenvalue| of the Hessian at the start; each grows as rtol to the minus one over its last entry.
_IMPLICIT_STEPS = {"rosenbrock": (0.0, 14.0, 4.5), "bdf": (22.0, 22.0, 6)}
_EXPLICIT_STEPS = (8.0, 5)
_STABLE_STEP = 2.0  # in units of one over the bound at the start, which is not the largest one
_ENDLESS = 1e12  # s of a flow without an end of time
# At equal rtol bdf is less accurate than rosenbrock by about 3: what it takes to make up for it.
_BDF_ACCURACY = 1.2
_PATIENCE = 4.0  # with rk45, in expected steps: what is lost on a flow that becomes stiff


@dataclass(frozen=True, eq=False, repr=False)
class MethodChoice:
    """What `method="auto"` expected and took.

    Attributes
    ----------
    method : (B,) ndarray of str
        The method of every run; () for a single start, as below. A run for which ``rk45`` was
        the cheapest and took several times the expected steps, because its flow became stiffer
        on the way, was started over with the cheaper implicit method, which stands here.
    stiffness : (B,) ndarray
        t_max times a bound on the largest eigenvalue of the Hessian at the start; infinity
        without an end of time.
    cost : dict of (B,) ndarray
        Floating-point operations expected for a run, by method. The smallest was taken.
    rk45_steps : (B,) ndarray
        Steps expected of ``rk45``.
    gradient, hessian : float
        Operations of one evaluation of loss and gradient, and of these and the Hessian.
    """

    method: NDArray[np.str_]
    stiffness: Floats
    cost: dict[str, Floats]
    rk45_steps: Floats
    gradient: float
    hessian: float

    @property
    def names(self) -> str:
        """The methods taken, most frequent first, joined by a plus sign."""
        names = [name for name, _ in Counter(np.atleast_1d(self.method).tolist()).most_common()]
        return "+".join(names) or "rosenbrock"

    def __repr__(self) -> str:
        parts = []
        for name, runs in Counter(np.atleast_1d(self.method).tolist()).most_common():
            rows = np.atleast_1d(self.method) == name
            means = {other: np.atleast_1d(c)[rows].mean() for other, c in self.cost.items()}
            against = ", ".join(f"{other} {means[other]:.2g}" for other in means if other != name)
            parts.append(f"{name} for {runs}: {means[name]:.2g} operations against {against}")
        return (
            f"MethodChoice({'; '.join(parts)}; gradient {self.gradient:.2g}, "
            f"Hessian {self.hessian:.2g} operations)"
        )

    def step_limits(self) -> NDArray[np.int64]:
        """Return the steps after which a run by ``rk45`` is given up; the others have no limit.

        Powers of two, so that many runs share one; each depends on its own run alone.
        """
        patience = 2.0 ** np.ceil(np.log2(_PATIENCE * self.rk45_steps + 128.0))
        return np.where(self.method == "rk45", np.minimum(patience, 2.0**52), 2.0**53).astype(
            np.int64
        )

    def without_rk45(self, rows: NDArray[np.bool_]) -> MethodChoice:
        """Return the choice with the cheaper implicit method in `rows`."""
        dearer = self.cost["bdf"] > self.cost["rosenbrock"]
        implicit = np.where(dearer, "rosenbrock", "bdf")
        return replace(self, method=np.where(rows, implicit, self.method))

    def single(self) -> MethodChoice:
        """Return the choice of the only run, without the axis of runs."""
        return MethodChoice(
            self.method[0],
            self.stiffness[0],
            {name: cost[0] for name, cost in self.cost.items()},
            self.rk45_steps[0],
            self.gradient,
            self.hessian,
        )


def trial_costs(prob: Problem) -> dict[str, float]:
    """Operations of one trial step of a run, by method.

    With one network per lane all lanes of a vector evaluate when one of them has to, which costs
    `bdf` more evaluations; and its bookkeeping counts where a gradient is tiny. The factors of one
    network's matrix are blocked products, faster by the operation than anything else.
    """
    counts = _core.operation_counts(prob.core)
    gradient, hessian = counts["gradient"], counts["hessian"]
    solve, p = counts["solve"], prob.net.n_params
    lanes = prob.kernel == "network_lanes"
    factor = (1.0 if lanes else 0.3) * counts["factor"]
    if counts["hessian_is_dear"]:
        newton = (4.0 if lanes else 2.2) * gradient + 0.05 * hessian + 0.25 * factor + 2.2 * solve
    else:
        newton = hessian + (1.3 if lanes else 0.15) * gradient + factor + 1.3 * solve
    return {
        "rosenbrock": 7.0 * gradient + hessian + factor + 10.0 * solve + 140.0 * p,
        "rk45": 6.0 * gradient + hessian / 16.0 + 50.0 * p,
        "bdf": newton + 100.0 * p + 4500.0,
    }


def choose_method(
    prob: Problem, starts: Floats, rtol: float, t_max: float, n_threads: int
) -> MethodChoice:
    """Return the cheapest method of every run; `starts` (B, P)."""
    runs = len(starts)
    if t_max == 0.0:
        stiffness = np.zeros(runs)
    elif math.isinf(t_max):
        stiffness = np.full(runs, np.inf)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            stiffness = t_max * _core.spectral_bounds(prob.core, starts, n_threads)
        stiffness[np.isnan(stiffness)] = np.inf
    counts, trial = _core.operation_counts(prob.core), trial_costs(prob)
    finer = 1e-6 / rtol
    folds = np.log1p(np.minimum(stiffness, _ENDLESS))
    cost = {}
    for name, (fixed, per_fold, order) in _IMPLICIT_STEPS.items():
        cost[name] = (fixed + per_fold * folds) * finer ** (1.0 / order) * trial[name]
    cost["bdf"] *= _BDF_ACCURACY
    per_fold, order = _EXPLICIT_STEPS
    steps = per_fold * folds * finer ** (1.0 / order) + stiffness / _STABLE_STEP
    cost["rk45"] = counts["hessian"] + steps * trial["rk45"]
    names = np.array(list(cost))
    method = names[np.argmin(np.array(list(cost.values())), axis=0)]
    return MethodChoice(
        method, stiffness, cost, np.minimum(steps, 1e15), counts["gradient"], counts["hessian"]
    )
