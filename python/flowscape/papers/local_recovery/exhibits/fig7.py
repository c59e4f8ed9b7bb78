"""Figure 7: which branches samples separate, against their number; three neurons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.local_recovery.exhibits.pictures import COLOURS
from flowscape.papers.local_recovery.setting import draw as stream
from flowscape.papers.local_recovery.setting import example
from flowscape.report import style
from flowscape.separation import SeparationVerdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG7"]

_SIZES = tuple(range(1, 10))


def compute(*, n_threads: int | None = None, sets: int = 40) -> Numbers:
    """Judge every kind of branch at a random member of its own for each Gaussian sample set."""
    one = example(3)
    kinds = sorted(one.representatives, key=lambda b: (b.r, b.name))
    share = np.zeros((len(kinds), len(_SIZES), 3))
    for k, branch in enumerate(kinds):
        for i, n in enumerate(_SIZES):
            for key in range(sets):
                rng = stream(7, k, n, key)
                found = branch.separation(rng.normal(size=(n, 2)), branch.sample(rng), rng=rng)
                share[k, i, int(found.verdict)] += 1.0
    share /= sets
    separated = share[:, :, SeparationVerdict.SEPARATED]
    undecided = share[:, :, SeparationVerdict.UNDECIDED]
    size = np.array(_SIZES)
    codim = np.array([b.codim for b in kinds])
    low = np.array([b.r + (b.r - b.l) * 2 for b in kinds])
    arrays = {
        "sizes": size,
        "names": np.array([b.name for b in kinds]),
        "r": np.array([b.r for b in kinds]),
        "codim": codim,
        "rank": low,
        "share_separated": separated,
        "share_undecided": undecided,
    }
    above = size >= codim[:, None]
    below = (size <= low[:, None]) & ~above
    between = ~above & ~below
    some = (separated > 0) & (separated < 1) & between
    comparison = [
        Comparison.of(
            "n >= r+(m+m0-r)d",
            "separated almost everywhere",
            f"{separated[above].min():.0%} or more of the sets in {above.sum()} cells",
            agrees=separated[above].min() == 1.0,
            why="full rank is not proven for some sets (UNDECIDED)",
        ),
        Comparison.of(
            "n <= r+(r-l)d, n < codim",
            "not separated",
            f"at most {separated[below].max():.0%} of the sets in {below.sum()} cells",
            agrees=separated[below].max() == 0.0,
            why="they differ; see data.npz",
        ),
        Comparison.of(
            "r+(r-l)d < n < codim",
            "not separated (as drawn)",
            f"some sets separate and others do not in {some.sum()} of {between.sum()} cells; up "
            f"to {separated[between].max():.0%}; undecided at most {undecided[between].max():.0%}",
            agrees=separated[between].max() == 0.0,
            why="the thresholds are sufficient, not necessary (errata LR 13)",
        ),
    ]
    place = np.indices(separated.shape).reshape(2, -1)
    table = {
        "branch": [kinds[k].name for k in place[0]],
        "n": size[place[1]].tolist(),
        "share_separated": separated.ravel().tolist(),
        "share_undecided": undecided.ravel().tolist(),
    }
    return Numbers(arrays, comparison, table)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw one row of bars per kind of branch."""
    fig = style.new_figure(8.6, 5.6)
    kinds = len(arrays["names"])
    size = arrays["sizes"]
    for k in range(kinds):
        ax = fig.add_subplot(kinds, 1, k + 1)
        share, open_ = arrays["share_separated"][k], arrays["share_undecided"][k]
        colour = COLOURS[int(arrays["r"][k])]
        ax.bar(size, share, width=0.8, color=colour)
        ax.bar(size, open_, bottom=share, width=0.8, color="#BDBDBD")
        ax.axvline(arrays["rank"][k] + 0.5, color=style.MUTED, ls=(0, (1, 2)))
        ax.axvline(arrays["codim"][k] - 0.5, color=style.INK, ls="--", lw=1.0)
        ax.set(ylim=(0, 1.05), yticks=(0, 1), xticks=size, title=str(arrays["names"][k]))
        if k < kinds - 1:
            ax.set_xticklabels([])
    fig.axes[-1].set_xlabel("samples n")
    style.head(
        fig,
        "Branches separate one after the other",
        "share of Gaussian samples that separate a random member; m = 3, exp, d = 2; dashed codim, "
        "dotted r+(r-l)d, grey undecided",
    )
    return fig


FIG7 = Exhibit("fig7", "Separation of branches against the number of samples", compute, draw)
