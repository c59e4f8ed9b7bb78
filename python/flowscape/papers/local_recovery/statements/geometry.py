"""Section 3.4: the branches of Q*, their dimensions and intersections, deficient numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import permutations, product

import numpy as np

from flowscape.branches import Branch, connected_components, count_branches
from flowscape.papers.finding import Finding, Verdict, compare, holds_if
from flowscape.papers.local_recovery.elimination import solution_dimension
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import Case, case, cases, draw, example, rank

Groups = tuple[tuple[int, ...], ...]

_SHAPES = tuple((m, m0) for m in (1, 2, 3, 4) for m0 in range(1, m + 1))


@cache
def _groupings(m: int, m0: int) -> frozenset[tuple[Groups, frozenset[tuple[int, ...]]]]:
    """List (labelled groups in order, set of free groups) by trying every map of neurons.

    Neuron k goes to label 0, ..., m0 - 1 or to a free name; names of free groups do not matter.
    """
    found = set()
    for word in product(range(m), repeat=m):
        if set(range(m0)) <= set(word):
            blocks = [tuple(k for k in range(m) if word[k] == t) for t in range(m)]
            free = frozenset(block for block in blocks[m0:] if block)
            found.add((tuple(blocks[:m0]), free))
    return frozenset(found)


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
    for m, m0 in _SHAPES:
        listed = _groupings(m, m0)
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
    return compare(
        0.0,
        float(bad),
        0.0,
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
            key = tuple(blocks[:m0]), frozenset(blocks[m0:])
            pairs[key] = pairs.get(key, 0) + 1
    family = case("exp", m, m0, 1).family
    return sum(
        _key(branch) not in pairs or pairs[_key(branch)] != branch.multiplicity for branch in family
    )


def _key(branch: Branch) -> tuple[Groups, frozenset[tuple[int, ...]]]:
    m0 = branch.target.outgoing.shape[0]
    groups = [tuple(sorted(group)) for group in branch.groups]
    return tuple(groups[:m0]), frozenset(groups[m0:])


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
    for m, m0 in _SHAPES:
        one = case("exp", m, m0, 1 + m % 2)
        listed = [_key(b) for b in one.family if b.r <= m - leave_out]
        bad += len(listed) != len(set(listed)) or set(listed) != _groupings(m, m0)
        instances += len(listed)
    return compare(0.0, float(bad), 0.0, instances=instances)


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
    for m, m0 in _SHAPES:
        for d in (1, 2):
            for labelled, free in _groupings(m, m0):
                r = m0 + len(free)
                said = (m - r) + (r - m0) * (d + slope)
                bad += solution_dimension(_equations(m, d, labelled, free), m * (d + 1)) != said
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


def _equations(
    m: int, d: int, labelled: Groups, free: Sequence[tuple[int, ...]]
) -> list[list[int]]:
    """Return the equations (A | b) of a closure, target a_t = t + 2, w_t = (5^t, 5^t + 1, ...)."""
    size = d + 1
    rows = []

    def row(entries: dict[int, int], right: int) -> None:
        line = [0] * (m * size + 1)
        for place, value in entries.items():
            line[place] = value
        line[-1] = right
        rows.append(line)

    for t, block in enumerate(labelled):
        row({size * k: 1 for k in block}, t + 2)
        for k in block:
            for j in range(d):
                row({size * k + 1 + j: 1}, 5**t + j)
    for block in free:
        row({size * k: 1 for k in block}, 0)
        for k in block[1:]:
            for j in range(d):
                row({size * k + 1 + j: 1, size * block[0] + 1 + j: -1}, 0)
    return rows


def _pairs(limit: int) -> Iterator[tuple[Case, Branch, Branch]]:
    """Yield pairs of branches, m = 2, 3, 4, at most `limit` random ones per network."""
    for m, m0 in _SHAPES:
        if m < 2:
            continue
        one = case("exp", m, m0, 1)
        branches = list(one.family)
        pairs = [(a, b) for a in branches for b in branches]
        chosen = draw(m, m0).permutation(len(pairs))[:limit]
        for i in chosen:
            yield one, *pairs[i]


def _join(m: int, groups: Sequence[tuple[int, ...]]) -> list[frozenset[int]]:
    """Return the blocks of the finest partition in which every group lies in one block."""
    blocks = [frozenset([k]) for k in range(m)]
    for group in groups:
        touched = [b for b in blocks if b & set(group)]
        blocks = [b for b in blocks if not b & set(group)] + [frozenset().union(*touched)]
    return blocks


@STATEMENTS.measured(
    "lemma-3-5",
    "Lemma 3.5",
    "if m' blocks of P' lie in no block of P, the closures meet within Q^m0 u ... u Q^(r-m')",
    correction="J the join of the partitions, c its blocks: empty unless the two t-labelled blocks "
    "lie in one J-block and other labels in others; else affine of dimension "
    "d(c-m0)+m-(r+r'-c), with c distinct weights generically",
    mutation={"overlap": 0},
    mutation_says="the dimension is d(c-m0)+m-(r+r'-m0)",
)
def lemma_3_5(overlap: int = 1) -> Finding:
    """Compare with exact elimination, and seek the first pair that contradicts the printed rule.

    A counterexample is a common member, found by elimination, with more distinct weights.
    """
    bad, instances, met, first = 0, 0, 0, ""
    for one, a, b in _pairs(120):
        m, m0, r, s = one.m, one.m0, a.r, b.r
        groups = a.groups, b.groups
        blocks = _join(m, [*groups[0], *groups[1]])
        homes = [
            {i for i, block in enumerate(blocks) for g in groups if set(g[t]) & block}
            for t in range(m0)
        ]
        empty = any(len(h) > 1 for h in homes) or len(set().union(*homes)) < m0
        c = len(blocks)
        said = None if empty else (c - m0) + m - (r + s - (c if overlap else m0))
        keys = [_key(a), _key(b)]
        rows = [row for key in keys for row in _equations(m, 1, key[0], sorted(key[1]))]
        dim = solution_dimension(rows, 2 * m)
        bad += dim != said
        instances += 1
        met += dim is not None
        if not first and dim is not None:
            crossing = sum(not any(set(g) <= set(h) for h in groups[0]) for g in groups[1])
            member = a.intersection(b)
            assert member is not None
            theta = member.sample(draw(52))
            on_both = a.distance(theta) + b.distance(theta) <= 1e-10
            weights = len(np.unique(np.round(one.net.unpack(theta).w, 9), axis=0))
            if on_both and weights > r - crossing:
                first = f"m={m}, m0={m0}: {a.name} and {b.name}"
    return compare(
        0.0,
        float(bad),
        0.0,
        instances=instances,
        printed=holds_if(not first),
        pairs_that_meet=met,
        counterexample=first or "none",
    )


@STATEMENTS.measured(
    "connected",
    "Section 3.4",
    "Q* is connected",
    correction="for m > m0; m0! points for m = m0",
    mutation={"wider": 0},
    mutation_says="m = m0 > 1",
)
def connected(wider: int = 1) -> Finding:
    """Count components by chains of closures that meet."""
    worst = max(
        len(connected_components(case("exp", m0 + wider, m0, d).family))
        for m0 in (1, 2, 3)
        for d in (1, 2)
    )
    same = len(connected_components(case("exp", 2, 2, 1).family))
    return compare(
        1.0,
        float(worst),
        0.0,
        instances=6,
        printed=holds_if(same == 1),
        components_for_m_2_m0_2=same,
    )


def _three(d: int = 2) -> dict[str, Branch]:
    """Return the four branches of the example after Lemma 3.5 by their P: Q^r_P."""
    wanted = {
        "03": (((0, 1, 2),), frozenset()),
        "023": (((0, 1),), frozenset({(2,)})),
        "013": (((0,),), frozenset({(1, 2)})),
        "0123": (((0,),), frozenset({(1,), (2,)})),
    }
    listed = {_key(b): b for b in example(3, d).family}
    return {name: listed[key] for name, key in wanted.items()}


@STATEMENTS.measured(
    "example-three-neurons",
    "Example after Lemma 3.5",
    "m = 3, m0 = 1: up to permutations Q1_{0,3}, Q2_{0,2,3}, Q2_{0,1,3}, Q3_{0,1,2,3} of "
    "dimensions "
    "2, 1+d, 1+d, 2d; they are affine",
    mutation={"extra": 1},
    mutation_says="a free vector has d+1 coordinates",
)
def example_three_neurons(extra: int = 0) -> Finding:
    """Take ranks of random members, d = 1, 2, 3, and count the orbits."""
    bad, instances = 0, 0
    for d in (1, 2, 3):
        said = {"03": 2, "023": 1 + d + extra, "013": 1 + d + extra, "0123": 2 * (d + extra)}
        bad += len(example(3, d).family.orbits()) != len(said)
        for name, branch in _three(d).items():
            points = np.array([branch.sample(draw(d, i)) for i in range(20)])
            bad += rank(points - points[0]) != said[name]
            instances += 1
    return compare(0.0, float(bad), 0.0, instances=instances)


@STATEMENTS.measured(
    "example-three-neurons-meetings",
    "Example after Lemma 3.5",
    "Q2_{023} n Q2_{013} lies in Q1_{03}, Q2_{023} n Q3_{0123} in Q2_{023}, Q2_{013} n Q3_{0123} "
    "in "
    "Q2_{013}",
    correction="the sets are disjoint, closures are meant: cl(Q2) n cl(Q3) lies in cl(Q2), not "
    "in Q2",
    mutation={"closed": False},
    mutation_says="the closures meet within Q2 itself",
)
def example_three_neurons_meetings(closed: bool = True) -> Finding:
    """Meet the closures, and look for members with fewer weights than Q2 has.

    As printed the sets are not closed: they are told apart by which neurons share a vector.
    """
    three = _three()
    bad = 0
    for one, other, inside in (
        ("023", "013", "03"),
        ("023", "0123", "023"),
        ("013", "0123", "013"),
    ):
        found = three[one].intersection(three[other])
        assert found is not None
        spots = [found.sample(draw(53, i)) for i in range(10)]
        spots += [_special(three[inside], theta) for theta in spots]
        for theta in spots:
            if not found.contains(theta, 1e-10):
                continue
            weights = len(np.unique(np.round(example(3).net.unpack(theta).w, 9), axis=0))
            within = three[inside].contains(theta, 1e-10)
            bad += not (within and (closed or weights == three[inside].r))
    pairs = (("023", "013"), ("023", "0123"), ("013", "0123"))
    open_sets_meet = any(_key(three[a]) == _key(three[b]) for a, b in pairs)
    return compare(0.0, float(bad), 0.0, instances=60, printed=holds_if(not open_sets_meet))


def _special(branch: Branch, theta: np.ndarray) -> np.ndarray:
    """Return the member with all incoming vectors equal to the target's."""
    one = example(3)
    w = one.net.unpack(theta).w.copy()
    w[:] = one.teacher.parameters.w[0]
    return branch.project(one.net.pack(a=one.net.unpack(theta).a, w=w))


@STATEMENTS.measured(
    "figure-4-caption",
    "Caption of Figure 4",
    "Q2 consists of three identical branches of the same r but different permutation",
    correction="Q2 has six branches of two kinds; the three planes of the figure are those of Q3",
    mutation={"m": 4},
    mutation_says="m = 4",
)
def figure_4_caption(m: int = 3) -> Finding:
    """Count branches and kinds by r."""
    family = list(example(m).family)
    found = {
        r: (sum(b.r == r for b in family), len({b.kind for b in family if b.r == r}))
        for r in (2, 3)
    }
    return Finding(
        "r = 2: 6 of 2 kinds, r = 3: 3 of 1 kind",
        f"r = 2: {found[2][0]} of {found[2][1]} kinds, r = 3: {found[3][0]} of {found[3][1]} kind",
        0.0,
        9,
        holds_if(found == {2: (6, 2), 3: (3, 1)}),
        holds_if(found[2] == (3, 1)),
        {},
    )


@STATEMENTS.measured(
    "figure-5-caption",
    "Caption of Figure 5",
    "seen from a-space Q3_{0123} is a surface, Q2_{013} a line, Q1_{03} a dot",
    correction="the other way round: Q1_{03} is the plane sum a = abar, Q2_{013} a line, "
    "Q3_{0123} a "
    "dot; dimensions 2, 1, 0",
    mutation={"space": "w"},
    mutation_says="seen from w-space",
)
def figure_5_caption(space: str = "a") -> Finding:
    """Take ranks of the outgoing weights of random members."""
    dims = []
    for branch in (_three()["03"], _three()["013"], _three()["0123"]):
        points = np.array([branch.sample(draw(54, i)) for i in range(12)])
        parts = example(3).net.unpack(points)
        seen = parts.a if space == "a" else parts.w[:, :, 0]
        seen = seen - seen[0]
        dims.append(rank(seen) if np.abs(seen).max() > 1e-12 else 0)
    return Finding(
        str([2, 1, 0]),
        str(dims),
        0.0,
        36,
        holds_if(dims == [2, 1, 0]),
        holds_if(dims == [0, 1, 2]),
        {},
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
    pair = _three()["013"]
    theta = pair.sample(draw(56))
    one.net.unpack(theta).a[1:] = 0.0  # a_2 = -a_3 = 0 is on the branch, whose l is 0
    special = bool(pair.contains(theta, 1e-12)) and pair.l == 0
    return compare(0.0, float(bad), 0.0, instances=instances, printed=holds_if(not special))


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
    for m, m0 in (*_SHAPES, (5, 1), (5, 2), (5, 3)):
        for r in range(m0, m + 1):
            least = min(
                sum(len(g) == 1 for g in free)
                for _, free in _groupings(m, m0)
                if m0 + len(free) == r
            )
            bad += least != max(0, factor * r - m - m0)
            instances += 1
    return compare(0.0, float(bad), 0.0, instances=instances)
