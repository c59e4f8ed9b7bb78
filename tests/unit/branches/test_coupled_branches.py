"""Odd + constant and even + linear: lists by brute force, closures, intersections, counts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from flowscape.branches import branches, connected_components, intersection_poset, matching
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer


def test_intersections_are_those_of_linear_algebra(make_case, rng):
    cases = [
        make_case("sigmoid", 3, 1, bias=False),
        make_case("sigmoid", 3, 2, bias=False, weights=(1.0, -1.0)),
        make_case("sigmoid", 3, 1, bias=False, outputs=2),
        make_case("sigmoid", 3, 1, bias=False, output_bias=True),
        make_case("sigmoid", 3, 1, bias=False, flat=1),
        make_case("lowered", 3, 1),
    ]
    seen = {"empty": 0, "meet": 0}
    for case in cases:
        everything = [branch for branch in case.family if branch.is_affine]
        for _ in range(60):
            picks = rng.integers(len(everything), size=rng.integers(2, 4))
            chosen = [everything[int(i)] for i in picks]
            found = chosen[0].intersection(*chosen[1:])
            pairs = [branch.linear_equations() for branch in chosen]
            matrix = np.concatenate([pair[0] for pair in pairs])
            right = np.concatenate([pair[1] for pair in pairs])
            point = np.linalg.lstsq(matrix, right, rcond=1e-10)[0]
            if np.abs(matrix @ point - right).max() > 1e-9:
                assert found is None
                seen["empty"] += 1
            else:
                assert found is not None
                rank = np.linalg.matrix_rank(matrix, tol=1e-9)
                assert found.dim == case.net.n_params - rank
                assert case.defect(found.sample(rng)) < 1e-11
                seen["meet"] += 1
    assert min(seen.values()) > 30


def test_a_poset_of_sigmoid_branches_has_the_closures_on_top(make_case):
    family = make_case("sigmoid", 2, 1, bias=False).family
    poset = intersection_poset(family)
    lower = {low for low, _ in poset.covers}
    tops = [flat for i, flat in enumerate(poset.flats) if i not in lower]
    assert sorted(flat.members for flat in tops) == [(i,) for i in range(len(family))]
    # {1,2}=t, {k} free, and {k}=-t with the other one silent: these two stand apart
    assert sorted(map(len, connected_components(family))) == [1, 1, 3]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        # {1,2}=t, {k}=t {j} free, {-k}=t {j} silent
        ({"formula": "sigmoid", "m": 2, "m0": 1, "bias": False}, 5),
        # with an output bias those of tanh: 2 kinds of signs, free, silent
        ({"formula": "sigmoid", "m": 2, "m0": 1, "bias": False, "output_bias": True}, 12),
        # a = (1, -1): no signs, or both flipped
        ({"formula": "sigmoid", "m": 2, "m0": 2, "bias": False, "weights": (1.0, -1.0)}, 4),
        ({"formula": "sigmoid", "m": 2, "m0": 2, "bias": False, "weights": (1.0, -0.5)}, 2),
        # two equal weights: each sign changes the sum
        ({"formula": "sigmoid", "m": 2, "m0": 2, "bias": False, "weights": (1.0, 1.0)}, 2),
        # softplus needs two pairs' worth of neurons before anything new appears
        ({"formula": "softplus", "m": 2, "m0": 1, "bias": False}, 3),
        # {-k}=t with the pair {i,-j}: three more than the ten of a generic activation
        ({"formula": "softplus", "m": 3, "m0": 1, "bias": False}, 13),
        ({"formula": "softplus", "m": 3, "m0": 1, "bias": False, "outputs": 2}, 13),
        # sizes 2, 1, 1 (24 and 12 ways to label) and 12 * 2 sets {-k}=t {l}=t' with a pair {i,-j}
        ({"formula": "softplus", "m": 4, "m0": 2, "d": 2, "bias": False, "outputs": 2}, 86),
        # parallel weights: both may be flipped, as L' has rank 1
        (
            {"formula": "softplus", "m": 4, "m0": 2, "d": 2, "bias": False, "outputs": 2}
            | {"weights": (1.0, -1.0)},
            98,
        ),
    ],
)
def test_small_families_by_hand(make_case, arguments, count):
    assert make_case(**arguments).family.count() == count


def test_the_constant_of_a_sigmoid_target_is_made_by_all_neurons():
    wide = TwoLayer(2, 1, "sigmoid", bias=False)
    # a pair w, -w: 1.5 of tanh / 2, and a constant that one neuron cannot make
    teacher = Teacher(wide, wide.pack(a=[1.0, -0.5], w=[[0.7], [-0.7]]))
    family = branches(wide, teacher)
    np.testing.assert_allclose(family.target.outgoing, [[1.5]])
    np.testing.assert_allclose(family.target.constant, [0.25])
    assert any("round-off" in note for note in family.target.notes)
    kinds = [orbit.representative.kind for orbit in family.orbits()]
    assert "labelled 1+1-" in kinds
    one = branches(TwoLayer(1, 1, "sigmoid", bias=False), teacher)
    assert one.count() == 0
    assert "another neuron" in one.message
    with pytest.raises(ProblemError, match="own width"):
        _ = family.optimistic_size
    single = TwoLayer(1, 1, "sigmoid", bias=False)
    assert branches(wide, Teacher(single, [1.0, 0.7])).optimistic_size == 2


def test_huge_families_are_counted_and_reached_without_listing():
    rng = np.random.default_rng(1)
    for name in ("sigmoid", "softplus"):
        net = TwoLayer(2, 2, name)
        family = branches(TwoLayer(9, 2, name), Teacher(net, rng.normal(size=net.n_params)))
        total = family.count()
        assert total > 10**7
        assert total == family.ends[-1]
        for index in (0, total // 3, total - 1):
            branch = family[index]
            theta = branch.sample(rng)
            x = rng.normal(size=(20, 2))
            gap = np.abs(family.net(theta, x) - family.teacher(x)).max()
            assert gap < 1e-11 * (1.0 + np.abs(theta).max() ** 2)


def test_matching_sees_a_wrong_linear_part():
    net = TwoLayer(1, 1, "softplus", bias=False)
    teacher = Teacher(net, [1.0, 0.7])
    assert matching([1.0, 0.7], teacher).perfect
    flipped = matching([1.0, -0.7], teacher)
    assert not flipped.perfect
    # softplus(z) - softplus(-z) = z
    assert flipped.linear_error == pytest.approx(0.7)
    assert flipped.constant_error == flipped.incoming_error[0] == 0.0


def stray_case(make_case):
    """Return a family with {i,-j} = t and a free pair on the line of the target: d = 2."""
    return make_case("softplus", 4, 1, d=2, bias=False)


def test_a_pair_with_a_vanishing_weight_belongs_to_the_finer_branch(make_case, rng):
    case = stray_case(make_case)
    family, s = case.family, case.family.setting
    branch = next(
        b for b in family if b.coupling.free and b.coupling.labelled and len(b.blocks[1]) == 2
    )
    weight, vector = case.teacher.theta[0], case.teacher.theta[1:]
    signs = np.array(branch.signs, dtype=float)
    outgoing, incoming = np.zeros((1, 4, 1)), np.zeros((1, 4, 2))
    pair, loose = list(branch.blocks[1]), list(branch.blocks[2])
    # sum a = sum eps a = abar, and the free pair has a = 0: a zero of all equations
    outgoing[0, pair, 0] = np.where(signs[pair] > 0, weight, 0.0)
    incoming[0, pair] = signs[pair, None] * vector
    incoming[0, loose] = signs[loose, None] * rng.normal(size=2)
    theta = s.join(outgoing, incoming, np.zeros((1, 1)))[0]
    assert case.defect(theta) < 1e-12
    assert np.abs(branch.equations(theta)).max() < 1e-12
    # but the branch has its free vectors on the line of the target
    apart = incoming[0, loose[0]] - vector * (incoming[0, loose[0]] @ vector) / (vector @ vector)
    assert branch.distance(theta) == pytest.approx(np.sqrt(2.0) * np.linalg.norm(apart), rel=1e-6)
    located = family.locate(theta, 1e-6)
    assert located.distance < 1e-12
    assert located.nearest_index != branch.index
    near = branch.sample(rng)
    assert branch.distance(near) < 1e-12
    assert family.locate(near, 1e-6).index == branch.index


def curved_pairs(make_case):
    """Return cases and branches: one output, several, and two components of one stratum."""
    cases = [make_case("softplus", 3, 1, d=2, bias=False), stray_case(make_case)]
    found = [(case, next(b for b in case.family if b.coupling.free)) for case in cases]
    case = make_case("softplus", 4, 1, d=2, bias=False, outputs=2)
    found += [(case, next(b for b in case.family if b.shape.ranks == r)) for r in ((1, 1), (1, 0))]
    case = make_case("softplus", 5, 1, d=2, bias=False, outputs=2)
    found += [(case, b) for b in two_components(case.family)]
    return found


def two_components(family):
    """Return the two branches with {-1} = t and the pairs {2,-3} and {4,-5}."""
    found = [b for b in family if b.shape.ranks in ((2, 1), (1, 2))]
    same = [b for b in found if b.blocks == found[0].blocks and b.signs == found[0].signs]
    assert [b.shape.ranks for b in same] == [(2, 1), (1, 2)]
    return same


def test_distance_to_a_curved_pair_against_a_search(make_case, rng):
    from scipy.optimize import minimize

    for case, branch in curved_pairs(make_case):
        theta = branch.sample(rng) + 0.05 * rng.normal(size=case.net.n_params)
        starts = [branch.sample(rng), branch.project(theta)]
        found = [
            minimize(
                lambda p, theta=theta: ((p - theta) ** 2).sum(),
                start,
                jac=lambda p, theta=theta: 2.0 * (p - theta),
                constraints={
                    "type": "eq",
                    "fun": branch.equations,
                    "jac": branch.equations_jacobian,
                },
                method="SLSQP",
                options={"ftol": 1e-15, "maxiter": 500},
            )
            for start in starts
        ]
        good = [np.sqrt(f.fun) for f in found if np.abs(branch.equations(f.x)).max() < 1e-7]
        members = [f.x for f in found if branch.contains(f.x, 1e-5)]
        assert good
        assert members
        assert branch.distance(theta) <= min(np.linalg.norm(p - theta) for p in members) + 1e-6


def test_components_of_one_stratum_meet_where_both_ranks_are_smaller(make_case, rng):
    case = make_case("softplus", 5, 1, d=2, bias=False, outputs=2)
    family = case.family
    one, two = two_components(family)
    assert one.name.endswith("ranks 2, 1")
    assert family.locate(one.sample(rng), 1e-8).index == one.index
    assert family.locate(two.sample(rng), 1e-8).index == two.index
    for branch, other in ((one, two), (two, one)):
        members = np.stack([branch.sample(rng) for _ in range(5)])
        assert branch.distance(members).max() < 1e-11
        assert other.distance(members).min() > 1e-3
    # all q_j along the target's weight, all u_j along its vector: ranks 1, 1
    weight, vector = case.teacher.theta[:2], case.teacher.theta[2:]
    outgoing, incoming = np.zeros((1, 5, 2)), np.zeros((1, 5, 2))
    signs = np.array(one.signs, dtype=float)
    (single,), *pairs = one.blocks[1:]
    outgoing[0, single], incoming[0, single] = weight, -vector
    for (i, j), q, u in zip(pairs, (0.7, -0.4), (2.0, -1.5), strict=True):
        assert signs[i] == -signs[j] == 1.0
        outgoing[0, i], outgoing[0, j] = 0.5 * q * weight, -0.5 * q * weight
        incoming[0, i], incoming[0, j] = u * vector, -u * vector
    theta = family.setting.join(outgoing, incoming, np.zeros((1, 2)))[0]  # 1.4 + 0.6 = 2
    assert case.defect(theta) < 1e-12
    assert one.distance(theta) < 1e-10
    assert two.distance(theta) < 1e-10


def test_equations_without_ranks_hold_on_more_than_the_closure(make_case, rng):
    # {1,-2} = t and free pairs: P U = 0 for ranks (2, 0), q of rank 1 for (1, 1)
    case = make_case("softplus", 6, 1, d=2, bias=False, outputs=2)
    found = [b for b in case.family if b.shape.ranks == (2, 0)]
    wide = found[0]
    flat = next(
        b
        for b in case.family
        if b.shape.ranks == (1, 1) and b.blocks == wide.blocks and b.signs == wide.signs
    )
    vector = case.teacher.theta[2:]
    across = np.array([-vector[1], vector[0]]) / np.linalg.norm(vector)
    theta = wide.sample(rng)
    _, incoming, _ = (part[0] for part in case.family.setting.split(theta[None]))
    assert np.abs(incoming @ across).max() < 1e-10
    outgoing, incoming, _ = case.family.setting.split(flat.sample(rng)[None])
    eps = np.array(flat.signs, dtype=float)
    sums = [eps[list(g.neurons)] @ outgoing[0, list(g.neurons)] for g in flat.coupling.free]
    assert np.linalg.svd(np.array(sums))[1][1] < 1e-10
    assert np.abs(incoming[0] @ across).max() > 1e-3
    assert wide.distance(flat.sample(rng)) > 1e-3
    assert flat.distance(theta) > 1e-3


def test_a_branch_may_fall_into_two_pieces(make_case, rng):
    # q u = L' with L' != 0: q > 0 or q < 0
    family = make_case("softplus", 3, 1, bias=False).family
    branch = next(b for b in family if not b.is_affine)
    (pair,) = branch.coupling.free
    signs = set()
    for _ in range(20):
        outgoing = family.setting.split(branch.sample(rng)[None])[0][0, :, 0]
        signs.add(
            np.sign(sum(e * outgoing[k] for k, e in zip(pair.neurons, pair.signs, strict=True)))
        )
    assert signs == {1.0, -1.0}


def test_bits_do_not_depend_on_the_batch(make_case, rng):
    for width, outputs in ((4, 1), (3, 2)):
        family = make_case("softplus", width, 1, d=2, bias=False, outputs=outputs).family
        points = rng.normal(size=(6, family.setting.n_params))
        for branch in [b for b in family if b.coupling.free][::6]:
            together = branch.project(points)
            alone = np.stack([branch.project(point) for point in points])
            np.testing.assert_array_equal(together, alone)


def test_every_sign_pattern_is_accounted_for(make_case):
    """All sign patterns of one labelled pair of a sigmoid: which are components, by hand."""
    family = make_case("sigmoid", 2, 1, bias=False).family
    listed = {branch.name for branch in family}
    assert "{1,2}=t1" in listed
    for one, two in product((1, -1), repeat=2):
        if (one, two) != (1, 1):
            # one flipped: a_1 - a_2 = a_1 + a_2 leaves a_2 = 0, part of {1}=t {2}=free
            assert f"{{{one},{2 * two}}}=t1" not in listed
