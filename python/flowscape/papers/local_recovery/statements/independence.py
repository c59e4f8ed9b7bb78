"""Sections 2.1 and 3.1: power series, generic activations, independence of neurons."""

from __future__ import annotations

from math import factorial, perm

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, holds_if, no_exception
from flowscape.papers.local_recovery.elimination import integer_rank
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import GENERIC, draw, features, rank
from flowscape.problem.activation import Activation, ActivationSpec

Floats = NDArray[np.float64]


ODD_OR_EVEN: dict[str, ActivationSpec] = {
    "tanh(z)": "tanh",
    "sin(z)": "sin",
    "cos(z)": "cos",
    "exp(-z^2)": "gauss",
    "sigmoid(z)": "sigmoid",
    "softplus(-z)": {"name": "softplus", "s": -1.0},
}


EXP_MINUS_Z: ActivationSpec = ["exp", {"name": "polynomial", "c": -1.0, "coefficients": [0.0, 1.0]}]


@STATEMENTS.measured(
    "lemma-3-1",
    "Lemma 3.1",
    "sum_j c_j sum_k [alpha_1k + j alpha_2k + ... + j!/l! alpha_lk] p_k^(j-l) eps^(j-l) is a "
    "polynomial only if all alpha = 0",
    correction="the last factor is j!/(j-l+1)!, as the first two and the proof say; with j!/l! the "
    "series has radius 0 but, as a formal one, is no polynomial either",
    mutation={"odd": False},
    mutation_says="the coefficients of odd order vanish",
)
def lemma_3_1(odd: bool = True) -> Finding:
    """Find the rank of the coefficients of high order in alpha, by integers.

    A polynomial has no coefficients of order >= 7: alpha must lie in the kernel.
    """
    bad, printed, instances = 0, 0, 0
    for p in ([1, -1], [2, -2, 1], [3, -3, 1, 2], [1, -1, 2, -2, 3]):
        for terms in (1, 2, 3):
            orders = [j for j in range(7, 7 + 4 * terms * len(p)) if odd or j % 2 == 0]
            right = [
                [perm(j, t - 1) * q**j for q in p for t in range(1, terms + 1)] for j in orders
            ]
            as_printed = [
                [
                    (perm(j, t - 1) if t < terms else factorial(j) // factorial(terms)) * q**j
                    for q in p
                    for t in range(1, terms + 1)
                ]
                for j in orders
            ]
            bad += integer_rank(right) < terms * len(p)
            printed += integer_rank(as_printed) < terms * len(p)
            instances += 1
    return no_exception(bad, instances=instances, printed=holds_if(printed == 0))


def _dependent(activation: ActivationSpec, r: int, d: int, key: int, mirrored: bool) -> bool:
    """Return whether r neurons with distinct w, two of them w and -w if `mirrored`, depend."""
    rng = draw(r, d, key)
    w = rng.normal(size=(r, d))
    if mirrored:
        w[1] = -w[0]
        if r > 2:
            w[2] = 0.0
    x = 1.5 * rng.normal(size=(40 * r, d))
    return rank(features(activation, w, x, slopes=0)) < r


@STATEMENTS.measured(
    "corollary-3-1",
    "Corollary 3.1",
    "sigma is generic (Assumption 2.1) if and only if sigma(w_1.x), ..., sigma(w_r.x) are linearly "
    "independent for all distinct w_k",
    mutation={"also": "tanh(z)"},
    mutation_says="tanh counts as generic",
)
def corollary_3_1(also: str = "") -> Finding:
    """Find ranks on many inputs: full for generic activations, a relation for each of the others.

    The weights contain w, -w and 0, where relations would be. A relation of sigma(z) =
    polynomial + odd or even function may need many neurons; up to 12 are tried.
    """
    generic = dict(GENERIC) | ({also: ODD_OR_EVEN[also]} if also else {})
    wrong, instances = [], 0
    for name, spec in generic.items():
        for r, d in ((2, 1), (3, 2), (4, 2)):
            instances += 1
            if _dependent(spec, r, d, 0, True):
                wrong.append(name)
    for name, spec in ODD_OR_EVEN.items():
        if name == also:
            continue
        instances += 1
        if not any(_pairs_depend(spec, r) for r in (1, 2, 3, 6)):
            wrong.append(name)
    return no_exception(len(wrong), instances=instances, wrong=", ".join(wrong))


def _pairs_depend(spec: ActivationSpec, r: int) -> bool:
    """Return whether sigma(+-w_1 x), ..., sigma(+-w_r x) depend, d = 1."""
    w = np.linspace(0.6, 1.6, r)[:, None]
    w = np.concatenate([w, -w])
    x = np.linspace(-3.0, 3.0, 200)[:, None]
    values = np.linalg.svd(features(spec, w, x, slopes=0), compute_uv=False)
    return bool(values[-1] <= 1e-13 * values[0])


@STATEMENTS.measured(
    "assumption-2-1-examples",
    "Section 2.1, after Assumption 2.1",
    "exp is generic; sigmoid, tanh and softplus are not; almost all their translations are",
    mutation={"shift": 0.0},
    mutation_says="they are not translated",
)
def assumption_2_1_examples(shift: float = 0.6) -> Finding:
    """Look at Taylor coefficients up to order 41: c_0 and both parities beyond order 30.

    A coefficient counts as 0 below 1e-12 of its neighbours.
    """
    said = {"exp": True, "sigmoid": False, "tanh": False, "softplus": False}
    wrong = []
    for name, generic in said.items():
        wrong += [name] if is_generic(Activation.of(name)) != generic else []
        moved = Activation.of({"name": name, "h": shift})
        wrong += [] if is_generic(moved) else [f"{name}(z+{shift})"]
    return no_exception(len(wrong), instances=2 * len(said), wrong=", ".join(wrong))


def is_generic(one: Activation) -> bool:
    """Return whether Taylor coefficients to order 41 look as Assumption 2.1 asks."""
    c = np.abs(one.taylor(41))
    tail = c[31:]
    seen = tail > 1e-12 * tail.max()
    return bool(c[0] > 0 and seen[::2].any() and seen[1::2].any())


@STATEMENTS.measured(
    "remark-3-1",
    "Remark 3.1",
    "analytic and not polynomial: neurons are independent, also with their derivatives, whenever "
    "w_k + w_j != 0 for all k, j",
    mutation={"mirror": True},
    mutation_says="w_2 = -w_1",
)
def remark_3_1(mirror: bool = False) -> Finding:
    """Find the rank of matrix (7) for odd, even and related activations."""
    bad, instances = 0, 0
    for spec in ODD_OR_EVEN.values():
        for r, d in ((2, 1), (2, 2), (3, 2)):
            rng = draw(r, d, 31)
            w = rng.normal(size=(r, d))
            if mirror:
                w[1] = -w[0]
            x = 1.5 * rng.normal(size=(60, d))
            bad += rank(features(spec, w, x)) < r * (d + 1)
            instances += 1
    return no_exception(bad, instances=instances)
