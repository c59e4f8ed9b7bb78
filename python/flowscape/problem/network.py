"""Two-layer networks: shape, initialization, values."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import (
    OptionError,
    ProblemError,
    check_choice,
    check_count,
    check_flag,
    check_instance,
    check_keys,
    check_positive,
)
from flowscape.problem.activation import Activation, ActivationSpec
from flowscape.problem.hashing import content_hash
from flowscape.problem.inputs import as_inputs
from flowscape.problem.layout import Layout, Parameters
from flowscape.problem.streams import Purpose, Seed, stream_key

__all__ = ["INITIALIZATIONS", "TwoLayer", "check_network"]

INITIALIZATIONS: tuple[str, ...] = ("normal", "glorot")

MOST_PARAMETERS: int = 10**8
"""Largest number of parameters of a network."""


def check_network(net: object) -> TwoLayer:
    """Return `net` if it is a TwoLayer.

    Raises
    ------
    ProblemError
        If it is anything else.
    """
    return check_instance("net", net, TwoLayer, "give the network", error=ProblemError)


@dataclass(frozen=True)
class TwoLayer:
    r"""A two-layer network, without its parameters.

    .. math:: f_o(x) = \sum_{k=1}^m a_{k,o}\, \sigma(w_k \cdot x + b_k) + c_o

    The parameter vector is neuron-major: :math:`\theta = (a_1, w_1, b_1, a_2, \dots, c)`, with
    K values in each a_k, d in each w_k, b_k only with `bias`, and c (K values) only with
    `output_bias`.

    Parameters
    ----------
    width : int
        Hidden neurons m >= 1.
    inputs : int
        Input dimension d >= 1.
    activation : str, list of terms or Activation
        See `flowscape.problem.activation.Activation.of`.
    bias, output_bias : bool
        Whether the hidden neurons, the outputs, have a bias.
    outputs : int
        Output dimension K >= 1.

    Raises
    ------
    OptionError
        If an argument breaks its rule.
    """

    width: int
    inputs: int
    activation: Activation
    bias: bool
    outputs: int
    output_bias: bool

    def __init__(
        self,
        width: int,
        inputs: int,
        activation: ActivationSpec = "tanh",
        bias: bool = True,
        outputs: int = 1,
        output_bias: bool = False,
    ) -> None:
        fields = {
            "width": check_count("width", width, "give the number of hidden neurons"),
            "inputs": check_count("inputs", inputs, "give the input dimension"),
            "activation": Activation.of(activation),
            "bias": check_flag("bias", bias),
            "outputs": check_count("outputs", outputs, "give the output dimension"),
            "output_bias": check_flag("output_bias", output_bias),
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        if self.n_params > MOST_PARAMETERS:
            raise OptionError(
                f"width={self.width}, inputs={self.inputs}, outputs={self.outputs} make "
                f"{self.n_params} parameters and may make {MOST_PARAMETERS}; lower one of them"
            )

    @functools.cached_property
    def layout(self) -> Layout:
        """The order of the parameters in their vector."""
        return Layout(self.width, self.inputs, self.outputs, self.bias, self.output_bias)

    @property
    def neuron_inputs(self) -> int:
        """D: incoming parameters of one neuron, its bias included."""
        return self.layout.neuron_inputs

    @property
    def n_params(self) -> int:
        """P: length of the parameter vector."""
        return self.layout.n_params

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of the description, in hex."""
        return content_hash({"TwoLayer": self.to_toml()})

    def pack(
        self,
        *,
        a: ArrayLike,
        w: ArrayLike,
        b: ArrayLike | None = None,
        c: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Return the parameter vector, or a batch of them, from its parts.

        Parameters
        ----------
        a, w, b, c : array_like
            Shapes as in `Parameters`; all with or all without the batch axis. `b` and `c`
            exactly if the network has such biases.

        Returns
        -------
        (P,) or (B, P) ndarray

        Raises
        ------
        ShapeError, ProblemError
            If a shape is wrong, a part is missing or not asked for, or a number is not finite.
        """
        return self.layout.pack(a=a, w=w, b=b, c=c)

    def unpack(self, theta: ArrayLike) -> Parameters:
        """Return the parts of a parameter vector or of a batch.

        Parameters
        ----------
        theta : (P,) or (B, P) array_like
            NaN and infinity pass: a run may have ended there.

        Returns
        -------
        parts : Parameters
            Views of `theta` where it is a C-contiguous float64 array.

        Raises
        ------
        ShapeError
            If the last axis is not P.
        """
        return self.layout.unpack(theta)

    def init(
        self,
        n: int,
        *,
        rng: Seed,
        scale: float = 1.0,
        kind: str = "normal",
        first_run: int = 0,
    ) -> NDArray[np.float64]:
        """Return `n` random initial parameter vectors.

        Parameters
        ----------
        n : int
            Number of runs >= 1.
        rng : int, SeedSequence or Generator
            Root of the random stream, see `flowscape.problem.streams.stream_key`.
        scale : float
            Factor > 0 of all standard deviations.
        kind : {"normal", "glorot"}
            ``"normal"``: every parameter is N(0, scale^2). ``"glorot"``: weights of a layer have
            the standard deviation scale * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010),
            biases are 0.
        first_run : int
            Index of the first run: ``init(5)[3:]`` equals ``init(2, first_run=3)`` bit by bit.

        Returns
        -------
        (n, P) ndarray
            Row b depends on (`rng`, `first_run` + b), `scale` and `kind` only, never on `n`.

        Raises
        ------
        OptionError
            If an argument breaks its rule.
        """
        n = check_count("n", n, "give the number of runs")
        first_run = check_count("first_run", first_run, minimum=0, maximum=2**63 - 1)
        scale = check_positive("scale", scale, "give the standard deviation of the parameters")
        check_choice("kind", kind, INITIALIZATIONS)
        key = stream_key(rng, Purpose.INITIALISATION)
        from flowscape import _core  # the description works without the compiled core

        theta: NDArray[np.float64] = _core.philox_normals(*key, first_run, n, self.n_params)
        if kind == "normal":
            theta *= scale
            return theta
        parts = self.unpack(theta)
        parts.a[...] *= scale * math.sqrt(2.0 / (self.width + self.outputs))
        parts.w[...] *= scale * math.sqrt(2.0 / (self.inputs + self.width))
        for bias in (parts.b, parts.c):
            if bias is not None:
                bias[...] = 0.0
        return theta

    def __call__(
        self, theta: ArrayLike, x: ArrayLike, *, n_threads: int = 1
    ) -> NDArray[np.float64]:
        """Return the network's values.

        Parameters
        ----------
        theta : (P,) or (B, P) array_like
            Parameters; a row that is not finite gives values that are not.
        x : (N, d) array_like
            Inputs; (N,) is accepted for d = 1.
        n_threads : int
            Threads >= 1 for a batch; the values do not depend on it.

        Returns
        -------
        (N,), (N, K), (B, N) or (B, N, K) ndarray
            No last axis for one output, no first axis for one parameter vector.

        Raises
        ------
        ShapeError, ProblemError, OptionError
            If a shape is wrong, an input is not finite, or `n_threads` is not positive.
        """
        theta = self.layout.vectors(theta)
        x = as_inputs("x", x, self.inputs)
        n_threads = check_count("n_threads", n_threads)
        from flowscape.problem.compiled import compiled_objective  # as in init

        nothing = np.zeros((len(x), self.outputs))  # the residual against 0 is the value
        objective = compiled_objective(self.activation, self.layout, x, nothing)
        values: NDArray[np.float64]
        (values,) = objective.residual(np.atleast_2d(theta), False, n_threads)
        if self.outputs == 1:
            values = values[..., 0]
        return values[0] if theta.ndim == 1 else values

    def to_toml(self) -> dict[str, Any]:
        """Return the description as a TOML-able dict."""
        return {
            "width": self.width,
            "inputs": self.inputs,
            "activation": self.activation.spec(),
            "bias": self.bias,
            "outputs": self.outputs,
            "output_bias": self.output_bias,
        }

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], where: str = "network") -> TwoLayer:
        """Return the network that a TOML table describes.

        Parameters
        ----------
        table : mapping
            Keys are the arguments of the class; `width` and `inputs` are required.
        where : str
            Where the table stands, for messages.

        Raises
        ------
        ProblemError
            If a key is unknown or missing, or a value breaks its rule.
        """
        allowed = ("activation", "bias", "outputs", "output_bias")
        fields = check_keys(where, table, allowed, ("width", "inputs"))
        try:
            return cls(**fields)
        except ValueError as error:
            raise ProblemError(f"{where}: {error}") from None
