"""Figure 11: the training losses that gradient descent leaves in the runs of Figure 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.descent import gradient_descent
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.ends import ends, imbalances
from flowscape.papers.single_neuron_target.origin import origin
from flowscape.papers.single_neuron_target.setting import example_1, gaussian_inputs
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG11"]

_RATE = 0.5
_STOP = 1e-15
_SCALE = 1e-20
_SIZES = (5, 6)


def compute(
    *,
    n_threads: int | None = None,
    seeds: int = 5,
    ratios: int = 11,
    steps: tuple[int, int] = (10_000_000, 2_000_000),
) -> Numbers:
    """Take the paper's steps on the mean of the squares, where they are stable."""
    ratio = np.linspace(0.0, 1.0, ratios)
    shape = (len(_SIZES), seeds, ratios)
    loss, taken, limit = np.empty(shape), np.empty(shape, np.int64), np.empty(shape)
    for i, (n, most) in enumerate(zip(_SIZES, steps, strict=True)):
        for seed in range(seeds):
            prob = example_1(gaussian_inputs(n, seed), loss="half_mean")
            start = origin(prob).start(imbalances(ratio))
            start *= _SCALE / np.abs(start).max(axis=1, keepdims=True)
            walk = gradient_descent(
                prob,
                start,
                learning_rate=_RATE,
                steps=most,
                stop_loss=_STOP,
                n_threads=n_threads,
            )
            loss[i, seed], taken[i, seed] = walk.loss, walk.step
            summed = example_1(gaussian_inputs(n, seed))
            end = ends(summed, imbalances(ratio), rtol=1e-6, n_threads=n_threads)
            curvature = np.linalg.eigvalsh(summed.hessian(end.theta))[:, -1]
            limit[i, seed] = 2.0 / curvature
    arrays = {
        "sizes": np.array(_SIZES),
        "ratio": ratio,
        "loss": loss,
        "steps": taken,
        "stability_limit_half_sum": limit,
        "step_limits": np.array(steps),
    }
    done = loss <= _STOP
    place = np.indices(shape).reshape(3, -1)
    table = {
        "n": np.array(_SIZES)[place[0]].tolist(),
        "sample_seed": place[1].tolist(),
        "imbalance_ratio": ratio[place[2]].tolist(),
        "loss": loss.ravel().tolist(),
        "steps": taken.ravel().tolist(),
    }
    unstable = int((limit < _RATE).sum())
    comparison = [
        Comparison.of(
            "the step 0.5 on the printed loss (half the sum)",
            "used throughout",
            f"above the stability limit 2/lambda_max at {unstable} of {limit.size} ends, limits "
            f"{limit.min():.2f} to {limit.max():.2f}; here: half the mean",
            agrees=unstable == 0,
            why="the paper must have used another normalization, a mean, or another step "
            "(errata SS 10)",
        ),
        *(
            Comparison.of(
                f"n = {n}: runs that reach the loss 1e-15",
                "not all within 10^7 steps"
                if n == 5
                else "not all within 2*10^6, the others later",
                f"{int(d.sum())} of {d.size} within {most:,} steps; largest loss left {worst:.1e}",
                agrees=not d.all(),
                why="the samples differ",
            )
            for n, d, most, worst in zip(_SIZES, done, steps, loss.max(axis=(1, 2)), strict=True)
        ),
    ]
    return Numbers(arrays, comparison, table)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the last loss against the ratio."""
    fig = style.new_figure(8.4, 3.6)
    axes = fig.subplots(1, 2, sharey=True)
    seeds = arrays["loss"].shape[1]
    colours = style.scale_colours(seeds)
    for ax, n, loss, most in zip(
        axes, arrays["sizes"], arrays["loss"], arrays["step_limits"], strict=True
    ):
        for seed in range(seeds):
            ax.plot(
                arrays["ratio"],
                loss[seed],
                "-o",
                ms=3,
                lw=1.0,
                color=colours[seed],
                label=f"samples {seed}",
            )
        ax.axhline(_STOP, color=style.MUTED, lw=0.8, ls=(0, (1, 2)))
        ax.set(
            yscale="log",
            xlabel=r"imbalance ratio $\tilde c$",
            title=f"n = {n}, at most {most:,} steps",
        )
        ax.grid(axis="y")
    axes[0].set_ylabel("training loss")
    fig.legend(handles=axes[0].lines[:seeds], loc="outside right center")
    style.head(
        fig,
        "The losses that the paper's steps of gradient descent leave",
        "step 0.5 on half the mean of the squares, initialization scale $10^{-20}$; "
        "dotted: the stop at $10^{-15}$",
    )
    return fig


FIG11 = Exhibit("fig11", "Training losses of gradient descent, n = 5 and 6", compute, draw)
