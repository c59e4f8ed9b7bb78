"""Figure 10: three inputs, n = 6, 7, 8: why recovery fails near c~ = 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.exhibits.three_inputs import FLOOR, by_ratio
from flowscape.report import style
from flowscape.status import Kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG10"]

_SIZES = (6, 7, 8)


def compute(*, n_threads: int | None = None, seeds: int = 5, count: int = 41) -> Numbers:
    """Follow flows with ratios 0 and from 1e-4 to 1, evenly in the logarithm."""
    ratio = np.concatenate([[0.0], np.logspace(-4, 0, count - 1)])
    theta = np.empty((len(_SIZES), seeds, count, 10))
    error = np.empty((len(_SIZES), seeds, count))
    kind = np.empty(error.shape, np.int8)
    for i, n in enumerate(_SIZES):
        for seed in range(seeds):
            found, error[i, seed] = by_ratio(n, seed, ratio, n_threads)
            theta[i, seed], kind[i, seed] = found.theta, found.kind
    arrays = {
        "sizes": np.array(_SIZES),
        "ratio": ratio,
        "theta": theta,
        "generalization_error": error,
        "kind": kind,
    }
    second = theta[..., 5:]
    at_0 = np.abs(second[:, :, 0]).max()
    near = slice(1, 1 + np.count_nonzero(ratio[1:] <= 1e-2))
    wrong = (kind[:, :, near] == Kind.IMPERFECT).any(axis=2)
    size = np.linalg.norm(second[:, :, near], axis=-1).max()
    comparison = [
        Comparison.of(
            "c~ = 0 converges to the origin of Q2 (second neuron 0)",
            "yes",
            f"largest parameter of the second neuron {at_0:.1e}",
            agrees=at_0 < 1e-8,
            why="the second neuron is silent from the start",
        ),
        Comparison.of(
            "c~ near 0 may converge to imperfect minima around the origin of Q2",
            "yes",
            "sample sets with imperfect ends at c~ <= 0.01: "
            + ", ".join(
                f"{int(w.sum())} of {seeds} (n = {n})" for n, w in zip(_SIZES, wrong, strict=True)
            )
            + f"; their second neuron is smaller than {size:.2g}",
            agrees=wrong.any(),
            why="the samples differ",
        ),
    ]
    return Numbers(arrays, comparison)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw first coordinates of both incoming vectors, and errors against the ratio."""
    fig = style.new_figure(9.6, 5.4)
    axes = fig.subplots(2, 3)
    ratio = np.maximum(arrays["ratio"], 10**-4.3)
    for i, n in enumerate(arrays["sizes"]):
        top, low = axes[:, i]
        for seed, (theta, error) in enumerate(
            zip(arrays["theta"][i], arrays["generalization_error"][i], strict=True)
        ):
            right = error <= FLOOR
            for part, colour in ((right, "#009E73"), (~right, "#E69F00")):
                top.plot(theta[part, 1], theta[part, 6], "o", ms=3, mew=0, color=colour, alpha=0.8)
            low.plot(
                ratio,
                np.maximum(error, FLOOR),
                "-o",
                ms=2.2,
                lw=0.9,
                color=style.scale_colours(arrays["theta"].shape[1])[seed],
                label=f"samples {seed}",
            )
        top.plot(1.0, 0.0, "+", ms=11, mew=1.5, color=style.INK)
        top.annotate(
            "origin of $Q^2$",
            (1.0, 0.0),
            (6, -14),
            textcoords="offset points",
            fontsize=8,
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
        )
        top.set(
            title=f"n = {n}",
            xlabel="$w_1$",
            ylabel="$w_2$" if i == 0 else "",
            xlim=_at_least(0.02, *top.get_xlim()),
            ylim=_at_least(0.02, *top.get_ylim()),
        )
        low.set(
            xscale="log",
            yscale="log",
            xlabel=r"imbalance ratio $\tilde c$ (left end: 0)",
            ylabel="generalization error" if i == 0 else "",
            ylim=(0.35 * FLOOR, 3),
        )
        low.grid(axis="y")
    seeds = axes[1, 2].get_legend_handles_labels()
    fig.legend(*seeds, loc="outside lower center", ncols=len(seeds[0]))
    style.head(
        fig,
        "Near the origin of Q2 the separation size does not help",
        "first coordinates of the incoming vectors at the limits; green: recovered, orange: not",
    )
    return fig


def _at_least(span: float, low: float, high: float) -> tuple[float, float]:
    """Return limits around the same middle that are `span` apart or more."""
    missing = max(0.0, span - (high - low))
    return low - 0.5 * missing, high + 0.5 * missing


FIG10 = Exhibit("fig10", "Three inputs: ends near the origin of Q2, n = 6, 7, 8", compute, draw)
