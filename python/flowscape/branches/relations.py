"""Which pairs (activation, bias) the enumeration knows, and the relations of the others.

The proofs are in ``docs/theory.md``, "Which activations".
"""

from __future__ import annotations

from dataclasses import replace

from flowscape.branches.setting import Setting
from flowscape.errors import ProblemError
from flowscape.problem.activation import Activation
from flowscape.problem.network import TwoLayer
from flowscape.problem.symmetry import SymmetryClass, symmetry
from flowscape.problem.traits import split, traits
from flowscape.problem.zeros import zeros

_RELATIONS = {
    SymmetryClass.ODD_PLUS_POLYNOMIAL: (
        "sigma(c+z) + sigma(c-z) is a polynomial, so pairs of neurons w, -w make polynomials"
    ),
    SymmetryClass.EVEN_PLUS_POLYNOMIAL: (
        "sigma(c+z) - sigma(c-z) is a polynomial, so pairs of neurons w, -w make polynomials"
    ),
    SymmetryClass.HOMOGENEOUS: (
        "sigma(s z) = s sigma(z) for s > 0, so (a, w) and (a/s, s w) are the same neuron"
    ),
    SymmetryClass.POLYNOMIAL: "its networks span a space of finite dimension",
}

_SYMMETRIC = (
    SymmetryClass.ODD,
    SymmetryClass.EVEN,
    SymmetryClass.ODD_PLUS_CONSTANT,
    SymmetryClass.EVEN_PLUS_LINEAR,
)

_FAMILIES = {"sigmoid": "tanh", "Phi": "erf"}
"""Names that an affine change of variable turns into another one, up to a constant."""


def setting_of(net: TwoLayer) -> Setting:
    """Return the setting of a student network.

    Raises
    ------
    ProblemError
        If its activation obeys relations that the enumeration does not know; the message
        names the activation, its class and the relation.
    """
    activation = net.activation
    found = symmetry(activation, net.bias)
    kind = found.kind
    if kind in _RELATIONS:
        raise _refusal(net, kind, _RELATIONS[kind])
    properties = traits(activation)
    if properties.has_kink:
        raise _refusal(net, kind, "it has a kink, and the theory needs an analytic activation")
    if net.bias:
        _check_shifts(net, kind)
    signed = kind in _SYMMETRIC
    at_zero = properties.value_at_zero
    return replace(
        Setting.unsigned(net, silent=not net.bias and at_zero == 0.0, at_zero=at_zero),
        signed=signed,
        centre=found.centre if signed and net.bias else 0.0,
        zeros=_zeros(net, kind) if net.bias and not net.output_bias else (),
        even=kind in (SymmetryClass.EVEN, SymmetryClass.EVEN_PLUS_LINEAR),
        level=found.constant if kind is SymmetryClass.ODD_PLUS_CONSTANT else 0.0,
        slope=found.slope if kind is SymmetryClass.EVEN_PLUS_LINEAR else 0.0,
    )


def _check_shifts(net: TwoLayer, kind: SymmetryClass) -> None:
    """Refuse activations whose shifts are dependent, up to sign if it is symmetric."""
    activation = net.activation
    if traits(activation).is_exponential:
        raise _refusal(net, kind, "a exp(w x + b) depends on a e^b only, with a bias")
    if traits(activation).is_periodic:
        raise _refusal(
            net,
            kind,
            "a sin(z + b) = (a cos b) sin z + (a sin b) cos z, so the neurons of one w add up as "
            "phasors a e^{ib}, whose shifts span a space of finite dimension and whose components "
            "repeat without end",
        )
    if traits(activation).has_finite_shift_span:
        raise _refusal(
            net, kind, "its shifts sigma(z + b) span a space of finite dimension, with a bias"
        )
    if kind in _SYMMETRIC:
        return
    families: dict[str, list[int]] = {}
    for i, term in enumerate(activation.terms):
        if term.name not in ("const", "polynomial", "exp", "sinh", "sin", "cos"):
            families.setdefault(_FAMILIES.get(term.name, term.name), []).append(i)
    parts = [Activation(tuple(activation.terms[i] for i in p)) for p in families.values()]
    if all(symmetry(part, True).kind is SymmetryClass.GENERIC for part in parts):
        if len(parts) > 1:
            relation = (
                "it sums several shifted copies of each of its functions, and relations between "
                "shifts and reflections of the sum are not excluded"
            )
        else:
            relation = (
                "it sums shifted copies of one function that is odd or even, so shifts and "
                "reflections of the sum combine to 0 (e.g. four neurons, for two copies)"
            )
        raise _refusal(net, kind, relation)
    elementary, rest = split(activation)
    if elementary and symmetry(Activation(rest), True).kind is not SymmetryClass.GENERIC:
        raise _refusal(
            net,
            kind,
            "a symmetric part cancels in pairs w, -w, and what is left of the exponentials and "
            "oscillations has shifts that span a space of finite dimension",
        )


def _zeros(net: TwoLayer, kind: SymmetryClass) -> tuple[float, ...]:
    found = zeros(net.activation)
    if not found.complete or found.intervals:
        note = found.note or "it vanishes on an interval"
        raise _refusal(net, kind, f"its zeros, which silence constant neurons, are unknown: {note}")
    return found.points


def _refusal(net: TwoLayer, kind: SymmetryClass, relation: str) -> ProblemError:
    return ProblemError(
        f"activation={str(net.activation)!r} with bias={net.bias} has class {kind.value!r}: "
        f"{relation}; the branches of such networks are not known here, use a generic, odd or "
        "even one, the latter also plus a constant or a linear function"
    )
