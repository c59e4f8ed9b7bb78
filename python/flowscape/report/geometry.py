"""Where the flows ended: the branches of one biased neuron pair, and the end points.

For two neurons on one input that learn one neuron, name the neuron of larger |a| the first.
The coordinates (w_2, b_2, a_2) of the other one then show every branch: Q1 is a vertical line
at (w_0, b_0), Q2 the plane a_2 = 0, and the constant group the vertical lines at w_2 = 0 where b_2
is a zero of the activation (Single-neuron target, Example 1 and Fig. 3a; docs/theory.md section 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import branches
from flowscape.report import style
from flowscape.sweep import RecoverResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

Floats = NDArray[np.float64]
Limits = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PairView:
    """Coordinates of the second neuron after sorting and folding.

    Attributes
    ----------
    points : (B, 3) ndarray
        (w_2, b_2, a_2) of every row, signs folded so that (w_2, b_2) and (w_0, b_0) have an
        angle of at most 90 degrees; b centred on the centre of the oddness.
    target : (3,) ndarray
        (w_0, b_0, a_0).
    zeros : tuple of float
        Where the activation vanishes, centred likewise: a neuron of w_2 = 0 and such a b_2 is
        silent whatever its a_2.
    folded : bool
        Whether the activation is odd.
    label : str
        Of the axis of b_2; says so where the centre is not 0.
    """

    points: Floats
    target: Floats
    zeros: tuple[float, ...]
    folded: bool
    label: str


def applies(result: RecoverResult) -> bool:
    """Return whether the study is a pair of biased neurons that learns one neuron."""
    net = result.study.net
    pair = net.width == 2 and net.inputs == 1 and net.outputs == 1 and net.bias
    return pair and not net.output_bias and {row.r for row in result.branches} == {1, 2}


def pair_view(result: RecoverResult, rows: NDArray[np.bool_]) -> PairView:
    """Return the second neuron of the chosen rows, where the flows ended."""
    study = result.study
    assert study.teacher is not None
    family = branches(study.net, study.teacher)
    outgoing, incoming, _ = family.setting.split(result.runs["theta"][rows])
    neurons = np.concatenate([incoming, outgoing], axis=2)
    second = np.abs(neurons[:, :, 2]).argmin(axis=1)
    points = neurons[np.arange(len(neurons)), second]
    target = np.concatenate([family.target.incoming[0], family.target.outgoing[0]])
    if family.setting.signed:
        points = np.where(points[:, :2] @ target[:2] < 0, -1.0, 1.0)[:, None] * points
    zeros = tuple(zero - family.setting.centre for zero in family.setting.zeros)
    label = "$b_2$" if family.setting.centre == 0 else f"$b_2 - ({family.setting.centre:.3g})$"
    return PairView(points, target, zeros, family.setting.signed, label)


def space(result: RecoverResult, rows: NDArray[np.bool_], ax: Axes3D | None = None) -> Axes3D:
    """Draw the branches and the end points of the chosen runs in (w_2, b_2, a_2).

    Parameters
    ----------
    result : RecoverResult
        Of a study for which `applies` holds.
    rows : (runs,) ndarray of bool
        The runs to show.
    ax : Axes3D, optional
        Drawn into; a new figure without.
    """
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    if ax is None:
        ax = style.new_figure(5.5, 5.0).add_subplot(projection="3d")
    ax.computed_zorder = False
    view = pair_view(result, rows)
    limits = _limits(view)
    low, high = limits[2]
    w0, b0, a0 = view.target
    first, flat, line = _branch_colours(result)

    (left, right), (front, back) = limits[:2]
    corners = [(left, front), (right, front), (right, back), (left, back)]
    sheet = [(w, b, 0.0) for w, b in _half_plane(corners, (w0, b0) if view.folded else None)]
    ax.add_collection3d(
        Poly3DCollection([sheet], facecolor=flat, edgecolor=flat, alpha=0.13, zorder=1)
    )
    for zero in view.zeros if line is not None else ():
        ax.plot([0, 0], [zero, zero], [low, high], color=line, lw=1.2, ls=(0, (4, 2)), zorder=2)
    ax.plot([w0, w0], [b0, b0], [low, a0 / 2], color=first, lw=1.2, zorder=2)
    _scatter(ax, result, rows, view.points, limits)
    _name_branches(ax, result, view, limits)

    ax.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    ax.set_xlabel("$w_2$", labelpad=-6)
    ax.set_ylabel(view.label, labelpad=-6)
    ax.set_zlabel("$a_2$", labelpad=-6)
    ax.tick_params(pad=-2)
    ax.locator_params(nbins=5)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("#DDDDDD")
    ax.view_init(elev=22, azim=-62)
    ax.set_box_aspect((1, 1, 0.8), zoom=1.08)
    return ax


def plane(result: RecoverResult, rows: NDArray[np.bool_], ax: Axes | None = None) -> Axes:
    """Draw the chosen end points from above, in (w_2, b_2): Q2 is the page, Q1 one point.

    Parameters
    ----------
    result, rows, ax
        As for `space`.
    """
    ax = style.new_axes() if ax is None else ax
    view = pair_view(result, rows)
    limits = _limits(view)
    first, _, line = _branch_colours(result)
    _scatter(ax, result, rows, view.points[:, :2], limits[:2])
    w0, b0, _ = view.target
    ax.plot(w0, b0, "o", ms=11, mfc="none", mec=first, mew=1.6, zorder=6)
    ax.annotate("$Q^1$", (w0, b0), (7, 7), textcoords="offset points", color=first, fontsize=11)
    for zero in view.zeros if line is not None else ():
        ax.plot(0, zero, "+", ms=9, color=line, mew=1.6, zorder=6)
    if view.folded:
        edge = np.array(limits[0])
        slope = edge if b0 == 0 else -edge * w0 / b0
        if b0 != 0:
            ax.plot(edge, slope, color="#CCCCCC", lw=0.8, ls=":", zorder=0)
    ax.set(xlim=limits[0], ylim=limits[1], xlabel="$w_2$", ylabel=view.label)
    return ax


def figure(result: RecoverResult) -> Figure:
    """Return the figure of the end points: the largest n in space, the others from above.

    Shows the first sample set and the smallest initialization scale. Other networks than a
    pair that learns one neuron get `distances` instead.
    """
    if not applies(result):
        fig = style.new_figure(6.4, 4.2)
        distances(result, fig.add_subplot())
        return fig
    study = result.study
    scale = min(study.scales)
    sizes = sorted(study.sizes)[-4:]
    columns = (len(sizes) + 1) // 2
    fig = style.new_figure(5.0 + 2.3 * columns, 5.2)
    grid = fig.add_gridspec(2, 1 + columns, width_ratios=[2.2, *[1.0] * columns])
    chosen = {n: result.select(size=n, sample_sets=[0], scale=scale) for n in sizes}
    ax = fig.add_subplot(grid[:, 0], projection="3d")
    ax.set_title(f"n = {sizes[-1]}", y=0.97)
    space(result, chosen[sizes[-1]], ax)
    for i, n in enumerate(sizes):
        ax = plane(result, chosen[n], fig.add_subplot(grid[i // columns, 1 + i % columns]))
        ax.set_title(f"n = {n}, from above")
        if i % columns:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        if i + columns < len(sizes):
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
    shown = np.logical_or.reduce(list(chosen.values()))
    occurred = set(result.verdict[shown].tolist())
    found = style.handles(
        result,
        [i for i, v in enumerate(result.verdicts) if i in occurred or v.branch >= 0],
    )
    fig.legend(handles=found, loc="outside lower center", ncols=len(found))
    folded = ", signs folded" if pair_view(result, chosen[sizes[-1]]).folded else ""
    style.head(
        fig,
        f"Where the flows ended: {study.title or study.name}",
        f"samples {study.rules[0].title}, initialization scale {style.power(scale)}, "
        f"{study.seeds} seeds; shown is the neuron of smaller |a|{folded}",
    )
    return fig


def distances(result: RecoverResult, ax: Axes | None = None) -> Axes:
    """Draw the distance to the nearest branch against the generalization error of every run.

    Parameters
    ----------
    result : RecoverResult
        Of any study with a teacher.
    ax : Axes, optional
        Drawn into; a new figure without.
    """
    ax = style.new_axes() if ax is None else ax
    error = np.maximum(result.runs["generalization_error"], 1e-17)
    distance = np.maximum(result.runs["branch_distance"], 1e-17)
    for i in style.seen(result):
        verdict = result.verdicts[i]
        chosen = (result.verdict == i) & np.isfinite(error) & np.isfinite(distance)
        ax.plot(
            distance[chosen],
            error[chosen],
            "o",
            ms=3,
            alpha=0.35,
            mew=0,
            rasterized=True,
            color=style.colour(verdict),
            label=style.branch_label(result, verdict),
        )
    ax.set(
        xscale="log",
        yscale="log",
        title=result.study.title or result.study.name,
        xlabel="distance to the nearest branch",
        ylabel="generalization error",
    )
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    return ax


def _scatter(
    ax: Axes,
    result: RecoverResult,
    rows: NDArray[np.bool_],
    points: Floats,
    limits: Limits,
) -> None:
    verdict = result.verdict[rows]
    low, high = np.array(limits).T
    inside = ((points >= low) & (points <= high)).all(axis=1)
    for i in np.unique(verdict):
        shown = points[(verdict == i) & inside]
        depth = {"depthshade": False} if points.shape[1] == 3 else {}
        ax.scatter(
            *shown.T,
            s=13,
            color=style.colour(result.verdicts[i]),
            alpha=0.8,
            edgecolors="white",
            linewidths=0.3,
            zorder=4,
            **depth,
        )


def _limits(view: PairView) -> Limits:
    """Return ranges that show the branches around the target, the same for every n."""
    w0, b0, a0 = view.target
    reach = 1.9 * max(abs(w0), abs(b0))
    back = 0.35 * reach if view.folded else reach
    flat = [(-back, reach) if centre >= 0 else (-reach, back) for centre in (w0, b0)]
    depth = (-0.5 * a0, 0.75 * a0)
    return (*flat, (min(depth), max(depth)))


def _half_plane(
    corners: list[tuple[float, float]], normal: tuple[float, float] | None
) -> list[tuple[float, float]]:
    """Return the part of a convex polygon on the side of `normal`; all of it without one."""
    if normal is None:
        return corners
    kept: list[tuple[float, float]] = []
    for one, two in zip(corners, [*corners[1:], corners[0]], strict=True):
        here, there = (p[0] * normal[0] + p[1] * normal[1] for p in (one, two))
        if here >= 0:
            kept.append(one)
        if here * there < 0:
            share = here / (here - there)
            kept.append((one[0] + share * (two[0] - one[0]), one[1] + share * (two[1] - one[1])))
    return kept


def _name_branches(ax: Axes3D, result: RecoverResult, view: PairView, limits: Limits) -> None:
    w0, b0, a0 = view.target
    first, flat, line = _branch_colours(result)
    ax.text(w0, b0, a0 / 2, "  $Q^1$", color=first, fontsize=12, zorder=9)
    corner = (limits[0][int(w0 > 0)], limits[1][int(b0 <= 0)])
    ax.text(0.93 * corner[0], 0.8 * corner[1], 0, "$Q^2$", color=flat, fontsize=12, zorder=9)
    if line is not None:
        ax.text(0, view.zeros[0], limits[2][1], " $Q^{1c}$", color=line, fontsize=11, zorder=9)


def _branch_colours(result: RecoverResult) -> tuple[str, str, str | None]:
    """Return the colours of Q1, Q2 and the constant group."""
    found: dict[tuple[int, bool], str] = {}
    for verdict in result.verdicts:
        if verdict.branch >= 0:
            row = result.branches[verdict.branch]
            found.setdefault((row.r, "c" in row.name), style.colour(verdict))
    return found[1, False], found[2, False], found.get((1, True))
