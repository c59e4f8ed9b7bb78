"""What is recovered at which sample size: abstract, introduction (i) to (iv), section 6."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.classify import classify
from flowscape.flow import gradient_flow
from flowscape.papers.finding import Finding, Verdict, between, holds_if, search
from flowscape.papers.single_neuron_target.ends import Ends, ends, ends_of_starts, imbalances
from flowscape.papers.single_neuron_target.ledger import STATEMENTS
from flowscape.papers.single_neuron_target.setting import (
    SEED,
    even_inputs,
    example_1,
    gaussian_inputs,
    generalization_error,
    uniform_inputs,
)
from flowscape.polish import polish
from flowscape.status import Kind

Floats = NDArray[np.float64]

_INSIDE = np.linspace(0.03, 0.97, 12)
_RTOL = 1e-5


def _ends(n: int, first: int, sets: int, ratio: Floats) -> list[Ends]:
    """Return the ends of small starts for random sample sets of size n."""
    every = [example_1(gaussian_inputs(n, first + seed)) for seed in range(sets)]
    return [ends(prob, imbalances(ratio), rtol=_RTOL) for prob in every]


def _count(found: list[Ends], kind: Kind) -> int:
    return sum(int((one.kind == kind).sum()) for one in found)


@STATEMENTS.searched(
    "intro-i",
    "Introduction (i); abstract; section 6, n = 2",
    "below the optimistic sample size the target is not recovered, for any initialization",
)
def intro_i() -> Finding:
    """Look for a recovered target at n = 1 and 2, from small starts and from starts of scale 1."""
    ratio = np.linspace(0.0, 1.0, 11)
    found = [*_ends(1, 600, 10, ratio), *_ends(2, 600, 30, ratio)]
    for seed in range(10):
        prob = example_1(gaussian_inputs(2, 650 + seed))
        found.append(ends_of_starts(prob, prob.net.init(20, rng=seed), rtol=_RTOL))
    flows = sum(len(one.kind) for one in found)
    return search(_count(found, Kind.PERFECT), flows, looked_for="recovered target")


@STATEMENTS.measured(
    "intro-ii",
    "Introduction (ii); abstract; section 6, n = 3",
    "at the optimistic size n = 3 the target is recovered for c~ = 0 and 1 only, a null set",
    mutation={"edge": 0.05},
    mutation_says="recovery at c~ = 0.05 and 0.95",
)
def intro_ii(edge: float = 0.0) -> Finding:
    """Compare errors of ends: at c~ = 0 and 1 they vanish, inside they do not.

    Measured is the number of flows for which this is not so.
    """
    test = gaussian_inputs(500, 10_003)
    wrong = flows = 0
    least, most = np.inf, 0.0
    for seed in range(25):
        prob = example_1(gaussian_inputs(3, seed))
        ratio = np.concatenate([[edge, 1.0 - edge], _INSIDE])
        found = ends(prob, imbalances(ratio), rtol=1e-7)
        error = generalization_error(prob, found.polished, test)
        wrong += int((error[:2] > 1e-8).sum() + (error[2:] <= 1e-8).sum())
        least, most = min(least, float(error[2:].min())), max(most, float(error[:2].max()))
        flows += len(ratio)
    return between(
        -np.inf,
        float(wrong),
        0.5,
        predicted="0 exceptions",
        instances=flows,
        largest_error_at_0_and_1=most,
        smallest_error_inside=least,
    )


@STATEMENTS.measured(
    "intro-iii",
    "Introduction (iii); abstract; section 6, n = 4",
    "at the separation size n = 4 initialization and samples recover with positive probability",
    mutation={"n": 3},
    mutation_says="n = 3",
)
def intro_iii(n: int = 4) -> Finding:
    """Measure the share of recovered flows at 0 < c~ < 1 with random samples.

    Positive, and not by chance: at n = 3 not one flow recovers.
    """
    found = _ends(n, 3000, 40, _INSIDE)
    flows = sum(len(one.kind) for one in found)
    share = _count(found, Kind.PERFECT) / flows
    return between(1e-9, share, np.inf, predicted="share > 0", instances=flows)


@STATEMENTS.searched(
    "intro-iv",
    "Introduction (iv); section 6, n = 6",
    "at n = 6, the number of parameters, every small start recovers the target",
)
def intro_iv() -> Finding:
    """Look for an imperfect end at n = 6, for random and for evenly spaced samples."""
    found = _ends(6, 700, 20, np.linspace(0.0, 1.0, 9))
    found.append(ends(example_1(even_inputs(6)), imbalances(np.linspace(0.0, 1.0, 41)), rtol=_RTOL))
    flows = sum(len(one.kind) for one in found)
    wrong = sum(
        int(np.isin(one.kind, (Kind.PERFECT, Kind.UNRESOLVED), invert=True).sum()) for one in found
    )
    return search(
        wrong,
        flows,
        looked_for="imperfect end",
        perfect=_count(found, Kind.PERFECT),
        unresolved=_count(found, Kind.UNRESOLVED),
    )


@STATEMENTS.measured(
    "section-6-n3-reason",
    "Section 6, n = 3",
    "for one neuron three samples imply that the global minima are the target set",
    correction="for an open set of samples one neuron has imperfect zeros at n = D + 1: as "
    "tanh(x + 1) and a tanh(wx + b) can cross three times; for d = 3 at n = 5 as well",
    mutation={"n": 4},
    mutation_says="n = 4 samples, which leave no imperfect zeros",
)
def section_6_n3_reason(n: int = 3) -> Finding:
    """Count imperfect zeros of one neuron from random starts, with samples near a crossing.

    2 tanh(0.4 z) and tanh(z), z = x + 1, cross at 0 and at +-u; a small term in b keeps
    the three crossings apart. For other samples of these values zeros are moved, not removed.
    """
    net_zero = (1.9, 0.42, 0.42 * 1.0 + 0.02)  # a, w, b: three simple crossings
    x = np.linspace(-6.0, 4.0, 20001)
    gap = net_zero[0] * np.tanh(net_zero[1] * x + net_zero[2]) - np.tanh(x + 1.0)
    change = np.flatnonzero(np.signbit(gap[1:]) != np.signbit(gap[:-1]))
    crossings = x[change] - gap[change] * (x[1] - x[0]) / (gap[change + 1] - gap[change])
    rng = np.random.default_rng(SEED + 300)
    found = 0
    for _ in range(20):
        inputs = crossings[:3] + 1e-3 * rng.normal(size=3)
        if n > 3:
            inputs = np.concatenate([inputs, rng.normal(size=n - 3)])
        prob = example_1(inputs, width=1)
        verdict = classify(prob, polish(prob, np.array(net_zero)))
        found += int(verdict.kind == Kind.IMPERFECT)
    random = 0
    for seed in range(20):
        prob = example_1(uniform_inputs(5, 3, 1000 + seed), width=1)
        flow = gradient_flow(prob, prob.net.init(20, rng=seed), rtol=1e-5, t_max=1e7)
        random += int((classify(prob, polish(prob, flow.theta)).kind == Kind.IMPERFECT).any())
    return between(
        19.5,
        float(found),
        np.inf,
        predicted="20 of 20 sample sets near the crossings",
        instances=20,
        printed=holds_if(found == 0),
        crossings=[round(float(c), 4) for c in crossings],
        sample_sets_with_imperfect_zeros_d_3_n_5=f"{random} of 20",
    )


@STATEMENTS.measured(
    "section-6-n4",
    "Section 6, n = 4",
    "with some samples recovery remains unattainable for all initialization",
    correction="for all c~ but 0 and 1; other samples recover for an interval of c~",
    mutation={"n": 6},
    mutation_says="n = 6",
)
def section_6_n4(n: int = 4) -> Finding:
    """Count sample sets of which no flow, and of which some flow, recovers at 0 < c~ < 1."""
    found = _ends(n, 3000, 25, _INSIDE)
    none = sum(not one.perfect.any() for one in found)
    edges = _ends(4, 3000, 10, np.array([0.0, 1.0]))
    always = all((one.kind != Kind.IMPERFECT).all() for one in edges)
    return between(
        1.0,
        float(none),
        len(found) - 1.0,
        predicted="some sample sets, not all",
        instances=len(found),
        printed=Verdict.FAILS if always else Verdict.UNDECIDED,
        sample_sets_without_recovery=none,
        sample_sets_with_recovery=len(found) - none,
    )


@STATEMENTS.searched(
    "section-6-n5",
    "Section 6, n = 5",
    "some samples recover for every small start, others end at imperfect global minima",
)
def section_6_n5() -> Finding:
    """Look for sample sets of both sorts.

    That the second sort was not met does not refute it: undecided. Imperfect zeros exist at
    n = 5 (`table-1-zeros`), but here no small start ends there. Gradient descent after 10^7 steps
    still has errors above the paper's 1e-8 along power laws (Figures 4 and 11).
    """
    found = _ends(5, 2000, 30, _INSIDE)
    imperfect = sum(bool((one.kind == Kind.IMPERFECT).any()) for one in found)
    whole = sum(bool(one.perfect.all()) for one in found)
    decided = imperfect > 0 and whole > 0
    return Finding(
        "sample sets of both sorts",
        f"{whole} recover always, {imperfect} have imperfect ends",
        0.0,
        sum(len(one.kind) for one in found),
        Verdict.HOLDS if decided else Verdict.UNDECIDED,
        evidence={
            "sample_sets": len(found),
            "flows_unresolved": _count(found, Kind.UNRESOLVED),
        },
    )
