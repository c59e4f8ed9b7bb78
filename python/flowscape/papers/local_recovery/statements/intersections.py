"""Section 3.4: where closures of branches meet; the example of three neurons, Figures 4 and 5."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from flowscape.branches import Branch, connected_components
from flowscape.papers.finding import Finding, compare, holds_if, no_exception
from flowscape.papers.local_recovery.elimination import solution_dimension
from flowscape.papers.local_recovery.groupings import SHAPES, equations, key
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import Case, case, draw, example, rank


def _pairs(limit: int) -> Iterator[tuple[Case, Branch, Branch]]:
    """Yield pairs of branches, m = 2, 3, 4, at most `limit` random ones per network."""
    for m, m0 in SHAPES:
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
        keys = [key(a), key(b)]
        rows = [row for key in keys for row in equations(m, 1, key[0], sorted(key[1]))]
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
    return no_exception(
        bad,
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
    listed = {key(b): b for b in example(3, d).family}
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
    return no_exception(bad, instances=instances)


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
    open_sets_meet = any(key(three[a]) == key(three[b]) for a, b in pairs)
    return no_exception(bad, instances=60, printed=holds_if(not open_sets_meet))


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
