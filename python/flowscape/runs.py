"""Arguments of what treats many runs at once: a problem, its starts, values per run."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import OptionError, check_instance, finite_array, float_array
from flowscape.objective import Problem

__all__ = ["check_ascending", "check_problem", "save_times", "starting_points", "values_per_run"]

Floats = NDArray[np.float64]


def check_problem(prob: object) -> Problem:
    """Return `prob` if it is a Problem.

    Raises
    ------
    OptionError
        If it is anything else.
    """
    return check_instance("prob", prob, Problem, "build it from a network and samples")


def starting_points(prob: Problem, theta0: ArrayLike) -> tuple[Floats, bool]:
    """Return finite starts as (B, P), and whether a single one without batch axis was given.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If `prob` is no Problem, or `theta0` does not fit it or is not finite.
    """
    p = check_problem(prob).net.n_params
    rows = finite_array("theta0", theta0, (p,), ("B", p), remedy="give finite starting points")
    return (rows[None], True) if rows.ndim == 1 else (rows, False)


def values_per_run(name: str, value: float | ArrayLike, runs: int, example: str) -> Floats:
    """Return an option with one value > 0, or one per run, as (`runs`,).

    Parameters
    ----------
    name, value
        The argument, as the caller knows it.
    runs : int
    example : str
        A good value, for the message.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If it has a wrong shape, or a value that is not a finite number > 0.
    """
    values = finite_array(name, value, (), (runs,), remedy="give one value, or one per run")
    if (values <= 0.0).any():
        smallest = float(values.min())
        raise OptionError(f"{name}={smallest!r} must be a finite number > 0; e.g. {example}")
    return np.ascontiguousarray(np.broadcast_to(values, (runs,)))


def check_ascending(name: str, values: NDArray) -> None:
    """Raise an OptionError unless `values` (T,) never descend."""
    if (values[1:] < values[:-1]).any():
        raise OptionError(f"{name} must be in ascending order; sort it")


def save_times(save_at: ArrayLike | None, t_max: float, *, earliest: float = 0.0) -> Floats | None:
    """Return the times (T,) at which to save, None for none.

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If they are no list of ascending finite times in [`earliest`, `t_max`], or empty.
    """
    if save_at is None:
        return None
    times = float_array("save_at", save_at, ("T",), remedy="give a list of times")
    if times.size == 0:
        raise OptionError("save_at=[] must hold at least one time; leave it out to save nothing")
    inside = (times >= earliest) & (times <= t_max) & np.isfinite(times)
    if not inside.all():
        bad = float(times[~inside][0])
        interval = f"[{earliest:g}, t_max={t_max!r}]" if earliest > -np.inf else f"t <= {t_max!r}"
        raise OptionError(f"save_at has the time {bad!r}, which must be finite and in {interval}")
    check_ascending("save_at", times)
    return times
