"""Samples: inputs, targets, weights."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.brief import Brief
from flowscape.errors import ProblemError, check_keys, describe, finite_array
from flowscape.problem.hashing import array_hash, content_hash
from flowscape.problem.inputs import as_inputs
from flowscape.problem.teacher import Teacher

__all__ = ["Samples"]


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Brief):
    """A finite set of samples; equal if all numbers are.

    Parameters
    ----------
    x : (N, d) array_like
        Inputs, N >= 1. (N,) means d = 1.
    y : (N,) or (N, K) array_like
        Targets. (N, 1) is stored as (N,).
    weights : (N,) array_like, optional
        Weights >= 0 of the samples in the loss, not all 0. None means 1 each.

    Raises
    ------
    ShapeError, ProblemError
        If shapes disagree, there is no sample, a number is not finite or a weight negative.

    Notes
    -----
    Read-only copies are kept.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        x = as_inputs("x", self.x)
        n = x.shape[0]
        y = finite_array("y", self.y, (n,), (n, "K"), remedy=f"give one target for each of {n} x")
        if y.ndim == 2 and y.shape[1] == 0:
            raise ProblemError(f"y has shape {y.shape} and must have at least one output")
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        object.__setattr__(self, "x", _frozen(x))
        object.__setattr__(self, "y", _frozen(y))
        if self.weights is not None:
            object.__setattr__(self, "weights", _frozen(_checked_weights(self.weights, n)))

    @classmethod
    def of(cls, teacher: Teacher, x: ArrayLike, weights: ArrayLike | None = None) -> Samples:
        """Return the samples (x, teacher(x)).

        Parameters
        ----------
        teacher : Teacher
            The target.
        x : (N, d) array_like
            Inputs; (N,) is accepted for d = 1.
        weights : (N,) array_like, optional
            As in the class.
        """
        if not isinstance(teacher, Teacher):
            raise ProblemError(
                f"teacher={describe(teacher)} must be a Teacher; for targets of your own use "
                "Samples(x, y)"
            )
        x = as_inputs("x", x, teacher.net.inputs)
        return cls(x, teacher(x), weights)  # type: ignore[arg-type]  # converted in __post_init__

    def __len__(self) -> int:
        return int(self.x.shape[0])

    @property
    def inputs(self) -> int:
        """Input dimension d."""
        return int(self.x.shape[1])

    @property
    def outputs(self) -> int:
        """Output dimension K."""
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    @property
    def total_weight(self) -> float:
        """W: sum of the weights, N without weights."""
        return float(len(self)) if self.weights is None else float(self.weights.sum())

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of all numbers, in hex."""
        weights = "" if self.weights is None else array_hash(self.weights)
        return content_hash(
            {"Samples": [array_hash(self.x), array_hash(self.y)], "weights": weights}
        )

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, Samples) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[type[Samples], tuple[Any, ...]]:
        # through the constructor, because a pickled array comes back writeable
        return Samples, (self.x, self.y, self.weights)

    def to_toml(self) -> dict[str, Any]:
        """Return all numbers as a TOML-able dict of nested lists."""
        table = {"x": self.x.tolist(), "y": self.y.tolist()}
        return table if self.weights is None else {**table, "weights": self.weights.tolist()}

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], where: str = "samples") -> Samples:
        """Return the samples in a TOML table with the keys x, y and perhaps weights.

        Raises
        ------
        ProblemError
            If a key is unknown or missing, or a value breaks its rule.
        """
        fields = check_keys(where, table, ("weights",), ("x", "y"))
        try:
            return cls(**fields)
        except ValueError as error:
            raise ProblemError(f"{where}: {error}") from None


def _checked_weights(weights: ArrayLike, n: int) -> NDArray[np.float64]:
    remedy = f"give one weight for each of {n} samples"
    array = finite_array("weights", weights, (n,), remedy=remedy)
    if (array < 0).any():
        first = int(np.argmax(array < 0))
        raise ProblemError(f"weights[{first}]={float(array[first])!r} must be >= 0; use 0 to drop")
    with np.errstate(over="ignore"):
        total = float(array.sum())
    if not np.finfo(np.float64).tiny <= total < np.inf:
        raise ProblemError(
            f"weights={describe(array)} must have a positive finite sum, not {total!r}; "
            "rescale them or leave them out"
        )
    return array


def _frozen(array: NDArray[np.float64]) -> NDArray[np.float64]:
    copy = np.array(array, order="C")
    copy.flags.writeable = False
    return copy
