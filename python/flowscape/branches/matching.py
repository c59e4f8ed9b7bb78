"""Match the neurons of one network to the target's, after reduction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.exponential.chart import ExponentialChart, is_exponential, without_bias
from flowscape.branches.lines.matching import match_lines
from flowscape.branches.lines.target import is_homogeneous, reduced_lines
from flowscape.branches.reduce import FREE, Reduced, reduce_network
from flowscape.branches.relations import setting_of
from flowscape.branches.setting import Setting
from flowscape.branches.target import reduced_teacher
from flowscape.brief import Brief
from flowscape.errors import check_positive, finite_array
from flowscape.problem.network import TwoLayer, check_network
from flowscape.problem.teacher import Teacher

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Matching(Brief):
    """Which target neuron each neuron helps to make, and how well.

    Attributes
    ----------
    labels : (m,) ndarray of int
        Index t >= 0 of the target neuron after reduction; FREE (-1): a group that no target
        neuron is near to; CONSTANT (-2): zero input weight; SILENT (-3): zero input weight
        where sigma(0) = 0, so without any effect.
    groups : (m,) ndarray of int
        Neurons with one number have equal incoming vectors, up to sign where the activation
        is odd; CONSTANT or SILENT as in `labels`.
    signs : (m,) ndarray of int
        eps_k: the neuron counts as (eps_k a_k, eps_k v_k), or as (a_k, eps_k v_k) if the
        activation is even. All v of a labelled group are then
        near the target's.
    incoming_error : (m0,) ndarray
        Distance of the incoming vector of the group to that of the target neuron; infinity
        where no group is left for it.
    outgoing_error : (m0,) ndarray
        Distance of the sum of its outgoing weights; the norm of the target's where no group
        is left.
    free_error : float
        Largest norm of the sum of outgoing weights of a free group; 0 without free groups.
    constant_error : float
        Distance of the constant part.
    linear_error : float
        Distance of the linear part that neurons with flipped signs leave, where the activation
        is even plus a linear function or positively homogeneous; else 0.
    perfect : bool
        All five errors are within the tolerance: the network is the target, up to it.
    notes : tuple of str
        What the reduction of the network did.
    target : Reduced
        The target that the labels count; without biases if the activation is exponential.
    """

    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    signs: NDArray[np.int64]
    incoming_error: Floats
    outgoing_error: Floats
    free_error: float
    constant_error: float
    linear_error: float
    perfect: bool
    notes: tuple[str, ...]
    target: Reduced


def matching(
    theta: ArrayLike, teacher: Teacher, net: TwoLayer | None = None, *, tol: float = 1e-6
) -> Matching:
    """Match the neurons of a network to the target's.

    Positively homogeneous activations: the lines of the neurons take the place of incoming
    vectors, as unit vectors, and sums of a_k |v_k| that of outgoing weights; a sign says on which
    side of its line a neuron is.

    The network is reduced: neurons with equal incoming vectors are merged (up to sign where
    the activation is odd), neurons with zero input weight are set apart. Then the pairs (group,
    target neuron) are taken in the order of their distance, incoming and outgoing together.

    Parameters
    ----------
    theta : (P,) array_like
        Parameters of one network.
    teacher : Teacher
        The target.
    net : TwoLayer, optional
        The network of `theta`. By default the teacher's, with the width that fits `theta`.
    tol : float
        Distances > 0 of incoming vectors, and norms of sums of outgoing weights, up to which
        they count as equal or 0.

    Raises
    ------
    ShapeError, ProblemError, OptionError
        If `theta` does not fit, or as in `branches`.
    """
    tol = check_positive("tol", tol)
    net = _fitting(theta, teacher.net) if net is None else check_network(net)
    row = finite_array("theta", theta, (net.n_params,), remedy="give one network")
    if is_exponential(net):
        # a e^{kb} is one parameter: both networks are compared without their biases
        chart = ExponentialChart(net)
        image = chart.image(row[None])[0]
        return matching(image, without_bias(teacher), chart.plain_net, tol=tol)
    if is_homogeneous(net):
        return _on_lines(net, row, teacher, tol)
    setting = setting_of(net)
    target = reduced_teacher(setting, teacher)
    found = reduce_network(setting, row, tol)
    pairs = _pair(found, target, setting)
    labels = np.where(found.group >= 0, FREE, found.group)
    signs = found.signs.copy()
    incoming_error = np.full(target.m0, np.inf)
    outgoing_error = np.linalg.norm(target.outgoing, axis=1)
    for g, t, sign in pairs:
        members = found.group == g
        labels[members] = t
        signs[members] *= sign
        incoming_error[t] = np.linalg.norm(sign * found.vectors[g] - target.incoming[t])
        total = setting.pull(sign) * found.sums[g]
        outgoing_error[t] = np.linalg.norm(total - target.outgoing[t])
    labelled = {g for g, _, _ in pairs}
    free = [g for g in range(len(found.sums)) if g not in labelled]
    free_error = float(np.linalg.norm(found.sums[free], axis=1).max(initial=0.0))
    constant_error = float(np.linalg.norm(found.constant - target.constant))
    linear_error = abs(setting.slope) * float(np.linalg.norm(found.linear - target.linear))
    errors = [*incoming_error, *outgoing_error, free_error, constant_error, linear_error]
    return Matching(
        labels=labels,
        groups=found.group,
        signs=signs,
        incoming_error=incoming_error,
        outgoing_error=outgoing_error,
        free_error=free_error,
        constant_error=constant_error,
        linear_error=linear_error,
        perfect=bool(max(errors) <= tol),
        notes=found.notes,
        target=target,
    )


def _on_lines(net: TwoLayer, theta: Floats, teacher: Teacher, tol: float) -> Matching:
    found = vars(match_lines(net, theta, teacher, tol))
    errors = [*found["incoming_error"], *found["outgoing_error"]]
    errors += [found[f"{name}_error"] for name in ("free", "constant", "linear")]
    found["target"] = reduced_lines(found["target"])
    return Matching(**found, perfect=bool(max(errors) <= tol))


def _fitting(theta: ArrayLike, net: TwoLayer) -> TwoLayer:
    """Return `net` with the width that fits the length of `theta`, or as near as possible."""
    block = net.outputs + net.neuron_inputs
    size = np.asarray(theta).size - (net.outputs if net.output_bias else 0)
    return TwoLayer(
        max(1, size // block), net.inputs, net.activation, net.bias, net.outputs, net.output_bias
    )


def _pair(found: Reduced, target: Reduced, setting: Setting) -> list[tuple[int, int, int]]:
    """Return (group, target neuron, sign) of the greedy one-to-one pairing of live groups."""
    offers = []
    for g in found.live:
        for t in range(target.m0):
            for sign in (1, -1) if setting.signed else (1,):
                apart = np.linalg.norm(sign * found.vectors[g] - target.incoming[t])
                weight = np.linalg.norm(setting.pull(sign) * found.sums[g] - target.outgoing[t])
                offers.append((float(np.hypot(apart, weight)), int(g), t, sign))
    pairs: list[tuple[int, int, int]] = []
    for _, g, t, sign in sorted(offers):
        if all(g != other and t != label for other, label, _ in pairs):
            pairs.append((g, t, sign))
    return pairs
