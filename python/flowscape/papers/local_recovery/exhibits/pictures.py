"""What the figures of this paper share: colours of Q1, Q2, Q3, three-dimensional axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

COLOURS = {1: "#D55E00", 2: "#009E73", 3: "#0072B2"}
"""By the number r of different incoming vectors."""


def space(fig: Figure, place: tuple[int, int, int], title: str, labels: tuple[str, ...]) -> Axes3D:
    """Return three-dimensional axes with light panes."""
    ax = fig.add_subplot(*place, projection="3d")
    ax.set_title(title)
    for axis, label in zip((ax.xaxis, ax.yaxis, ax.zaxis), labels, strict=True):
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
        axis._axinfo["grid"]["color"] = "#E4E4E4"
        axis.set_label_text(label)
    ax.tick_params(labelsize=7, pad=0, colors=style.MUTED)
    return ax
