"""Sections 3.1 to 3.3: separating inputs, analytic functions."""

from __future__ import annotations

import numpy as np

from flowscape.papers.finding import Finding, Verdict, search
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import SHIFTED, stream
from flowscape.problem import TwoLayer
from flowscape.separation.samples import separating_inputs

STATEMENTS.cited(
    "lemma-3-2",
    "Lemma 3.2",
    "analytic maps of constant rank are projections in analytic charts",
    used="local dimensions: Separation.local_dimension",
)
STATEMENTS.cited(
    "lemma-3-3",
    "Lemma 3.3 and Corollary 3.3",
    "the zeros of a non-zero analytic function have measure zero and lie in hypersurfaces",
    used="full rank at one point of a branch is full rank almost everywhere: Branch.separation",
)


def _certified(net: TwoLayer, w: np.ndarray, x: np.ndarray) -> bool:
    wide = TwoLayer(len(w), net.inputs, net.activation, bias=False)
    theta = np.concatenate([np.ones((len(w), 1)), w], axis=1).ravel()
    return separating_inputs(wide, theta, x).certified


@STATEMENTS.searched(
    "separating-sub-lists",
    "after Definition 3.1; used in Lemma 4.2 (a)",
    "inputs that are separating for w_1, ..., w_m are separating for a part of them",
    correction="for almost all inputs; three collinear inputs in the plane are separating for two "
    "exp neurons and not for one",
)
def separating_sub_lists() -> Finding:
    """Search collinear inputs for the printed statement, Gaussian ones for the corrected one."""
    rng, net = stream(5), TwoLayer(1, 2, "exp", bias=False)
    found = random = 0
    for _ in range(100):
        w = rng.normal(size=(2, 2))
        line = np.outer(rng.normal(size=3), rng.normal(size=2)) + rng.normal(size=2)
        found += _certified(net, w, line) and not _certified(net, w[:1], line)
        cloud = rng.normal(size=(3, 2))
        random += _certified(net, w, cloud) and not _certified(net, w[:1], cloud)
    printed = Verdict.FAILS if found else Verdict.UNREFUTED
    return search(
        random, 100, looked_for="sub-list", printed=printed, collinear_counterexamples=found
    )


@STATEMENTS.searched(
    "lemma-3-4",
    "Lemma 3.4 and Corollary 3.5",
    "almost all inputs are separating for given weights, and almost all weights for given inputs",
)
def lemma_3_4() -> Finding:
    """Count random inputs and weights for which full rank is not proven by doubles."""
    rng, missing, budget = stream(6), 0, 0
    for activation in ("exp", SHIFTED):
        for r, d in ((1, 1), (2, 1), (2, 2), (3, 2)):
            net = TwoLayer(1, d, activation, bias=False)
            fixed_w = rng.normal(size=(r, d))
            fixed_x = 1.5 * rng.normal(size=(r * (d + 1), d))
            for _ in range(40):
                missing += not _certified(net, fixed_w, 1.5 * rng.normal(size=fixed_x.shape))
                missing += not _certified(net, rng.normal(size=(r, d)), fixed_x)
                budget += 2
    return search(missing, budget, looked_for="set of less than full rank")
