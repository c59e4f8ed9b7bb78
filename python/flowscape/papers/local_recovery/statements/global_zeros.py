"""Lemma 4.3 (b) and Proposition 4.1: with enough samples all zeros reproduce the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, holds_if, no_exception
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import Case, case, draw, example
from flowscape.polish import polish

Floats = NDArray[np.float64]


def _zeros_found(one: Case, n: int, key: int, count: int) -> Floats:
    """Return zeros of R from random starts, by polishing."""
    prob = one.problem(one.inputs(n, key))
    start = draw(n, key, 70).normal(size=(count, one.net.n_params))
    points = polish(prob, start)
    return np.asarray(points.theta[prob.loss(points.theta) <= 1e-24])


@STATEMENTS.measured(
    "lemma-4-3-b",
    "Lemma 4.3 (b)",
    "n > (d+1)m: almost all samples give R^-1(0) = Q*",
    mutation={"n": 3},
    mutation_says="n = 3",
)
def lemma_4_3_b(n: int = 0) -> Finding:
    """Polish random starts to zeros and compare their functions with the target's."""
    other, found = 0, 0
    for k, one in enumerate(
        (example(), case("exp", 2, 1, 1), case({"name": "tanh", "h": 0.7}, 2, 2, 1))
    ):
        zeros = _zeros_found(one, n or one.net.n_params + 1, k, 300)
        defect = one.defect(zeros)
        other += int((defect > 1e-5).sum())
        found += len(zeros)
    return no_exception(other, instances=found)


@STATEMENTS.measured(
    "proposition-4-1",
    "Proposition 4.1",
    "n > (d+1)m0, m = m0: for almost all samples the target's parameters are the only global "
    "minimum",
    correction="up to the m0! permutations of the neurons",
    mutation={"n": 3},
    mutation_says="n = 3",
)
def proposition_4_1(n: int = 0) -> Finding:
    """Polish random starts to zeros and compare with the permuted target, m0 = 1, 2."""
    other, found, permuted = 0, 0, 0
    for k, one in enumerate(
        (example(1), case("exp", 2, 2, 1), case({"name": "tanh", "h": 0.7}, 2, 2, 1))
    ):
        zeros = _zeros_found(one, n or one.net.n_params + 1, k + 10, 300)
        gaps = np.array([b.distance(zeros) for b in one.family])
        other += int((gaps.min(axis=0) > 1e-6).sum())
        same = np.linalg.norm(zeros - one.teacher.theta, axis=1) <= 1e-6
        permuted += int((~same).sum())
        found += len(zeros)
    return no_exception(
        other,
        instances=found,
        printed=holds_if(permuted == 0),
        zeros_at_a_permutation_of_the_target=permuted,
    )
