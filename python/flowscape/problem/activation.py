"""Activations: finite sums of named functions, sum_j c_j sigma_j(s_j z + h_j) + const."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import (
    OptionError,
    check_choice,
    check_count,
    check_keys,
    check_real,
    describe,
    finite_array,
)
from flowscape.problem.functions import FUNCTIONS, NAMES, Jet
from flowscape.problem.hashing import content_hash

__all__ = ["Activation", "ActivationSpec", "CoreTerm", "Term", "activation"]

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
        coefficients: Sequence[float] = self.coefficients
        if self.name in _IDENTITY_NAMES:
            if np.size(coefficients) > 0:
                raise OptionError(f"name={self.name!r} takes no coefficients; use 'polynomial'")
            object.__setattr__(self, "name", "polynomial")
            coefficients = (0.0, 1.0)
        check_choice("name", self.name, NAMES)
        for field in ("c", "s", "h"):
            # adding 0.0 turns -0.0 into 0.0, so that equal terms hash equally
            number = check_real(field, getattr(self, field), f"in the term {self.name!r}") + 0.0
            object.__setattr__(self, field, number)
        if self.name == "const" and (self.s, self.h) != (1.0, 0.0):
            raise OptionError("a term 'const' has neither s nor h; give the constant as c")
        if self.s == 0.0:
            raise OptionError(
                f"s=0.0 must not be 0 in the term {self.name!r}; write a constant as "
                '{"name": "const", "c": ...}'
            )
        object.__setattr__(self, "coefficients", self._checked(coefficients))

    def _checked(self, coefficients: Sequence[float]) -> tuple[float, ...]:
        if self.name != "polynomial":
            if np.size(coefficients) > 0:
                raise OptionError(
                    f"coefficients={describe(coefficients)} must be absent in the term "
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
        return tuple(value + 0.0 for value in values)

    def jet(self, z: float) -> Jet:
        """Return value and first and second derivative of the term at a finite z."""
        t = self.s * z + self.h
        if self.name == "const":
            return self.c, 0.0, 0.0
        if self.name == "polynomial":
            f, f1, f2 = _polynomial_jet(self.coefficients, t)
        else:
            f, f1, f2 = FUNCTIONS[self.name](t)
        return self.c * f, self.c * self.s * f1, self.c * self.s * self.s * f2

    def scale(self, z: float) -> float:
        """Return the size of the term at z, see `Activation.scale`."""
        f, f1, _ = self.jet(z)
        return abs(f) + (abs(z) + abs(self.h / self.s)) * abs(f1)

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


@dataclass(frozen=True)
class Activation:
    """A finite sum of terms, in canonical form.

    Terms that differ in c only are merged, constants too; terms that vanish are dropped; the
    rest is sorted. Sums that are written differently but hold the same terms are equal and
    have the same hash. Identities between functions are not applied.

    Parameters
    ----------
    terms : iterable of Term
        In any order.

    Raises
    ------
    OptionError
        If there is no term, or all of them vanish.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", _canonical(self.terms))

    @classmethod
    def of(cls, spec: ActivationSpec) -> Activation:
        """Return the activation that a spec describes.

        Parameters
        ----------
        spec : str, mapping, Term, Activation or a list of such terms
            ``"tanh"``, or ``[{"name": "sigmoid", "s": 4.0}, "softplus"]``: the same in Python
            and in TOML.

        Raises
        ------
        OptionError
            If a name or key is unknown or a number breaks its rule.
        """
        if isinstance(spec, Activation):
            return spec
        if isinstance(spec, str | Mapping | Term):
            return cls((Term.of(spec),))
        if isinstance(spec, Sequence):
            return cls(tuple(Term.of(item) for item in spec))
        raise OptionError(
            f"activation={describe(spec)} must be a name or a list of terms; "
            f"the names are {', '.join(NAMES)}"
        )

    def spec(self) -> str | list[dict[str, Any]]:
        """Return the canonical spec; ``Activation.of(a.spec()) == a``.

        Returns
        -------
        str or list of dict
            The name alone for one plain term, else the list of terms. Both go into TOML.
        """
        table = self.terms[0].spec()
        if len(self.terms) == 1 and set(table) == {"name"}:
            return self.terms[0].name
        return [term.spec() for term in self.terms]

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical terms, in hex."""
        return content_hash({"activation": [term.spec() for term in self.terms]})

    @property
    def core_terms(self) -> list[CoreTerm]:
        """The terms as `_core.Activation` reads them."""
        return [(t.name, t.c, t.s, t.h, list(t.coefficients)) for t in self.terms]

    def __str__(self) -> str:
        return " + ".join(_formula(term) for term in self.terms).replace("+ -", "- ")

    def values(self, z: ArrayLike, order: int = 2) -> tuple[NDArray[np.float64], ...]:
        """Return value and derivatives by the slow reference, one element after the other.

        Parameters
        ----------
        z : array_like
            Finite, any shape.
        order : int
            0, 1 or 2: highest derivative wanted.

        Returns
        -------
        tuple of ndarray
            `order` + 1 arrays of the shape of `z`. Overflow gives inf, or NaN where infinite
            terms cancel.
        """
        check_count("order", order, "ask for 0, 1 or 2 derivatives", minimum=0, maximum=2)
        points = finite_array("z", z)
        jets = np.empty((points.size, 3))
        for row, point in zip(jets, points.ravel().tolist(), strict=True):
            row[:] = self.jet(point)
        return tuple(jets[:, k].reshape(points.shape) for k in range(order + 1))

    def jet(self, z: float) -> Jet:
        """Return value and first and second derivative at a finite float z."""
        jets = [term.jet(z) for term in self.terms]
        f, f1, f2 = (_sum(column) for column in zip(*jets, strict=True))
        return f, f1, f2

    def scale(self, z: float) -> float:
        """Return the size of the terms at z, against which round-off is measured.

        Returns
        -------
        float
            sum_j |c_j| (|sigma_j(t)| + (|s_j z| + |h_j|) |sigma_j'(t)|) with t = s_j z + h_j:
            the second part is the effect of rounding the argument.
        """
        return sum(term.scale(z) for term in self.terms)


ActivationSpec = TermSpec | Sequence[TermSpec] | Activation


def activation(
    name: str,
    *,
    beta: float = 1.0,
    scale: float = 1.0,
    shift: float = 0.0,
    minus: float = 0.0,
    coefficients: Sequence[float] = (),
) -> Activation:
    r"""Return a common activation made of one named function.

    .. math:: \sigma(z) = \tfrac{1}{\beta}\,\sigma_{name}(\beta\,(scale\cdot z + shift)) - minus

    Parameters
    ----------
    name : str
        One of `flowscape.problem.functions.NAMES`, except ``"const"``.
    beta : float
        Sharpness > 0 that keeps the slope: ``activation("softplus", beta=2)`` is
        softplus(2 z) / 2, and ``activation("silu", beta=2)`` is z sigmoid(2 z).
    scale : float
        Factor of z, not 0: ``activation("erf", scale=2**-0.5)`` is erf(z / sqrt 2).
    shift : float
        ``activation("tanh", shift=0.1)`` is tanh(z + 0.1).
    minus : float
        Constant to subtract: ``activation("softplus", minus=math.log(2))`` vanishes at 0.
    coefficients : sequence of float
        For ``"polynomial"`` only.

    Raises
    ------
    OptionError
        If a name is unknown or a number breaks its rule.
    """
    beta = check_real("beta", beta)
    if beta <= 0:
        raise OptionError(f"beta={beta!r} must be > 0; mirror the argument with scale=-1")
    if name == "const":
        raise OptionError("name='const' must be a function of z; use Activation.of for constants")
    scale, shift = check_real("scale", scale), check_real("shift", shift)
    term = Term(name, 1.0 / beta, beta * scale, beta * shift, tuple(coefficients))
    return Activation((term, Term("const", -check_real("minus", minus))))


def _canonical(terms: Iterable[Term]) -> tuple[Term, ...]:
    factors: dict[tuple[str, float, float, tuple[float, ...]], list[float]] = {}
    count = 0
    for term in terms:
        if not isinstance(term, Term):
            raise OptionError(f"terms must hold Term objects, not {describe(term)}; use .of")
        count += 1
        key = (term.name, term.s, term.h, term.coefficients)
        if term.name == "polynomial" and len(term.coefficients) == 1:
            key = ("const", 1.0, 0.0, ())
            factors.setdefault(key, []).append(term.c * term.coefficients[0])
        else:
            factors.setdefault(key, []).append(term.c)
    if count == 0:
        raise OptionError("activation=[] must hold at least one term; give a name or a list")
    merged = []
    for (name, s, h, coefficients), parts in factors.items():
        total = math.fsum(parts)
        if total != 0.0:
            merged.append(Term(name, total, s, h, coefficients))
    if not merged:
        raise OptionError("the activation is identically 0: all its terms cancel; change a factor")
    merged.sort(key=lambda term: (NAMES.index(term.name), term.s, term.h, term.coefficients))
    return tuple(merged)


def _sum(values: Iterable[float]) -> float:
    values = tuple(values)
    # fsum refuses infinities of both signs; the plain sum gives the NaN that is due
    return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)


def _formula(term: Term) -> str:
    if term.name == "const":
        return f"{term.c:.6g}"
    argument = "z" if term.s == 1.0 else f"{term.s:.6g} z"
    if term.h != 0.0:
        argument += f" {'+' if term.h > 0 else '-'} {abs(term.h):.6g}"
    inner = ", ".join(f"{value:.6g}" for value in term.coefficients)
    name = f"polynomial[{inner}]" if term.name == "polynomial" else term.name
    return f"{'' if term.c == 1.0 else f'{term.c:.6g} '}{name}({argument})"
