"""Fractions of the verdicts against the sample size, with the thresholds of the branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowscape.report import style
from flowscape.sweep import RecoverResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def stacked(
    result: RecoverResult,
    sample_sets: Sequence[int],
    scale: float,
    ax: Axes | None = None,
) -> Axes:
    """Draw one stacked bar of verdict fractions per sample size.

    Parameters
    ----------
    result : RecoverResult
    sample_sets : sequence of int
        Indices of the sample sets, pooled.
    scale : float
        Initialization scale.
    ax : Axes, optional
        Drawn into; a new figure without.
    """
    ax = style.new_axes() if ax is None else ax
    sizes = result.study.sizes
    shares = np.array(
        [
            np.bincount(
                result.verdict[result.select(size=n, sample_sets=sample_sets, scale=scale)],
                minlength=len(result.verdicts),
            )
            for n in sizes
        ],
        dtype=np.float64,
    )
    shares /= shares.sum(axis=1, keepdims=True)
    place = np.arange(len(sizes))
    bottom = np.zeros(len(sizes))
    for i in style.seen(result):
        ax.bar(
            place,
            shares[:, i],
            bottom=bottom,
            width=0.78,
            color=style.colour(result.verdicts[i]),
            edgecolor="white",
            linewidth=0.6,
        )
        bottom += shares[:, i]
    ax.set_xticks(place, [str(n) for n in sizes])
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1], yticklabels=["0", "50 %", "100 %"])
    ax.set_xlim(-0.6, len(sizes) - 0.4)
    ax.tick_params(length=0)
    return ax


def thresholds(result: RecoverResult, ax: Axes, *, labels: bool = True) -> Axes:
    """Mark optimistic and separation sizes on an axis that `stacked` drew, n ascending."""
    sizes = result.study.sizes
    for n, (short, _) in _marks(result).items():
        x = next(i for i, size in enumerate(sizes) if size >= n) - 0.5
        ax.plot([x, x], [0, 1.04], color=style.INK, lw=1.0, ls=(0, (3, 2)), clip_on=False)
        if labels:
            ax.text(x, 1.06, short, ha="center", va="bottom", fontsize=8)
    return ax


def _marks(result: RecoverResult) -> dict[int, tuple[str, str]]:
    """Return a short and a long label for every threshold within the sizes of the study."""
    sizes = result.study.sizes
    separated: dict[int, list[str]] = {}
    for verdict in result.verdicts:
        if verdict.branch >= 0:
            n = result.branches[verdict.branch].separation
            if n is not None:
                separated.setdefault(n, []).append(style.branch_label(result, verdict))
    marks = {n: (", ".join(q), f"{', '.join(q)} separated") for n, q in separated.items()}
    if result.branches and result.branches[0].optimistic is not None:
        n = result.branches[0].optimistic
        names = marks.get(n)
        marks[n] = (
            f"opt., {names[0]}" if names else "opt.",
            f"optimistic size, {names[1]}" if names else "optimistic size",
        )
    if list(sizes) != sorted(sizes):
        return {}
    return {n: marks[n] for n in sorted(marks) if sizes[0] < n <= sizes[-1]}


def figure(result: RecoverResult) -> Figure:
    """Return the figure: a column per scale, a row per rule that makes sample sets."""
    from matplotlib.lines import Line2D

    study = result.study
    marks = _marks(result)
    rules = list(dict.fromkeys(study.rules))
    columns, lines = len(study.scales), len(rules)
    fig = style.new_figure(2.4 + max(2.1, 0.42 * len(study.sizes)) * columns, 1.5 + 1.75 * lines)
    axes = fig.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for i, rule in enumerate(rules):
        members = [k for k, one in enumerate(study.sample_sets) if one.rule == rule]
        for j, scale in enumerate(study.scales):
            ax = stacked(result, members, scale, axes[i, j])
            thresholds(result, ax, labels=i == 0)
            if i == lines - 1:
                ax.set_xlabel("sample size $n$")
            if j == 0:
                ax.set_ylabel(rule.title)
            if i == 0:
                ax.set_title(f"scale {style.power(scale)}", pad=23 if marks else 6)
    handles = style.handles(result, style.seen(result))
    handles += [
        Line2D([], [], color=style.INK, lw=1.0, ls=(0, (3, 2)), label=f"$n = {n}$: {long}")
        for n, (_, long) in marks.items()
    ]
    fig.legend(handles=handles, loc="outside right upper", alignment="left")
    style.head(fig, f"What the flows found: {study.title or study.name}")
    return fig
