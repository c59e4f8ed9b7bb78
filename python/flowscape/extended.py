"""Beyond double precision: residuals and zeros to about 31 digits.

Numbers are sums of two doubles, high + low. Where a problem has a teacher whose values agree with
the samples, the targets are the teacher's values to 31 digits, not their roundings: only against
those has a perfect network the residual zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape import _core
from flowscape.errors import ProblemError, ShapeError, float_array
from flowscape.objective import Problem
from flowscape.problem import Samples
from flowscape.runs import check_problem
from flowscape.threads import Progress, thread_count

__all__ = [
    "UNIT",
    "Targets",
    "evaluate",
    "jacobian_dd",
    "refine",
    "residual_dd",
    "targets_dd",
]

Floats = NDArray[np.float64]

UNIT = 1e-30
"""Error of a term in units of its size, as in cpp/include/flowscape/extended/residual.hpp."""

LARGEST_JACOBIAN = 20_000_000
"""Most entries N K P of the Jacobian of a problem that is treated to 31 digits."""

_AGREE = 32.0 * np.finfo(float).eps  # a teacher's rounded values differ from the exact ones by less


@dataclass(frozen=True, eq=False)
class Targets:
    """What the residual to 31 digits is taken against.

    Attributes
    ----------
    hi, lo : (N, K) ndarray
        The targets are their sum.
    size : (N, K) ndarray
        Sum of the absolute terms that they were computed from.
    source : {"teacher", "samples"}
        ``teacher``: the problem's teacher evaluated at the samples, because it agrees with them
        to rounding; ``samples``: the given numbers, taken as exact.
    """

    hi: Floats
    lo: Floats
    size: Floats
    source: str


def targets_dd(prob: Problem) -> Targets:
    """Return the targets of `prob` to 31 digits; see `Targets`."""
    given = prob.data.y.reshape(len(prob.data), prob.net.outputs)
    none = np.zeros_like(given)
    if prob.teacher is not None:
        data = Samples(prob.data.x, none)
        core = Problem(prob.teacher.net, data).core
        theta = prob.teacher.theta[None]
        values = _core.extended_residual(
            core, none, none, none, theta, np.zeros_like(theta), False, 1
        )
        hi, lo, size = (part[0] for part in values[:3])
        if (np.abs(hi - given) <= _AGREE * size).all():
            return Targets(hi, lo, size, "teacher")
    return Targets(given, none, np.abs(given), "samples")


def residual_dd(
    prob: Problem,
    theta: ArrayLike,
    theta_low: ArrayLike | None = None,
    *,
    n_threads: int | None = None,
) -> tuple[Floats, Floats]:
    """Return f(x_i) - y_i to 31 digits as high and low parts.

    Parameters
    ----------
    prob : Problem
    theta, theta_low : (P,) or (B, P) array_like
        Parameters; the network is that of theta + theta_low. Default of the second: 0. NaN and
        infinity pass and spoil their own row only.
    n_threads : int, optional
        Default: every processor this process may use. No result depends on it.

    Returns
    -------
    hi, lo : ndarray
        (N,), with several outputs (N, K), with B in front for a batch.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value.
    """
    hi, lo = evaluate(prob, theta, theta_low, False, n_threads)[:2]
    return hi, lo


def jacobian_dd(
    prob: Problem,
    theta: ArrayLike,
    theta_low: ArrayLike | None = None,
    *,
    n_threads: int | None = None,
) -> tuple[Floats, Floats]:
    """Return the derivative of `residual_dd` as high and low parts, (N, P) or (N, K, P).

    Parameters and errors are those of `residual_dd`.
    """
    hi, lo = evaluate(prob, theta, theta_low, True, n_threads)[3:]
    return hi, lo


def refine(
    prob: Problem, theta: Floats, gtol: float, most: int, threads: int, progress: Progress | None
) -> dict[str, Any]:
    """Take polished points (B, P) on to 31 digits; the part of `polish` that belongs here."""
    _check_size(prob)
    targets = targets_dd(prob)
    out: dict[str, Any] = _core.extended_polish(
        prob.core, targets.hi, targets.lo, targets.size, theta, gtol, most, threads, progress
    )
    out["targets"] = targets.source
    return out


def evaluate(
    prob: Problem,
    theta: ArrayLike,
    theta_low: ArrayLike | None,
    with_jacobian: bool,
    n_threads: int | None,
) -> tuple[Floats, ...]:
    """Return residual (hi, lo), sizes of its terms, Jacobian (hi, lo), in their public shapes."""
    check_problem(prob)
    p = prob.net.n_params
    rows = float_array("theta", theta, (p,), ("B", p))
    low = np.zeros_like(rows) if theta_low is None else float_array("theta_low", theta_low)
    if low.shape != rows.shape:
        raise ShapeError(
            f"theta_low has shape {low.shape} and must have that of theta, {rows.shape}"
        )
    if with_jacobian:
        _check_size(prob)
    targets = targets_dd(prob)
    out = _core.extended_residual(
        prob.core,
        targets.hi,
        targets.lo,
        targets.size,
        np.atleast_2d(rows),
        np.atleast_2d(low),
        with_jacobian,
        thread_count(n_threads),
    )
    if prob.net.outputs == 1:
        out = [part[:, :, 0] for part in out]
    return tuple(part[0] if rows.ndim == 1 else part for part in out)


def _check_size(prob: Problem) -> None:
    entries = len(prob.data) * prob.net.outputs * prob.net.n_params
    if entries > LARGEST_JACOBIAN:
        raise ProblemError(
            f"the Jacobian has {entries} entries and may have {LARGEST_JACOBIAN} to 31 digits; "
            "use fewer samples or parameters"
        )
