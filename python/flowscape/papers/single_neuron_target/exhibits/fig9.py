"""Figure 9: three inputs: generalization error against the imbalance ratio, n = 5 to 10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import branches
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.exhibits.pictures import error_axes
from flowscape.papers.single_neuron_target.exhibits.three_inputs import FLOOR, by_ratio, ratios
from flowscape.papers.single_neuron_target.setting import example_1, single_neuron
from flowscape.report import style
from flowscape.status import Kind
from flowscape.sweep import branch_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG9"]

_SIZES = (5, 6, 7, 8, 9, 10)


def compute(*, n_threads: int | None = None, seeds: int = 5, count: int = 41) -> Numbers:
    """Follow flows of infinitely small initialization for every size, sample set and ratio."""
    ratio = ratios(count)
    error = np.empty((len(_SIZES), seeds, count))
    kind = np.empty(error.shape, np.int8)
    for i, n in enumerate(_SIZES):
        for seed in range(seeds):
            found, error[i, seed] = by_ratio(n, seed, ratio, n_threads)
            kind[i, seed] = found.kind
    arrays = {
        "sizes": np.array(_SIZES),
        "ratio": ratio,
        "generalization_error": error,
        "kind": kind,
    }
    place = np.indices(error.shape).reshape(3, -1)
    table = {
        "n": np.array(_SIZES)[place[0]].tolist(),
        "sample_seed": place[1].tolist(),
        "imbalance_ratio": ratio[place[2]].tolist(),
        "generalization_error": error.ravel().tolist(),
        "kind": kind.ravel().tolist(),
    }
    return Numbers(arrays, _compare(error, kind, ratio), table)


def _compare(error: NDArray, kind: NDArray, ratio: NDArray) -> list[Comparison]:
    recovered = error <= FLOOR
    inside = (ratio > 0) & (ratio < 1)
    share = recovered[:, :, inside].mean(axis=(1, 2))
    ends_5 = recovered[0][:, ~inside].all(axis=1)
    net, teacher = example_1(np.zeros((1, 3))).net, single_neuron(3)
    known = {row.name: row.separation for row in branch_rows(net, teacher)[0]}
    sizes = (branches(net, teacher).optimistic_size, known["Q2"], known["Q1"])
    whole = recovered[4:].mean()
    lost = int((kind[4:] == Kind.IMPERFECT).sum())
    return [
        Comparison.of(
            "optimistic size, separation sizes of Q2 and Q1",
            "5, 6, 9",
            ", ".join(map(str, sizes)),
            agrees=sizes == (5, 6, 9),
            why="computed from the branches",
        ),
        Comparison.of(
            "n = 5: recovery at c~ = 0 and c~ = 1",
            "yes",
            f"{int(ends_5.sum())} of {len(ends_5)} sample sets",
            agrees=ends_5.all(),
            why="five samples leave one neuron with three inputs imperfect zeros for some sample "
            "sets (errata SS 7); at c~ = 1 two equal neurons may be a saddle, left by rounding",
        ),
        Comparison.of(
            "n = 5: recovery for 0 < c~ < 1",
            "no",
            f"{share[0]:.0%} of the flows",
            agrees=share[0] == 0,
            why="the samples differ",
        ),
        Comparison.of(
            "n = 6, 7, 8: probability of recovery increases",
            "yes",
            ", ".join(f"{s:.0%} (n = {n})" for n, s in zip(_SIZES[1:4], share[1:4], strict=True)),
            agrees=bool((np.diff(share[1:4]) > 0).all()),
            why="five sample sets only",
        ),
        Comparison.of(
            "n = 9, 10: recovery for every initialization",
            "yes",
            f"{whole:.1%} of the flows below 1e-7; {lost} imperfect",
            agrees=whole == 1,
            why="what is above 1e-7 are tails next to Q1 that are not resolved, no imperfect ends"
            if lost == 0
            else "some samples have imperfect ends",
        ),
    ]


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw one panel per sample size."""
    fig = style.new_figure(9.6, 5.2)
    ratio, error = arrays["ratio"], np.maximum(arrays["generalization_error"], FLOOR)
    colours = style.scale_colours(error.shape[1])
    for i, n in enumerate(arrays["sizes"]):
        ax = error_axes(fig.add_subplot(2, 3, i + 1), f"n = {n}", floor=FLOOR)
        for seed, curve in enumerate(error[i]):
            ax.plot(
                ratio, curve, "-o", ms=2.2, lw=0.9, color=colours[seed], label=f"samples {seed}"
            )
        if i % 3 == 0:
            ax.set_ylabel("generalization error")
        if i >= 3:
            ax.set_xlabel(r"imbalance ratio $\tilde c$")
    fig.axes[-1].legend(loc="upper right", ncols=2, handlelength=1.2, columnspacing=1.0)
    style.head(
        fig,
        "Three inputs: recovery between the optimistic and the separation sizes 5, 6 and 9",
        "limits of infinitely small initialization; errors below $10^{-7}$ count as recovery",
    )
    return fig


FIG9 = Exhibit("fig9", "Three inputs: generalization error against the ratio", compute, draw)
