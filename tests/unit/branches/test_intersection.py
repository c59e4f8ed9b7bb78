"""Intersections of closures against elimination over the rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, permutations, product
from math import factorial

import numpy as np
import pytest
from every_stratum import set_partitions

from flowscape.branches import branches, count_branches
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer

SIZES = [(m, m0) for m in range(1, 6) for m0 in range(1, m + 1)]


def exact_solution(matrices, rights):
    """Return the dimension of the solutions of stacked equations, None if there are none.

    Gauss elimination with Fractions on the floats as they are.
    """
    rows = [
        [Fraction(x) for x in row] + [Fraction(y)]
        for matrix, right in zip(matrices, rights, strict=True)
        for row, y in zip(matrix.tolist(), right.tolist(), strict=True)
    ]
    size, rank = len(rows[0]) - 1, 0
    for column in range(size):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            if rows[i][column]:
                ratio = rows[i][column] / rows[rank][column]
                rows[i] = [
                    x - ratio * y if y else x for x, y in zip(rows[i], rows[rank], strict=True)
                ]
        rank += 1
    if any(row[-1] for row in rows[rank:]):
        return None
    return size - rank


def family(m, m0, d, activation="exp", bias=False, output_bias=False, outputs=1):
    rng = np.random.default_rng([m, m0, d])
    small = TwoLayer(m0, d, activation, bias, outputs, output_bias)
    theta = rng.integers(1, 9, size=small.n_params) / 4.0  # sums of such numbers are exact
    parts = small.unpack(theta)
    parts.w[...] += 4.0 * np.arange(m0)[:, None]  # distinct
    return branches(TwoLayer(m, d, activation, bias, outputs, output_bias), Teacher(small, theta))


def compare(one, other):
    """Compare one pair; return whether it meets."""
    pairs = [b.linear_equations() for b in (one, other)]
    wanted = exact_solution([p[0] for p in pairs], [p[1] for p in pairs])
    found = one.intersection(other)
    assert (None if found is None else found.dim) == wanted, (one, other)
    return wanted is not None


def test_random_pairs_of_generic_branches(rng):
    """5,000 pairs, d <= 3, m <= 5, all m0."""
    families = [family(m, m0, d) for m, m0 in SIZES for d in (1, 2, 3)]
    meet = 0
    for number in range(5000):
        f = families[number % len(families)]
        i, j = rng.integers(f.count(), size=2)
        meet += compare(f[int(i)], f[int(j)])
    assert 500 < meet < 4500


@pytest.mark.parametrize(
    ("activation", "bias", "output_bias", "outputs", "m", "m0"),
    [
        ("tanh", False, False, 1, 3, 1),
        ("tanh", False, True, 2, 3, 1),
        ("tanh", True, False, 1, 3, 1),
        ("tanh", True, False, 1, 4, 2),
        ("exp", False, True, 1, 4, 1),
        ("exp", False, True, 2, 3, 2),
    ],
)
def test_random_pairs_with_signs_and_constant_groups(
    activation, bias, output_bias, outputs, m, m0, rng
):
    f = family(m, m0, 2, activation, bias, output_bias, outputs)
    affine = [b for b in f if b.is_affine]
    met = [
        compare(affine[int(i)], affine[int(j)]) for i, j in rng.integers(len(affine), size=(120, 2))
    ]
    assert 0 < sum(met) < len(met)


def test_triples_against_elimination(rng):
    met = 0
    for f in (family(4, 1, 2), family(3, 1, 1, "tanh")):
        affine = [b for b in f if b.is_affine]
        for picks in rng.integers(len(affine), size=(150, 3)):
            chosen = [affine[int(i)] for i in picks]
            pairs = [b.linear_equations() for b in chosen]
            wanted = exact_solution([p[0] for p in pairs], [p[1] for p in pairs])
            found = chosen[0].intersection(*chosen[1:])
            assert (None if found is None else found.dim) == wanted
            met += wanted is not None
    assert 20 < met < 280


def test_the_subspace_is_the_common_part(rng):
    f = family(4, 1, 2)
    seen = 0
    for one, other in combinations(f, 2):
        shared = one.intersection(other)
        if shared is None:
            continue
        seen += 1
        assert shared.basis.shape == (f.setting.n_params, shared.dim)
        member = shared.sample(rng)
        assert one.contains(member, 1e-11)
        assert other.contains(member, 1e-11)
        point = rng.normal(size=f.setting.n_params)
        foot = shared.project(point)
        assert one.contains(foot, 1e-11)
        assert other.contains(foot, 1e-11)
        assert shared.distance(point) == pytest.approx(np.linalg.norm(foot - point))
        np.testing.assert_allclose(shared.basis.T @ (foot - point), 0.0, atol=1e-12)
        # generic members have as many different incoming vectors as stated
        vectors = member.reshape(4, 3)[:, 1:]
        assert len({tuple(np.round(v, 8)) for v in vectors}) == shared.n_weights
    assert seen > 100


@pytest.mark.parametrize("d", [1, 2, 3])
def test_counts_and_dimensions_by_brute_force(d):
    """Every labelled set partition of m <= 5 neurons, with equations written here."""
    for m, m0 in SIZES:
        f = family(m, m0, d)
        target = f.target
        wanted = {}
        for parts in set_partitions(list(range(m))):
            for labelled in permutations(range(len(parts)), m0) if len(parts) >= m0 else ():
                rows, right = [], []
                for i, part in enumerate(parts):
                    label = labelled.index(i) if i in labelled else None
                    total = np.zeros(m * (d + 1))
                    total[[k * (d + 1) for k in part]] = 1.0
                    rows.append(total)
                    right.append(0.0 if label is None else target.outgoing[label, 0])
                    for k, j in product(part if label is not None else part[1:], range(d)):
                        row = np.zeros(m * (d + 1))
                        row[k * (d + 1) + 1 + j] = 1.0
                        if label is None:
                            row[part[0] * (d + 1) + 1 + j] = -1.0
                        rows.append(row)
                        right.append(0.0 if label is None else target.incoming[label, j])
                dim = exact_solution([np.array(rows)], [np.array(right)])
                key = tuple(
                    sorted(
                        (tuple(sorted(p)), labelled.index(i) if i in labelled else -1)
                        for i, p in enumerate(parts)
                    )
                )
                singles = sum(len(p) == 1 and i not in labelled for i, p in enumerate(parts))
                wanted[key] = (dim, len(parts), singles)
        listed = {}
        for b in f:
            pairs = zip(b.groups, b.labels, strict=True)
            key = tuple(sorted((tuple(sorted(g)), max(label, -1)) for g, label in pairs))
            listed[key] = (b.dim, b.r, b.l)
        assert listed == wanted
        assert count_branches(m, m0) == f.count() == len(wanted)
        for r, l in product(range(m0, m + 1), range(m + 1)):  # noqa: E741
            number = sum(v[1:] == (r, l) for v in wanted.values())
            assert f.count(r=r, l=l) == number
        for orbit in f.orbits():
            same = [b for b in f if b.orbit == orbit.representative.orbit]
            assert orbit.sets == len(same)


@pytest.mark.parametrize(("m", "m0"), [(2, 1), (3, 1), (4, 1), (4, 2)])
def test_multiplicity_counts_the_pairs_of_the_paper(m, m0):
    f = family(m, m0, 1)
    hits = {}
    for cuts in product((False, True), repeat=m - 1):
        sizes, size = [], 1
        for cut in cuts:
            if cut:
                sizes.append(size)
                size = 1
            else:
                size += 1
        sizes.append(size)
        if len(sizes) < m0:
            continue
        for pi in permutations(range(m)):
            places = iter(pi)
            blocks = [tuple(sorted(next(places) for _ in range(s))) for s in sizes]
            key = (tuple(blocks[:m0]), frozenset(blocks[m0:]))
            hits[key] = hits.get(key, 0) + 1
    assert len(hits) == f.count()
    for b in f:
        key = (b.groups[:m0], frozenset(b.groups[m0:]))
        assert hits[key] == b.multiplicity
    assert sum(hits.values()) % factorial(m) == 0


def test_multiplicity_is_refused_outside_the_definition():
    with pytest.raises(ProblemError, match="no multiplicity"):
        _ = family(2, 1, 1, "tanh")[0].multiplicity


def test_listing_is_what_indexing_gives():
    f = family(5, 2, 1)
    assert [b.name for b in f] == [f[i].name for i in range(f.count())]
    f = family(3, 1, 1, "tanh", bias=True)
    assert [b.name for b in f] == [f[i].name for i in range(f.count())]


def test_all_branches_of_eight_neurons():
    f = family(8, 3, 2)
    assert f.count() == 147_756
    assert len({b.blocks for b in f}) == 147_756
    assert count_branches(12, 6) == family(12, 6, 2).count() > 10**9
