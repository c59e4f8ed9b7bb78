"""Figure 6: (x^2-y)^2, its zeros, and its Hessian along normals and tangents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.local_recovery.exhibits.pictures import COLOURS
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG6"]

_H = 1e-3


def compute(*, n_threads: int | None = None, points: int = 41) -> Numbers:
    """Take second derivatives across and along the parabola by differences."""
    x = np.linspace(-1.5, 1.5, points)
    size = np.sqrt(4.0 * x**2 + 1.0)
    normal = np.stack([2.0 * x, -np.ones_like(x)]) / size
    tangent = np.stack([np.ones_like(x), 2.0 * x]) / size

    def second(direction: NDArray) -> NDArray:
        def f(s: float) -> NDArray:
            u, v = np.stack([x, x**2]) + s * direction
            return (u**2 - v) ** 2

        return (f(_H) - 2.0 * f(0.0) + f(-_H)) / _H**2

    across, along = second(normal), second(tangent)
    arrays = {"x": x, "across": across, "along": along, "normal": normal}
    comparison = [
        Comparison.of(
            "Hess f on the normals of the parabola",
            "not degenerate",
            f"between {across.min():.4f} and {across.max():.4f}; 2(4x^2+1) to "
            f"{np.abs(across / (2 * (4 * x**2 + 1)) - 1).max():.0e}",
            agrees=across.min() > 1.0,
            why="they differ; see data.npz",
        ),
        Comparison.of(
            "Hess f along the parabola",
            "0 (Morse-Bott)",
            f"at most {np.abs(along).max():.0e}, the error of the difference",
            agrees=np.abs(along).max() < 1e-5,
            why="they differ; see data.npz",
        ),
    ]
    return Numbers(arrays, comparison, {"x": x.tolist(), "across": across.tolist()})


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the surface, and zeros with normals over contours."""
    fig = style.new_figure(9.0, 3.9)
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 121), np.linspace(-0.6, 2.4, 121))
    f = (x**2 - y) ** 2
    ax = fig.add_subplot(1, 2, 1, projection="3d")
    ax.plot_surface(x, y, np.sqrt(f), cmap="Blues", alpha=0.6, linewidth=0)
    curve = arrays["x"]
    ax.plot(curve, curve**2, 0 * curve, color=COLOURS[1], lw=2.5)
    ax.set(xlabel="x", ylabel="y", zlabel=r"$\sqrt{f}$")
    ax.locator_params(nbins=4)
    ax.view_init(40, -75)
    ax = fig.add_subplot(1, 2, 2, aspect="equal")
    ax.contourf(x, y, np.sqrt(f), levels=12, cmap="Greys", alpha=0.5)
    ax.plot(curve, curve**2, color=COLOURS[1], lw=2.0, label="$f^{-1}(0)$")
    for i in range(0, len(curve), 2):
        foot, n = np.array([curve[i], curve[i] ** 2]), 0.22 * arrays["normal"][:, i]
        ax.plot(*np.stack([foot - n, foot + n]).T, color=COLOURS[3], lw=1.0)
    ax.set(xlabel="x", ylabel="y", xlim=(-1.5, 1.5), ylim=(-0.6, 2.4))
    ax.legend(loc="lower right")
    style.head(
        fig, "$f = (x^2-y)^2$ is Morse-Bott", "zeros and normals, along which $f'' = 2(4x^2+1)$"
    )
    return fig


FIG6 = Exhibit("fig6", "f = (x^2-y)^2 and its normals", compute, draw, "ab")
