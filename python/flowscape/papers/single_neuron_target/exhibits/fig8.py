"""Figure 8: three inputs, n = 10: the limit as a function of the imbalance ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.ends import branch_names
from flowscape.papers.single_neuron_target.exhibits.pictures import BRANCH_COLOURS
from flowscape.papers.single_neuron_target.exhibits.three_inputs import by_ratio, ratios
from flowscape.papers.single_neuron_target.setting import example_1, uniform_inputs
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG8"]

_N = 10


def compute(*, n_threads: int | None = None, count: int = 81, seed: int = 0) -> Numbers:
    """Follow flows of infinitely small initialization for every ratio."""
    ratio = ratios(count)
    found, error = by_ratio(_N, seed, ratio, n_threads)
    names = branch_names(example_1(uniform_inputs(_N, 3, seed)))
    label = np.array([names[b] if b >= 0 else "-" for b in found.branch])
    arrays: dict[str, NDArray[Any]] = {
        "ratio": ratio,
        "theta": found.theta,
        "theta_error": found.theta_error,
        "kind": found.kind,
        "branch": label,
        "generalization_error": error,
    }
    on = {name: ratio[label == name] for name in ("Q1", "Q2")}
    split = on["Q1"].size > 0 and on["Q2"].size > 0 and on["Q2"].max() < on["Q1"].min()

    def reach(name: str) -> str:
        part = on[name]
        return f"{name} for c~ in [{part.min():.3g}, {part.max():.3g}]" if part.size else ""

    comparison = [
        Comparison.of(
            "recovery",
            "for every initialization",
            f"{int(found.perfect.sum())} of {count} ends are PERFECT, largest error "
            f"{error.max():.1e}",
            agrees=found.perfect.all(),
            why="where no verdict is reached the end lies where branches meet",
        ),
        Comparison.of(
            "branch",
            "c~ near 1 goes to Q1, near 0 to Q2",
            "; ".join(reach(name) for name in on),
            agrees=split,
            why="the samples differ from the paper's",
        ),
    ]
    table = {"imbalance_ratio": ratio.tolist(), "branch": label.tolist()}
    for p, name in enumerate(_names()):
        table[name] = found.theta[:, p].tolist()
    return Numbers(arrays, comparison, table)


def _names() -> list[str]:
    return [f"{part}_{k}" for k in (1, 2) for part in ("a", "w^1", "w^2", "w^3", "b")]


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the limits of both neurons against the ratio."""
    fig = style.new_figure(9.6, 3.8)
    axes = fig.subplots(1, 2, sharey=True)
    ratio, theta, branch = arrays["ratio"], arrays["theta"], arrays["branch"]
    colours = [style.INK, *style.scale_colours(4)]
    for k, ax in enumerate(axes):
        for p in range(5):
            ax.plot(ratio, theta[:, 5 * k + p], "-o", ms=2.2, lw=1.0, color=colours[p])
        ax.set(
            xlabel=r"imbalance ratio $\tilde c$",
            xlim=(-0.03, 1.03),
            title=f"neuron of {'larger' if k == 0 else 'smaller'} imbalance",
        )
    for p, name in enumerate(("a", "w^1", "w^2", "w^3", "b")):
        axes[1].plot([], [], "-o", ms=3, color=colours[p], label=f"${name}$")
    axes[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    for name in ("Q1", "Q2"):
        part = ratio[branch == name]
        if part.size:
            for ax in axes:
                ax.axvspan(part.min(), part.max(), color=BRANCH_COLOURS[name], alpha=0.10, lw=0)
            axes[0].text(
                part.mean(),
                0.3,
                f"${name[0]}^{name[1]}$",
                ha="center",
                transform=axes[0].get_xaxis_transform(),
                color=BRANCH_COLOURS[name],
                fontsize=11,
            )
    style.head(
        fig,
        "Three inputs, ten samples: every flow recovers the target",
        "limits of infinitely small initialization; samples uniform on $[-2, 2]^3$, "
        r"target $\tanh(x_1 + x_2 + x_3 + 1)$",
    )
    return fig


FIG8 = Exhibit("fig8", "Three inputs, n = 10: limits against the imbalance ratio", compute, draw)
