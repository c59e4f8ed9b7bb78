"""A problem (network, data, loss) and its compiled loss, gradient, Hessian and Jacobian."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.brief import Brief
from flowscape.errors import (
    ProblemError,
    ShapeError,
    check_count,
    check_keys,
    check_positive,
    describe,
    float_array,
)
from flowscape.problem import Samples, Teacher, TwoLayer, content_hash, loss_scale
from flowscape.problem.compiled import compiled_objective
from flowscape.problem.network import check_network
from flowscape.threads import thread_count

__all__ = ["Noise", "Problem"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Noise(Brief):
    """Bounds on the rounding errors of a computed objective, per network: () or (B,).

    Attributes
    ----------
    zero_loss : ndarray
        Largest loss that rounding alone can leave of a residual that is zero.
    loss, gradient, hessian : ndarray
        Error of the loss, of the gradient (infinity norm), of the Hessian (spectral norm).
    """

    zero_loss: Floats
    loss: Floats
    gradient: Floats
    hessian: Floats


@dataclass(frozen=True, eq=False)
class Problem:
    r"""What is minimised: a network on samples with a loss.

    .. math:: L(\theta) = s \sum_i w_i\, |f_\theta(x_i) - y_i|^2 + \tfrac12\, l_2\, |\theta|^2

    with s = 1 (``sum``), 1/2 (``half_sum``), 1/W (``mean``), 1/(2W) (``half_mean``) and W the
    sum of the weights, which is N without weights. A time of a flow belongs to its loss.

    Every method takes parameters of shape (P,) or (B, P); a batch adds B in front of the result.
    The bits of a network's numbers do not depend on its batch or on the number of threads.

    Parameters
    ----------
    net : TwoLayer
        The network that is trained.
    data : Samples
        Inputs, targets and weights.
    loss : {"sum", "half_sum", "mean", "half_mean"}
        The factor s.
    l2 : float
        Weight decay >= 0.
    teacher : Teacher, optional
        The target, if it is known: it tells perfect from imperfect minima.

    Raises
    ------
    OptionError, ProblemError
        If the loss is unknown, l2 negative, or network, data and teacher do not fit together.
    """

    net: TwoLayer
    data: Samples
    loss_name: str
    l2: float
    teacher: Teacher | None
    _scale: float = field(repr=False)

    def __init__(
        self,
        net: TwoLayer,
        data: Samples,
        loss: str = "sum",
        l2: float = 0.0,
        teacher: Teacher | None = None,
    ) -> None:
        check_network(net)
        if not isinstance(data, Samples):
            raise ProblemError(f"data={describe(data)} must be Samples; give Samples(x, y)")
        _check_fit("data", data.inputs, data.outputs, net)
        if teacher is not None:
            if not isinstance(teacher, Teacher):
                raise ProblemError(f"teacher={describe(teacher)} must be a Teacher or None")
            _check_fit("teacher", teacher.net.inputs, teacher.net.outputs, net)
        scale = loss_scale(loss, data.total_weight)
        fields = {
            "net": net,
            "data": data,
            "loss_name": loss,
            "l2": check_positive("l2", l2, "give the weight decay, 0 for none", zero=True),
            "teacher": teacher,
            "_scale": scale,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    # --- values ---------------------------------------------------------------------------

    def loss(self, theta: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Return the loss, () or (B,)."""
        # Not through `evaluate` alone: its frame is a tenth of what a small network's loss costs.
        plain = self.core.evaluate_plain(theta, 0, n_threads)
        return (self.evaluate(theta, 0, n_threads=n_threads) if plain is None else plain)[0]

    def gradient(self, theta: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Return the gradient, (P,) or (B, P)."""
        return self.evaluate(theta, 1, n_threads=n_threads)[1]

    def hessian(self, theta: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Return the Hessian, (P, P) or (B, P, P), by closed form."""
        return self.evaluate(theta, 2, n_threads=n_threads)[2]

    def evaluate(
        self, theta: ArrayLike, order: int = 2, *, n_threads: int | None = None
    ) -> tuple[Floats, ...]:
        """Return (loss, gradient, Hessian) up to derivative `order` in one pass.

        Each is bit for bit what `loss`, `gradient` and `hessian` return.

        Parameters
        ----------
        theta : (P,) or (B, P) array_like
            Parameters; NaN and infinity pass and spoil their own row only.
        order : {0, 1, 2}
            Highest derivative.
        n_threads : int, optional
            Default: every processor this process may use.

        Raises
        ------
        ShapeError, OptionError, ProblemError
            If an argument has a wrong shape or value.
        """
        plain = self.core.evaluate_plain(theta, order, n_threads)
        if plain is not None:
            return plain
        rows, single = self._rows(theta)
        out = self.core.evaluate(rows, _order(order), thread_count(n_threads))
        return tuple(part[0] for part in out) if single else out

    def hvp(self, theta: ArrayLike, v: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Return Hessian times vector, (P,) or (B, P), without forming the Hessian.

        Parameters
        ----------
        theta, v : (P,) or (B, P) array_like
            Points and directions; one of them is repeated if only the other is a batch.
        """
        rows, single = self._rows(theta)
        directions, single_direction = self._rows(v, "v")
        if len(rows) != len(directions):
            if 1 not in (len(rows), len(directions)):
                raise ShapeError(
                    f"v has shape {directions.shape} and must have shape {rows.shape}, that of "
                    "theta; give as many directions as points, or one of either"
                )
            shape = (max(len(rows), len(directions)), self.net.n_params)
            rows = np.ascontiguousarray(np.broadcast_to(rows, shape))
            directions = np.ascontiguousarray(np.broadcast_to(directions, shape))
        product = self.core.hvp(rows, directions, thread_count(n_threads))
        return product[0] if single and single_direction else product

    def residual(self, theta: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Return f(x_i) - y_i, unweighted: (N,), or (N, K) for several outputs."""
        rows, single = self._rows(theta)
        (values,) = self.core.residual(rows, False, thread_count(n_threads))
        values = values[..., 0] if self.net.outputs == 1 else values
        return values[0] if single else values

    def jacobian(self, theta: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Return the derivative of `residual`: (N, P), or (N, K, P) for several outputs."""
        rows, single = self._rows(theta)
        values = self.core.residual(rows, True, thread_count(n_threads))[1]
        values = values[..., 0, :] if self.net.outputs == 1 else values
        return values[0] if single else values

    def noise(self, theta: ArrayLike, *, n_threads: int | None = None) -> Noise:
        """Return bounds on the rounding errors of the computed values; see `Noise`."""
        rows, single = self._rows(theta)
        parts = self.core.noise(rows, thread_count(n_threads))
        return Noise(*(part[0] for part in parts) if single else parts)

    @property
    def scale(self) -> float:
        """The factor s of the loss."""
        return self._scale

    # --- identity -------------------------------------------------------------------------

    @property
    def kernel(self) -> str:
        """Kernel of the compiled core: a function of the problem's shape alone."""
        return self.core.kernel

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of the whole description, in hex."""
        teacher = None if self.teacher is None else self.teacher.hash
        parts = [self.net.hash, self.data.hash, self.loss_name, self.l2, teacher]
        return content_hash({"Problem": parts})

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, Problem) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[type[Problem], tuple[Any, ...]]:
        # the compiled objective stays behind: it belongs to one instruction set
        return Problem, (self.net, self.data, self.loss_name, self.l2, self.teacher)

    def __repr__(self) -> str:
        return (
            f"Problem({self.net!r}, {len(self.data)} samples, loss={self.loss_name!r}, "
            f"l2={self.l2!r}, teacher={self.teacher is not None})"
        )

    def to_toml(self) -> dict[str, Any]:
        """Return everything as a TOML-able dict; `from_toml` reads it back."""
        table: dict[str, Any] = {
            "loss": self.loss_name,
            "l2": self.l2,
            "network": self.net.to_toml(),
            "samples": self.data.to_toml(),
        }
        return table if self.teacher is None else {**table, "teacher": self.teacher.to_toml()}

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], where: str = "problem") -> Problem:
        """Return the problem that `to_toml` described.

        Raises
        ------
        OptionError, ProblemError
            If a key is unknown or missing, or a value breaks its rule.
        """
        fields = check_keys(where, table, ("loss", "l2", "teacher"), ("network", "samples"))
        net = TwoLayer.from_toml(fields.pop("network"), f"{where}, [network]")
        data = Samples.from_toml(fields.pop("samples"), f"{where}, [samples]")
        if "teacher" in fields:
            fields["teacher"] = Teacher.from_toml(fields["teacher"], f"{where}, [teacher]")
        return cls(net, data, **fields)

    # --- the compiled core ------------------------------------------------------------------

    @functools.cached_property
    def core(self) -> Any:
        """The compiled objective; private to the package."""
        return self.compiled("auto")

    def compiled(self, kernel: str) -> Any:
        """Return a compiled objective on this kernel; private to the package and its tests."""
        net, data = self.net, self.data
        return compiled_objective(
            net.activation,
            net.layout,
            data.x,
            data.y.reshape(len(data), net.outputs),
            data.weights,
            scale=self._scale,
            l2=self.l2,
            kernel=kernel,
        )

    def _rows(self, theta: ArrayLike, name: str = "theta") -> tuple[Floats, bool]:
        p = self.net.n_params
        rows = float_array(name, theta, (p,), ("B", p))
        return (rows[None], True) if rows.ndim == 1 else (rows, False)


def _order(order: int) -> int:
    return check_count("order", order, "give the highest derivative", minimum=0, maximum=2)


def _check_fit(name: str, inputs: int, outputs: int, net: TwoLayer) -> None:
    for what, own, wanted in (("inputs", inputs, net.inputs), ("outputs", outputs, net.outputs)):
        if own != wanted:
            raise ProblemError(
                f"{name} has {own} {what} and the network has {wanted}; make them equal"
            )
