"""The nearest point of a set given by smooth equations, found by a local search.

Used where a set is neither affine nor a sum of groups that share no parameters. Nothing depends
on units: equations count as solved, and as independent, relative to the size of their own terms.
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
_LEAST = 1e-30  # of the largest noise
_TINY = 1e-290
_LAST = 10.0  # where no step gains any more
_SINGULAR = 1e-10  # of equations with gradients of length 1
_STILL = 1e-12
_SHORTEST = 1e-4
_GAIN = 1e-6  # relative decrease of the distance that ends the search


def nearest_zero(
    system: System,
    point: Floats,
    start: Floats | None = None,
    allowed: Allowed | None = None,
    *,
    size: Floats | None = None,
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
    size : (P,) ndarray, optional
        What the parameters were rounded as; by default |point|.

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
    search = _Search(system, point, np.abs(point) if size is None else size)
    at = search.restore(point if start is None else start)
    if at is None or (allowed is not None and not allowed(at)):
        return None
    apart = float(np.linalg.norm(at - point))
    for _ in range(_STEPS):
        if (np.abs(at - point) <= _ROUNDING * search.size).all():
            break
        pull = search.tangential(at, point - at)
        if np.linalg.norm(pull) <= _STILL * apart:
            break
        trial = search.closer(at, pull, apart, allowed)
        if trial is None:
            break
        before, at, apart = apart, trial, float(np.linalg.norm(trial - point))
        if apart >= (1.0 - _GAIN) * before:
            break
    return at


class _Search:
    def __init__(self, system: System, point: Floats, size: Floats) -> None:
        self.system, self.point, self.size = system, point, size

    def closer(
        self, at: Floats, pull: Floats, apart: float, allowed: Allowed | None
    ) -> Floats | None:
        """Return an allowed zero nearer than `apart`, by halving the step, or None."""
        length = 1.0
        while length >= _SHORTEST:
            trial = self.restore(at + length * pull)
            if (
                trial is not None
                and float(np.linalg.norm(trial - self.point)) < apart
                and (allowed is None or allowed(trial))
            ):
                return trial
            length *= 0.5
        return None

    def tangential(self, at: Floats, vector: Floats) -> Floats:
        """Return the part of a vector along the set."""
        _, jacobian = self.system(at)
        if len(jacobian) == 0:
            return vector
        unit = jacobian * _weights(jacobian)[:, None]
        return np.asarray(vector - np.linalg.pinv(unit, rcond=_SINGULAR) @ (unit @ vector))

    def restore(self, start: Floats) -> Floats | None:
        """Return a zero by damped Newton steps of least norm, or None."""
        at = start.copy()
        values, jacobian = self.system(at)
        if len(values) == 0:
            return at
        for _ in range(_RESTORE):
            if not np.isfinite(values).all():
                return None
            weights = _weights(jacobian)
            wrong = weights * values
            moved = np.abs(at - self.point)
            # steps are rounded in all parameters alike
            noise = _ROUNDING * (weights * (np.abs(jacobian) @ (self.size + moved)) + moved.max())
            possible = (values[weights == 0.0] == 0.0).all()
            if possible and (np.abs(wrong) <= noise).all():
                return at
            left, sizes, right = np.linalg.svd(jacobian * weights[:, None])
            rank = int((sizes > _SINGULAR * sizes[0]).sum())
            # equations that depend on each other agree up to their noise together
            others = np.abs(left[:, rank:])
            noise += others @ (noise @ others)
            if possible and (np.abs(wrong) <= noise).all():
                return at
            step = right[:rank].T @ ((wrong @ left[:, :rank]) / sizes[:rank])
            # so that equations that are solved do not hide what others gain
            noise += _ROUNDING * np.linalg.norm(step)
            least = np.maximum(noise, max(_LEAST * noise.max(), _TINY))
            length, size = 1.0, np.linalg.norm(wrong / least)
            while length >= _SHORTEST:
                trial = at - length * step
                new_values, new_jacobian = self.system(trial)
                if np.linalg.norm(weights * new_values / least) < (1.0 - 0.1 * length) * size:
                    break
                length *= 0.5
            else:
                return at if possible and (np.abs(wrong) <= _LAST * noise).all() else None
            at, values, jacobian = trial, new_values, new_jacobian
        return None


def _weights(jacobian: Floats) -> Floats:
    """Return the factors that make the gradients unit vectors; 0 where there is none."""
    norms = np.linalg.norm(jacobian, axis=1)
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > _TINY)
