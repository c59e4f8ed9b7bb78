"""Families of flows along a path between two starts, or between two imbalances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.brief import Brief
from flowscape.errors import OptionError, finite_array
from flowscape.flow import Flow, gradient_flow
from flowscape.limits.limit_flow import limit_flow
from flowscape.objective import Problem

__all__ = ["Path"]

Floats = NDArray[np.float64]

# Absolute tolerance of flows from given starts, in units of rtol.
_ATOL = 1e-3


class _Options(TypedDict):
    rtol: float
    max_steps: int
    t_max: float
    save_at: Floats | None
    extrapolate: bool
    n_threads: int


@dataclass(frozen=True, repr=False)
class Path(Brief):
    """Flows that depend on one parameter s in [0, 1].

    Attributes
    ----------
    prob : Problem
    first, last : (P,) or (m,) ndarray
        Starts, or unit imbalances, at s = 0 and s = 1.
    limit : bool
        Imbalances on the shorter arc between two unit vectors, instead of starts on a segment.
    rtol : float
    max_steps : int
    threads : int
    """

    prob: Problem
    first: Floats
    last: Floats
    limit: bool
    rtol: float
    max_steps: int
    threads: int

    @classmethod
    def of(
        cls,
        prob: Problem,
        theta_a: ArrayLike,
        theta_b: ArrayLike,
        limit: bool,
        rtol: float,
        max_steps: int,
        threads: int,
    ) -> Path:
        """Return the path between two checked ends."""
        size = prob.net.width if limit else prob.net.n_params
        remedy = "give the imbalance C of every neuron" if limit else "give one start"
        one = finite_array("theta_a", theta_a, (size,), remedy=remedy)
        two = finite_array("theta_b", theta_b, (size,), remedy=remedy)
        if limit:
            one, two = _unit("theta_a", one), _unit("theta_b", two)
            if np.linalg.norm(one + two) < 1e-6:
                raise OptionError(
                    "theta_b is opposite to theta_a, so that no arc between the imbalances is "
                    "shorter than the others; go in two steps"
                )
        if np.array_equal(one, two):
            raise OptionError("theta_b must differ from theta_a; give two different starts")
        return cls(prob, one, two, limit, rtol, max_steps, threads)

    def __call__(self, s: ArrayLike) -> Floats:
        """Return starts, or unit imbalances: (K, P) or (K, m)."""
        s = np.asarray(s, dtype=float)[:, None]
        if not self.limit:
            return (1.0 - s) * self.first + s * self.last
        angle = 2.0 * np.arctan2(
            np.linalg.norm(self.last - self.first), np.linalg.norm(self.last + self.first)
        )
        ends = np.sin((1.0 - s) * angle) * self.first, np.sin(s * angle) * self.last
        return (ends[0] + ends[1]) / np.sin(angle)

    def follow(
        self,
        s: ArrayLike,
        *,
        rtol: float | None = None,
        t_max: float = np.inf,
        save_at: Floats | None = None,
        extrapolate: bool = False,
    ) -> Flow:
        """Return the flows at the parameters s (K,)."""
        rtol = self.rtol if rtol is None else rtol
        options: _Options = {
            "rtol": rtol,
            "max_steps": self.max_steps,
            "t_max": t_max,
            "save_at": save_at,
            "extrapolate": extrapolate,
            "n_threads": self.threads,
        }
        if self.limit:
            return limit_flow(self.prob, self(s), **options).flow
        return gradient_flow(self.prob, self(s), atol=_ATOL * rtol, **options)


def _unit(name: str, imbalance: Floats) -> Floats:
    largest = np.abs(imbalance).max()
    if largest == 0.0:
        raise OptionError(f"{name}=0 must not be 0: the imbalance of a start has C != 0")
    return imbalance / largest / np.linalg.norm(imbalance / largest)
