"""Figure 6: wide networks on three samples: few neurons grow, and the function stays simple."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.descent import gradient_descent
from flowscape.limits import initial_imbalance
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.setting import (
    SEED,
    even_inputs,
    example_1,
    generalization_error,
)
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG6"]

_RATE = 0.01
_SCALE = 1e-20
_STOP = 1e-15
_WIDTHS = (2, 10, 100, 1000)


def compute(
    *, n_threads: int | None = None, widths: tuple[int, ...] = _WIDTHS, steps: int = 5_000_000
) -> Numbers:
    """Take gradient steps until the loss is 1e-15, as in the paper."""
    grid = np.linspace(-3.0, 3.0, 241)
    test = np.linspace(-2.0, 2.0, 1000)
    size, imbalance, values = [], [], []
    rows: dict[str, list[float]] = {
        name: [] for name in ("width", "steps", "loss", "error", "active", "largest_first")
    }
    for width in widths:
        prob = example_1(even_inputs(3), width=width)
        start = prob.net.init(1, rng=SEED + 6, scale=_SCALE)[0]
        walk = gradient_descent(
            prob, start, learning_rate=_RATE, steps=steps, stop_loss=_STOP, n_threads=n_threads
        )
        c = np.abs(initial_imbalance(prob, start).ratio)
        norm = np.linalg.norm(walk.theta.reshape(width, 3), axis=1)
        order = np.argsort(-norm)
        size.append(norm)
        imbalance.append(c / c.max())
        values.append(prob.net(walk.theta, grid[:, None]))
        rows["width"].append(width)
        rows["steps"].append(int(walk.step))
        rows["loss"].append(float(walk.loss))
        rows["error"].append(float(generalization_error(prob, walk.theta, test)))
        # 1 / sum of squared shares of the squared size: the number of neurons that count
        share = norm**2 / (norm**2).sum()
        rows["active"].append(float(1.0 / (share**2).sum()))
        rows["largest_first"].append(float(c[order[0]] == c.max()))
    assert prob.teacher is not None
    arrays = {
        "widths": np.array(widths),
        "grid": grid,
        "values": np.array(values),
        "target": prob.teacher(grid[:, None]),
        "inputs": prob.data.x[:, 0],
        "targets": prob.data.y,
    }
    for width, norm, c in zip(widths, size, imbalance, strict=True):
        arrays[f"size_{width}"], arrays[f"imbalance_{width}"] = norm, c
    arrays |= {name: np.array(column) for name, column in rows.items()}
    wide = rows["active"][-1] / widths[-1]
    stopped = [loss <= _STOP for loss in rows["loss"]]
    comparison = [
        Comparison.of(
            "training",
            "loss 1e-15 for every width",
            ", ".join(
                f"{n:,.0f} steps (m = {m:.0f})"
                for m, n in zip(rows["width"], rows["steps"], strict=True)
            ),
            agrees=all(stopped),
            why="the step limit came first",
        ),
        Comparison.of(
            "neurons with substantial weights",
            "a subset only",
            "; ".join(
                f"{a:.1f} of {m:.0f}" for m, a in zip(rows["width"], rows["active"], strict=True)
            )
            + " (participation number of the squared sizes)",
            agrees=wide < 0.5,
            why="sizes fall off smoothly with |C_k|",
        ),
        Comparison.of(
            "the largest neuron is the one of largest |C_k|",
            "yes",
            f"for {int(sum(rows['largest_first']))} of {len(widths)} widths",
            agrees=all(rows["largest_first"]),
            why="neurons of nearly the same |C_k| change places",
        ),
        Comparison.of(
            "generalization error on [-2, 2]",
            "significantly low in an overparameterized network",
            ", ".join(
                f"{e:.1e} (m = {m:.0f})" for m, e in zip(rows["width"], rows["error"], strict=True)
            ),
            agrees=max(rows["error"]) < 0.1,
            why="no number is printed; not zero, as n = 3 recovers for c~ = 0 and 1 only",
        ),
    ]
    return Numbers(arrays, comparison, rows)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw sizes of neurons by width, and the functions."""
    from matplotlib.colors import LogNorm

    fig = style.new_figure(9.6, 3.7)
    left, right = fig.subplots(1, 2)
    widths = arrays["widths"].tolist()
    rng = np.random.default_rng(0)
    norm = LogNorm(1e-3, 1.0)
    for k, width in enumerate(widths):
        c, size = arrays[f"imbalance_{width}"], arrays[f"size_{width}"]
        place = k + rng.uniform(-0.3, 0.3, len(c))
        dots = left.scatter(
            place,
            size,
            c=np.maximum(c, 1e-3),
            norm=norm,
            cmap="viridis_r",
            s=12,
            linewidths=0,
            rasterized=True,
        )
    left.set_xticks(range(len(widths)), [str(w) for w in widths])
    left.set(
        xlabel="width $m$",
        ylabel="size of a neuron $|(a_k, w_k, b_k)|$",
        title="(a) sizes after training",
    )
    fig.colorbar(dots, ax=left, label="$|C_k| / \\max |C|$", pad=0.01)
    colours = style.scale_colours(len(widths))
    grid = arrays["grid"]
    for k, width in enumerate(widths):
        right.plot(grid, arrays["values"][k], color=colours[k], lw=1.2, label=f"m = {width}")
    right.plot(grid, arrays["target"], color=style.INK, lw=0.9, ls=(0, (4, 3)), label="target")
    right.plot(arrays["inputs"], arrays["targets"], "o", ms=5, color="#E69F00", label="samples")
    right.set(xlabel="$x$", ylabel="output", title="(b) functions")
    right.legend()
    style.head(
        fig,
        "The neurons of largest imbalance do the work",
        "gradient descent, step 0.01, to the loss $10^{-15}$; scale $10^{-20}$; "
        "three evenly spaced samples",
    )
    return fig


FIG6 = Exhibit("fig6", "Sizes of neurons and functions of wide networks", compute, draw, "ab")
