"""Figure 2: five small starts of one imbalance ratio follow one trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flowscape.descent import gradient_descent
from flowscape.flow import gradient_flow
from flowscape.limits import initial_imbalance, limit_flow
from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.single_neuron_target.origin import origin
from flowscape.papers.single_neuron_target.setting import SEED, even_inputs, example_1
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG2"]

_RATIO = 0.5
_SCALES = (1e-2, 1e-3, 1e-4, 1e-6, 1e-8)
_RATE = 0.01  # the paper's learning rate


def compute(*, n_threads: int | None = None, points: int = 400) -> Numbers:
    """Follow flows and gradient descent from prepared starts, at aligned times."""
    prob = example_1(even_inputs(6))
    at_0 = origin(prob)
    rng = np.random.default_rng(SEED + 2)
    starts = []
    for scale in _SCALES:
        theta = scale * rng.normal(size=6)
        c = at_0.imbalance(theta)
        theta *= np.sign(c[0])  # -C gives the same trajectory reflected
        c *= np.sign(c[0])
        # only the second neuron is scaled, as in the paper
        starts.append(at_0.rescale(theta, np.array([c[0], c[0] / _RATIO])))
    found = initial_imbalance(prob, np.array(starts))
    mu = found.rate
    # Aligned times: 0 where the linear part of h has norm 1.
    t = np.linspace(-3.0 / mu, 60.0 / mu, points)
    limit = limit_flow(prob, found.ratio, rtol=1e-9, t_max=t[-1], save_at=t).flow.thetas
    assert limit is not None
    paths, walks = [], []
    for start, amplitude in zip(starts, found.amplitude, strict=True):
        shifted = t - np.log(amplitude) / mu
        path = gradient_flow(
            prob,
            start,
            rtol=1e-9,
            atol=1e-12 * np.abs(start).max(),
            t_max=shifted[-1],
            save_at=shifted,
            n_threads=n_threads,
        )
        assert path.thetas is not None
        paths.append(path.thetas)
        # A step multiplies the leading part by 1 + lr mu, a time lr by exp(lr mu).
        steps = np.round(t / _RATE - np.log(amplitude) / np.log1p(_RATE * mu)).astype(int)
        walk = gradient_descent(
            prob, start, learning_rate=_RATE, steps=int(steps[-1]), save_at=steps
        )
        assert walk.thetas is not None
        walks.append(walk.thetas)
    flows, descents = np.array(paths), np.array(walks)
    arrays: dict[str, NDArray[Any]] = {
        "t": t,
        "scales": np.array(_SCALES),
        "limit": limit,
        "flows": flows,
        "descents": descents,
        "loss_limit": prob.loss(limit[0]),
        "loss_flows": np.array([prob.loss(path) for path in flows]),
        "loss_descents": np.array([prob.loss(path) for path in descents]),
    }
    gap = np.abs(flows - limit).max(axis=(1, 2))
    spread = np.abs(descents - limit).max(axis=(1, 2))
    late = np.abs(descents - limit)[:, -1].max()
    listed = ", ".join(f"{g:.0e} (scale {s:g})" for s, g in zip(_SCALES, gap, strict=True))
    table: dict[str, list[float]] = {
        "scale": list(_SCALES),
        "largest_distance_of_flow_from_limit": gap.tolist(),
        "largest_distance_of_descent_from_limit": spread.tolist(),
    }
    comparison = [
        Comparison.of(
            "largest distance of the aligned flows from the limit alpha -> 0",
            "curves coincide by eye",
            listed,
            agrees=bool(gap[1:].max() < 0.02),
            why="the larger scales are not small yet",
        ),
        Comparison.of(
            "distance of gradient descent (step 0.01, aligned with log(1 + lr mu)) from that limit",
            "curves coincide by eye",
            f"{spread[-1]:.1e} at scale {_SCALES[-1]:g}, {late:.1e} at the end",
            agrees=bool(spread[-1] < 0.05),
            why="the step 0.01 is a first-order error of the flow",
        ),
    ]
    return Numbers(arrays, comparison, table)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw loss and parameters against the aligned time."""
    fig = style.new_figure(9.6, 3.6)
    left, right = fig.subplots(1, 2)
    t, colours = arrays["t"], style.scale_colours(len(arrays["scales"]))
    for k, scale in enumerate(arrays["scales"]):
        left.plot(
            t,
            arrays["loss_flows"][k],
            color=colours[k],
            lw=1.2,
            label=f"scale {style.power(float(scale))}",
        )
        for p in range(6):
            right.plot(t, arrays["flows"][k, :, p], color=colours[k], lw=1.0)
    left.plot(
        t, arrays["loss_limit"], color=style.INK, lw=0.9, ls=(0, (4, 3)), label=r"$\alpha\to 0$"
    )
    names = ("a_1", "w_1", "b_1", "a_2", "w_2", "b_2")
    ends = arrays["limit"][0, -1]
    place = -np.inf
    for p in np.argsort(ends):
        right.plot(t, arrays["limit"][0, :, p], color=style.INK, lw=0.9, ls=(0, (4, 3)))
        place = max(ends[p], place + 0.07)  # labels keep off one another
        right.text(t[-1] * 1.015, place, f"${names[p]}$", va="center")
    left.set(yscale="log", xlabel="time, aligned by Theorem 1", ylabel="loss", title="(a) loss")
    right.set(xlabel="time, aligned by Theorem 1", title="(b) parameters")
    left.legend()
    style.head(
        fig,
        "One imbalance ratio, one trajectory",
        "flows of five scales and seeds with $C_1/C_2 = 0.5$, n = 6 evenly spaced samples",
    )
    return fig


FIG2 = Exhibit("fig2", "Five small starts with C_1/C_2 = 0.5", compute, draw, "ab")
