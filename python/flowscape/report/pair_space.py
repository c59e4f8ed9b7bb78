"""A pair of neurons that learns one, in space: the branches, and where the second neuron ends.

For two neurons on one input that learn one neuron, name the neuron of larger |a| the first.
The coordinates (w_2, b_2, a_2) of the other one then show every branch: Q1 is a vertical line
at (w_0, b_0), Q2 the plane a_2 = 0, and the constant group the vertical lines at w_2 = 0 where b_2
is a zero of the activation (Single-neuron target, Example 1 and Fig. 3a; docs/theory.md section 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branches, branches
from flowscape.problem import Teacher, TwoLayer

if TYPE_CHECKING:
    from mpl_toolkits.mplot3d import Axes3D

Floats = NDArray[np.float64]
Limits = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PairView:
    """Coordinates of the second neuron after sorting and folding.

    Attributes
    ----------
    points : (B, 3) ndarray
        (w_2, b_2, a_2) of every row, signs folded so that (w_2, b_2) and (w_0, b_0) have an
        angle of at most 90 degrees; b centred on the centre of the oddness.
    target : (3,) ndarray
        (w_0, b_0, a_0).
    zeros : tuple of float
        Where the activation vanishes, centred likewise: a neuron of w_2 = 0 and such a b_2 is
        silent whatever its a_2.
    folded : bool
        Whether the activation is odd.
    label : str
        Of the axis of b_2; says so where the centre is not 0.
    """

    points: Floats
    target: Floats
    zeros: tuple[float, ...]
    folded: bool
    label: str


def shows_all_branches(net: TwoLayer, teacher: Teacher) -> bool:
    """Return whether Q1, Q2 and silent constant neurons are all there is to draw for a pair.

    Not where a flip of signs adds a constant or a linear function, a e^b is one parameter, or the
    target has a constant part: sets of other shapes then appear.
    """
    family = branches(net, teacher)
    return type(family) is Branches and not family.target.has_constant


def second_neuron(net: TwoLayer, teacher: Teacher, theta: Floats) -> PairView:
    """Return the neuron of smaller |a| of pairs that learn one neuron, theta (B, P)."""
    family = branches(net, teacher)
    outgoing, incoming, _ = family.setting.split(theta)
    neurons = np.concatenate([incoming, outgoing], axis=2)
    second = np.abs(neurons[:, :, 2]).argmin(axis=1)
    points = neurons[np.arange(len(neurons)), second]
    target = np.concatenate([family.target.incoming[0], family.target.outgoing[0]])
    if family.setting.mirrored:
        signs = np.where(points[:, :2] @ target[:2] < 0, -1.0, 1.0)
        points[:, :2] *= signs[:, None]
        points[:, 2] *= family.setting.pull(signs)
    zeros = tuple(zero - family.setting.centre for zero in family.setting.zeros)
    label = "$b_2$" if family.setting.centre == 0 else f"$b_2 - ({family.setting.centre:.3g})$"
    return PairView(points, target, zeros, family.setting.mirrored, label)


def stage(
    ax: Axes3D, view: PairView, limits: Limits, colours: tuple[str, str, str | None]
) -> Axes3D:
    """Draw the branches in (w_2, b_2, a_2) and set up the axes; the caller adds points.

    Parameters
    ----------
    ax : Axes3D
    view : PairView
        Of which only the target and the activation's zeros are used.
    limits : three pairs of float
        See `view_limits`.
    colours : tuple of str
        Of Q1, Q2 and the constant group, None where there is none.
    """
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    ax.computed_zorder = False
    low, high = limits[2]
    w0, b0, a0 = view.target
    first, flat, line = colours
    (left, right), (front, back) = limits[:2]
    corners = [(left, front), (right, front), (right, back), (left, back)]
    sheet = [(w, b, 0.0) for w, b in _half_plane(corners, (w0, b0) if view.folded else None)]
    ax.add_collection3d(
        Poly3DCollection([sheet], facecolor=flat, edgecolor=flat, alpha=0.13, zorder=1)
    )
    for zero in view.zeros if line is not None else ():
        ax.plot([0, 0], [zero, zero], [low, high], color=line, lw=1.2, ls=(0, (4, 2)), zorder=2)
    ax.plot([w0, w0], [b0, b0], [low, a0 / 2], color=first, lw=1.2, zorder=2)
    _name_branches(ax, view, limits, colours)

    ax.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    ax.set_xlabel("$w_2$", labelpad=-6)
    ax.set_ylabel(view.label, labelpad=-6)
    ax.set_zlabel("$a_2$", labelpad=0)
    ax.tick_params(pad=-2)
    ax.tick_params(axis="z", pad=2)  # its labels stand beside the ticks, not below
    ax.locator_params(nbins=5)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("#DDDDDD")
    ax.view_init(elev=22, azim=-62)
    ax.set_box_aspect((1, 1, 0.8), zoom=1.08)
    return ax


def view_limits(view: PairView) -> Limits:
    """Return ranges that show the branches around the target, the same for every n."""
    w0, b0, a0 = view.target
    reach = 1.9 * max(abs(w0), abs(b0))
    back = 0.35 * reach if view.folded else reach
    flat = [(-back, reach) if centre >= 0 else (-reach, back) for centre in (w0, b0)]
    depth = (-0.5 * a0, 0.75 * a0)
    return (*flat, (min(depth), max(depth)))


def _half_plane(
    corners: list[tuple[float, float]], normal: tuple[float, float] | None
) -> list[tuple[float, float]]:
    """Return the part of a convex polygon on the side of `normal`; all of it without one."""
    if normal is None:
        return corners
    kept: list[tuple[float, float]] = []
    for one, two in zip(corners, [*corners[1:], corners[0]], strict=True):
        here, there = (p[0] * normal[0] + p[1] * normal[1] for p in (one, two))
        if here >= 0:
            kept.append(one)
        if here * there < 0:
            share = here / (here - there)
            kept.append((one[0] + share * (two[0] - one[0]), one[1] + share * (two[1] - one[1])))
    return kept


def _name_branches(
    ax: Axes3D, view: PairView, limits: Limits, colours: tuple[str, str, str | None]
) -> None:
    w0, b0, a0 = view.target
    first, flat, line = colours
    ax.text(w0, b0, a0 / 2, "  $Q^1$", color=first, fontsize=12, zorder=9)
    corner = (limits[0][int(w0 > 0)], limits[1][int(b0 <= 0)])
    ax.text(0.93 * corner[0], 0.8 * corner[1], 0, "$Q^2$", color=flat, fontsize=12, zorder=9)
    if line is not None:
        ax.text(0, view.zeros[0], limits[2][1], " $Q^{1c}$", color=line, fontsize=11, zorder=9)
