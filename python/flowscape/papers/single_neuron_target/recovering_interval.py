"""For which imbalances four samples recover the target (Figure 4 c and f; errata SS 6).

With n = 4 the samples separate Q2 (w_1 = w_0, a_1 = a_0, a_2 = 0) but not Q1. At a point of Q2 the
zeros of the loss are Q2 alone exactly where the 4 x 4 matrix with the columns sigma(w_0.x),
sigma'(w_0.x), sigma'(w_0.x) x, sigma(w_2.x + b_2) is regular. Where its determinant D vanishes
another sheet of zeros crosses, on which a_2 != 0. As c~ varies the end point moves along Q2 until
it meets D = 0, and leaves on the other sheet: there the recovering interval ends.

Near the crossing L ~ a_2^2 D^2, so a^2 - const (D / |grad D|)^2 is conserved, and the limit has D^2
(inside) and a_2^2 (outside) going to 0 linearly in c~. Both are extrapolated to 0: two
independent values for the end. The third one is the border found by `flowscape.boundary`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.basins import boundary
from flowscape.errors import OptionError
from flowscape.flow import Flow
from flowscape.objective import Problem
from flowscape.papers.single_neuron_target.demarcation import end_points

__all__ = ["IntervalEnd", "RecoveringInterval", "determinant", "recovering_intervals"]

Floats = NDArray[np.float64]

# Ratios at which the end points are looked at: the small ones in the logarithm.
_GRID = np.concatenate([np.geomspace(1e-4, 0.04, 14), np.linspace(0.05, 0.995, 64)])
# Distances from an end at which squares are extrapolated, in this unit and degree.
_STEPS, _UNIT, _DEGREE = np.arange(1.0, 8.0), 2e-4, 3
# Where degenerate flows stop early, wider units; the one with the smallest error bar is taken.
_WIDER = (1.0, 3.0, 10.0, 30.0)
# Factor of the squares' ratio on the border, unknown but of order 1.
_LEFT = 10.0
_RTOL = 1e-10


@dataclass(frozen=True)
class IntervalEnd:
    """One end of a recovering interval.

    Attributes
    ----------
    ratio, error : float
        The border of the two kinds of end points, from `boundary`.
    by_determinant, determinant_error : float
        Where D^2 of the end points inside, extrapolated, vanishes.
    by_flows, flows_error : float
        Where a_2^2 of the end points outside, extrapolated, vanishes.
    """

    ratio: float
    error: float
    by_determinant: float
    determinant_error: float
    by_flows: float
    flows_error: float

    @property
    def agree(self) -> bool:
        """Whether the three values agree within their error bars."""
        first = abs(self.by_determinant - self.ratio) <= self.determinant_error + self.error
        second = abs(self.by_flows - self.ratio) <= self.flows_error + self.error
        return first and second


@dataclass(frozen=True)
class RecoveringInterval:
    """Ratios c~ in (low, high) whose flows end on Q2.

    Attributes
    ----------
    low, high : IntervalEnd or None
        None for `low`: down to the smallest ratio looked at, 1e-4; for `high`: up to 0.995.
    """

    low: IntervalEnd | None
    high: IntervalEnd | None


def determinant(prob: Problem, vectors: Floats) -> tuple[Floats, Floats]:
    """Return D and |grad D| at incoming vectors (w_2, b_2): (B,) each.

    Parameters
    ----------
    prob : Problem
        Example 1 on four samples.
    vectors : (B, 2) ndarray
    """
    x = _samples(prob)
    assert prob.teacher is not None
    _, w0, b0 = prob.teacher.theta
    value = np.tanh(w0 * x + b0)
    slope = 1.0 - value**2
    # D is linear in its last column: its cofactors are one vector
    core = np.stack([value, slope, slope * x])
    cofactors = np.array(
        [(-1) ** (i + 1) * np.linalg.det(np.delete(core, i, axis=1)) for i in range(4)]
    )
    own = np.tanh(vectors[:, :1] * x + vectors[:, 1:])
    own_slope = (1.0 - own**2) * cofactors
    gradient = np.stack([own_slope @ x, own_slope.sum(axis=1)], axis=1)
    return own @ cofactors, np.linalg.norm(gradient, axis=1)


def recovering_intervals(
    prob: Problem, *, n_threads: int | None = None
) -> tuple[RecoveringInterval, ...]:
    """Return all intervals of c~ in which small starts recover the target; empty if none does.

    The isolated ratios 0 and 1, at which the two neurons act as one, are left out.

    Raises
    ------
    OptionError
        If there are not four samples.
    """
    _samples(prob)
    rule = _on_second_branch(prob)
    inside = rule(end_points(prob, _GRID, rtol=_RTOL, n_threads=n_threads).flow) == 0
    changes = np.flatnonzero(np.diff(inside.astype(int)))
    ends = {k: _end(prob, _GRID[k], _GRID[k + 1], bool(inside[k]), n_threads) for k in changes}
    found, low = [], None
    for k in changes:
        if inside[k + 1]:
            low = ends[k]
        else:
            found.append(RecoveringInterval(low, ends[k]))
            low = None
    if inside[-1]:
        found.append(RecoveringInterval(low, None))
    return tuple(found)


def _samples(prob: Problem) -> Floats:
    if len(prob.data) != 4 or prob.net.inputs != 1:
        raise OptionError(
            f"prob has {len(prob.data)} samples of {prob.net.inputs} inputs and must have 4 of 1; "
            "the determinant is that of Example 1 with n = 4"
        )
    return prob.data.x[:, 0]


def _on_second_branch(prob: Problem) -> Callable[[Flow], NDArray[np.int64]]:
    """Return the rule 0 on Q2, 1 on the other sheet, by which factor of a_2 D is smaller."""

    def rule(flow: Flow) -> NDArray[np.int64]:
        value, slope = determinant(prob, flow.end[:, 4:6])
        return (np.abs(flow.end[:, 3]) > np.abs(value / slope)).astype(np.int64)

    return rule


def _end(
    prob: Problem, low: float, high: float, inside_below: bool, n_threads: int | None
) -> IntervalEnd:
    border = boundary(
        prob,
        [1.0, low],
        [1.0, high],
        limit=True,
        side=_on_second_branch(prob),
        rtol=_RTOL,
        n_threads=n_threads,
    )
    ratio = float(border.theta[1] / border.theta[0])
    stretch = float(np.arctan(high) - np.arctan(low)) * (1.0 + ratio**2)
    inward = -1.0 if inside_below else 1.0
    unit = _UNIT * min(1.0, ratio / 0.05)

    def extrapolated(direction: float, inside: bool) -> tuple[float, float, float]:
        found = []
        for factor in _WIDER:
            offsets = factor * unit * _STEPS
            ratios = ratio + direction * offsets
            if ratios.min() <= 0.0 or ratios.max() >= 1.0:
                break
            theta = end_points(prob, ratios, rtol=_RTOL, n_threads=n_threads).theta
            value, slope = determinant(prob, theta[:, 4:6])
            vanishing, other = (value / slope) ** 2, theta[:, 3] ** 2
            if not inside:
                vanishing, other = other, vanishing
            roots = [_root(offsets, vanishing, degree) for degree in (_DEGREE - 1, _DEGREE)]
            # what rounding leaves of the square that should be 0 shifts the other one as much
            left = _LEFT * float((other / vanishing * offsets).max())
            found.append(
                (2.0 * abs(roots[1] - roots[0]) + left, roots[1], vanishing[-1] / offsets[-1])
            )
        error, root, growth = min(found)
        return ratio + direction * root, error, growth

    by_determinant, determinant_error, growth = extrapolated(inward, inside=True)
    by_flows, flows_error, other_growth = extrapolated(-inward, inside=False)
    # on the border both factors are left over; which is smaller there is not the exact criterion
    theta = end_points(prob, [ratio], rtol=_RTOL, n_threads=n_threads).flow.end
    value, slope = determinant(prob, theta[:, 4:6])
    blur = float(max((value / slope) ** 2 / growth, theta[:, 3] ** 2 / other_growth)[0])
    return IntervalEnd(
        ratio=ratio,
        error=stretch * border.error + blur,
        by_determinant=by_determinant,
        determinant_error=determinant_error,
        by_flows=by_flows,
        flows_error=flows_error,
    )


def _root(offsets: Floats, square: Floats, degree: int) -> float:
    """Return the offset at which `square`, nearly linear in it, vanishes: inverse polynomial."""
    fit = np.polynomial.Polynomial.fit(square, offsets, degree)
    return float(fit(0.0))
