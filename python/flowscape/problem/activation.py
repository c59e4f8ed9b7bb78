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
    check_count,
    check_real,
    describe,
    finite_array,
)
from flowscape.problem.functions import NAMES, Jet
from flowscape.problem.hashing import content_hash
from flowscape.problem.series import taylor_coefficients
from flowscape.problem.term import CoreTerm, Term, TermSpec

__all__ = ["Activation", "ActivationSpec", "activation"]


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
        return " + ".join(str(term) for term in self.terms).replace("+ -", "- ")

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

    def compiled_values(self, z: ArrayLike, order: int = 2) -> tuple[NDArray[np.float64], ...]:
        """Return value and derivatives by the compiled kernels; arguments as in `values`."""
        check_count("order", order, "ask for 0, 1 or 2 derivatives", minimum=0, maximum=2)
        points = finite_array("z", z)
        from flowscape import _core  # the description works without the compiled core

        found = _core.activation_values(_core.Activation(self.core_terms), points, order)
        return tuple(found)

    def jet(self, z: float) -> Jet:
        """Return value and first and second derivative at a finite float z."""
        jets = [term.jet(z) for term in self.terms]
        f, f1, f2 = (_sum(column) for column in zip(*jets, strict=True))
        return f, f1, f2

    def taylor(self, order: int, at: float = 0.0) -> NDArray[np.float64]:
        """Return the Taylor coefficients sigma^(k)(at) / k!, k = 0 ... `order`.

        Parameters
        ----------
        order : int
            Highest power, 0 to 100.
        at : float
            Where to expand.

        Returns
        -------
        (order + 1,) ndarray
            Accurate to a few units in the last place of the largest coefficient of each
            order that occurs in the disc of convergence (``tests/reference/test_series.py``).

        Raises
        ------
        ProblemError
            At a kink of relu or leaky_relu.
        """
        order = check_count("order", order, "ask for 0 to 100", minimum=0, maximum=100)
        return taylor_coefficients(self.terms, order, check_real("at", at))

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
    if isinstance(name, str) and name == "const":
        raise OptionError("name='const' must be a function of z; use Activation.of for constants")
    scale, shift = check_real("scale", scale), check_real("shift", shift)
    powers = finite_array("coefficients", coefficients, ("n",)).tolist()
    term = Term(name, 1.0 / beta, beta * scale, beta * shift, tuple(powers))
    return Activation((term, Term("const", -check_real("minus", minus))))


def _canonical(terms: Iterable[Term]) -> tuple[Term, ...]:
    factors: dict[tuple[str, float, float, tuple[float, ...]], list[float]] = {}
    count = 0
    if not isinstance(terms, Iterable):
        raise OptionError(f"terms={describe(terms)} must be a sequence of Term objects; use .of")
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
        try:
            total = math.fsum(parts)
        except OverflowError:
            total = math.inf
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
