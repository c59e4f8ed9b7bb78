"""The target function: a network with its parameters."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.brief import Brief
from flowscape.errors import ProblemError, check_keys, finite_array
from flowscape.problem.hashing import array_hash, content_hash
from flowscape.problem.layout import Parameters
from flowscape.problem.network import TwoLayer, check_network

__all__ = ["Teacher"]

_NETWORK_KEYS = ("activation", "bias", "outputs", "output_bias")
_PART_KEYS = ("a", "w", "b", "c")


@dataclass(frozen=True, eq=False, repr=False)
class Teacher(Brief):
    """A target function given by a network; equal if network and parameters are.

    Parameters
    ----------
    net : TwoLayer
        Its shape.
    theta : (P,) array_like
        Its parameters; a read-only copy is kept.

    Raises
    ------
    ShapeError, ProblemError
        If `theta` has another length or holds NaN or infinity.
    """

    net: TwoLayer
    theta: NDArray[np.float64]

    def __post_init__(self) -> None:
        check_network(self.net)
        remedy = "give the parameters of one network, e.g. by net.pack"
        theta = finite_array("theta", self.theta, (self.net.n_params,), remedy=remedy).copy()
        theta.flags.writeable = False
        object.__setattr__(self, "theta", theta)

    def __call__(self, x: ArrayLike, *, n_threads: int = 1) -> NDArray[np.float64]:
        """Return the target's values: (N,) for one output, else (N, K); see `TwoLayer`."""
        return self.net(self.theta, x, n_threads=n_threads)

    @property
    def parameters(self) -> Parameters:
        """The parameters by role (read-only views)."""
        return self.net.unpack(self.theta)

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of network and parameters, in hex."""
        return content_hash({"Teacher": self.net.to_toml(), "theta": array_hash(self.theta)})

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, Teacher) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[type[Teacher], tuple[TwoLayer, NDArray[np.float64]]]:
        # through the constructor, because a pickled array comes back writeable
        return Teacher, (self.net, self.theta)

    def to_toml(self) -> dict[str, Any]:
        """Return network and parameters as one TOML-able dict (a, w, b, c as nested lists)."""
        parts = self.parameters._asdict()
        values = {name: part.tolist() for name, part in parts.items() if part is not None}
        return {**self.net.to_toml(), **values}

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], where: str = "teacher") -> Teacher:
        """Return the teacher that a TOML table describes.

        Parameters
        ----------
        table : mapping
            The keys of `TwoLayer.from_toml` and the parts a, w, b, c of the parameters, with
            b and c exactly if the network has such biases.
        where : str
            Where the table stands, for messages.

        Raises
        ------
        ProblemError
            If a key is unknown or missing, or a value breaks its rule.
        """
        required = ("width", "inputs", "a", "w")
        fields = check_keys(where, table, (*_NETWORK_KEYS, "b", "c"), required)
        parts = {key: fields.pop(key) for key in _PART_KEYS if key in fields}
        net = TwoLayer.from_toml(fields, where)
        try:
            return cls(net, net.pack(**parts))
        except ValueError as error:
            raise ProblemError(f"{where}: {error}") from None
