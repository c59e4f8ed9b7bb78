"""Figure 2: the branches Q1, Q2, Q3 of the worked example in a section of parameter space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import AffineSubspace
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.local_recovery.exhibits.pictures import COLOURS, space
from flowscape.papers.local_recovery.setting import draw as stream
from flowscape.papers.local_recovery.setting import example
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG2"]


def compute(*, n_threads: int | None = None, members: int = 200) -> Numbers:
    """Draw members of each branch; coordinates a_1, w_1 - wbar, w_2 - wbar along (1, 0)."""
    one = example()
    target = one.teacher.parameters
    family = sorted(one.family, key=lambda b: (b.r, b.name))
    arrays: dict[str, NDArray] = {"a_bar": np.array(target.a), "w_bar": np.array(target.w)}
    dims, defect = [], 0.0
    for place, branch in enumerate(family, start=1):
        theta = np.array([branch.sample(stream(2, place, i)) for i in range(members)])
        parts = one.net.unpack(theta)
        arrays[f"Q{place}"] = np.stack(
            [parts.a[:, 0], parts.w[:, 0, 0] - target.w[0, 0], parts.w[:, 1, 0] - target.w[0, 0]], 1
        )
        dims.append(branch.dim)
        defect = max(defect, float(one.defect(theta).max()))
    meetings = {
        (i + 1, j + 1): family[i].intersection(family[j]) for i, j in ((0, 1), (0, 2), (1, 2))
    }
    a, w = float(target.a[0]), target.w[0]
    said = {(1, 2): [a, *w, 0.0, *w], (1, 3): [0.0, *w, a, *w]}
    order = family[1].contains(said[1, 2], 1e-9)
    corners = [said[1, 2], said[1, 3]] if order else [said[1, 3], said[1, 2]]
    met = (meetings[1, 2], meetings[1, 3])
    gaps = [
        float(np.abs(found.point - corner).max()) if isinstance(found, AffineSubspace) else np.inf
        for found, corner in zip(met, corners, strict=True)
    ]
    points = all(found is not None and found.dim == 0 for found in met)
    arrays["corners"] = np.array(corners)
    comparison = [
        Comparison.of(
            "dimensions of the closures of Q1, Q2, Q3",
            "1, 2, 2 (text); affine",
            f"{', '.join(map(str, dims))}; |f - f*|/|f*| of members at most {defect:.0e}",
            agrees=dims == [1, 2, 2] and defect < 1e-10,
            why="they differ; see data.npz",
        ),
        Comparison.of(
            "where cl(Q1) meets cl(Q2) and cl(Q3)",
            "the points (abar, wbar, 0, wbar) and (0, wbar, abar, wbar)",
            f"points, {max(gaps):.0e} from these; cl(Q2) and cl(Q3) do not meet",
            agrees=points and max(gaps) < 1e-10 and meetings[2, 3] is None,
            why="they differ; see data.npz",
        ),
    ]
    return Numbers(arrays, comparison)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the section: Q1 the axis of a_1, Q2 and Q3 lines of which the planes are a product."""
    fig = style.new_figure(6.4, 5.0)
    labels = ("$a_1$", r"$w_{1,1}-\bar w_1$", r"$w_{2,1}-\bar w_1$")
    ax = space(fig, (1, 1, 1), "", labels)
    for place in (1, 2, 3):
        points = arrays[f"Q{place}"]
        near = (np.abs(points) <= 2.2).all(axis=1)
        ax.scatter(
            *points[near].T, s=9, color=COLOURS[place], label=f"$Q_{place}$", depthshade=False
        )
    corners = arrays["corners"]
    spots = np.stack([corners[:, 0], 0 * corners[:, 0], 0 * corners[:, 0]], axis=1)
    ax.scatter(*spots.T, s=60, facecolors="none", edgecolors=style.INK, label="meetings")
    ax.legend(loc="upper left")
    ax.view_init(22, -58)
    style.head(
        fig,
        "Three branches of perfect networks",
        "random members, two exp neurons, d = 2; one of the two directions of $Q_2$ and $Q_3$",
    )
    return fig


FIG2 = Exhibit("fig2", "Q* of two neurons and a one-neuron target", compute, draw)
