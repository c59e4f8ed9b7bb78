"""A path of zero loss between two perfect networks, for every kind of family."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches import Branches
from flowscape.branches.balance import balance_of
from flowscape.branches.components import check_known_paths
from flowscape.branches.exponential.family import ExponentialBranches
from flowscape.branches.family import check_family
from flowscape.branches.lines.family import LineBranches
from flowscape.critical.coupled_paths import connect_gathered, output_bias_of
from flowscape.critical.curves import ExponentialCurve
from flowscape.critical.line_paths import connect_lines
from flowscape.critical.paths import connect_groups
from flowscape.critical.zero_loss_path import ZeroLossPath, joined
from flowscape.errors import ProblemError, check_positive, finite_array

__all__ = ["connect"]

Floats = NDArray[np.float64]


def connect(
    family: Branches, theta_a: ArrayLike, theta_b: ArrayLike, *, tol: float = 1e-6
) -> ZeroLossPath:
    """Return a path of zero loss between two perfect networks of a student wider than the target.

    Parameters
    ----------
    family : Branches
        Of the student and the target.
    theta_a, theta_b : (P,) array_like
        Points of Q*, up to `tol`.
    tol : float
        Distance > 0 up to which incoming vectors, and sums of outgoing weights, count as equal.

    Raises
    ------
    ProblemError
        If a point is not perfect, or the two are in different connected components of Q*; then the
        message says what keeps them apart. Also if the activation is even plus a linear function
        and several outputs have a number of extra neurons that is not derived.

    Notes
    -----
    Within a group outgoing weights move to one neuron; the others have a = 0 and their incoming
    vectors are free. A target neuron changes places by moving a spare neuron's incoming vector
    on its own and handing over the outgoing weight. Every such step is a straight line on which f
    does not change. Connectedness for m > m0: Simsek et al. 2021.

    Odd activations plus a constant and even ones plus a linear function: where a neuron turns
    round, v -> -v, a pair of neurons u, -u makes up for what that adds. Sides may then be curved
    (`ZeroLossPath.curves`): (a e^t, v e^{-t}), or a sigma(b) fixed. So are paths of positively
    homogeneous activations. There is a path whenever there can be one; proofs in
    ``docs/connectedness.md``.

    For exponential activations with a bias the path is one without bias, at fixed biases; then
    every neuron in turn hands over its weight and changes its bias, or all of them at once on a
    curve of fixed a e^{kb} if no neuron can be spared.
    """
    check_family(family)
    check_known_paths(family)
    tol, s = check_positive("tol", tol), family.setting
    if family.message:
        raise ProblemError(f"there is no perfect network: {family.message}")
    if isinstance(family, ExponentialBranches):
        return _connect_exponential(family, theta_a, theta_b, tol)
    n = s.n_params
    ends = finite_array("theta_a", theta_a, (n,)), finite_array("theta_b", theta_b, (n,))
    if isinstance(family, LineBranches):
        return connect_lines(family, *ends, tol=tol)
    if not (s.level or s.slope):
        return connect_groups(s, family.target, *ends, tol=tol)
    balance, constant = balance_of(s, family.target), output_bias_of(s, family.target)
    return connect_gathered(s, balance, constant, ends, tol=tol)


def _connect_exponential(
    family: ExponentialBranches, theta_a: ArrayLike, theta_b: ArrayLike, tol: float
) -> ZeroLossPath:
    chart, n = family.chart, family.setting.n_params
    first, last = finite_array("theta_a", theta_a, (n,)), finite_array("theta_b", theta_b, (n,))
    ends = [chart.image(theta[None])[0] for theta in (first, last)]
    plain = family.image.setting, family.image.target
    b_first, b_last = (chart.biases(theta[None]) for theta in (first, last))
    if np.array_equal(b_first, b_last):
        path = connect_groups(*plain, *ends, tol=tol)
        return _lifted(family, path, b_first, (first, last))
    if family.setting.width == family.target.m0:
        path = connect_groups(*plain, *ends, tol=tol)
        curve = ExponentialCurve(chart, path.vertices[-1], b_first[0], b_last[0])
        before = _lifted(family, path, b_first, (first, curve.at(np.zeros(1))[0]))
        change = ZeroLossPath(
            np.stack([before.vertices[-1], last]), ("all biases change",), {0: curve}
        )
        return joined([before, change])
    turn, turn_notes = _change_biases(family, b_first[0], b_last[0])
    middle = [chart.image(vertex[None])[0] for vertex in (turn[0], turn[-1])]
    start = connect_groups(*plain, ends[0], middle[0], tol=tol)
    end = connect_groups(*plain, middle[1], ends[1], tol=tol)
    before = _lifted(family, start, b_first, (first, turn[0]))
    after = _lifted(family, end, b_last, (turn[-1], last))
    vertices = np.concatenate([before.vertices, turn[1:], after.vertices[1:]])
    return ZeroLossPath(vertices, (*before.notes, *turn_notes, *after.notes))


def _lifted(
    family: ExponentialBranches, path: ZeroLossPath, biases: Floats, ends: tuple[Floats, Floats]
) -> ZeroLossPath:
    """Return a path of (A, w) at fixed biases; its sides stay straight, as a = A e^{-kb}."""
    vertices = family.chart.lift(path.vertices, np.repeat(biases, len(path.vertices), axis=0))
    vertices[0], vertices[-1] = ends
    return ZeroLossPath(vertices, path.notes)


def _change_biases(
    family: ExponentialBranches, b_first: Floats, b_last: Floats
) -> tuple[Floats, tuple[str, ...]]:
    """Return vertices on which all biases change, and a note for every side.

    The first target.m0 neurons are the target's, all others have a = 0; the last one is spare.
    """
    s, target, chart = family.setting, family.image.target, family.chart
    m0, spare = target.m0, s.width - 1
    outgoing = np.zeros((s.width, s.outputs))
    incoming = np.zeros((s.width, s.inputs))
    outgoing[:m0], incoming[:m0] = target.outgoing, target.incoming
    constant = target.constant if s.output_bias else np.zeros(s.outputs)
    biases = b_first.copy()

    def vertex() -> Floats:
        plain = chart.plain.join(outgoing[None], incoming[None], constant[None])
        return chart.lift(plain, biases[None])[0]

    vertices, notes = [vertex()], []

    def add(note: str) -> None:
        vertices.append(vertex())
        notes.append(note)

    biases[m0:] = b_last[m0:]
    add("neurons with a = 0 change their biases")
    for k in range(m0):
        incoming[spare] = incoming[k]
        add(f"neuron {spare + 1} (a = 0) moves beside neuron {k + 1}")
        outgoing[spare], outgoing[k] = outgoing[k].copy(), 0.0
        add(f"target neuron {k + 1} goes from {k + 1} to {spare + 1}")
        biases[k] = b_last[k]
        add(f"neuron {k + 1} (a = 0) changes its bias")
        outgoing[k], outgoing[spare] = outgoing[spare].copy(), 0.0
        add(f"target neuron {k + 1} goes from {spare + 1} to {k + 1}")
    return np.stack(vertices), tuple(notes)
