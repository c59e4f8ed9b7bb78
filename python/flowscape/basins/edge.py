"""The edge state: where flows on the border of two basins linger."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flowscape.basins.path import Path
from flowscape.basins.section import Search
from flowscape.polish import Polished, polish
from flowscape.status import Status

__all__ = ["Edge", "find_edge"]

Floats = NDArray[np.float64]

# Two flows have parted where they are this far apart, relative to 1 + |theta|, or a tenth of the
# distance of their limits.
_PARTED = 1e-3
# Limits nearer than this, relative to 1 + |theta|, may be one.
_TOGETHER = 2e-2
# A saddle lies at most this far from where the flows linger, relative to 1 + |theta|.
_NEAR = 1e-2
_POINTS = 600
# Sections that are cut on the way.
_ROUNDS = 8


@dataclass(frozen=True)
class Edge:
    """What stands between two basins.

    Attributes
    ----------
    kind : str
        ``"saddle"``: both sides pass a critical point with a negative eigenvalue and part there.
        ``"meeting"``: no saddle; the limits of both sides approach each other as the bracket
        shrinks, at a degenerate minimum in the closures of both. ``"unknown"``: neither.
    index : int
        Negative eigenvalues of the Hessian at `point.theta`.
    point : Polished
        The polished critical point.
    lingered : (P,) ndarray
        Where the gradient is least before the two sides part.
    gradient_norm : float
        That gradient's infinity norm.
    gap : float
        Distance of the limits of the two sides.
    t : float
        Time at which the flows of both sides ended.
    """

    kind: str
    index: int
    point: Polished
    lingered: Floats
    gradient_norm: float
    gap: float
    t: float

    def __repr__(self) -> str:
        return f"Edge({self.kind!r}, index={self.index}, gap={self.gap:.2g})"


def find_edge(search: Search, bracket: tuple[float, float]) -> Edge:
    """Follow both sides of a bracket and return what they pass before they part.

    Rounding limits how long two flows stay together. Where they part before a saddle was reached,
    the section between them is cut again there, and both sides followed on.
    """
    path = search.path
    limits = path.follow(bracket, extrapolate=True)
    one, two = limits.theta
    gap, size = float(np.linalg.norm(two - one)), 1.0 + float(np.linalg.norm(one))
    last = float(limits.t.max())
    if gap <= _TOGETHER * size:
        point = polish(path.prob, 0.5 * (one + two), n_threads=path.threads)
        minimum = int(point.inertia[1]) == 0 and point.displacement <= _NEAR * size
        where, slope = one, float(limits.gradient_norm.max())
        kind = "meeting" if minimum else "unknown"
        return Edge(kind, int(point.inertia[1]), point, where, slope, gap, last)
    found: Edge | None = None
    for _ in range(_ROUNDS):
        before, after = _until_parted(path, bracket, gap)
        slopes = np.abs(path.prob.gradient(before, n_threads=path.threads)).max(axis=1)
        # from the parting backwards to the first minimum: earlier ones are other saddles
        place = len(slopes) - 1
        while place > 0 and slopes[place - 1] <= slopes[place]:
            place -= 1
        lingered = before[place]
        point = polish(path.prob, lingered, n_threads=path.threads)
        index = int(point.inertia[1])
        near = point.displacement <= _NEAR * size and point.status == Status.CONVERGED
        # a point in a flat valley may have a negative eigenvalue that is not certain
        kind = "saddle" if near and index > 0 and point.certified else "unknown"
        if found is None or kind == "saddle":
            found = Edge(kind, index, point, lingered, float(slopes[place]), gap, last)
        if kind == "saddle" and index == 1:
            break
        path = replace(path, first=after[0], last=after[1], limit=False)
        onward = Search(path, search.rule, search.sections)
        if len(set(onward.labels(np.array([0.0, 1.0]), None, np.inf).tolist())) < 2:
            break
        bracket, _, _ = onward.run(0.0, 1.0)
        search.flows += onward.flows
    assert found is not None
    return found


def _until_parted(path: Path, bracket: tuple[float, float], gap: float) -> tuple[Floats, Floats]:
    """Return one flow at times until both have parted, (T, P), and both there, (2, P)."""
    end = path.follow(bracket)
    thetas = path.follow(bracket, save_at=_times(float(end.t.max()))).thetas
    assert thetas is not None
    size = 1.0 + np.linalg.norm(thetas[0], axis=1)
    apart = np.linalg.norm(thetas[1] - thetas[0], axis=1)
    together = apart <= np.minimum(_PARTED * size, 0.1 * gap)
    parted = len(together) if together.all() else max(int(np.argmin(together)), 1)
    return thetas[0, :parted], thetas[:, parted - 1]


def _times(last: float) -> Floats:
    """Return times from start to end: the early ones evenly spaced, all in the logarithm."""
    if last == 0.0:  # both start where the gradient is rounding error
        return np.zeros(1)
    early = min(1.0, last)
    even = np.linspace(0.0, min(100.0, last), _POINTS // 2)
    return np.unique(np.concatenate([even, np.geomspace(early, last, _POINTS // 2)]))
