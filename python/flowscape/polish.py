"""Newton's method to critical points of any index, and their spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape import _core
from flowscape.errors import (
    check_choice,
    check_count,
    check_positive,
    float_array,
)
from flowscape.extended import refine
from flowscape.objective import Problem
from flowscape.runs import check_problem
from flowscape.status import Status
from flowscape.threads import MOST_STEPS, Progress, checked_progress, thread_count

__all__ = ["PRECISIONS", "Polished", "polish"]

PRECISIONS: tuple[str, ...] = ("double", "double-double")

Floats = NDArray[np.float64]

# A non-zero eigenvalue must exceed its rounding error by this factor to be certain,
_CLEAR = 100.0
# and the square root of floor * largest eigenvalue by this one: the point is known only to
# floor / eigenvalue, and moving it that far changes the eigenvalue by about as much again.
_PLACED = 10.0


@dataclass(frozen=True, eq=False)
class Polished:
    """Critical points and their spectra; one point per row, no batch axis for a single one.

    Attributes
    ----------
    theta : (B, P) ndarray
        The polished points.
    loss, zero_loss : (B,) ndarray
        Loss, and the largest loss that rounding alone leaves of a zero residual: a loss at most
        that is zero.
    gradient_norm, floor : (B,) ndarray
        Infinity norm of the gradient and the bound on its rounding error.
    eigenvalues : (B, P) ndarray
        Of the Hessian, ascending.
    zero_bound : (B,) ndarray
        Bound on the rounding error of the eigenvalues: those within it count as zero.
    inertia : (B, 3) ndarray of int
        Numbers of positive, negative and zero eigenvalues.
    certified : (B,) ndarray of bool
        The gradient is at its floor and every eigenvalue is either within `zero_bound` or so far
        beyond it that neither rounding nor the place of the point could change its sign.
    displacement : (B,) ndarray
        Euclidean distance from the given to the polished point.
    iterations : (B,) ndarray of int
    status : (B,) ndarray of int8
        Codes of `Status`; CONVERGED: the gradient is at its floor or at `gtol`.
    residual_norm : (B,) ndarray
        Infinity norm of the residual.
    theta_low : (B, P) ndarray or None
        With ``precision="double-double"``: the point is theta + theta_low, and loss, zero_loss,
        gradient_norm, floor and residual_norm are those of 31 digits. Else None.
    targets : {"samples", "teacher"}
        What the residual was taken against; see `flowscape.extended.Targets`.
    """

    theta: Floats
    loss: Floats
    zero_loss: Floats
    gradient_norm: Floats
    floor: Floats
    eigenvalues: Floats
    zero_bound: Floats
    inertia: NDArray[np.int64]
    certified: NDArray[np.bool_]
    displacement: Floats
    iterations: NDArray[np.int64]
    status: NDArray[np.int8]
    residual_norm: Floats
    theta_low: Floats | None
    targets: str

    def __repr__(self) -> str:
        codes = np.atleast_1d(self.status)
        done = int(np.count_nonzero(codes == Status.CONVERGED))
        return f"Polished({codes.size} points, {done} at the round-off floor)"


def polish(
    prob: Problem,
    theta: ArrayLike,
    *,
    gtol: float | None = None,
    max_iterations: int = 200,
    precision: str = "double",
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> Polished:
    r"""Move points near critical points onto them, to the round-off floor.

    Damped Newton on :math:`\nabla L = 0`, to critical points of any index, with steps of minimum
    norm where the Hessian is singular. A point whose residual is already tiny is finished by
    Levenberg-Marquardt on the residual: a zero of the residual where the Hessian is degenerate is
    flat for L, and the gradient is noise long before the residual is.

    Parameters
    ----------
    prob : Problem
    theta : (P,) or (B, P) array_like
        Points, e.g. ``flow.theta``. A row that is not finite stays as it is, with status
        NONFINITE.
    gtol : float, optional
        Stop where the gradient's infinity norm is at most this; default: the round-off floor.
    max_iterations : int
        Newton steps of one point, damped trials included.
    precision : {"double", "double-double"}
        ``double-double`` goes on from the end in doubles to about 31 digits (docs/extended.md):
        values with two doubles each, steps from linear algebra in doubles. Against a teacher
        that agrees with the samples the residual is taken to 31 digits, too. The spectrum
        stays that of doubles.
    n_threads : int, optional
        Default: every processor this process may use. No result depends on it.
    progress : callable, optional
        Called about 20 times a second with the number of finished points.

    Returns
    -------
    Polished

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value.
    """
    check_problem(prob)
    p = prob.net.n_params
    rows = float_array("theta", theta, (p,), ("B", p))
    single = rows.ndim == 1
    rows = rows[None] if single else rows
    if gtol is not None:
        gtol = check_positive("gtol", gtol, "or None for the round-off floor", zero=True)
    most = check_count("max_iterations", max_iterations, maximum=MOST_STEPS)
    check_choice("precision", precision, PRECISIONS)
    threads, progress = thread_count(n_threads), checked_progress(progress)
    floor = 0.0 if gtol is None else gtol
    out: dict[str, Any] = _core.polish(prob.core, rows, floor, most, threads, progress)
    out["targets"] = "samples"
    if precision == "double-double":
        steps = out["iterations"]
        out |= refine(prob, out["theta"], floor, most, threads, progress)
        out["iterations"] = steps + out["iterations"]
        _replace_spectrum(prob, out)
    else:
        residual = np.abs(prob.residual(out["theta"], n_threads=threads))
        out["residual_norm"] = residual.max(axis=tuple(range(1, residual.ndim)))
        out["theta_low"] = None
    with np.errstate(invalid="ignore", over="ignore"):
        out["displacement"] = np.linalg.norm(out["theta"] - rows, axis=1)
        size, zero = np.abs(out["eigenvalues"]), out["zero_bound"]
        placed = _PLACED * np.sqrt(out["floor"] * size.max(axis=1))
        clear = (size <= zero[:, None]) | (size >= np.maximum(_CLEAR * zero, placed)[:, None])
        out["certified"] = clear.all(axis=1) & (out["gradient_norm"] <= out["floor"])
    if single:
        whole = ("targets", "theta_low") if out["theta_low"] is None else ("targets",)
        out = {name: v if name in whole else v[0] for name, v in out.items()}
    return Polished(**out)


def _replace_spectrum(prob: Problem, out: dict[str, Any]) -> None:
    """Set the eigenvalues, their bound and the inertia to those at the rounded new points."""
    theta = out["theta"]
    hessian = prob.hessian(theta)
    finite = np.isfinite(hessian).all(axis=(1, 2))
    values = np.full_like(theta, np.nan)
    values[finite] = np.linalg.eigvalsh(hessian[finite])
    size = np.abs(values).max(axis=1, initial=0.0)
    bound = prob.noise(theta).hessian + np.finfo(float).eps * theta.shape[1] * size
    out["eigenvalues"], out["zero_bound"] = values, np.where(finite, bound, np.nan)
    signs = (values > bound[:, None], values < -bound[:, None], np.abs(values) <= bound[:, None])
    out["inertia"] = np.stack([part.sum(axis=1) for part in signs], axis=1)
