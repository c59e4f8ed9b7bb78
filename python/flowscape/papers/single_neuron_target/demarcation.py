"""The border between the branches Q1 and Q2 as a property of the flow (section 5.2, Figure 3).

The paper reads c = 0.74 and 1.35 off end points of gradient descent after 10^6 steps. For the flow
the ratio c~ = C_2 / C_1 of infinitely small starts at which the branch changes is a number without
a horizon. Two computations of it stand here: the bracket of `flowscape.boundary`, and the zero of
the conserved quantity I = |v_2 - v_1|^2 - 4 a_2^2, read off at several times and extrapolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.basins import Boundary, boundary
from flowscape.errors import OptionError
from flowscape.limits import LimitFlow, limit_flow
from flowscape.objective import Problem

__all__ = ["Demarcation", "demarcation", "end_points", "first_branch_fraction"]

Floats = NDArray[np.float64]

# The quantity is read off at these parts of the time at which flows on the border reach the
# rounding error of the gradient.
_TIMES = 10.0 ** np.arange(-3.5, -0.6, 0.5)
# Ratios around the border that are followed together, and their largest distance from it.
_RATIOS, _SPREAD = 7, 1e-3
_RTOL = 1e-10


@dataclass(frozen=True)
class Demarcation:
    """The ratio c~ at which the end changes from Q2 (below) to Q1 (above), for two neurons.

    Attributes
    ----------
    ratio, error : float
        The ratio and its error bar.
    fraction, fraction_error : float
        Part of all Gaussian starts, in the limit of small scale, that end on Q1.
    times, ratios : (T,) ndarray
        Where the quantity I vanishes at these times; `ratio` is the limit of `ratios`.
    boundary : Boundary
        The bracket found from the ends alone, on the arc of imbalances.
    bracketed, bracket_error : float
        Its ratio, and its error bar.
    """

    ratio: float
    error: float
    fraction: float
    fraction_error: float
    times: Floats
    ratios: Floats
    boundary: Boundary
    bracketed: float
    bracket_error: float


def end_points(
    prob: Problem, ratios: ArrayLike, *, rtol: float = 1e-9, n_threads: int | None = None
) -> LimitFlow:
    """Return the limits of infinitely small starts with C = (1, c~), one per ratio c~."""
    ratios = np.asarray(ratios, dtype=np.float64)
    imbalance = np.stack([np.ones_like(ratios), ratios], axis=-1)
    return limit_flow(prob, imbalance, rtol=rtol, n_threads=n_threads)


def first_branch_fraction(ratio: float) -> float:
    """Return the part of Gaussian starts with c~ above `ratio`: 1 - (4 / pi) arctan(ratio).

    C_1 and C_2 of a Gaussian start are independent with one variance, so the angle of (C_1, C_2) is
    uniform; by the symmetries of the network only c~ = min(|C_1/C_2|, |C_2/C_1|) matters.
    """
    return 1.0 - 4.0 / np.pi * float(np.arctan(ratio))


def demarcation(
    prob: Problem, *, low: float = 0.5, high: float = 0.9, n_threads: int | None = None
) -> Demarcation:
    """Return the ratio of imbalances at which the flow's limit changes from Q2 to Q1.

    Parameters
    ----------
    prob : Problem
        Two neurons of Example 1, on samples that separate both branches (n >= 5).
    low, high : float
        Ratios that end on Q2 and on Q1.
    n_threads : int, optional
        As in `limit_flow`.

    Raises
    ------
    OptionError
        If both ends of [low, high] lead to one branch, or one of them to none.
    """
    border = boundary(prob, [1.0, low], [1.0, high], limit=True, rtol=_RTOL, n_threads=n_threads)
    if border.rule != "branch":
        raise OptionError(
            f"prob has {len(prob.data)} samples, for which the ends at low={low!r} and "
            f"high={high!r} are not both on a branch; take at least 5 samples"
        )
    bracketed = float(border.theta[1] / border.theta[0])
    angle = float(np.arctan(high) - np.arctan(low))
    stretch = angle * (1.0 + bracketed**2)
    times = _TIMES * border.edge.t
    ratios = _zeros_of_invariant(prob, bracketed, times, _RTOL, n_threads)
    coarse = _zeros_of_invariant(prob, bracketed, times, 10.0 * _RTOL, n_threads)
    ratio, rest = _at_infinity(times, ratios)
    error = rest + abs(_at_infinity(times, coarse)[0] - ratio)
    return Demarcation(
        ratio=ratio,
        error=error,
        fraction=first_branch_fraction(ratio),
        fraction_error=4.0 / np.pi * error / (1.0 + ratio**2),
        times=times,
        ratios=ratios,
        boundary=border,
        bracketed=bracketed,
        bracket_error=stretch * border.error,
    )


def _zeros_of_invariant(
    prob: Problem, centre: float, times: Floats, rtol: float, n_threads: int | None
) -> Floats:
    """Return the ratios at which I vanishes at each of the times, by inverse interpolation."""
    offsets = _SPREAD * np.linspace(-1.0, 1.0, _RATIOS)
    imbalance = np.stack([np.ones(_RATIOS), centre + offsets], axis=-1)
    flow = limit_flow(
        prob,
        imbalance,
        rtol=rtol,
        method="rosenbrock",
        save_at=times,
        t_max=times[-1],
        n_threads=n_threads,
    ).flow
    assert flow.thetas is not None
    a, v = flow.thetas[..., 3], flow.thetas[..., 4:6] - flow.thetas[..., 1:3]
    quantity = (v**2).sum(axis=-1) - 4.0 * a**2
    fits = [np.polynomial.Polynomial.fit(column, offsets, _RATIOS - 1) for column in quantity.T]
    return centre + np.array([fit(0.0) for fit in fits])


def _at_infinity(times: Floats, ratios: Floats) -> tuple[float, float]:
    """Extrapolate in x = t^(-1/4), the distance to the meeting; return limit and error bar.

    I is conserved up to third order, so the error begins with x^3.
    """
    x = (times / times[-1]) ** -0.25
    found = []
    for degrees in ((3, 4), (3, 4, 5)):
        columns = np.stack([np.ones_like(x), *(x**k for k in degrees)], axis=1)
        found.append(float(np.linalg.lstsq(columns, ratios, rcond=None)[0][0]))
    return found[1], 2.0 * abs(found[1] - found[0])
