"""Zero eigenvalues that a symmetry alone forces on the Hessian at a critical point."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.problem import TwoLayer
from flowscape.problem.symmetry import SymmetryClass, symmetry
from flowscape.problem.traits import traits

__all__ = ["known_zeros", "on_kink", "share_incoming"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Two incoming vectors are one, or one is zero, if moving outgoing weights of the size at hand
# along the symmetry changes pre-activations by less than this, relative to their size.
_SAME = 1e-6
# A pre-activation this close to a kink, relative to its terms, counts as on it.
_ON_KINK = 1e-9


@functools.lru_cache(maxsize=64)
def _odd_centre(net: TwoLayer) -> float | None:
    """Centre about which the activation is odd, or None."""
    found = symmetry(net.activation, net.bias)
    return found.centre if found.kind is SymmetryClass.ODD else None


def _split(net: TwoLayer, theta: Floats) -> tuple[Floats, Floats]:
    """Return outgoing weights (B, m, K) and incoming vectors (B, m, D), biases from the centre."""
    parts = net.unpack(theta)
    outgoing = parts.a if net.outputs > 1 else parts.a[..., None]
    if parts.b is None:
        return outgoing, parts.w
    bias = parts.b - (_odd_centre(net) or 0.0)
    return outgoing, np.concatenate([parts.w, bias[..., None]], axis=-1)


def _relations(net: TwoLayer, theta: Floats) -> tuple[Ints, Ints, Bools]:
    """Return for every neuron its first twin (itself if none), the sign, and whether it is silent.

    Silent neurons, zero whatever their outgoing weight, are nobody's twins.
    """
    outgoing, v = _split(net, theta)
    loud = 1.0 + np.abs(outgoing).max(axis=2)
    size = 1.0 + np.abs(v).max(axis=2)
    odd = _odd_centre(net) is not None
    silent = odd & (np.abs(v).max(axis=2) * loud <= _SAME)
    weight = np.maximum(loud[:, :, None], loud[:, None])
    bound = _SAME * np.minimum(size[:, :, None], size[:, None])
    plus = np.abs(v[:, :, None] - v[:, None]).max(axis=3) * weight <= bound
    minus = odd & (np.abs(v[:, :, None] + v[:, None]).max(axis=3) * weight <= bound)
    twins = (plus | minus) & ~silent[:, :, None] & ~silent[:, None]
    twins |= np.eye(net.width, dtype=np.bool_)
    first = np.argmax(twins, axis=2)
    sign = np.where(np.take_along_axis(plus, first[:, :, None], axis=2)[..., 0], 1, -1)
    return first, sign, silent


def share_incoming(net: TwoLayer, theta: Floats) -> Bools:
    """Return whether two neurons that are not silent share an incoming vector, up to sign: (B,)."""
    first, _, _ = _relations(net, theta)
    return (first != np.arange(net.width)).any(axis=1)


def _candidates(prob: Problem, theta: Floats) -> Iterator[tuple[Bools, Floats]]:
    """Yield spaces of directions (B, P, k) that may keep the function, and for which points.

    Those of one point are linearly independent.
    """
    net = prob.net
    first, sign, silent = _relations(net, theta)
    rows = np.arange(len(theta))
    step = net.outputs + net.neuron_inputs
    for k in range(net.width):
        own = np.zeros((*theta.shape, net.outputs))
        for o in range(net.outputs):
            own[:, k * step + o, o] = 1.0
        yield silent[:, k], own
        moved = own.copy()
        for o in range(net.outputs):
            moved[rows, first[:, k] * step + o, o] = -sign[:, k]
        yield first[:, k] != k, moved
    if symmetry(net.activation, net.bias).kind is SymmetryClass.HOMOGENEOUS:
        yield from _rescalings(net, theta, silent, first)


def _rescalings(
    net: TwoLayer, theta: Floats, silent: Bools, first: Ints
) -> Iterator[tuple[Bools, Floats]]:
    """Yield the direction (a, -v) of every neuron of a positively homogeneous activation."""
    step = net.outputs + net.neuron_inputs
    for k in range(net.width):
        direction = np.zeros_like(theta)
        own = slice(k * step, (k + 1) * step)
        direction[:, own] = theta[:, own]
        direction[:, k * step + net.outputs : (k + 1) * step] *= -1.0
        applies = (np.abs(direction).max(axis=1) > 0.0) & ~silent[:, k] & (first[:, k] == k)
        yield applies, direction[..., None]


def known_zeros(prob: Problem, theta: Floats, hessian: Floats, zero_bound: Floats) -> Ints:
    """Return the number of zero eigenvalues that are known to be there: (B,).

    Moving outgoing weight between neurons that share an incoming vector, changing that of a
    silent neuron, and rescaling a positively homogeneous one keep the function. Such a direction
    n counts if the Hessian agrees: n H n is zero within `zero_bound` and H n so small that no
    eigenvalue beyond the bound could come of it. With weight decay there is none.

    Parameters
    ----------
    prob : Problem
    theta, hessian : (B, P) and (B, P, P) ndarray
    zero_bound : (B,) ndarray
        Rounding error of the eigenvalues.
    """
    count = np.zeros(len(theta), dtype=np.int64)
    if prob.l2 > 0.0:
        return count
    small = np.sqrt(zero_bound * np.abs(hessian).max(axis=(1, 2)))
    for applies, directions in _candidates(prob, theta):
        rows = np.flatnonzero(applies)
        if rows.size == 0:
            continue
        basis = directions[rows]
        basis = basis / np.linalg.norm(basis, axis=1, keepdims=True)
        image = hessian[rows] @ basis
        # With several outputs the Hessian may let only some combination of them move.
        squared, mix = np.linalg.eigh(np.swapaxes(image, 1, 2) @ image)
        along = np.einsum("bki,bpk,bpl,bli->bi", mix, basis, image, mix)
        is_zero = np.sqrt(np.maximum(squared, 0.0)) <= small[rows, None]
        is_zero &= np.abs(along) <= zero_bound[rows, None]
        count[rows] += is_zero.sum(axis=1)
    return count


def on_kink(prob: Problem, theta: Floats) -> Bools:
    """Return whether a pre-activation of a sample lies on a kink of the activation: (B,)."""
    kinks = traits(prob.net.activation).kinks
    hit = np.zeros(len(theta), dtype=np.bool_)
    if not kinks:
        return hit
    parts = prob.net.unpack(theta)
    z = np.einsum("bmd,nd->bmn", parts.w, prob.data.x)
    size = np.einsum("bmd,nd->bmn", np.abs(parts.w), np.abs(prob.data.x))
    if parts.b is not None:
        z = z + parts.b[..., None]
        size = size + np.abs(parts.b)[..., None]
    for kink in kinks:
        hit |= (np.abs(z - kink) <= _ON_KINK * (size + abs(kink))).any(axis=(1, 2))
    return hit
