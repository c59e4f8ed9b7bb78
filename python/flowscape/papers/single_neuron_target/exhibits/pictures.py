"""What the figures of this paper share: colours of branches, axes of errors, the pair in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.single_neuron_target.setting import example_1, single_neuron
from flowscape.report import style
from flowscape.report.pair_space import second_neuron, stage, view_limits
from flowscape.status import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

Floats = NDArray[np.float64]

FLOOR = 1e-8
"""Generalization errors below are counted as recovery and drawn here (caption of Figure 4)."""

BRANCH_COLOURS = {"Q1": "#0072B2", "Q2": "#009E73", "Q1c": "#56B4E9"}
"""As in the figures of studies: cool where the target is recovered."""

_KINDS = {Kind.PERFECT: "#332288", Kind.IMPERFECT: "#E69F00", Kind.UNRESOLVED: "#BDBDBD"}


def error_axes(ax: Axes, title: str, *, floor: float = FLOOR) -> Axes:
    """Set up an axis of generalization error against the imbalance ratio."""
    ax.set(title=title, yscale="log", xlim=(-0.03, 1.03), ylim=(0.35 * floor, 3.0))
    ax.axhline(floor, color=style.MUTED, lw=0.8, ls=(0, (1, 2)), zorder=0)
    ax.grid(axis="y")
    return ax


def point_colours(kind: NDArray, branch: NDArray, names: Sequence[str]) -> list[str]:
    """Return the colour of every end: that of its branch if perfect, warm if not."""
    return [
        BRANCH_COLOURS[names[b]] if k == Kind.PERFECT and b >= 0 else _KINDS.get(Kind(k), "#D55E00")
        for k, b in zip(kind.tolist(), branch.tolist(), strict=True)
    ]


def pair_in_space(ax: Axes3D, theta: Floats, colours: Sequence[Any], *, size: float = 14) -> Axes3D:
    """Draw Q1 and Q2 and the second neurons of pairs theta (B, 6) in (w_2, b_2, a_2)."""
    net = example_1(np.zeros(1)).net
    view = second_neuron(net, single_neuron(), theta)
    limits = view_limits(view)
    stage(ax, view, limits, (BRANCH_COLOURS["Q1"], BRANCH_COLOURS["Q2"], None))
    low, high = np.array(limits).T
    inside = ((view.points >= low) & (view.points <= high)).all(axis=1)
    ax.scatter(
        *view.points[inside].T,
        s=size,
        color=[c for c, i in zip(colours, inside, strict=True) if i],
        edgecolors="white",
        linewidths=0.3,
        depthshade=False,
        zorder=4,
    )
    return ax
