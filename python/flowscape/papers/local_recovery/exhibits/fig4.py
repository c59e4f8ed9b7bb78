"""Figures 4 and 5: the branches of three neurons and a one-neuron target, in w- and a-space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branch
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.local_recovery.exhibits.pictures import COLOURS, space
from flowscape.papers.local_recovery.setting import draw as stream
from flowscape.papers.local_recovery.setting import example, rank
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG4", "FIG5"]

_PLANES = (COLOURS[3], "#56B4E9", "#CC79A7")


def _named() -> dict[str, Branch]:
    """Return Q3_{0123}, Q2_{013}, Q1_{03} and the other two Q3, d = 1."""
    found: dict[str, Branch] = {}
    for branch in example(3, 1).family:
        first = min(branch.groups[0])
        if branch.r == 3:
            found[f"Q3 w{first + 1}"] = branch
        elif branch.r == 2 and branch.groups[0] == (0,):
            found["Q2_013"] = branch
        elif branch.r == 1:
            found["Q1_03"] = branch
    return found


def _seen(branch: Branch, what: str, key: int, members: int) -> NDArray:
    one = example(3, 1)
    points = np.array([branch.sample(stream(4, key, i)) for i in range(members)])
    parts = one.net.unpack(points)
    return np.asarray(parts.a if what == "a" else parts.w[:, :, 0])


def _dimension(points: NDArray) -> int:
    moved = points - points[0]
    return rank(moved) if np.abs(moved).max() > 1e-12 else 0


def compute_4(*, n_threads: int | None = None, members: int = 250) -> Numbers:
    """Look at incoming weights of random members, d = 1."""
    named = _named()
    arrays = {name: _seen(b, "w", k, members) for k, (name, b) in enumerate(named.items())}
    dims = {name: _dimension(points) for name, points in arrays.items()}
    family = list(example(3).family)
    count = Counter(b.r for b in family)
    kinds = {r: len({b.kind for b in family if b.r == r}) for r in count}
    planes = [named[f"Q3 w{k}"] for k in (1, 2, 3)]
    meets = [planes[i].intersection(planes[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    arrays["w_bar"] = np.array(example(3, 1).teacher.parameters.w)
    comparison = [
        Comparison.of(
            "(left) Q3_{0123}, Q2_{013}, Q1_{03} in w-space",
            "surface, line, dot",
            f"dimensions {dims['Q3 w1']}, {dims['Q2_013']}, {dims['Q1_03']}",
            agrees=(dims["Q3 w1"], dims["Q2_013"], dims["Q1_03"]) == (2, 1, 0),
            why="they differ; see data.npz",
        ),
        Comparison.of(
            "(right) the three identical planes",
            "Q2 consists of three identical branches",
            f"Q2: {count[2]} branches of {kinds[2]} kinds; Q3: {count[3]} of {kinds[3]} kind",
            agrees=count[2] == 3,
            why="the planes w_k = wbar are those of Q3 (errata LR 7)",
        ),
        Comparison.of(
            "(right) where two of these planes meet",
            "lines and the red dot, identical up to permutation",
            "nowhere: a = (abar, 0, 0) on one, (0, abar, 0) on another"
            if meets == [None] * 3
            else "they meet",
            agrees=meets != [None] * 3,
            why="they cross in w-space only; in parameter space the closures of Q3 are disjoint",
        ),
    ]
    return Numbers(arrays, comparison)


def compute_5(*, n_threads: int | None = None, members: int = 250) -> Numbers:
    """Look at outgoing weights of random members."""
    named = _named()
    chosen = {"Q3_0123": named["Q3 w1"], "Q2_013": named["Q2_013"], "Q1_03": named["Q1_03"]}
    arrays = {name: _seen(b, "a", k, members) for k, (name, b) in enumerate(chosen.items())}
    dims = [_dimension(points) for points in arrays.values()]
    comparison = [
        Comparison.of(
            "Q3_{0123}, Q2_{013}, Q1_{03} in a-space",
            "surface, tilted line, dot (dimensions 2, 1, 0)",
            f"dimensions {dims[0]}, {dims[1]}, {dims[2]}",
            agrees=dims == [2, 1, 0],
            why="the caption repeats that of Figure 4: in a-space Q1_{03} is the plane sum a = "
            "abar, "
            "Q3_{0123} the dot (abar, 0, 0)",
        )
    ]
    return Numbers(arrays, comparison)


def draw_4(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw one Q3 with Q2 and Q1 in it, and all three Q3; members over their planes."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    fig = style.new_figure(9.0, 4.4)
    labels = ("$w_1$", "$w_2$", "$w_3$")
    left = space(fig, (1, 2, 1), "$Q^3$, $Q^2_{\\{0,1,3\\}}$ and $Q^1$", labels)
    right = space(fig, (1, 2, 2), "three $Q^3$ cross in w-space only", labels)
    for ax, names in ((left, ("Q3 w1",)), (right, ("Q3 w1", "Q3 w2", "Q3 w3"))):
        for name in names:
            inside = (np.abs(arrays[name]) <= 2.5).all(axis=1)
            k = int(name[-1]) - 1
            ax.scatter(*arrays[name][inside].T, s=4, color=_PLANES[k], depthshade=False)
            ends = np.array([[-2.5, -2.5], [2.5, -2.5], [2.5, 2.5], [-2.5, 2.5]])
            corners = np.insert(ends, k, arrays["w_bar"][0, 0], axis=1)
            ax.add_collection3d(Poly3DCollection([corners], color=_PLANES[k], alpha=0.15))
        ax.view_init(20, -50)
        ax.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), zlim=(-2.5, 2.5))
        ax.set_box_aspect(None, zoom=0.92)
    for name, r, size in (("Q2_013", 2, 8), ("Q1_03", 1, 40)):
        inside = (np.abs(arrays[name]) <= 2.5).all(axis=1)
        left.scatter(
            *arrays[name][inside].T, s=size, color=COLOURS[r], label=f"$Q^{r}$", depthshade=False
        )
    left.scatter([], [], [], s=8, color=_PLANES[0], label="$Q^3$")
    left.legend(loc="upper left")
    style.head(
        fig, "Branches in w-space", "random members, three neurons, one target neuron, d = 1"
    )
    return fig


def draw_5(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the plane, the line and the dot."""
    fig = style.new_figure(5.6, 4.8)
    ax = space(fig, (1, 1, 1), "", ("$a_1$", "$a_2$", "$a_3$"))
    for name, r, size in (("Q1_03", 1, 5), ("Q2_013", 2, 8), ("Q3_0123", 3, 60)):
        ax.scatter(
            *arrays[name].T, s=size, color=COLOURS[r], label=f"$Q^{r}$", depthshade=False, alpha=0.8
        )
    ax.legend()
    ax.view_init(24, 30)
    style.head(
        fig,
        "Branches in a-space",
        "random members, three neurons, one target neuron: plane, line, dot",
    )
    return fig


FIG4 = Exhibit("fig4", "Branches of three neurons in w-space", compute_4, draw_4, "ab")
FIG5 = Exhibit("fig5", "Branches of three neurons in a-space", compute_5, draw_5)
