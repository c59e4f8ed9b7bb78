"""Where the basins of two limits meet on a path between two starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.basins.edge import Edge, find_edge
from flowscape.basins.path import Path
from flowscape.basins.section import Search
from flowscape.basins.sides import SideRule, choose_sides
from flowscape.errors import OptionError, check_count, check_flag, check_positive
from flowscape.objective import Problem
from flowscape.runs import check_problem
from flowscape.threads import thread_count

__all__ = ["Boundary", "boundary"]

Floats = NDArray[np.float64]

# The bracket is found once more with this many times the tolerance: the shift is the error bar.
_COARSER = 10.0
# Next to a meeting it is found once more with flows that are stopped at this part of the time. What
# the conserved quantity neglects falls like t^(-3/4), so the shift is 4.6 times the error.
_EARLIER = 0.1


@dataclass(frozen=True)
class Boundary:
    """A border of two basins on a path.

    Attributes
    ----------
    s, error : float
        Place on the path in [0, 1], and its error bar: half the bracket, plus the shift of the
        bracket when the flows' tolerance is ten times larger; at a meeting of closures, plus its
        shift when the flows are stopped at a tenth of the time, because the quantity that decides
        there is conserved to leading order only.
    theta : (P,) or (m,) ndarray
        Start there; for imbalances the unit imbalance.
    bracket : tuple of float
        Places nearest to `s` whose flows are known to end on the first and on the other side.
    labels : tuple of int
        What the rule says of the two sides; for ``"branch"`` indices into
        ``branches(prob.net, prob.teacher).orbits()``.
    rule : str
        How sides are told apart: ``"branch"``, ``"loss"``, ``"place"`` or ``"side"``.
    crossings : int
        Changes of the label that the first, even look at the whole path saw: 1 unless the path
        crosses several borders, of which this is the first.
    edge : Edge
        What stands on the border.
    flows : int
        Number of flows followed.
    """

    s: float
    error: float
    theta: Floats
    bracket: tuple[float, float]
    labels: tuple[int, int]
    rule: str
    crossings: int
    edge: Edge
    flows: int

    def __repr__(self) -> str:
        return (
            f"Boundary(s={self.s!r}, error={self.error:.1e}, {self.rule} {self.labels}, "
            f"{self.edge!r})"
        )


def boundary(
    prob: Problem,
    theta_a: ArrayLike,
    theta_b: ArrayLike,
    *,
    limit: bool = False,
    side: SideRule | None = None,
    rtol: float = 1e-10,
    width: float = 0.0,
    sections: int = 24,
    max_steps: int = 20_000,
    n_threads: int | None = None,
) -> Boundary:
    r"""Find the border of two basins of attraction between two starts.

    The path is cut into sections, one flow at each cut in one batch, and the section in which the
    side changes is cut again, to the last bits. What both sides pass before they part is the
    edge state.

    Parameters
    ----------
    prob : Problem
    theta_a, theta_b : (P,) array_like
        Starts whose flows end on different sides. The path is the segment between them.
    limit : bool
        The arguments are imbalances C (m,) of infinitely small starts (`limit_flow`); the path is
        the arc between C_a / |C_a| and C_b / |C_b|.
    side : callable, optional
        ``side(flow)`` returns an integer label for each run, -1 where it is not known. By
        default the first of these rules that tells the two ends apart: the branch of a perfect
        limit (where closures meet, by the sign of the conserved quantity), the loss, the
        nearer of the two limits.
    rtol : float
        Tolerance of the flows; 1e-11 <= rtol <= 1e-4.
    width : float
        Width of the bracket >= 0 at which to stop; 0 goes to the last bits.
    sections : int
        Cuts of a section, >= 2.
    max_steps : int
        Of one flow.
    n_threads : int, optional
        Default: every processor this process may use. No result depends on it.

    Returns
    -------
    Boundary

    Raises
    ------
    ShapeError, OptionError, ProblemError
        If an argument has a wrong shape or value, or both starts end on the same side.

    Notes
    -----
    The border of two branches whose closures meet is not the stable set of a saddle but that of the
    meeting (docs/branch-meeting.md); the limit is continuous across it. `Edge.kind` says so.
    """
    check_problem(prob)
    rtol = check_positive("rtol", rtol)
    if not 1e-11 <= rtol <= 1e-4:
        raise OptionError(f"rtol={rtol!r} must lie in [1e-11, 1e-4]; 1e-10 is a good value")
    width = check_positive("width", width, zero=True)
    sections = check_count("sections", sections, minimum=2)
    limit = check_flag("limit", limit)
    max_steps, threads = check_count("max_steps", max_steps), thread_count(n_threads)
    path = Path.of(prob, theta_a, theta_b, limit, rtol, max_steps, threads)
    rule, name = choose_sides(prob, path.follow([0.0, 1.0]), side)
    search = Search(path, rule, sections, width)
    bracket, labels, crossings = search.run(0.0, 1.0)
    edge = find_edge(search, bracket)
    error = 0.5 * (bracket[1] - bracket[0]) + search.shift(bracket, _COARSER * rtol, np.inf)
    if edge.kind == "meeting":
        error += search.shift(bracket, rtol, _EARLIER * edge.t)
    s = 0.5 * (bracket[0] + bracket[1])
    return Boundary(
        s=s,
        error=error,
        theta=path([s])[0],
        bracket=bracket,
        labels=labels,
        rule=name,
        crossings=crossings,
        edge=edge,
        flows=search.flows + 6,
    )
