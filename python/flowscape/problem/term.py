"""One term c * sigma(s z + h) of an activation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import (
    OptionError,
    check_choice,
    check_keys,
    check_real,
    describe,
    finite_array,
    float_array,
)
from flowscape.problem.functions import FUNCTIONS, NAMES, Jet

__all__ = ["CoreTerm", "Term", "TermSpec"]

CoreTerm = tuple[str, float, float, float, list[float]]
"""(name, c, s, h, coefficients): one term as the compiled core reads it."""

_IDENTITY_NAMES = ("identity", "linear")


@dataclass(frozen=True)
class Term:
    """One term c * sigma(s z + h) of an activation.

    Parameters
    ----------
    name : str
        One of `flowscape.problem.functions.NAMES`, or ``"identity"`` (also ``"linear"``),
        which is stored as the polynomial [0, 1].
    c : float
        Factor in front. For ``"const"`` the constant itself.
    s : float
        Factor of z; not 0. Must be 1 for ``"const"``.
    h : float
        Shift of the argument. Must be 0 for ``"const"``.
    coefficients : sequence of float
        For ``"polynomial"`` only: p(t) = sum_i coefficients[i] t^i.

    Raises
    ------
    OptionError
        If a name is unknown or a number breaks its rule; ShapeError or ProblemError if
        `coefficients` is no list of finite numbers.
    """

    name: str
    c: float = 1.0
    s: float = 1.0
    h: float = 0.0
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        coefficients = float_array("coefficients", self.coefficients)
        if isinstance(self.name, str) and self.name in _IDENTITY_NAMES:
            if np.size(coefficients) > 0:
                raise OptionError(f"name={self.name!r} takes no coefficients; use 'polynomial'")
            object.__setattr__(self, "name", "polynomial")
            coefficients = np.array([0.0, 1.0])
        check_choice("activation", self.name, NAMES)
        for field in ("c", "s", "h"):
            number = check_real(field, getattr(self, field), f"in the term {self.name!r}")
            object.__setattr__(self, field, number)
        if self.name == "const" and (self.s, self.h) != (1.0, 0.0):
            raise OptionError("a term 'const' has neither s nor h; give the constant as c")
        if self.s == 0.0:
            raise OptionError(
                f"s=0.0 must not be 0 in the term {self.name!r}; write a constant as "
                '{"name": "const", "c": ...}'
            )
        object.__setattr__(self, "coefficients", self._checked(coefficients))

    def _checked(self, coefficients: NDArray[np.float64]) -> tuple[float, ...]:
        if self.name != "polynomial":
            if np.size(coefficients) > 0:
                raise OptionError(
                    f"coefficients={describe(self.coefficients)} must be absent in the term "
                    f"{self.name!r}; only 'polynomial' has coefficients"
                )
            return ()
        values = finite_array("coefficients", coefficients, ("n",)).tolist()
        if not values:
            raise OptionError(
                "coefficients=[] must hold at least one number in the term 'polynomial'; "
                "give [c0, c1, ...] for c0 + c1 z + ..."
            )
        while len(values) > 1 and values[-1] == 0.0:
            values.pop()
        # adding 0.0 turns -0.0 into 0.0, so that equal terms hash equally
        return tuple(value + 0.0 for value in values)

    def jet(self, z: float) -> Jet:
        """Return value and first and second derivative at a finite z; NaN if s z overflows."""
        t = self.s * check_real("z", z) + self.h
        if self.name == "const":
            return self.c, 0.0, 0.0
        if not math.isfinite(t):
            return math.nan, math.nan, math.nan
        if self.name == "polynomial":
            f, f1, f2 = _polynomial_jet(self.coefficients, t)
        else:
            f, f1, f2 = FUNCTIONS[self.name](t)
        return self.c * f, self.c * self.s * f1, self.c * self.s * self.s * f2

    def scale(self, z: float) -> float:
        """Return the size of the term at z, see `Activation.scale`."""
        f, f1, _ = self.jet(z)
        return abs(f) + (abs(z) + abs(self.h / self.s)) * abs(f1)

    def __str__(self) -> str:
        if self.name == "const":
            return f"{self.c:.6g}"
        argument = "z" if self.s == 1.0 else f"{self.s:.6g} z"
        if self.h != 0.0:
            argument += f" {'+' if self.h > 0 else '-'} {abs(self.h):.6g}"
        inner = ", ".join(f"{value:.6g}" for value in self.coefficients)
        name = f"polynomial[{inner}]" if self.name == "polynomial" else self.name
        return f"{'' if self.c == 1.0 else f'{self.c:.6g} '}{name}({argument})"

    def spec(self) -> dict[str, Any]:
        """Return the term as a TOML-able dict without the fields that have their default."""
        table: dict[str, Any] = {"name": self.name}
        for field, default in (("c", 1.0), ("s", 1.0), ("h", 0.0)):
            number = getattr(self, field)
            if number != default or (self.name == "const" and field == "c"):
                table[field] = number
        if self.name == "polynomial":
            table["coefficients"] = list(self.coefficients)
        return table

    @classmethod
    def of(cls, spec: TermSpec) -> Term:
        """Return a term from a name, a table or a term."""
        if isinstance(spec, Term):
            return spec
        if isinstance(spec, str):
            return cls(spec)
        if not isinstance(spec, Mapping):
            raise OptionError(
                f"activation term {describe(spec)} must be a name or a table such as "
                '{"name": "sigmoid", "c": 1.0, "s": 4.0, "h": 0.0}'
            )
        allowed = ("c", "s", "h", "coefficients")
        return cls(**check_keys("activation term", spec, allowed, ("name",), error=OptionError))


TermSpec = str | Mapping[str, Any] | Term


def _polynomial_jet(coefficients: Sequence[float], t: float) -> Jet:
    f = f1 = f2 = 0.0
    for coefficient in reversed(coefficients):
        f2 = f2 * t + f1
        f1 = f1 * t + f
        f = f * t + coefficient
    return f, f1, 2.0 * f2
