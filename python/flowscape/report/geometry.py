"""Where the flows ended: the branches of one biased neuron pair, and the end points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flowscape.report import style
from flowscape.report.pair_space import (
    Limits,
    PairView,
    second_neuron,
    shows_all_branches,
    stage,
    view_limits,
)
from flowscape.sweep import RecoverResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

Floats = NDArray[np.float64]


def applies(result: RecoverResult) -> bool:
    """Return whether the study is a pair of biased neurons that learns one, drawn in full."""
    study = result.study
    net = study.net
    pair = net.width == 2 and net.inputs == 1 and net.outputs == 1 and net.bias
    if not pair or net.output_bias or {row.r for row in result.branches} != {1, 2}:
        return False
    return study.teacher is not None and shows_all_branches(net, study.teacher)


def pair_view(result: RecoverResult, rows: NDArray[np.bool_]) -> PairView:
    """Return the second neuron of the chosen rows, where the flows ended."""
    study = result.study
    assert study.teacher is not None
    return second_neuron(study.net, study.teacher, result.runs["theta"][rows])


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
    if ax is None:
        ax = style.new_figure(5.5, 5.0).add_subplot(projection="3d")
    view = pair_view(result, rows)
    limits = view_limits(view)
    stage(ax, view, limits, _branch_colours(result))
    _scatter(ax, result, rows, view.points, limits)
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
    limits = view_limits(view)
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
        if handle is not None:
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
    look: dict[str, Any] = {
        "s": 13,
        "alpha": 0.8,
        "edgecolors": "white",
        "linewidths": 0.3,
        "zorder": 4,
    }
    if points.shape[1] == 3:
        look["depthshade"] = False
    for i in np.unique(verdict):
        shown = points[(verdict == i) & inside]
        ax.scatter(*shown.T, color=style.colour(result.verdicts[i]), **look)


def _branch_colours(result: RecoverResult) -> tuple[str, str, str | None]:
    """Return the colours of Q1, Q2 and the constant group."""
    found: dict[tuple[int, bool], str] = {}
    for verdict in result.verdicts:
        if verdict.branch >= 0:
            row = result.branches[verdict.branch]
            found.setdefault((row.r, "c" in row.name), style.colour(verdict))
    return found[1, False], found[2, False], found.get((1, True))
