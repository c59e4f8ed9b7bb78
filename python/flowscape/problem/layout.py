"""The order of the parameters of a two-layer network in their vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import ProblemError, ShapeError, finite_array, float_array

__all__ = ["Layout", "Parameters"]


class Parameters(NamedTuple):
    """Parameters of one network or of a batch, by role.

    Attributes
    ----------
    a : (m,) or (m, K) ndarray
        Outgoing weights; no last axis for one output. A batch adds B in front, here and below.
    w : (m, d) ndarray
        Incoming weights.
    b : (m,) ndarray or None
        Hidden biases, if there are any.
    c : (K,) ndarray or None
        Output biases, if there are any.
    """

    a: NDArray[np.float64]
    w: NDArray[np.float64]
    b: NDArray[np.float64] | None
    c: NDArray[np.float64] | None


@dataclass(frozen=True)
class Layout:
    """Neuron after neuron: a_1, w_1, b_1, a_2, ..., and the output biases c at the end.

    Attributes
    ----------
    width, inputs, outputs : int
        m, d and K.
    bias, output_bias : bool
        Whether there are b and c.
    """

    width: int
    inputs: int
    outputs: int
    bias: bool
    output_bias: bool

    @property
    def neuron_inputs(self) -> int:
        """D: incoming parameters of one neuron, its bias included."""
        return self.inputs + self.bias

    @cached_property
    def n_params(self) -> int:
        """P: length of the parameter vector."""
        neurons = self.width * (self.outputs + self.neuron_inputs)
        return neurons + (self.outputs if self.output_bias else 0)

    def vectors(self, theta: ArrayLike) -> NDArray[np.float64]:
        """Return `theta` as a float64 array (P,) or (B, P); NaN and infinity pass."""
        p = self.n_params
        remedy = f"this network has P={p} parameters per run"
        return float_array("theta", theta, (p,), ("B", p), remedy=remedy)

    def pack(
        self, *, a: ArrayLike, w: ArrayLike, b: ArrayLike | None, c: ArrayLike | None
    ) -> NDArray[np.float64]:
        """Return the vector, or a batch of them, from its parts; see `TwoLayer.pack`."""
        m, d, k = self.width, self.inputs, self.outputs
        shapes: dict[str, tuple[int, ...]] = {"a": (m, k) if k > 1 else (m,), "w": (m, d)}
        parts: dict[str, ArrayLike] = {"a": a, "w": w}
        for name, value, used, shape in (
            ("b", b, self.bias, (m,)),
            ("c", c, self.output_bias, (k,)),
        ):
            if used and value is None:
                raise ProblemError(f"{name}=None must be an array of shape {shape}; give {name}")
            if value is not None:
                if not used:
                    option = "bias" if name == "b" else "output_bias"
                    raise ProblemError(
                        f"{name} must be absent in a network with {option}=False; "
                        f"leave it out or set {option}=True"
                    )
                shapes[name], parts[name] = shape, value
        arrays = {
            name: finite_array(name, value, shapes[name], ("B", *shapes[name]))
            for name, value in parts.items()
        }
        lead = arrays["a"].shape[: arrays["a"].ndim - len(shapes["a"])]
        theta = np.empty((*lead, self.n_params))
        views = self.unpack(theta)._asdict()
        for name, array in arrays.items():
            if array.shape != (*lead, *shapes[name]):
                raise ShapeError(
                    f"{name} has shape {array.shape} and must have shape "
                    f"{(*lead, *shapes[name])}; give all parts one batch axis, or none"
                )
            views[name][...] = array
        return theta

    def unpack(self, theta: ArrayLike) -> Parameters:
        """Return the parts of a vector, or of a batch of them; see `TwoLayer.unpack`."""
        theta = self.vectors(theta)
        m, d, k = self.width, self.inputs, self.outputs
        lead = theta.shape[:-1]
        size = m * (k + self.neuron_inputs)
        neurons = theta[..., :size].reshape(*lead, m, k + self.neuron_inputs)
        a = neurons[..., :k] if k > 1 else neurons[..., 0]
        return Parameters(
            a=a,
            w=neurons[..., k : k + d],
            b=neurons[..., k + d] if self.bias else None,
            c=theta[..., size:] if self.output_bias else None,
        )
