"""Figure 8: the limiting direction of solutions of system (13) with c > 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.local_recovery.exhibits.pictures import COLOURS, space
from flowscape.papers.local_recovery.setting import draw as stream
from flowscape.papers.local_recovery.system_13 import follow, with_centre
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG8"]


def compute(*, n_threads: int | None = None, end: float = 500.0) -> Numbers:
    """Follow x' = -x^3 (1+z), y' = -(1+z/4) y + x^2 + x y/2, z' = x^4 + y^2/2 from nine starts."""
    start = stream(8).uniform(-0.5, 0.5, size=(9, 3)) * np.array([1.0, 1.0, 0.4])
    t, u = follow(with_centre(), start, end, 0.1)
    angle = np.degrees(np.arctan2(np.abs(u[:, :, 1]), np.abs(u[:, :, 0])))
    ratio = np.abs(u[:, :, 1]) / u[:, :, 0] ** 2
    arrays = {"t": t, "u": u, "angle": angle}
    comparison = [
        Comparison.of(
            "direction of the curve at its end",
            "biased towards y, which is non-degenerate",
            f"angle to the x-direction {angle[0].max():.0f} degrees at first, "
            f"{angle[-1].max():.1f} at the end",
            agrees=angle[-1].min() > 45.0,
            why="|y| = O(|x|^2) (Lemma 5.2) makes the curve tangent to x, the degenerate "
            "direction; "
            "Theorem 2.2 says so too",
        ),
        Comparison.of(
            "|y|/|x|^2",
            "bounded",
            f"at the end between {ratio[-1].min():.3f} and {ratio[-1].max():.3f}; 1 on the centre "
            "manifold at z = 0",
            agrees=ratio[-1].max() < 2.0,
            why="they differ; see data.npz",
        ),
    ]
    return Numbers(arrays, comparison)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the curves in space and on the xy-plane."""
    fig = style.new_figure(9.0, 4.2)
    ax = space(fig, (1, 2, 1), "(a) solutions", ("x", "y", "z"))
    flat = fig.add_subplot(1, 2, 2)
    for k in range(arrays["u"].shape[1]):
        x, y, z = arrays["u"][:, k].T
        ax.plot(x, y, z, color=COLOURS[3], lw=1.0)
        flat.plot(x, y, color=COLOURS[3], lw=1.0)
        flat.plot(x[:1], y[:1], "o", ms=3, color=COLOURS[3])
    ax.locator_params(nbins=5)
    ax.plot([0, 0], [0, 0], [-0.2, 0.3], color=COLOURS[1], lw=2.0)
    s = np.linspace(-0.5, 0.5, 101)
    flat.plot(s, s**2, color=style.MUTED, ls=":", label="$y = x^2$")
    flat.plot(0, 0, "o", color=COLOURS[1], ms=5)
    flat.set(xlabel="x (degenerate)", ylabel="y (non-degenerate)", title="(b) seen along z")
    flat.legend()
    style.head(fig, "The curves turn into the x-direction", "system (13) with c = 1, until t = 500")
    return fig


FIG8 = Exhibit("fig8", "Limiting direction of system (13)", compute, draw, "ab")
