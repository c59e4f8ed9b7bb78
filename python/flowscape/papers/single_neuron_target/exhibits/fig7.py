"""Figure 7: five hundred inputs: loss and parameters follow one trajectory for each C_1/C_2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.descent import gradient_descent
from flowscape.limits import initial_imbalance
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.origin import Origin, origin
from flowscape.papers.single_neuron_target.setting import SEED, example_1, uniform_inputs
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from flowscape.objective import Problem

Floats = NDArray[np.float64]

__all__ = ["FIG7"]

_RATE = 0.001
_RATIOS = (0.5, 0.9)
# Steps that the leading part needs to grow to norm 1: whole numbers, so that steps can be aligned.
_SHIFTS = (24, 32, 40)


def compute(
    *, n_threads: int | None = None, inputs: int = 500, steps: int = 1500, n: int = 500
) -> Numbers:
    """Take gradient steps from starts of three scales and seeds, for two ratios."""
    prob = example_1(uniform_inputs(n, inputs, 0))
    at_0 = origin(prob)
    growth = np.log1p(_RATE * at_0.rate)
    starts = []
    for k, ratio in enumerate(_RATIOS):
        for j, shift in enumerate(_SHIFTS):
            theta = _start(prob, at_0, ratio, 100 * k + 10 * j)
            amplitude = float(initial_imbalance(prob, theta).amplitude)
            starts.append(theta * np.exp(-shift * growth) / amplitude)
    step = np.unique(np.concatenate([np.arange(-12, 60), np.geomspace(60, steps, 120).astype(int)]))
    shifts = np.tile(_SHIFTS, len(_RATIOS))
    every = np.unique(np.add.outer(shifts, step))
    walk = gradient_descent(
        prob,
        np.array(starts),
        learning_rate=_RATE,
        steps=int(every[-1]),
        save_at=every,
        n_threads=n_threads,
    )
    assert walk.thetas is not None
    assert walk.losses is not None
    rows = np.array([np.searchsorted(every, step + s) for s in shifts])
    paths = np.array([walk.thetas[b, r] for b, r in enumerate(rows)])
    loss = np.array([walk.losses[b, r] for b, r in enumerate(rows)])
    shape = (len(_RATIOS), len(_SHIFTS), len(step))
    paths, loss = paths.reshape(*shape, -1), loss.reshape(shape)
    gap = np.abs(paths[:, :-1] - paths[:, -1:]).max(axis=(2, 3))
    scales = np.exp(-np.array(_SHIFTS) * growth)
    # What the flow's alignment log(1/alpha)/mu gives instead, in steps.
    error = np.abs(np.diff(_SHIFTS)) * (growth / (_RATE * at_0.rate) - 1.0)
    arrays = {
        "step": step,
        "ratios": np.array(_RATIOS),
        "scales": scales,
        "loss": loss,
        "first_coordinates": paths[..., [1, 1 + inputs + 2]],
        "outgoing": paths[..., [0, inputs + 2]],
    }
    comparison = [
        Comparison.of(
            "trials of one C_1/C_2",
            "loss and parameters match perfectly",
            "largest distance from the smallest scale, all parameters and steps: "
            + ", ".join(
                f"{g.max():.0e} (C_1/C_2 = {r:g})" for r, g in zip(_RATIOS, gap, strict=True)
            ),
            agrees=bool(gap.max() < 0.01),
            why="the larger scales are not small yet",
        ),
        Comparison(
            "alignment of the trials",
            "by the flow's log(1/alpha)/|gamma|",
            f"by log(1 + lr |gamma|) per step, lr |gamma| = {_RATE * at_0.rate:.2f}; the flow's "
            f"would be wrong by {np.abs(error).max():.1f} steps between neighbouring scales",
            "the step is far from a flow (errata SS 11)",
        ),
        Comparison(
            "dimension and steps",
            "d = 3 and d = 500; 10^4 steps",
            f"d = {inputs}; {steps:,} steps",
            "the caption contradicts itself, 500 is meant (errata SS 11); the later steps change "
            f"the loss below {loss[:, :, -1].max():.1e}",
        ),
    ]
    return Numbers(arrays, comparison)


def _start(prob: Problem, at_0: Origin, ratio: float, first_run: int) -> Floats:
    """Return a Gaussian start whose second neuron is scaled so that C_1/C_2 is `ratio`.

    Neurons whose C happens to be tiny would be blown up: such starts are drawn again. C_1 > 0, as
    -C gives the reflected trajectory.
    """
    while True:
        theta = prob.net.init(1, rng=SEED + 7, first_run=first_run)[0]
        c = at_0.imbalance(theta)
        if np.abs(c).min() > 0.5 * at_0.norm:
            return at_0.rescale(theta, np.array([c[0], c[0] / ratio])) * np.sign(c[0])
        first_run += 1


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw loss, and first coordinates with outgoing weights, for both ratios."""
    fig = style.new_figure(9.6, 5.6)
    axes = fig.subplots(2, 2)
    step = arrays["step"] + 20
    colours = style.scale_colours(len(arrays["scales"]))
    widths = (4.0, 2.2, 0.9)
    for k, ratio in enumerate(arrays["ratios"]):
        left, right = axes[k]
        for j, scale in enumerate(arrays["scales"]):
            look = {"color": colours[j], "lw": widths[j]}
            left.plot(
                step,
                arrays["loss"][k, j],
                label=f"scale {style.power(float(f'{scale:.0e}'))}",
                **look,
            )
            for part, ls in (("outgoing", "-"), ("first_coordinates", (0, (3, 1)))):
                for neuron in (0, 1):
                    right.plot(step, arrays[part][k, j, :, neuron], ls=ls, **look)
        left.set(xscale="log", yscale="log", ylabel="loss", title=f"$C_1/C_2 = {ratio:g}$: loss")
        right.set(xscale="log", title="$a_1, a_2$ (lines) and $w_1^1, w_2^1$ (dashes)")
        for ax in (left, right):
            ax.set_xlabel("step, aligned, + 20" if k else "")
    axes[0, 0].legend()
    style.head(
        fig,
        "Five hundred inputs: $C_1/C_2$ decides the trajectory",
        "gradient descent, step 0.001, 500 samples; three scales and seeds lie on one another",
    )
    return fig


FIG7 = Exhibit("fig7", "Five hundred inputs: one trajectory for each ratio", compute, draw)
