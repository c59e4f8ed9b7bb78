"""Section 3.4: branches, their number, dimension and intersections."""

from __future__ import annotations

from itertools import pairwise, permutations, product
from math import factorial

import numpy as np

from flowscape.branches import Branch, Branches, count_branches
from flowscape.branches.partitions import stirling2
from flowscape.papers.finding import Finding, Verdict, compare, holds_if, search
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import family, sizes, stream


@STATEMENTS.measured(
    "definition-3-3",
    "Definition 3.3",
    "every pair (P, pi) of a partition into consecutive blocks and a permutation is a branch",
    correction="branches are sets: a set has (r - m0)! prod(sizes!) pairs, and there are "
    "S(m, r) r!/(r - m0)! with r groups",
    mutation={"labels": False},
    mutation_says="the factor r!/(r - m0)! is left out",
)
def definition_3_3(labels: bool = True) -> Finding:
    """List all pairs (P, pi) for m <= 4 and count the different sets."""
    wrong = instances = pairs_total = sets_total = 0
    for m, m0 in sizes(4):
        found: dict[int, set[object]] = {}
        pairs = 0
        for cuts in product((0, 1), repeat=m - 1):
            edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), m]
            if len(edges) - 1 < m0:
                continue
            for pi in permutations(range(m)):
                blocks = [frozenset(pi[a:b]) for a, b in pairwise(edges)]
                key = (tuple(blocks[:m0]), frozenset(blocks[m0:]))
                found.setdefault(len(blocks), set()).add(key)
                pairs += 1
        for r in range(m0, m + 1):
            factor = factorial(r) // factorial(r - m0) if labels else 1
            wrong += len(found[r]) != stirling2(m, r) * factor
            instances += 1
        pairs_total += pairs
        sets_total += count_branches(m, m0)
    return compare(
        0.0,
        float(wrong),
        0.0,
        instances=instances,
        printed=holds_if(pairs_total == sets_total),
        pairs=pairs_total,
        sets=sets_total,
    )


@STATEMENTS.measured(
    "proposition-3-2",
    "Proposition 3.2",
    "Q* is the union of the branches; the closure of one is affine of dimension (m-r) + (r-m0)d",
    mutation={"per_group": 1},
    mutation_says="one dimension more for every free group",
)
def proposition_3_2(per_group: int = 0) -> Finding:
    """Compare with P minus the rank of the equations; members must reproduce the target."""
    rng, wrong, worst, instances = stream(7), 0, 0.0, 0
    for d in (1, 2):
        for m, m0 in sizes(4):
            found = family(m, m0, d)
            for orbit in found.orbits():
                branch = orbit.representative
                matrix, _ = branch.linear_equations()
                dim = matrix.shape[1] - np.linalg.matrix_rank(matrix)
                formula = (m - branch.r) + (branch.r - m0) * (d + per_group)
                wrong += dim != formula or branch.dim != dim
                theta = branch.sample(rng)
                x = rng.normal(size=(20, d))
                gap = np.abs(found.net(theta, x) - found.teacher(x)).max()
                size = (
                    np.abs(found.net.unpack(theta).a)
                    @ np.exp(np.abs(found.net.unpack(theta).w @ x.T))
                ).max()
                worst = max(worst, float(gap / size))
                instances += 1
    wrong += worst > 1e-13
    return compare(0.0, float(wrong), 0.0, instances=instances, worst_relative_defect=worst)


def _not_inside(branch: Branch, other: Branch) -> int:
    """Return how many blocks of `other` lie in no block of `branch`: m' of Lemma 3.5."""
    blocks = [set(group) for group in branch.groups]
    return sum(not any(set(group) <= block for block in blocks) for group in other.groups)


def _counterexample(found: Branches) -> tuple[Branch, Branch, int, int] | None:
    """Return a pair with (bound of Lemma 3.5, number of different weights) that break it."""
    for one in found:
        for other in found:
            shared = one.intersection(other)
            if shared is None or shared.n_weights is None:
                continue
            bound = one.r - _not_inside(one, other)
            if shared.n_weights > bound:
                return one, other, bound, shared.n_weights
    return None


@STATEMENTS.searched(
    "lemma-3-5",
    "Lemma 3.5",
    "if m' blocks of P' lie in no block of P, the closures meet in points of at most r - m' "
    "weights",
    correction="with J the join of the partitions and c its blocks: empty unless every label's two "
    "blocks share a block of J of their own; else affine of dimension "
    "d(c - m0) + m - (r + r' - c), with c weights at a generic point",
)
def lemma_3_5() -> Finding:
    """Search students by width for the first pair; compare the corrected rule with algebra."""
    first = None
    for m, m0 in sizes(4):
        hit = _counterexample(family(m, m0, 1))
        if hit is not None:
            one, other, bound, weights = hit
            member = (one.intersection(other) or _never()).sample(stream(8))
            different = len(np.unique(np.round(member.reshape(m, 2)[:, 1], 9)))
            first = f"m={m}, m0={m0}: {one.name} and {other.name}: {weights} weights, not {bound}"
            assert different == weights
            break
    rng, wrong, budget = stream(9), 0, 300
    families = [family(m, m0, d) for m, m0 in sizes(4) for d in (1, 2)]
    for number in range(budget):
        found = families[number % len(families)]
        one, other = (found[int(i)] for i in rng.integers(found.count(), size=2))
        shared = one.intersection(other)
        wrong += (None if shared is None else shared.dim) != _by_least_squares(one, other)
    printed = Verdict.FAILS if first else Verdict.UNREFUTED
    return search(
        wrong, budget, looked_for="counterexample", printed=printed, first=first or "none"
    )


def _never() -> Branch:  # pragma: no cover
    raise AssertionError("the pair meets")


def _by_least_squares(one: Branch, other: Branch) -> int | None:
    matrix = np.concatenate([one.linear_equations()[0], other.linear_equations()[0]])
    right = np.concatenate([one.linear_equations()[1], other.linear_equations()[1]])
    solution = np.linalg.lstsq(matrix, right, rcond=1e-10)[0]
    if np.abs(matrix @ solution - right).max() > 1e-9:
        return None
    return matrix.shape[1] - int(np.linalg.matrix_rank(matrix, tol=1e-10))


@STATEMENTS.measured(
    "example-3-4",
    "example after Lemma 3.5 and Figure 4: m = 3, m0 = 1",
    "the closures of Q^1, Q^2, Q^3 have dimensions 2, 1 + d, 2d; Fig. 4 draws three planes as Q^2",
    correction="Q^2 has six sets of two kinds (free group of one or two); the three planes are Q^3",
    mutation={"kinds": 1},
    mutation_says="Q^2 is claimed to have one kind of branches",
)
def example_3_4(kinds: int = 2) -> Finding:
    """Count sets and kinds, and their dimensions for d = 1, 2, 3."""
    wrong = 0
    for d in (1, 2, 3):
        found = family(3, 1, d)
        for r, dim, sets, orbits in ((1, 2, 1, 1), (2, 1 + d, 6, kinds), (3, 2 * d, 3, 1)):
            own = [b for b in found if b.r == r]
            wrong += any(b.dim != dim for b in own) or len(own) != sets
            wrong += len({b.orbit for b in own}) != orbits
    three = len([b for b in family(3, 1, 1) if b.r == 2]) == 3
    return compare(0.0, float(wrong), 0.0, instances=9, printed=holds_if(three))


@STATEMENTS.measured(
    "lemma-3-6",
    "Lemma 3.6",
    "the smallest deficient number is max(0, 2r - m - m0)",
    mutation={"shift": 1},
    mutation_says="max(0, 2r - m - m0 + 1)",
)
def lemma_3_6(shift: int = 0) -> Finding:
    """Take the minimum over all branches with r groups."""
    wrong = instances = 0
    for m, m0 in sizes(6):
        orbits = [orbit.representative for orbit in family(m, m0, 1).orbits()]
        for r in range(m0, m + 1):
            least = min(b.l for b in orbits if b.r == r)
            wrong += least != max(0, 2 * r - m - m0 + shift)
            instances += 1
    return compare(0.0, float(wrong), 0.0, instances=instances)
