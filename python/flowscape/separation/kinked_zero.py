"""Imperfect zeros near branches of positively homogeneous activations: solved for, not searched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.parts import BranchParts
from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError
from flowscape.separation.kinked import Class, classes, linear_map
from flowscape.separation.result import ImperfectZero

__all__ = ["kinked_zero"]

Floats = NDArray[np.float64]

_SMALL = 1e-10
_APART = 1e-3
_SHRINKS = 40


def kinked_zero(
    branch: BranchParts, x: Floats, theta: Floats, distance: float, rng: np.random.Generator
) -> ImperfectZero:
    """Return a zero near a point (P,) of a branch that is not separated for samples (n, d).

    Either two neurons of one class turn apart, at the same V_C; or the classes move by a vector of
    the kernel of `linear_map` that is not tangent to the branch. The distance is halved until no
    sample crosses a kink.
    """
    s = branch.setting
    found = classes(branch, theta)
    wide = [one for one in found if one.turns_apart] if s.incoming > 1 else []
    matrix = linear_map(s, found, theta, x)
    assert matrix is not None
    values = np.linalg.svd(matrix, compute_uv=False)
    smallest = float(values[values > _SMALL * values[0]].min()) if values[0] > 0.0 else 0.0
    probe = rng.normal(size=(64, s.inputs)) * max(1.0, float(np.abs(x).max()))
    net, step = s.network, distance
    if wide:
        direction = rng.normal(size=s.incoming)
    else:  # a step of length 1 in the parameters, to which V_C is linear
        direction = _leaving(branch, found, theta, matrix)
        direction /= np.linalg.norm(_moved(s, found, theta, direction) - theta)
    before = np.sign(_arguments(s, theta, x))
    for _ in range(_SHRINKS):
        near = _turned(s, wide[0], theta, step, direction) if wide else None
        near = _moved(s, found, theta, step * direction) if near is None else near
        gap = float(branch.distance(near))
        if np.array_equal(np.sign(_arguments(s, near, x)), before) and gap > _APART * step:
            places = np.concatenate([_on_kinks(s, theta, probe), _on_kinks(s, near, probe)])
            left, defect = (
                float(np.abs(net(near, at) - net(theta, at)).max()) for at in (x, places)
            )
            return ImperfectZero(near, left, gap, defect, smallest)
        step *= 0.5
    raise ProblemError("a sample is too near to the kink of a neuron; take another point theta")


def _arguments(s: Setting, theta: Floats, x: Floats) -> Floats:
    """Return the arguments (n, m) of the neurons."""
    incoming = s.split(theta[None])[1][0]
    bias = incoming[:, -1] if s.bias else 0.0
    return np.asarray(x @ incoming[:, : s.inputs].T + bias)


def _on_kinks(s: Setting, theta: Floats, x: Floats) -> Floats:
    """Return points, the nearest ones on the kinks, and mirror images behind these.

    Turning neurons change f near the kinks only, a constant that turns behind its new one.
    """
    incoming = s.split(theta[None])[1][0]
    arguments, points = _arguments(s, theta, x), [x]
    for k, w in enumerate(incoming[:, : s.inputs]):
        if w.any():
            across = arguments[:, k, None] * (w / (w @ w))
            points += [x - across, x - 2.0 * across]
    return np.concatenate(points)


def _turned(s: Setting, one: Class, theta: Floats, step: float, direction: Floats) -> Floats:
    """Return theta with two neurons j, k of a class off their line: v_k moves, v_j makes up."""
    outgoing, incoming, constant = s.split(theta[None])
    a, v = outgoing[0, :, 0], incoming[0]
    ranked = sorted(one.members, key=lambda k: -abs(a[k]))
    j, k = ranked[0], ranked[1]
    total = a[j] * v[j] + a[k] * v[k]
    across = direction - v[j] * (direction @ v[j]) / (v[j] @ v[j])
    across *= step / np.linalg.norm(across)
    v[k] = v[k] + across
    v[j] = (total - a[k] * v[k]) / a[j]
    return s.join(outgoing, incoming, constant)[0]


def _leaving(branch: BranchParts, found: list[Class], theta: Floats, matrix: Floats) -> Floats:
    """Return a unit vector of the kernel of `linear_map`, as normal to the branch as there is."""
    s = branch.setting
    outgoing, incoming, _ = (part[0] for part in s.split(theta[None]))
    rows = []
    for one in found:
        if one.at_rest:
            row = np.zeros(s.n_params)
            row[s.a_index(one.members[0], 0)] = 1.0
            rows.append(row)
            continue
        for j in range(s.incoming):
            row = np.zeros(s.n_params)
            for k in one.members:
                row[s.a_index(k, 0)] = incoming[k, j]
                row[s.v_index(k, j)] = outgoing[k, 0]
            rows.append(row)
    if s.output_bias:
        row = np.zeros(s.n_params)
        row[s.c_index(0)] = 1.0
        rows.append(row)
    left, values, _ = np.linalg.svd(np.array(rows) @ branch.tangent(theta))
    tangent = left[:, : int((values > _SMALL * values[0]).sum())]
    _, values, right = np.linalg.svd(matrix)
    kernel = right[int((values > _SMALL * max(values[0], 1e-300)).sum()) :].T
    left, _, _ = np.linalg.svd(kernel - tangent @ (tangent.T @ kernel))
    direction = kernel @ (kernel.T @ left[:, 0])
    return np.asarray(direction / np.linalg.norm(direction))


def _moved(s: Setting, found: list[Class], theta: Floats, step: Floats) -> Floats:
    """Return theta with the classes moved by a step of the space of `linear_map`."""
    outgoing, incoming, constant = s.split(theta[None])
    place = 0
    for one in found:
        k = max(one.members, key=lambda i: abs(float(outgoing[0, i, 0])))
        if one.at_rest:
            outgoing[0, k, 0] += step[place]
            place += 1
            continue
        incoming[0, k] += step[place : place + s.incoming] / outgoing[0, k, 0]
        place += s.incoming
    if s.output_bias:
        constant = constant + step[place]
    return s.join(outgoing, incoming, constant)[0]
