"""Figure 3: gradient flows next to Q1 and Q2 of the worked example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.local_recovery.approach import approaches
from flowscape.papers.local_recovery.exhibits.pictures import COLOURS
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG3"]

_CELLS = ((1, 5), (2, 4))


def compute(*, n_threads: int | None = None) -> Numbers:
    """Follow six flows to each branch; parts of theta - limit along V_s, V_c and the branch."""
    arrays: dict[str, NDArray] = {}
    rows: dict[str, list[float]] = {"r": [], "n": [], "exponent": [], "rate": [], "slowest": []}
    for r, n in _CELLS:
        runs = approaches(r, n)
        for name in ("t", "s", "c", "p", "gap"):
            arrays[f"Q{r}_{name}"] = np.array([getattr(one, name) for one in runs])
        for one in runs:
            rows["r"].append(r)
            rows["n"].append(n)
            rows["exponent"].append(one.exponent if r == 1 else np.nan)
            rows["rate"].append(one.rate(one.gap) if r == 2 else np.nan)
            rows["slowest"].append(one.slowest)
    exponent = np.array(rows["exponent"][: len(approaches(1, 5))])
    rate, slowest = (np.array(rows[k][len(exponent) :]) for k in ("rate", "slowest"))
    tilt = max(float(one.s[-1] / one.c[-1]) for one in approaches(1, 5))
    comparison = [
        Comparison.of(
            "flows to Q1, n = 5: rate",
            "not linear",
            f"t^-q, q from {exponent.min():.3f} to {exponent.max():.3f}",
            agrees=bool((np.abs(exponent - 0.5) < 0.05).all()),
            why="the tail is not yet that of the quartic, q = 1/2",
        ),
        Comparison.of(
            "flows to Q1, n = 5: direction",
            "biased towards ker Hess R",
            f"|pi_s|/|pi_c| at the end at most {tilt:.1e}",
            agrees=tilt < 1e-2,
            why="the flows end too early",
        ),
        Comparison.of(
            "flows to Q2, n = 4: rate",
            "linear",
            f"smallest positive eigenvalue of Hess R to {np.abs(rate / slowest - 1).max():.0e}",
            agrees=bool((np.abs(rate / slowest - 1) < 0.01).all()),
            why="the flows end too early",
        ),
        Comparison(
            "closures of Q1, Q2, Q3",
            "one-dimensional (caption)",
            "dimensions 1, 2, 2",
            "the caption describes a section; the text has 1, 2, 2",
        ),
    ]
    return Numbers(arrays, comparison, rows)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw |pi_s| against |pi_c| near Q1, and the distances against time."""
    fig = style.new_figure(9.6, 3.4)
    ax = fig.add_subplot(1, 3, 1, xscale="log", yscale="log")
    for c, s in zip(arrays["Q1_c"], arrays["Q1_s"], strict=True):
        ax.plot(c, s, color=COLOURS[1], lw=1.0)
    line = np.array([1e-4, 1e-1])
    ax.plot(line, 0.1 * line**2, color=style.MUTED, ls=":", label="slope 2")
    ax.set(xlabel=r"$|\pi_c(\theta-\theta^*)|$", ylabel=r"$|\pi_s(\theta-\theta^*)|$")
    ax.set_title("(a) to $Q_1$, n = 5")
    ax.set_ylim(1e-11, 1.0)
    ax.legend()
    ax = fig.add_subplot(1, 3, 2, xscale="log", yscale="log")
    for t, gap in zip(arrays["Q1_t"], arrays["Q1_gap"], strict=True):
        ax.plot(t, gap, color=COLOURS[1], lw=1.0)
    t = np.array([1e5, 1e9])
    ax.plot(t, 1e1 * t**-0.5, color=style.MUTED, ls=":", label=r"$t^{-1/2}$")
    ax.set(xlabel="t", ylabel=r"$|\theta-\theta^*|$", title="(b) to $Q_1$: a power law")
    ax.legend()
    ax = fig.add_subplot(1, 3, 3, yscale="log")
    for t, gap in zip(arrays["Q2_t"], arrays["Q2_gap"], strict=True):
        part = (gap > 1e-9) & (gap < 0.3)
        ax.plot(t[part] / t[part][-1], gap[part], color=COLOURS[2], lw=1.0)
    ax.set(xlabel="t / time to $10^{-9}$", ylabel=r"$|\theta-\theta^*|$")
    ax.set(title="(c) to $Q_2$, n = 4: exponential")
    style.head(
        fig, "Slow and biased to $Q_1$, linear to $Q_2$", "two exp neurons, one target, d = 2"
    )
    return fig


FIG3 = Exhibit("fig3", "Gradient flows next to Q1 and Q2", compute, draw, "abc")
