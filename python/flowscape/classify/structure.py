"""Zero eigenvalues that symmetry alone forces on the Hessian of a critical point."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from flowscape.problem import SymmetryClass, TwoLayer, symmetry

__all__ = ["merged_neurons", "silent_neurons"]

Floats = NDArray[np.float64]

# Neurons whose incoming vectors differ by less than this, relative to their size, are merged.
_SAME = 1e-6


@functools.lru_cache(maxsize=64)
def _centre(net: TwoLayer) -> float | None:
    """Centre about which the activation is odd, or None."""
    found = symmetry(net.activation, net.bias)
    return found.centre if found.kind is SymmetryClass.ODD else None


def _incoming(net: TwoLayer, theta: Floats) -> Floats:
    """Return incoming vectors (B, m, D), the bias measured from the centre of oddness."""
    parts = net.unpack(theta)
    if parts.b is None:
        return parts.w
    return np.concatenate([parts.w, (parts.b - (_centre(net) or 0.0))[..., None]], axis=-1)


def merged_neurons(net: TwoLayer, theta: Floats) -> NDArray[np.int64]:
    """Return m minus the number of different incoming vectors, signs folded if odd: (B,).

    Moving outgoing weight between merged neurons keeps the function: a line of critical points,
    and one zero eigenvalue per output for each neuron beyond the first.
    """
    v = _incoming(net, theta)
    size = 1.0 + np.abs(v).max(axis=(1, 2))
    same = np.abs(v[:, :, None] - v[:, None]).max(axis=3) <= _SAME * size[:, None, None]
    if _centre(net) is not None:
        same |= np.abs(v[:, :, None] + v[:, None]).max(axis=3) <= _SAME * size[:, None, None]
    first = np.argmax(same, axis=2)  # the first neuron of the same class
    return net.width - (first == np.arange(net.width)).sum(axis=1)


def silent_neurons(net: TwoLayer, theta: Floats) -> NDArray[np.int64]:
    """Return the number of neurons that are zero whatever their outgoing weight: (B,)."""
    if _centre(net) is None:
        return np.zeros(len(theta), dtype=np.int64)
    v = _incoming(net, theta)
    return (np.abs(v).max(axis=2) <= _SAME * (1.0 + np.abs(v).max(axis=(1, 2)))[:, None]).sum(axis=1)
