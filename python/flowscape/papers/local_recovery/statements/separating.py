"""Sections 3.1 and 3.3: separating inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, Verdict, compare, holds_if, no_exception, search
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import GENERIC, draw, features, rank
from flowscape.papers.local_recovery.statements.independence import (
    EXP_MINUS_Z,
    ODD_OR_EVEN,
    is_generic,
)
from flowscape.problem.activation import Activation, ActivationSpec

Floats = NDArray[np.float64]

_SETS = 200


@STATEMENTS.measured(
    "corollary-3-2",
    "Corollary 3.2",
    "for a generic activation and distinct w_1, ..., w_r there are (d+1)r inputs for which matrix "
    "(7) has full rank",
    correction="if some w_k = 0, also sigma'(0) != 0 is needed: exp(z) - z is generic, and its "
    "derivative columns at w = 0 vanish",
    mutation={"activation": "tanh(z)"},
    mutation_says="the activation is tanh and w_2 = -w_1",
)
def corollary_3_2(activation: str = "") -> Finding:
    """Draw inputs until the rank is full; (exp(z)-z, w = 0) is looked at on 4000 inputs."""
    missing, instances = 0, 0
    specs = {activation: ODD_OR_EVEN[activation]} if activation else GENERIC
    for spec in specs.values():
        for r, d in ((1, 2), (2, 1), (2, 2), (3, 1)):
            w = draw(r, d, 33).normal(size=(r, d))
            if r > 1:
                w[1] = -w[0]
            missing += _separating_share(spec, w, (d + 1) * r, 20) == 0.0
            instances += 1
    w = np.array([[0.0, 0.0], [0.7, -0.4]])
    x = draw(34).normal(size=(4000, 2))
    printed = rank(features(EXP_MINUS_Z, w, x)) == 6
    generic = is_generic(Activation.of(EXP_MINUS_Z))
    return no_exception(
        missing,
        instances=instances,
        printed=holds_if(printed or not generic),
        rank_of_counterexample=rank(features(EXP_MINUS_Z, w, x)),
        columns_of_counterexample=6,
    )


def _separating_share(
    spec: ActivationSpec, w: Floats, n: int, sets: int, line: bool = False, key: int = 0
) -> float:
    """Return the share of Gaussian input sets with full rank; with `line` the inputs lie on one."""
    rng = draw(n, sets, key)
    full = 0
    for _ in range(sets):
        x = 1.5 * rng.normal(size=(n, w.shape[1]))
        if line:
            x[:, 1:] = 0.3
        full += rank(features(spec, w, x)) == min(n, w.shape[0] * (w.shape[1] + 1))
    return full / sets


@STATEMENTS.measured(
    "lemma-3-4",
    "Lemma 3.4; Definition 3.1",
    "almost all inputs are separating for a given theta",
    mutation={"line": True},
    mutation_says="the inputs lie on a line",
)
def lemma_3_4(line: bool = False) -> Finding:
    """Draw Gaussian inputs, n below and at (d+1)r; weights are distinct and not 0."""
    least, instances = 1.0, 0
    for spec in GENERIC.values():
        w = draw(36).normal(size=(2, 2))
        for n in (4, 6):
            least = min(least, _separating_share(spec, w, n, _SETS // 4, line))
            instances += _SETS // 4
    return compare(1.0, least, 0.0, instances=instances)


@STATEMENTS.measured(
    "corollary-3-5",
    "Corollary 3.5",
    "inputs that separate w_1*, ..., w_r* also separate (w_1, ..., w_j, w_(j+1)*, ..., w_r*) for "
    "w_1, "
    "..., w_j in an open dense set",
    mutation={"line": True},
    mutation_says="the inputs lie on a line and do not separate w*",
)
def corollary_3_5(line: bool = False) -> Finding:
    """Draw weights for fixed inputs."""
    least, instances = 1.0, 0
    for k, spec in enumerate(GENERIC.values()):
        rng = draw(37, k)
        w = rng.normal(size=(3, 2))
        x = 1.5 * rng.normal(size=(7, 2))
        if line:
            x[:, 1] = 0.3
        for j in (1, 2, 3):
            full = 0
            for _ in range(_SETS // 4):
                w[:j] = rng.normal(size=(j, 2))
                full += rank(features(spec, w, x)) == 7
            least = min(least, full / (_SETS // 4))
            instances += _SETS // 4
    return compare(1.0, least, 0.0, instances=instances)


@STATEMENTS.measured(
    "separating-sub-list",
    "Proof of Lemma 4.2 (a) and (b)",
    "inputs that separate w_1, ..., w_m, the first n of them taken, separate every sub-list",
    correction="true for almost all inputs; false for exp where the first three are collinear (d "
    "= 2)",
    mutation={"line": True},
    mutation_says="the first three inputs lie on a line",
)
def separating_sub_list(line: bool = False) -> Finding:
    """Compare six inputs for two vectors with the first three of them for one."""

    def share(on_line: bool) -> float:
        good, tried = 0, 0
        for k, spec in enumerate(GENERIC.values()):
            rng = draw(38, k)
            for _ in range(25):
                w, x = rng.normal(size=(2, 2)), 1.5 * rng.normal(size=(6, 2))
                if on_line:
                    x[2] = 0.5 * (x[0] + x[1])
                if rank(features(spec, w, x)) == 6:
                    tried += 1
                    good += rank(features(spec, w[:1], x[:3])) == 3
        return good / tried

    special = share(True)
    return compare(
        1.0,
        special if line else share(False),
        0.0,
        instances=100,
        printed=Verdict.HOLDS if special == 1.0 else Verdict.FAILS,
        share_with_three_collinear_inputs=special,
    )


@STATEMENTS.searched(
    "assumption-2-1-zero-weight",
    "Assumption 2.1 with Corollary 3.1",
    "no further condition on w_k is needed for the independence of neurons without derivatives",
)
def assumption_2_1_zero_weight() -> Finding:
    """Seek a relation among neurons of generic activations, one of them with w = 0."""
    found, tried = 0, 0
    for spec in (*GENERIC.values(), EXP_MINUS_Z):
        for k in range(20):
            rng = draw(39, k)
            w = rng.normal(size=(3, 2))
            w[0] = 0.0
            found += rank(features(spec, w, 1.5 * rng.normal(size=(60, 2)), slopes=0)) < 3
            tried += 1
    return search(found, tried, looked_for="relation")
