"""The nearest point of a set given by smooth equations, found by a local search.

Used where a set is neither affine nor a sum of groups that share no parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
System = Callable[[Floats], tuple[Floats, Floats]]
"""Returns values (E,) and derivative (E, P) of the equations at a point (P,)."""
Allowed = Callable[[Floats], bool]
"""Says of a zero (P,) whether it counts."""

_STEPS = 200
_RESTORE = 60
_ROUNDING = 1e-14
_STILL = 1e-12
_SHORTEST = 1e-4
_GAIN = 1e-6  # relative decrease of the distance that ends the search


def nearest_zero(
    system: System,
    point: Floats,
    start: Floats | None = None,
    allowed: Allowed | None = None,
) -> Floats | None:
    """Return a zero of the equations near a point: the nearest one if the point is near the set.

    Parameters
    ----------
    system : callable
        The equations; redundant ones are allowed.
    point : (P,) ndarray
    start : (P,) ndarray, optional
        Where the search for a first zero begins; by default at the point.
    allowed : callable, optional
        Says of a zero (P,) whether it counts; the search does not leave those that do.

    Returns
    -------
    (P,) ndarray or None
        A zero up to round-off, and a local minimum of the distance to `point`, or where a step
        of the search gains less than 1e-6 of it; None where the search ends without a zero.

    Notes
    -----
    Riemannian descent of |theta - point|^2 / 2 with unit steps: the gradient on the set is the
    tangential part of theta - point, and Newton steps of least norm lead back to the set. The
    contraction per step is the distance times the curvature of the set.
    """
    at = _restore(system, point if start is None else start)
    if at is None or (allowed is not None and not allowed(at)):
        return None
    apart = float(np.linalg.norm(at - point))
    for _ in range(_STEPS):
        pull = _tangential(system, at, point - at)
        if np.linalg.norm(pull) <= _STILL * max(apart, _ROUNDING):
            break
        trial = _closer(system, point, at, pull, apart, allowed)
        if trial is None:
            break
        before, at, apart = apart, trial, float(np.linalg.norm(trial - point))
        if apart >= (1.0 - _GAIN) * before:
            break
    return at


def _closer(
    system: System,
    point: Floats,
    at: Floats,
    pull: Floats,
    apart: float,
    allowed: Allowed | None,
) -> Floats | None:
    """Return an allowed zero nearer than `apart` to `point`, by halving the step, or None."""
    length = 1.0
    while length >= _SHORTEST:
        trial = _restore(system, at + length * pull)
        if (
            trial is not None
            and float(np.linalg.norm(trial - point)) < apart
            and (allowed is None or allowed(trial))
        ):
            return trial
        length *= 0.5
    return None


def _tangential(system: System, at: Floats, vector: Floats) -> Floats:
    _, jacobian = system(at)
    if len(jacobian) == 0:
        return vector
    return np.asarray(vector - np.linalg.pinv(jacobian, rcond=1e-10) @ (jacobian @ vector))


def _restore(system: System, start: Floats) -> Floats | None:
    """Return a zero by damped Newton steps of least norm, or None."""
    at = start.copy()
    values, jacobian = system(at)
    if len(values) == 0:
        return at
    size = float(np.linalg.norm(values))
    for _ in range(_RESTORE):
        scale = _ROUNDING * (1.0 + np.abs(jacobian).max() * (1.0 + np.abs(at).max()))
        if not np.isfinite(size):
            return None
        if size <= scale:
            return at
        step = np.linalg.pinv(jacobian, rcond=1e-10) @ values
        length = 1.0
        while length >= _SHORTEST:
            trial = at - length * step
            new_values, new_jacobian = system(trial)
            new = float(np.linalg.norm(new_values))
            if new < (1.0 - 0.1 * length) * size:
                break
            length *= 0.5
        else:
            return at if size <= 100.0 * scale else None
        at, values, jacobian, size = trial, new_values, new_jacobian, new
    return None
