"""Section 2: the flow's equations, the worked example, the informal theorems on branches."""

from __future__ import annotations

import numpy as np

from flowscape.papers.finding import Finding, compare, holds_if, no_exception
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import cases, draw, example, rank
from flowscape.separation import SeparationVerdict

_SETS = 40


@STATEMENTS.measured(
    "flow-equations",
    "Section 2.1",
    "da_k/dt = 2 sum r_i sigma(w_k.x_i), dw_k/dt = 2 a_k sum r_i sigma'(w_k.x_i) x_i",
    correction="with -2 in place of 2",
    mutation={"factor": -1.0},
    mutation_says="the factor is -1, that of the half loss",
)
def flow_equations(factor: float = -2.0) -> Finding:
    """Compare with the gradient that the flows follow."""
    worst = {factor: 0.0, 2.0: 0.0}
    instances = 0
    for k, case in enumerate(cases()):
        x = case.inputs(7, k)
        prob = case.problem(x)
        theta = draw(k, 1).normal(size=(5, case.net.n_params))
        flow = -prob.gradient(theta)
        a, w = case.net.unpack(theta)[:2]
        value, slope = case.net.activation.values(np.einsum("bkd,nd->bkn", w, x), 1)
        r = case.net(theta, x) - case.teacher(x)
        for f in worst:
            said = case.net.pack(
                a=f * np.einsum("bn,bkn->bk", r, value),
                w=f * a[:, :, None] * np.einsum("bn,bkn,nd->bkd", r, slope, x),
            )
            worst[f] = max(worst[f], float(np.abs(said - flow).max() / np.abs(flow).max()))
        instances += len(theta)
    return compare(
        0.0,
        worst[factor],
        1e-12,
        instances=instances,
        as_printed=worst[2.0],
    )


@STATEMENTS.measured(
    "example-a",
    "Section 2.2; Example (a) in section 2.3; caption of Figure 2",
    "Q* in R^4 has branches Q1, Q2, Q3 whose closures are affine of dimensions 1, 2, 2; cl(Q1) "
    "meets cl(Q2) in one point, cl(Q3) in another",
    correction="the parameters are in R^6",
    mutation={"d": 1},
    mutation_says="the inputs are one-dimensional, as section 2.2 says",
)
def example_a(d: int = 2) -> Finding:
    """Count dimensions by the rank of random members, and meet the closures."""
    case = example(d=d)
    dims, meetings = [], []
    family = sorted(case.family, key=lambda b: b.dim)
    for branch in family:
        points = np.array([branch.sample(draw(branch.index, i)) for i in range(12)])
        dims.append(rank(points - points[0]))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        found = family[one].intersection(family[other])
        meetings.append("none" if found is None else str(found.dim))
    measured = f"R^{case.net.n_params}: {sorted(dims)}; meetings {meetings}"
    predicted = f"R^6: {[1, 2, 2]}; meetings {['0', '0', 'none']}"
    return Finding(
        predicted,
        measured,
        0.0,
        3,
        holds_if(measured == predicted),
        holds_if(case.net.n_params == 4),
        {"parameters": case.net.n_params},
    )


@STATEMENTS.measured(
    "figure-3-caption",
    "Caption of Figure 3",
    "Q* consists of three sets whose closures are one-dimensional affine subspaces",
    correction="of dimensions 1, 2, 2; the figure shows a plane section",
    mutation={"d": 1},
    mutation_says="the inputs are one-dimensional",
)
def figure_3_caption(d: int = 2) -> Finding:
    """Take the dimensions from the equations of the closures."""
    family = example(d=d).family
    dims = sorted(b.setting.n_params - rank(b.linear_equations()[0]) for b in family)
    return Finding(
        str([1, 2, 2]),
        str(dims),
        0.0,
        3,
        holds_if(dims == [1, 2, 2]),
        holds_if(dims == [1, 1, 1]),
        {},
    )


def _share_separated(d: int, n: int, r: int) -> float:
    """Return the share of Gaussian sample sets that separate the branch with r groups."""
    case = example(d=d)
    branch = next(b for b in case.family if b.r == r)
    x = draw(n, r, d).normal(size=(_SETS, n, d))
    return float(np.mean(branch.separation(x).verdict == SeparationVerdict.SEPARATED))


@STATEMENTS.measured(
    "example-b",
    "Example (b) in section 2.3",
    "N_1 = 5 and N_2 = N_3 = 4; for n >= N_t the loss is not Morse-Bott anywhere at Q1, and is "
    "a.e. "
    "at Q2 and Q3",
    correction="these are the sizes from which almost all samples separate; at n = 4 some samples "
    "separate Q1",
    mutation={"d": 1},
    mutation_says="the inputs are one-dimensional",
)
def example_b(d: int = 2) -> Finding:
    """Find the least n from which all of 40 sample sets separate, and the ranks there."""
    least, bott = [], []
    for r in (1, 2):
        shares = [_share_separated(d, n, r) for n in range(1, 7)]
        least.append(next(n for n in range(1, 7) if min(shares[n - 1 :]) == 1.0))
        branch = next(b for b in example(d=d).family if b.r == r)
        bott.append(branch.separation(draw(r).normal(size=(least[-1], d))).morse_bott)
    measured = f"{least}, Morse-Bott {bott}"
    predicted = f"{[5, 4]}, Morse-Bott {[False, True]}"
    evidence = {"share_of_sets_that_separate_Q1_at_n_4": _share_separated(2, 4, 1)}
    return Finding(
        predicted, measured, 0.0, 12 * _SETS, holds_if(measured == predicted), None, evidence
    )


@STATEMENTS.measured(
    "theorem-2-1",
    "Theorem 2.1",
    "each branch has a threshold N_t <= m(d+1), < if m > m0, with Q_t separated for n >= N_t; then "
    "R is Morse-Bott a.e. at Q_t or nowhere, as t > N' or t <= N'",
    correction="N_t = r + (m+m0-r)d, sufficient and not always necessary; separated and Morse-Bott "
    "a.e. on Q_t, for almost all samples; Morse-Bott exactly if l = 2r-m-m0",
    mutation={"less": 1},
    mutation_says="the threshold is one sample smaller",
)
def theorem_2_1(less: int = 0) -> Finding:
    """Judge every kind of branch at its threshold, by verdict and by rank."""
    bad, instances = 0, 0
    for k, case in enumerate(cases()):
        for branch in case.representatives:
            threshold = branch.r + (case.m + case.m0 - branch.r) * case.d - less
            bound = (case.d + 1) * case.m
            small = threshold < bound if case.m > case.m0 else threshold <= bound
            found = branch.separation(case.inputs(max(threshold, 1), k, branch.index))
            separated = found.verdict == SeparationVerdict.SEPARATED
            bott = branch.l == 2 * branch.r - case.m - case.m0
            bad += not (small and separated and found.morse_bott == bott)
            instances += 1
    return no_exception(bad, instances=instances)


@STATEMENTS.measured(
    "hessian-of-samples",
    "Section 3.1, before Corollary 3.2",
    "the Hessian of |g(theta, x_i) - f(x_i)|^2 is v_i^T v_i with "
    "v_i = (sigma(w_k.x_i), sigma'(w_k.x_i) x_i)_k",
    correction="2 v_i^T v_i with a_k sigma'(w_k.x_i) x_i in v_i, and only where the residual is 0",
    mutation={"factor": 1.0},
    mutation_says="the factor 2 is left out",
)
def hessian_of_samples(factor: float = 2.0) -> Finding:
    """Compare with the computed Hessian at points of Q*."""
    worst, printed, instances = 0.0, 0.0, 0
    for k, case in enumerate(cases()):
        x = case.inputs(1, k)
        prob = case.problem(x)
        for branch in case.representatives:
            theta = branch.sample(draw(k, branch.index))
            a, w = case.net.unpack(theta)[:2]
            value, slope = case.net.activation.values(w @ x[0], 1)
            v = case.net.pack(a=value, w=(a * slope)[:, None] * x)
            plain = case.net.pack(a=value, w=slope[:, None] * x)
            hessian = prob.hessian(theta)
            size = float(np.abs(hessian).max())
            worst = max(worst, float(np.abs(hessian - factor * np.outer(v, v)).max()) / size)
            printed = max(printed, float(np.abs(hessian - np.outer(plain, plain)).max()) / size)
            instances += 1
    return compare(
        0.0,
        worst,
        1e-12,
        instances=instances,
        as_printed=printed,
    )


STATEMENTS.cited(
    "cooper",
    "Section 2.2, after reference [5]",
    "up to a small perturbation of y, R^-1(0) is a manifold of dimension max(0, 6-n)",
    used="lemma-4-2-a, lemma-4-2-b: the codimension n of the zeros where the rank is n",
)
