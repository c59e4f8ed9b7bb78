r"""Exponential activations with a bias, in coordinates where a neuron has none.

sigma(z) = C e^{kz} turns a neuron a sigma(w.x + b) into A sigma(w.x) with

.. math:: A = a e^{kb}.

The map (a, w, b) -> (A, w, b) is a bijection, analytic in both directions, so everything that is
known without bias holds with it (``docs/families-by-chart.md``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError
from flowscape.problem.activation import Activation
from flowscape.problem.network import TwoLayer, check_network
from flowscape.problem.teacher import Teacher
from flowscape.problem.traits import exponentials, traits

Floats = NDArray[np.float64]


def is_exponential(net: TwoLayer) -> bool:
    """Whether a network has biases that only rescale its outgoing weights."""
    check_network(net)
    return net.bias and traits(net.activation).is_exponential


def rate_of(activation: Activation) -> float:
    """Return k of an activation C e^{kz}."""
    (rate,) = exponentials(activation.terms)
    return rate


def without_bias(teacher: Teacher) -> Teacher:
    """Return the same function as a network without hidden biases.

    Raises
    ------
    ProblemError
        If a e^{kb} overflows, or is lost to underflow.
    """
    net = teacher.net
    if not is_exponential(net):
        return teacher
    parts = net.unpack(np.asarray(teacher.theta, dtype=np.float64))
    bias = parts.b
    assert bias is not None  # an exponential network has biases
    rate = rate_of(net.activation)
    plain = replace(net, bias=False)
    with np.errstate(over="ignore", invalid="ignore"):
        growth = np.exp(rate * bias)
        outgoing = parts.a * (growth if net.outputs == 1 else growth[:, None])
    largest, given = (np.abs(w.reshape(net.width, -1)).max(axis=1) for w in (outgoing, parts.a))
    out = ~np.isfinite(largest) | ((given > 0) & (largest < np.finfo(np.float64).tiny))
    if out.any():
        k = int(np.argmax(out))
        verb = "underflows" if largest[k] < 1.0 else "overflows"
        raise ProblemError(
            f"teacher has b[{k}]={bias[k]}, and a e^(kb) with k={rate} {verb}; it must be a "
            "normal number, as it is the outgoing weight of the same neuron without bias"
        )
    return Teacher(plain, plain.pack(a=outgoing, w=parts.w, c=parts.c))


@dataclass(frozen=True)
class ExponentialChart:
    """The map (a, w, b) -> (A, w) of a student; see the module.

    Attributes
    ----------
    net : TwoLayer
        The student, with biases.
    """

    net: TwoLayer

    @property
    def plain_net(self) -> TwoLayer:
        """The student without biases."""
        return replace(self.net, bias=False)

    @cached_property
    def rate(self) -> float:
        """The k of e^{kz}."""
        return rate_of(self.net.activation)

    @cached_property
    def setting(self) -> Setting:
        """Dimensions of the student; its branches know no signs, zeros or silent neurons."""
        return self._setting(self.net)

    @cached_property
    def plain(self) -> Setting:
        """Dimensions of the student without biases."""
        return self._setting(self.plain_net)

    def _setting(self, net: TwoLayer) -> Setting:
        return Setting.unsigned(net, at_zero=traits(net.activation).value_at_zero)

    def image(self, theta: Floats) -> Floats:
        """Return the canonical parameters (B, P') of networks (B, P)."""
        outgoing, incoming, constant = self.setting.split(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            outgoing *= np.exp(self.rate * incoming[:, :, -1:])
        return self.plain.join(outgoing, incoming[:, :, :-1], constant)

    def lift(self, canonical: Floats, biases: Floats) -> Floats:
        """Return the networks (B, P) with given canonical parameters (B, P') and biases (B, m)."""
        outgoing, incoming, constant = self.plain.split(canonical)
        outgoing *= np.exp(-self.rate * biases)[:, :, None]
        return self.setting.join(
            outgoing, np.concatenate([incoming, biases[:, :, None]], axis=2), constant
        )

    def biases(self, theta: Floats) -> Floats:
        """Return the biases (B, m) of networks (B, P)."""
        biases: Floats = self.setting.split(theta)[1][:, :, -1]
        return biases

    def derivative(self, theta: Floats) -> Floats:
        """Return the derivative (P', P) of `image` at one network (P,)."""
        s, plain = self.setting, self.plain
        outgoing, incoming, _ = (part[0] for part in s.split(theta[None]))
        growth = np.exp(self.rate * incoming[:, -1])
        matrix = np.zeros((plain.n_params, s.n_params))
        for k in range(s.width):
            for o in range(s.outputs):
                matrix[plain.a_index(k, o), s.a_index(k, o)] = growth[k]
                slope = self.rate * outgoing[k, o] * growth[k]
                matrix[plain.a_index(k, o), s.v_index(k, s.inputs)] = slope
            for j in range(s.inputs):
                matrix[plain.v_index(k, j), s.v_index(k, j)] = 1.0
        for o in range(s.outputs if s.output_bias else 0):
            matrix[plain.c_index(o), s.c_index(o)] = 1.0
        return matrix
