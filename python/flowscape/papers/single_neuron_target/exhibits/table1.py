"""Table 1: the sample sizes of Example 1, and what flows recover at each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import branches
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.ends import branch_names, ends
from flowscape.papers.single_neuron_target.exhibits.pictures import BRANCH_COLOURS
from flowscape.papers.single_neuron_target.separation import separation_size
from flowscape.papers.single_neuron_target.setting import (
    SEED,
    example_1,
    gaussian_inputs,
    single_neuron,
)
from flowscape.report import style
from flowscape.status import Kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TABLE1"]

_SIZES = (2, 3, 4, 5, 6, 7)
_OUTCOMES = ("Q1", "Q2", "Q1c", "perfect, branches meet", "imperfect", "unresolved or other")


def compute(*, n_threads: int | None = None, sample_sets: int = 20, starts: int = 20) -> Numbers:
    """Find the sizes by ranks and quadratic forms, and the ends of flows of random imbalance."""
    rng = np.random.default_rng(SEED + 200)
    sizes = {
        branch: [separation_size(branch, gaussian_inputs(7, k), rng) for k in range(100)]
        for branch in ("Q1", "Q2")
    }
    imbalance = rng.normal(size=(sample_sets, starts, 2))
    counts = np.zeros((len(_SIZES), len(_OUTCOMES)), np.int64)
    for i, n in enumerate(_SIZES):
        for seed in range(sample_sets):
            prob = example_1(gaussian_inputs(n, 400 + seed))
            found = ends(prob, imbalance[seed], rtol=1e-6, n_threads=n_threads)
            names = branch_names(prob)
            for kind, branch in zip(found.kind, found.branch, strict=True):
                counts[i, _outcome(int(kind), int(branch), names)] += 1
    optimistic = branches(example_1(np.zeros(1)).net, single_neuron()).optimistic_size
    share = counts / counts.sum(axis=1, keepdims=True)
    perfect = share[:, :4].sum(axis=1)
    least = next((n for n, p in zip(_SIZES, perfect, strict=True) if p > 0), 0)
    imperfect = counts[:, _OUTCOMES.index("imperfect")]
    last = max((n for n, c in zip(_SIZES, imperfect, strict=True) if c), default=0)
    arrays = {
        "sizes": np.array(_SIZES),
        "outcomes": np.array(_OUTCOMES),
        "share": share,
        "separation_q1": np.array(sizes["Q1"]),
        "separation_q2": np.array(sizes["Q2"]),
    }
    comparison = [
        Comparison.of(
            "optimistic sample size",
            "3",
            f"{optimistic}; the least n at which flows of random imbalance recover: {least}",
            agrees=optimistic == 3,
            why="computed from the branches",
        ),
        _size("Q2", 4, sizes["Q2"]),
        _size("Q1", 5, sizes["Q1"]),
        Comparison.of(
            "every zero is perfect from n =",
            "6",
            f"largest n with imperfect ends: {last}",
            agrees=last == 5,
            why="none of the sample sets showed an imperfect end at n = 5",
        ),
    ]
    table = {"n": list(_SIZES)}
    table |= {name: share[:, k].tolist() for k, name in enumerate(_OUTCOMES)}
    return Numbers(arrays, comparison, table)


def _size(branch: str, printed: int, found: list[int]) -> Comparison:
    values = sorted(set(found))
    return Comparison.of(
        f"separation sample size of {branch}",
        str(printed),
        f"{', '.join(map(str, values))} for {len(found)} random sample sets",
        agrees=values == [printed],
        why="depends on the samples",
    )


def _outcome(kind: int, branch: int, names: list[str]) -> int:
    if kind == Kind.PERFECT:
        return _OUTCOMES.index(names[branch]) if branch >= 0 else 3
    return 4 if kind == Kind.IMPERFECT else 5


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw stacked bars of outcomes against n, with the sizes of Table 1."""
    fig = style.new_figure(7.6, 3.8)
    ax = fig.add_subplot()
    colours = [*(BRANCH_COLOURS[name] for name in _OUTCOMES[:3]), "#332288", "#E69F00", "#BDBDBD"]
    place, bottom = np.arange(len(arrays["sizes"])), np.zeros(len(arrays["sizes"]))
    for k, name in enumerate(arrays["outcomes"].tolist()):
        part = arrays["share"][:, k]
        if part.any():
            ax.bar(
                place,
                part,
                bottom=bottom,
                width=0.78,
                color=colours[k],
                label=name,
                edgecolor="white",
                linewidth=0.6,
            )
        bottom += part
    marks = {3: "optimistic", 4: "$Q^2$\nseparated", 5: "$Q^1$\nseparated", 6: "all zeros\nperfect"}
    for n, text in marks.items():
        x = list(arrays["sizes"]).index(n)
        ax.plot([x - 0.5] * 2, [0, 1.03], color=style.INK, lw=0.9, ls=(0, (3, 2)), clip_on=False)
        ax.text(x, 1.03, text, ha="center", va="bottom", fontsize=8)
    ax.set_xticks(place, [str(n) for n in arrays["sizes"]])
    ax.set(
        ylim=(0, 1),
        yticks=[0, 0.5, 1],
        yticklabels=["0", "50 %", "100 %"],
        xlabel="sample size $n$",
    )
    ax.tick_params(length=0)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    style.head(
        fig,
        "The sizes of Table 1, and where small starts end",
        "limits of infinitely small initialization with Gaussian C; Gaussian samples",
    )
    return fig


TABLE1 = Exhibit("table1", "Sample sizes of Example 1", compute, draw)
