"""What the student allows: dimensions, sign symmetry, and what a constant neuron does.

A `Setting` is computed once from the student network, by `relations.setting_of`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.problem.activation import Activation
from flowscape.problem.network import TwoLayer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """Dimensions and relations of a student network.

    Attributes
    ----------
    width, inputs, outputs : int
        m, d and the number of outputs O.
    bias, output_bias : bool
        As in the network.
    signed : bool
        True if (a, v) and (-a, -v) are the same neuron, v the centred incoming vector; with
        `even`, (a, v) and (a, -v). Up to a constant with `level`, a linear function with `slope`.
    centre : float
        Centre of the symmetry, subtracted from the biases; 0 if not `signed` or without bias.
    silent : bool
        Without bias: sigma(0) = 0, so a neuron with w = 0 does nothing.
    at_zero : float
        sigma(0).
    zeros : tuple of float
        The real zeros of sigma, ascending, with bias and without output bias; else empty.
    activation : Activation
        Evaluated by `sigma`.
    even : bool
        The sign symmetry is that of an even activation.
    level : float
        kappa, if sigma is an odd function about the centre plus the constant kappa; else 0.
    slope : float
        lambda, if sigma is an even function of u = z - centre plus lambda u; else 0.
    """

    width: int
    inputs: int
    outputs: int
    bias: bool
    output_bias: bool
    signed: bool
    centre: float
    silent: bool
    at_zero: float
    zeros: tuple[float, ...]
    activation: Activation
    even: bool = False
    level: float = 0.0
    slope: float = 0.0

    @classmethod
    def unsigned(cls, net: TwoLayer, *, silent: bool = False, at_zero: float = 0.0) -> Setting:
        """Return the setting of a network of which no symmetry and no zero of sigma is used."""
        return cls(
            width=net.width,
            inputs=net.inputs,
            outputs=net.outputs,
            bias=net.bias,
            output_bias=net.output_bias,
            signed=False,
            centre=0.0,
            silent=silent,
            at_zero=at_zero,
            zeros=(),
            activation=net.activation,
        )

    @property
    def coupled(self) -> bool:
        """Whether sign flips change what all groups together must obey (``docs/families.md``).

        Not with an output bias that takes up the constants.
        """
        return self.slope != 0.0 or (self.level != 0.0 and not self.output_bias)

    @property
    def mirrored(self) -> bool:
        """Whether a sign flip of one neuron is a symmetry of the perfect networks."""
        return self.signed and not self.coupled

    def pull(self, signs: ArrayLike) -> Floats:
        """Return the signs of outgoing weights that go with the signs eps_k of incoming vectors.

        eps_k a_k is what a folded neuron adds to its group: a flip of v turns sigma into -sigma if
        it is odd, and leaves it if it is even.
        """
        values = np.asarray(signs, dtype=np.float64)
        return np.ones_like(values) if self.even else values

    @property
    def network(self) -> TwoLayer:
        """The student."""
        return TwoLayer(
            self.width, self.inputs, self.activation, self.bias, self.outputs, self.output_bias
        )

    @property
    def incoming(self) -> int:
        """D: inputs, plus 1 with bias."""
        return self.inputs + int(self.bias)

    @property
    def n_params(self) -> int:
        """P = m (O + D), plus O with output bias."""
        return self.width * (self.outputs + self.incoming) + self.outputs * int(self.output_bias)

    def sigma(self, z: Floats) -> tuple[Floats, Floats]:
        """Return sigma(z) and sigma'(z) at any shape."""
        values, slopes = self.activation.compiled_values(z, 1)
        return values, slopes

    def split(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Return outgoing (B, m, O), centred incoming (B, m, D) and output bias (B, O).

        Centred: the last component is b - centre, so that a sign flip is v -> -v. Without
        output bias the last array is 0.
        """
        batch, block = theta.shape[0], self.outputs + self.incoming
        neurons = theta[:, : self.width * block].reshape(batch, self.width, block)
        incoming = neurons[:, :, self.outputs :].copy()
        if self.bias:
            incoming[:, :, -1] -= self.centre
        rest = theta[:, self.width * block :]
        constant = rest.copy() if self.output_bias else np.zeros((batch, self.outputs))
        return neurons[:, :, : self.outputs].copy(), incoming, constant

    def join(self, outgoing: Floats, incoming: Floats, constant: Floats) -> Floats:
        """Return theta (B, P); inverse of `split`."""
        shifted = incoming.copy()
        if self.bias:
            shifted[:, :, -1] += self.centre
        neurons = np.concatenate([outgoing, shifted], axis=2).reshape(len(outgoing), -1)
        parts = [neurons, constant] if self.output_bias else [neurons]
        return np.ascontiguousarray(np.concatenate(parts, axis=1))

    def a_index(self, neuron: int, output: int) -> int:
        """Position of a_{k,o} in theta."""
        return neuron * (self.outputs + self.incoming) + output

    def v_index(self, neuron: int, component: int) -> int:
        """Position of a component of (w_k, b_k) in theta."""
        return neuron * (self.outputs + self.incoming) + self.outputs + component

    def c_index(self, output: int) -> int:
        """Position of c_o in theta."""
        return self.width * (self.outputs + self.incoming) + output
