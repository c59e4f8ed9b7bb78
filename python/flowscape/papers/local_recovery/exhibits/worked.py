"""The worked examples, m = 2 and m = 3, m0 = 1: their branches with all numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import intersection_poset
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.local_recovery.exhibits.pictures import COLOURS
from flowscape.papers.local_recovery.setting import draw as stream
from flowscape.papers.local_recovery.setting import example, rank
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXAMPLE2", "EXAMPLE3"]

_PRINTED = {
    2: {1: "1", 2: "2"},
    3: {1: "2", 2: "1+d = 3", 3: "2d = 4"},
}


def compute(m: int, *, n_threads: int | None = None) -> Numbers:
    """List the branches; ranks of Hess R at random members with codim samples."""
    one = example(m)
    family = list(one.family)
    names = ("branch", "r", "l", "dim", "codim", "rank", "morse_bott", "n_not_separated")
    table: dict[str, list[object]] = {name: [] for name in names}
    defect = 0.0
    for branch in family:
        rng = stream(m, branch.index)
        theta = branch.sample(rng)
        x = rng.normal(size=(branch.codim, 2))
        jacobian = one.problem(x).jacobian(theta)
        values = np.linalg.svd(jacobian, compute_uv=False)
        found = int((values > 1e-10 * values[0]).sum())
        defect = max(defect, float(one.defect(theta)))
        row = (
            branch.name,
            branch.r,
            branch.l,
            branch.dim,
            branch.codim,
            found,
            found == branch.codim,
            min(branch.r + (branch.r - branch.l) * 2, branch.codim - 1),
        )
        for name, value in zip(names, row, strict=True):
            table[name].append(value)
    poset = intersection_poset(one.family)
    levels = np.array([flat.dim for flat in poset.flats])
    sizes = np.array([len(flat.members) for flat in poset.flats])
    arrays = {
        "r": np.array(table["r"]),
        "dim": np.array(table["dim"]),
        "codim": np.array(table["codim"]),
        "flat_dim": levels,
        "flat_branches": sizes,
        "covers": np.array(poset.covers).reshape(-1, 2),
        "flat_r": np.array([min(family[i].r for i in flat.members) for flat in poset.flats]),
    }
    comparison = [
        Comparison.of(
            f"Q^{r}: dimension",
            _PRINTED[m][r],
            f"{sorted({b.dim for b in family if b.r == r})}, "
            f"{sum(b.r == r for b in family)} branches",
            agrees={b.dim for b in family if b.r == r} == {int(_PRINTED[m][r][-1])},
            why="they differ; see data.npz",
        )
        for r in range(1, m + 1)
    ]
    bott = {b.index: b.l == 2 * b.r - m - 1 for b in family}
    right = sum(t == bott[b.index] for t, b in zip(table["morse_bott"], family, strict=True))
    found_codim = sorted({(b.r, rank(b.linear_equations()[0])) for b in family})
    comparison += [
        Comparison.of(
            "thresholds r+(m+m0-r)d",
            "N_1 = 5, N_2 = N_3 = 4" if m == 2 else "(no numbers printed)",
            ", ".join(f"Q^{r}: {c}" for r, c in found_codim),
            agrees=all(c == r + (m + 1 - r) * 2 for r, c in found_codim),
            why="they differ; see data.npz",
        ),
        Comparison.of(
            "Morse-Bott at n = codim (rank of Hess R = codim) exactly if l = 2r-m-m0",
            "Lemma 4.2 (c)",
            f"in {right} of {len(family)} branches",
            agrees=right == len(family),
            why="a rank was not found numerically",
        ),
        Comparison.of(
            "members reproduce the target",
            "|f - f*| = 0",
            f"at most {defect:.0e} relatively",
            agrees=defect < 1e-12,
            why="they differ; see data.npz",
        ),
    ]
    return Numbers(arrays, comparison, table)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the poset of closures and their intersections by dimension."""
    fig = style.new_figure(8.0, 4.6)
    ax = fig.add_subplot()
    dims, sizes = arrays["flat_dim"], arrays["flat_branches"]
    place = np.empty((len(dims), 2))
    for dim in np.unique(dims):
        rows = np.flatnonzero(dims == dim)
        place[rows, 0] = np.linspace(-1, 1, len(rows) + 2)[1:-1]
        place[rows, 1] = dim
    for low, high in arrays["covers"]:
        ax.plot(*place[[low, high]].T, color="#CCCCCC", lw=0.9, zorder=1)
    for (x, y), size, r in zip(place, sizes, arrays["flat_r"], strict=True):
        colour = COLOURS[int(r)] if size == 1 else "white"
        ax.scatter(x, y, s=130, color=colour, edgecolors=style.INK, zorder=2)
        ax.text(x, y, str(size), ha="center", va="center", fontsize=7, zorder=3)
    ax.set(ylabel="dimension", xticks=[], yticks=np.unique(dims))
    ax.spines["bottom"].set_visible(False)
    handles = [
        ax.scatter([], [], s=60, color=COLOURS[int(r)], label=f"$Q^{int(r)}$")
        for r in np.unique(arrays["r"])
    ]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    style.head(
        fig,
        "Branches and where they meet",
        "white: intersections; numbers: branches through each; lines: contained in, exp, d = 2",
    )
    return fig


EXAMPLE2 = Exhibit("example2", "Branches of the example m = 2, m0 = 1", partial(compute, 2), draw)
EXAMPLE3 = Exhibit("example3", "Branches of the example m = 3, m0 = 1", partial(compute, 3), draw)
