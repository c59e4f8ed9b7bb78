"""A path of zero loss between two perfect networks, for every kind of family."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches import Branches
from flowscape.branches.exponential.family import ExponentialBranches
from flowscape.critical.paths import ZeroLossPath, connect_groups
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
        If a point is not perfect, or no neuron can be spared: then Q* is not connected
        (m = m0: m0! points) or the path would have to be curved.

    Notes
    -----
    Within a group outgoing weights move to one neuron; the others have a = 0 and their incoming
    vectors are free. A target neuron changes places by moving a spare neuron's incoming vector
    on its own and handing over the outgoing weight. Every step is a straight line on which f
    does not change. Connectedness for m > m0: Simsek et al. 2021. For exponential activations
    with a bias the path is one without bias, at fixed biases; then every neuron in turn hands
    over its weight and changes its bias.
    """
    tol = check_positive("tol", tol)
    if not family.analytic:
        raise ProblemError(
            f"activation={str(family.net.activation)!r} is positively homogeneous, and paths "
            "between its perfect networks are not known; use a smooth activation"
        )
    if isinstance(family, ExponentialBranches):
        return _connect_exponential(family, theta_a, theta_b, tol)
    return connect_groups(family, theta_a, theta_b, tol=tol)


def _connect_exponential(
    family: ExponentialBranches, theta_a: ArrayLike, theta_b: ArrayLike, tol: float
) -> ZeroLossPath:
    chart, n = family.chart, family.setting.n_params
    first, last = finite_array("theta_a", theta_a, (n,)), finite_array("theta_b", theta_b, (n,))
    ends = [chart.image(theta[None])[0] for theta in (first, last)]
    b_first, b_last = (chart.biases(theta[None]) for theta in (first, last))
    if np.array_equal(b_first, b_last):
        path = connect_groups(family.image, *ends, tol=tol)
        return _lifted(family, path, b_first, (first, last))
    if family.setting.width == family.target.m0:
        raise ProblemError(
            f"width={family.setting.width} leaves no neuron to spare, and a bias can change on a "
            "straight line of zero loss only at a neuron with a = 0; use a wider student"
        )
    turn, turn_notes = _change_biases(family, b_first[0], b_last[0])
    middle = [chart.image(vertex[None])[0] for vertex in (turn[0], turn[-1])]
    start = connect_groups(family.image, ends[0], middle[0], tol=tol)
    end = connect_groups(family.image, middle[1], ends[1], tol=tol)
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
