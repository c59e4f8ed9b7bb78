"""Section 3.4: the branches of Q*, their number and dimensions, deficient numbers."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from flowscape.branches import count_branches
from flowscape.papers.finding import Finding, Verdict, compare, holds_if, no_exception
from flowscape.papers.local_recovery.elimination import solution_dimension
from flowscape.papers.local_recovery.groupings import SHAPES, Groups, equations, groupings, key
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import case, cases, draw, example


@STATEMENTS.measured(
    "definition-3-3",
    "Definitions 3.2 and 3.3",
    "Q^r_P: w_k = w_(q_t) within a block, w_(q_t) = wbar_t for t <= m0; a subset of Q^r",
    correction="with theta in Q^r: the free vectors differ from each other and from the target's; "
    "as sets there are S(m,r) r!/(r-m0)! of them, (P, pi) counts each (r-m0)! prod(block size)! "
    "times",
    mutation={"ordered": True},
    mutation_says="free groups are counted in every order",
)
def definition_3_3(ordered: bool = False) -> Finding:
    """Count by trying all maps and all (P, pi); seek a point of the printed set outside Q^r."""
    bad, instances = 0, 0
    for m, m0 in SHAPES:
        listed = groupings(m, m0)
        for r in range(m0, m + 1):
            number = sum(1 for labelled, free in listed if m0 + len(free) == r)
            said = count_branches(m, m0, r)
            if ordered:
                said *= int(np.prod(np.arange(1, r - m0 + 1), dtype=float)) or 1
            bad += number != said
            instances += 1
        bad += _multiplicity_wrong(m, m0) if m <= 3 else 0
    one = example(3)
    branch = next(b for b in one.family if b.r == 3)
    theta = branch.sample(draw(50))
    w = one.net.unpack(theta).w
    w[2] = w[1]  # in place: the second free vector becomes equal to the first
    outside = branch.contains(theta, 1e-12) and len(np.unique(w, axis=0)) < 3
    return no_exception(
        bad,
        instances=instances,
        printed=Verdict.FAILS if outside else Verdict.HOLDS,
    )


def _multiplicity_wrong(m: int, m0: int) -> int:
    """Return for how many sets the number of pairs (P, pi) is not the multiplicity."""
    pairs: dict[tuple[Groups, frozenset[tuple[int, ...]]], int] = {}
    for cuts in product((False, True), repeat=m - 1):
        ends = [k + 1 for k, cut in enumerate(cuts) if cut] + [m]
        if len(ends) < m0:
            continue
        for pi in permutations(range(m)):
            blocks = [tuple(sorted(pi[a:b])) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
            found = tuple(blocks[:m0]), frozenset(blocks[m0:])
            pairs[found] = pairs.get(found, 0) + 1
    family = case("exp", m, m0, 1).family
    return sum(
        key(branch) not in pairs or pairs[key(branch)] != branch.multiplicity for branch in family
    )


@STATEMENTS.measured(
    "permutation",
    "Section 3.4, after Definition 3.3",
    "Q^r_(P,pi) = rho(Q^r_P), rho(e_i) = e_tau(i), tau(i) = (d+1)(pi(i)-1)+k if i = k mod d+1",
    correction="tau(i) = (d+1)(pi(ceil(i/(d+1)))-1)+k: pi permutes neurons, not coordinates",
    mutation={"turn": 1},
    mutation_says="k is replaced by k+1 mod d+1",
)
def permutation(turn: int = 0) -> Finding:
    """Apply rho to members of Q*; as printed, pi(i) must exist for all (d+1)m coordinates i."""
    worst, instances = 0.0, 0
    for k, one in enumerate(cases()):
        size = one.d + 1
        theta = np.array([b.sample(draw(k, b.index)) for b in one.family])
        for pi in permutations(range(one.m)):
            i = np.arange(one.net.n_params)
            tau = size * np.array(pi)[i // size] + (i % size + turn) % size
            moved = np.empty_like(theta)
            moved[:, tau] = theta
            worst = max(worst, float(one.defect(moved).max()))
            instances += 1
    return compare(
        0.0,
        worst,
        1e-12,
        instances=instances,
        printed=Verdict.FAILS if one.net.n_params > one.m else Verdict.HOLDS,
    )


@STATEMENTS.measured(
    "proposition-3-2-a",
    "Proposition 3.2 (a) and (b)",
    "Q* is the union of the Q^r, m0 <= r <= m, these are disjoint, and Q^r is the union of the "
    "Q^r_(P,pi)",
    mutation={"leave_out": 1},
    mutation_says="the branches with r = m are left out",
)
def proposition_3_2_a(leave_out: int = 0) -> Finding:
    """Compare the listed branches with all ways to group neurons, for d = 1 and 2.

    Independence of neurons (corollary-3-1) makes a grouping with sums a_bar_t and 0 the only way
    to reproduce the target.
    """
    bad, instances = 0, 0
    for m, m0 in SHAPES:
        one = case("exp", m, m0, 1 + m % 2)
        listed = [key(b) for b in one.family if b.r <= m - leave_out]
        bad += len(listed) != len(set(listed)) or set(listed) != groupings(m, m0)
        instances += len(listed)
    return no_exception(bad, instances=instances)


@STATEMENTS.measured(
    "proposition-3-2-c",
    "Proposition 3.2 (c); Remark 3.5",
    "the closure of Q^r_P is affine of dimension (m-r)+(r-m0)d, and Q^r_P is open in it",
    mutation={"slope": 1},
    mutation_says="the dimension is (m-r)+(r-m0)(d+1)",
)
def proposition_3_2_c(slope: int = 0) -> Finding:
    """Take the dimension from exact elimination, affinity from lines through two members."""
    bad, instances, off = 0, 0, 0.0
    for m, m0 in SHAPES:
        for d in (1, 2):
            for labelled, free in groupings(m, m0):
                r = m0 + len(free)
                said = (m - r) + (r - m0) * (d + slope)
                bad += solution_dimension(equations(m, d, labelled, free), m * (d + 1)) != said
                instances += 1
    for k, one in enumerate(cases()):
        for branch in one.family:
            rng = draw(k, branch.index, 51)
            p, q = branch.sample(rng), branch.sample(rng)
            line = p + np.array([-2.0, 0.3, 3.0])[:, None] * (q - p)
            off = max(off, float(one.defect(line).max()))
    return Finding(
        "0 wrong dimensions; 0",
        f"{bad} wrong dimensions; {off:.1e}",
        1e-10,
        instances,
        holds_if(bad == 0 and off <= 1e-10),
        None,
        {"largest_defect_on_lines": off},
    )


@STATEMENTS.measured(
    "definition-3-4",
    "Definition 3.4 and the text after it",
    "P has deficient number l if q_(t_j) - q_(t_(j-1)) = 1 for l indices t_j > m0; then exactly l "
    "distinct w_k have a_k = 0",
    correction="q_(t_j) - q_(t_j - 1) = 1; exactly l only generically, at least l always",
    mutation={"more": 1},
    mutation_says="l+1 instead of l",
)
def definition_3_4(more: int = 0) -> Finding:
    """Count vanishing outgoing weights of random members, and of a special one."""
    bad, instances = 0, 0
    for k, one in enumerate(cases()):
        for branch in one.family:
            theta = branch.sample(draw(k, branch.index, 55))
            zero = np.abs(one.net.unpack(theta).a) <= 1e-12
            bad += int(zero.sum()) != branch.l + more
            instances += 1
    one = example(3)
    pair = next(b for b in one.family if b.groups[0] == (0,) and b.r == 2)
    theta = pair.sample(draw(56))
    one.net.unpack(theta).a[1:] = 0.0  # a_2 = -a_3 = 0 is on the branch, whose l is 0
    special = bool(pair.contains(theta, 1e-12)) and pair.l == 0
    return no_exception(bad, instances=instances, printed=holds_if(not special))


@STATEMENTS.measured(
    "lemma-3-6",
    "Lemma 3.6",
    "the least deficient number is 0 if r <= (m+m0)/2, else 2r-m-m0",
    mutation={"factor": 1},
    mutation_says="it is r-m-m0 where that is positive",
)
def lemma_3_6(factor: int = 2) -> Finding:
    """Try all groupings for m <= 5."""
    bad, instances = 0, 0
    for m, m0 in (*SHAPES, (5, 1), (5, 2), (5, 3)):
        for r in range(m0, m + 1):
            least = min(
                sum(len(g) == 1 for g in free)
                for _, free in groupings(m, m0)
                if m0 + len(free) == r
            )
            bad += least != max(0, factor * r - m - m0)
            instances += 1
    return no_exception(bad, instances=instances)
