"""Figure 5: a thousand neurons with sigma(z) = z / (1 + z^2) follow the trajectory of C/|C|."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.descent import gradient_descent
from flowscape.limits import initial_imbalance, limit_flow
from flowscape.objective import Problem
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.origin import origin
from flowscape.papers.single_neuron_target.setting import SEED, even_inputs, single_neuron
from flowscape.problem import Samples, TwoLayer
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG5"]

_RATE = 0.01
# Steps that the leading part needs to grow to norm 1: whole numbers, so that steps can be aligned.
_SHIFTS = (200, 240, 280, 320)


def compute(
    *, n_threads: int | None = None, width: int = 1000, steps: int = 100_000, points: int = 300
) -> Numbers:
    """Take gradient steps from prepared starts, and follow the flow of the early phase."""
    net = TwoLayer(width=width, inputs=1, activation="rational", bias=True)
    x = even_inputs(6)[:, None]
    prob = Problem(net, Samples.of(single_neuron(), x), "half_sum")
    at_0 = origin(prob)
    # The paper's C_i/C_1 = 1.5 + 0.0015 (i - 1) contradicts itself at i = 1; proportional to it.
    c = 1.5 + 0.0015 * np.arange(width)
    rng = np.random.default_rng(SEED + 5)
    starts = []
    at_0_rate = initial_imbalance(prob, at_0.start(c)).rate
    growth = np.log1p(_RATE * at_0_rate)
    for shift in _SHIFTS:
        theta = rng.normal(size=(width, 3))
        # Neurons whose C happens to be tiny would be blown up by rescaling: they are drawn again.
        weak = np.abs(at_0.imbalance(theta.ravel())) < at_0.norm
        while weak.any():
            theta[weak] = rng.normal(size=(int(weak.sum()), 3))
            weak = np.abs(at_0.imbalance(theta.ravel())) < at_0.norm
        start = at_0.rescale(theta.ravel(), c)
        amplitude = float(initial_imbalance(prob, start).amplitude)
        starts.append(np.exp(-shift * growth) / amplitude * start)
    # Steps are counted from where the leading part would have norm 1.
    late = np.unique(np.geomspace(100, steps, points // 3).astype(int))
    step = np.concatenate([np.arange(-120, 1000, 5), late[late >= 1000]])
    walks = []
    for start, shift in zip(starts, _SHIFTS, strict=True):
        wanted = step + shift
        walk = gradient_descent(
            prob,
            start,
            learning_rate=_RATE,
            steps=int(wanted[-1]),
            save_at=wanted,
            n_threads=n_threads,
        )
        assert walk.thetas is not None
        walks.append(walk.thetas)
    paths = np.array(walks)
    early = step <= 1000
    t = step[early] * growth / at_0_rate
    flow = limit_flow(prob, c, rtol=1e-8, t_max=t[-1], save_at=t, method="rk45").flow.thetas
    assert flow is not None
    loss = np.array([prob.loss(path) for path in paths])
    gap = np.abs(paths[:-1] - paths[-1]).max(axis=(1, 2))
    to_flow = np.abs(paths[-1, early] - flow).max()
    arrays = {
        "step": step,
        "scales": np.exp(-growth * np.array(_SHIFTS)),
        "loss": loss,
        "loss_limit": prob.loss(flow),
        "step_limit": step[early],
        "neurons": paths[:, :, :6],
        "neurons_limit": flow[:, :6],
    }
    comparison = [
        Comparison.of(
            "parameters of all 1000 neurons at aligned steps",
            "trajectories coincide for one C/|C| (first two neurons shown)",
            "largest distance from the smallest scale: "
            + ", ".join(
                f"{g:.0e} ({s} steps earlier)"
                for s, g in zip(np.diff(_SHIFTS[::-1]).cumsum() * -1, gap[::-1], strict=True)
            ),
            agrees=bool(gap.max() < 0.01),
            why="the larger scales are not small yet",
        ),
        Comparison.of(
            "distance from the limit alpha -> 0 of the flow, first 1000 steps",
            "none by eye",
            f"{to_flow:.1e}",
            agrees=bool(to_flow < 0.02),
            why="the step 0.01 is a first-order error of the flow",
        ),
        Comparison(
            "ratios",
            "C_i/C_1 = 1.5 + 0.0015 (i - 1)",
            "C_i proportional to 1.5 + 0.0015 (i - 1)",
            "C_1/C_1 = 1.5 is impossible (errata SS 11)",
        ),
    ]
    return Numbers(arrays, comparison)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw the loss against aligned steps, and the trajectories of two neurons."""
    fig = style.new_figure(9.6, 3.6)
    left, right = fig.subplots(1, 2)
    colours = style.scale_colours(len(arrays["scales"]))
    step, early = arrays["step"], arrays["step_limit"]
    for k, scale in enumerate(arrays["scales"]):
        left.plot(
            step + 150,
            arrays["loss"][k],
            color=colours[k],
            lw=1.3,
            label=f"scale {style.power(float(f'{scale:.0e}'))}",
        )
        for n, ls in ((0, "-"), (1, "-")):
            w, a = arrays["neurons"][k, :, 3 * n + 1], arrays["neurons"][k, :, 3 * n]
            right.plot(w, a, color=colours[k], lw=1.3, ls=ls)
    left.plot(
        early + 150,
        arrays["loss_limit"],
        color=style.INK,
        lw=0.9,
        ls=(0, (4, 3)),
        label=r"flow, $\alpha\to 0$",
    )
    for n in (0, 1):
        w, a = arrays["neurons_limit"][:, 3 * n + 1], arrays["neurons_limit"][:, 3 * n]
        right.plot(w, a, color=style.INK, lw=0.9, ls=(0, (4, 3)))
    left.set(
        xscale="log",
        yscale="log",
        xlabel="step, aligned by log(1 + lr $\\mu_1$), + 150",
        ylabel="loss",
        title="(a) loss",
    )
    right.set(xlabel="$w_k$", ylabel="$a_k$", title="(b) neurons 1 and 2, nearly alike")
    left.legend()
    style.head(
        fig,
        "A thousand neurons, one trajectory",
        "gradient descent, step 0.01, $\\sigma(z)=z/(1+z^2)$, n = 6 evenly spaced samples; "
        "four scales and seeds with one $C/|C|$",
    )
    return fig


FIG5 = Exhibit("fig5", "A thousand neurons with one C/|C|", compute, draw, "ab")
