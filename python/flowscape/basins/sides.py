"""On which side of a boundary a flow ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branches, branches
from flowscape.errors import OptionError, ProblemError, describe
from flowscape.flow import Flow
from flowscape.objective import Problem
from flowscape.status import Status

__all__ = ["UNKNOWN", "SideRule", "branch_sides", "choose_sides"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SideRule = Callable[[Flow], Ints]
"""Labels (B,) of the ends of flows; UNKNOWN where nothing is known."""

UNKNOWN = -1

_FINISHED = (Status.CONVERGED, Status.TAIL_EXTRAPOLATED, Status.ESCAPED)

# Largest distance of an end from the closure of a branch.
_NEAR = 5e-2
# Losses this many times apart, or with such a difference to the larger one, are two losses.
_LOSSES = 1e-3
# Ends with a loss below this part of that of the network 0 may be zeros.
_ZERO = 1e-10
# A gradient of at most so many floors is as good as converged for naming the branch.
_STILL = 1e4
# Limits nearer than this, relative to 1 + |theta|, are one.
_SAME = 1e-2


def choose_sides(prob: Problem, ends: Flow, side: SideRule | None) -> tuple[SideRule, str]:
    """Return a rule that tells the two ends apart, and its name.

    Parameters
    ----------
    prob : Problem
    ends : Flow
        The flows from both ends of the path.
    side : callable, optional
        Returns labels; the first of branch, loss and place that tells them apart by default.

    Raises
    ------
    OptionError
        If no rule does.
    """
    rules: list[tuple[str, SideRule | None]]
    if side is not None:
        rules = [("side", _checked(side))]
    else:
        rules = [
            ("branch", branch_sides(prob)),
            ("loss", _loss_sides(ends)),
            ("place", _place_sides(ends)),
        ]
    for name, rule in rules:
        if rule is not None:
            one, two = rule(ends)
            if one != two and UNKNOWN not in (one, two):
                return rule, name
    for name, status in zip(("theta_a", "theta_b"), ends.status, strict=True):
        if status not in _FINISHED:
            raise OptionError(
                f"{name} starts a flow that did not reach an end ({Status(status).message}); "
                "change max_steps or rtol, or give another start"
            )
    raise OptionError(
        "theta_b ends where theta_a does: same branch, loss and place of both limits; give starts "
        "whose flows end on different sides, or `side`"
    )


def branch_sides(prob: Problem) -> SideRule | None:
    """Return the rule that labels by the branch of a perfect limit, if branches are known.

    Where closures meet the sign of the conserved quantity decides, however small it is.
    """
    family = _family(prob)
    if family is None:
        return None
    scale = float(prob.loss(np.zeros(prob.net.n_params)))

    def rule(flow: Flow) -> Ints:
        place = family.locate(flow.end, _NEAR, margin=0.0)
        zero = flow.loss <= _ZERO * scale
        # at tight tolerances a run may grind next to its floor until its steps are used up
        ended = _ended(flow) | (flow.gradient_norm <= _STILL * flow.floor)
        return np.where(zero & ended, place.orbit, UNKNOWN)

    return rule


def _family(prob: Problem) -> Branches | None:
    if prob.teacher is None:
        return None
    try:
        family = branches(prob.net, prob.teacher)
        if not family.analytic:
            return None
        family.locate(np.zeros(prob.net.n_params))
    except ProblemError:
        return None
    return family


def _loss_sides(ends: Flow) -> SideRule | None:
    low, high = sorted(ends.loss.tolist())
    if not np.isfinite(high) or high - low <= _LOSSES * high or high <= 1e-20:
        return None
    middle = np.sqrt(max(low, 1e-4 * high) * high) if low < 0.1 * high else 0.5 * (low + high)

    def rule(flow: Flow) -> Ints:
        known = _ended(flow) | (flow.status == Status.ESCAPED)
        return np.where(known, (flow.loss > middle).astype(np.int64), UNKNOWN)

    return rule


def _place_sides(ends: Flow) -> SideRule | None:
    one, two = ends.theta
    if not np.linalg.norm(one - two) > _SAME * (1.0 + np.linalg.norm(one)):
        return None

    def rule(flow: Flow) -> Ints:
        to_one = np.linalg.norm(flow.theta - one, axis=1)
        to_two = np.linalg.norm(flow.theta - two, axis=1)
        return np.where(_ended(flow), (to_two < to_one).astype(np.int64), UNKNOWN)

    return rule


def _ended(flow: Flow) -> NDArray[np.bool_]:
    return np.isin(flow.status, (Status.CONVERGED, Status.TAIL_EXTRAPOLATED))


def _checked(side: SideRule) -> SideRule:
    if not callable(side):
        raise OptionError(f"side={describe(side)} must be callable: side(flow) -> labels")

    def rule(flow: Flow) -> Ints:
        labels = np.asarray(side(flow))
        if (
            labels.shape != flow.status.shape
            or labels.dtype.kind not in "iub"
            or (labels < UNKNOWN).any()
        ):
            raise OptionError(
                f"side returned {describe(labels)} and must return one integer >= 0 per run, "
                f"{UNKNOWN} where it does not know"
            )
        return labels.astype(np.int64)

    return rule
