"""Colours and type of all figures. Colours: Okabe and Ito, distinct for colour-blind readers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from flowscape.status import Kind
from flowscape.sweep import RecoverResult, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#222222"
MUTED = "#777777"
DPI = 150

# Cool: the target is recovered. Warm: it is not.
_BRANCHES = ("#0072B2", "#009E73", "#56B4E9", "#003F63", "#8FD3C1", "#7B8FD4")
_KINDS = {
    Kind.PERFECT: "#332288",
    Kind.ZERO_LOSS: "#0072B2",
    Kind.IMPERFECT: "#E69F00",
    Kind.LOCAL_MINIMUM: "#D55E00",
    Kind.SADDLE: "#CC79A7",
    Kind.DEGENERATE: "#6B4E71",
    Kind.AT_INFINITY: "#F0E442",
    Kind.UNRESOLVED: "#BDBDBD",
}


def colour(verdict: Verdict) -> str:
    """Return the colour of a verdict, the same in every figure."""
    if verdict.branch >= 0:
        return _BRANCHES[verdict.branch % len(_BRANCHES)]
    return _KINDS[verdict.kind]


def scale_colours(count: int) -> Sequence[Any]:
    """Return `count` colours from dark to light for ordered quantities."""
    from matplotlib import colormaps

    steps = [0.0] if count == 1 else [0.82 * i / (count - 1) for i in range(count)]
    return [colormaps["viridis"](step) for step in steps]


def seen(result: RecoverResult) -> list[int]:
    """Return the verdicts that at least one run of the study got."""
    return [i for i in range(len(result.verdicts)) if (result.verdict == i).any()]


def context() -> AbstractContextManager[None]:
    """Return a context with the type, lines and resolution of all figures."""
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "figure.dpi": DPI,
            "savefig.dpi": DPI,
            "figure.facecolor": "white",
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "axes.titlesize": 9.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 9,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.linewidth": 0.8,
            "grid.color": "#EEEEEE",
            "grid.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "text.color": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8.5,
            "legend.frameon": False,
            "mathtext.fontset": "dejavusans",
        }
    )


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of this size in inches that no display manages."""
    from matplotlib.figure import Figure as _Figure

    return _Figure(figsize=(width, height), layout="constrained")


def new_axes() -> Axes:
    """Return the axes of a figure of their own."""
    return new_figure(5.0, 3.6).add_subplot()


def branch_label(result: RecoverResult, verdict: Verdict) -> str:
    """Return the name of a verdict for a legend: branches as Q with a superscript."""
    if verdict.branch < 0:
        return verdict.label
    row = result.branches[verdict.branch]
    letter = row.name.removeprefix(f"Q{row.r}")
    return f"$Q^{{{row.r}{letter}}}$"


def handles(result: RecoverResult, chosen: Sequence[int]) -> list[Any]:
    """Return the legend handles of the verdicts with these indices."""
    from matplotlib.lines import Line2D

    verdicts = [result.verdicts[i] for i in chosen]
    return [
        Line2D([], [], ls="", marker="o", ms=7, color=colour(v), label=branch_label(result, v))
        for v in verdicts
    ]


def power(value: float) -> str:
    """Return a number for a title, with few digits: 0.5, but 10 to the -8 and 2 times that."""
    digits, _, exponent = f"{value:.3g}".partition("e")
    if not exponent:
        return digits
    factor = "" if digits == "1" else rf"{digits} \cdot "
    return f"${factor}10^{{{int(exponent)}}}$"


def head(fig: Figure, title: str, subtitle: str = "") -> None:
    """Put a title, and under it a line that says what is shown, above all axes."""
    fig.suptitle(title + "\n" * bool(subtitle), x=0.008, ha="left", fontsize=12, weight="bold")
    if subtitle:
        y = 1 - 0.28 / fig.get_figheight()
        fig.text(0.008, y, subtitle, va="top", fontsize=8.5, color=MUTED)
