"""Waterfalls: final losses and generalization errors of all runs, each sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.report import style
from flowscape.sweep import RecoverResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 400
_LEAST = {"loss": 1e-34, "generalization_error": 1e-17}  # round-off of a residual of 1


def waterfall(result: RecoverResult, column: str, scale: float, ax: Axes | None = None) -> Axes:
    """Draw the sorted values of a column, one line per sample size.

    Parameters
    ----------
    result : RecoverResult
    column : {"loss", "generalization_error"}
        What is sorted, on a logarithmic axis.
    scale : float
        Initialization scale; the sample sets are pooled.
    ax : Axes, optional
        Drawn into; a new figure without.
    """
    ax = style.new_axes() if ax is None else ax
    sizes = result.study.sizes
    for n, shade in zip(sizes, style.scale_colours(len(sizes)), strict=True):
        values = result.runs[column][result.select(size=n, scale=scale)]
        rank, value = _sorted(values, _LEAST[column])
        ax.plot(rank, value, color=shade, lw=1.6, label=f"$n = {n}$")
    ax.set(yscale="log", xlim=(0, 1), xticks=[0, 0.5, 1])
    ax.set_xticklabels(["0", "50 %", "100 %"])
    ax.grid(axis="y", color="#EEEEEE", lw=0.6)
    return ax


def figure(result: RecoverResult) -> Figure:
    """Return the figure: losses above, generalization errors below, a column per scale."""
    study = result.study
    names = {"loss": "final loss"}
    if study.teacher is not None:
        names["generalization_error"] = "generalization error"
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = len(study.scales)
    fig = style.new_figure(1.9 + 2.2 * columns, 0.9 + 2.1 * len(names))
    engine = fig.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(wspace=0.06)
    axes = fig.subplots(len(names), columns, sharex=True, sharey="row", squeeze=False)
    for i, (column, label) in enumerate(names.items()):
        for j, scale in enumerate(study.scales):
            ax = waterfall(result, column, scale, axes[i, j])
            if j == 0:
                ax.set_ylabel(label)
            if i == 0:
                ax.set_title(f"scale {style.power(scale)}")
            if i == len(names) - 1:
                ax.set_xlabel("runs, sorted")
    fig.legend(handles=axes[0, 0].lines, loc="outside right upper")
    message = "Small loss is not recovery" if len(names) > 1 else "Final losses"
    style.head(fig, f"{message}: {study.title or study.name}")
    return fig


def _sorted(
    values: NDArray[np.float64], least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rank in (0, 1] and value, ascending, thinned to what a line can show."""
    value = np.sort(values[np.isfinite(values)])
    if not value.size:
        return np.zeros(0), np.zeros(0)
    rank = (np.arange(value.size) + 1) / len(values)
    step = np.unique(np.linspace(0, value.size - 1, min(value.size, _POINTS)).astype(np.intp))
    return rank[step], np.maximum(value[step], least)
