"""Figure 1: generalization error against initialization scale and sample size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.ends import ends_of_starts
from flowscape.papers.single_neuron_target.setting import (
    SEED,
    even_inputs,
    example_1,
    gaussian_inputs,
    generalization_error,
)
from flowscape.report import style
from flowscape.report.text import short
from flowscape.status import Kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG1"]

_SIZES = (2, 3, 4, 5, 6)
_RANDOM_SIZES = (2, 3, 4, 5, 6, 7, 8, 10)
_SCALES = (1e-4, 1e-3, 1e-2, 0.1, 0.3, 0.6, 1.0, 2.0)
_CURVES = (1e-3, 0.1, 1.0)
# Smaller errors are drawn here; they are rounding.
_LEAST = 1e-15


def compute(*, n_threads: int | None = None, seeds: int = 100, trials: int = 50) -> Numbers:
    """Follow flows to their limits: (a-e) even samples, (f) random samples and starts."""
    test = np.linspace(-2.0, 2.0, 1000)
    error = np.empty((len(_SIZES), len(_SCALES), seeds))
    kind = np.empty(error.shape, np.int8)
    for i, n in enumerate(_SIZES):
        prob = example_1(even_inputs(n))
        unit = prob.net.init(seeds, rng=SEED)
        for j, scale in enumerate(_SCALES):
            found = ends_of_starts(prob, scale * unit, rtol=1e-6, n_threads=n_threads)
            error[i, j] = generalization_error(prob, found.polished, test)
            kind[i, j] = found.kind
    test = gaussian_inputs(1000, 10_001)
    random = np.empty((len(_RANDOM_SIZES), len(_CURVES), trials))
    for trial in range(trials):
        x = gaussian_inputs(max(_RANDOM_SIZES), 300 + trial)
        for i, n in enumerate(_RANDOM_SIZES):
            prob = example_1(x[:n])
            unit = prob.net.init(1, rng=SEED, first_run=trial)
            starts = np.array(_CURVES)[:, None] * unit
            found = ends_of_starts(prob, starts, rtol=1e-6, n_threads=n_threads)
            random[i, :, trial] = generalization_error(prob, found.polished, test)
    arrays = {
        "sizes": np.array(_SIZES),
        "scales": np.array(_SCALES),
        "generalization_error": error,
        "kind": kind,
        "random_sizes": np.array(_RANDOM_SIZES),
        "random_scales": np.array(_CURVES),
        "random_error": random,
    }
    place = np.indices(error.shape).reshape(3, -1)
    table = {
        "n": np.array(_SIZES)[place[0]].tolist(),
        "scale": np.array(_SCALES)[place[1]].tolist(),
        "seed": place[2].tolist(),
        "generalization_error": error.ravel().tolist(),
        "kind": kind.ravel().tolist(),
    }
    return Numbers(arrays, _compare(error, kind, random), table)


def _compare(error: NDArray, kind: NDArray, random: NDArray) -> list[Comparison]:
    middle = np.maximum(np.median(error, axis=2), 1e-12)
    rise = [n for n, row in zip(_SIZES, middle, strict=True) if row[-1] > row[0]]
    mean = random.mean(axis=2)
    falls = bool((mean[-1] < mean[0]).all())
    gain = mean[-1] / mean[0]
    lost = int((kind == Kind.UNRESOLVED).sum())
    return [
        Comparison.of(
            "(a-e) error increases with",
            "the sample size",
            f"the initialization scale, in the median over seeds for n = {rise}",
            agrees=False,
            why="a slip of the pen in section 4: the axis is the scale (errata SS 8)",
        ),
        Comparison.of(
            "(a-e) trend most noticeable for",
            "n = 3 and 4",
            "ratio of the medians at the largest and smallest scale: "
            + ", ".join(
                f"{row[-1] / row[0]:.2g} (n = {n})" for n, row in zip(_SIZES, middle, strict=True)
            ),
            agrees={3, 4} <= set(rise),
            why="the paper's scales and seeds are not published",
        ),
        Comparison.of(
            "(f) mean error falls with n",
            "yes",
            "means at n = 2 and 10: "
            + "; ".join(
                f"{short(float(a))} to {short(float(b))} (scale {s:g})"
                for s, a, b in zip(_CURVES, mean[0], mean[-1], strict=True)
            ),
            agrees=falls,
            why="the draws differ",
        ),
        Comparison.of(
            "(f) reduction more significant at smaller scales",
            "yes",
            "mean at n = 10 over mean at n = 2: "
            + ", ".join(
                f"{short(float(g))} (scale {s:g})" for s, g in zip(_CURVES, gain, strict=True)
            ),
            agrees=bool((np.diff(gain) > 0).all()),
            why="means are ruled by the few worst of 50 trials",
        ),
        Comparison(
            "number of seeds",
            "100 in the text, 50 in the caption",
            f"{error.shape[2]} in (a-e), {random.shape[2]} in (f)",
            "the paper contradicts itself (errata SS 8)",
        ),
        Comparison(
            "stop",
            "loss 1e-15; 1e-8 in (d, e) for lack of convergence; n = 2, 3 'iterations is 1e-15'",
            f"the limit of the flow, tails extrapolated; {lost} of {kind.size} ends unresolved",
            "gradient descent crawls along power laws next to Q1; with the step 0.5 and the loss "
            "as printed it is unstable there (errata SS 10)",
        ),
    ]


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw five panels of errors against the scale, and one against n."""
    fig = style.new_figure(9.6, 5.6)
    axes = fig.subplots(2, 3)
    scales = arrays["scales"]
    rng = np.random.default_rng(0)
    for ax, n, error, letter in zip(
        axes.ravel(), arrays["sizes"], arrays["generalization_error"], "abcde", strict=False
    ):
        shown = np.maximum(error, _LEAST)
        place = scales[:, None] * np.exp(rng.uniform(-0.12, 0.12, shown.shape))
        ax.plot(place.T, shown.T, "o", ms=1.6, color="#56B4E9", alpha=0.5, mew=0, rasterized=True)
        ax.plot(scales, np.median(shown, axis=1), "-o", ms=3.5, color="#003F63", lw=1.4)
        ax.set(xscale="log", yscale="log", ylim=(0.3 * _LEAST, 30), title=f"({letter}) n = {n}")
        ax.grid(axis="y")
        ax.set_xlabel("initialization scale")
    for ax in axes[:, 0]:
        ax.set_ylabel("generalization error")
    ax = axes[1, 2]
    colours = style.scale_colours(len(arrays["random_scales"]))
    for j, scale in enumerate(arrays["random_scales"]):
        mean = arrays["random_error"][:, j].mean(axis=1)
        ax.plot(
            arrays["random_sizes"],
            np.maximum(mean, _LEAST),
            "-o",
            ms=3.5,
            color=colours[j],
            label=f"scale {style.power(float(scale))}",
        )
    ax.set(yscale="log", title="(f) mean, random samples", xlabel="sample size $n$")
    ax.grid(axis="y")
    ax.legend()
    style.head(
        fig,
        "Small starts generalize better",
        "limits of gradient flows; dots: seeds, line: median. (a-e) evenly spaced samples on "
        "[-2, 2], (f) Gaussian samples, mean over trials",
    )
    return fig


FIG1 = Exhibit("fig1", "Generalization error against initialization scale", compute, draw, "abcdef")
