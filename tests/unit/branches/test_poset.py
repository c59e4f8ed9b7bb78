"""The poset of intersections and connectedness."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from common_zero import common_zero

from flowscape.branches import branches, connected_components, intersection_poset
from flowscape.critical import connect
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer


def family(m, m0, d=1, activation="exp", bias=False):
    small = TwoLayer(m0, d, activation, bias)
    theta = np.random.default_rng(3).uniform(0.5, 2.0, small.n_params)
    return branches(TwoLayer(m, d, activation, bias), Teacher(small, theta))


def test_two_neurons_and_one_target_neuron():
    """Q1 is a line; it meets the two planes in one point each (the paper's Fig. 2)."""
    poset = intersection_poset(family(2, 1, d=2))
    assert [flat.dim for flat in poset.flats] == [2, 2, 1, 0, 0]
    points = [i for i, flat in enumerate(poset.flats) if flat.dim == 0]
    line = next(i for i, flat in enumerate(poset.flats) if flat.dim == 1)
    planes = [i for i, flat in enumerate(poset.flats) if flat.dim == 2]
    assert sorted(poset.below(line)) == points
    assert sorted(len(poset.below(p)) for p in planes) == [1, 1]


@pytest.mark.parametrize(("m", "m0", "activation"), [(3, 1, "exp"), (3, 2, "exp"), (2, 1, "tanh")])
def test_flats_are_all_intersections_and_covers_generate_the_order(m, m0, activation):
    f = family(m, m0, activation=activation)
    poset = intersection_poset(f)
    sets = [set(flat.members) for flat in poset.flats]
    assert len({flat.members for flat in poset.flats}) == len(sets)
    for i, j in combinations(range(f.count()), 2):
        shared = f[i].intersection(f[j])
        through = [k for k, members in enumerate(sets) if {i, j} <= members]
        assert (shared is None) == (not through)
        if shared is not None:
            top = min(through, key=lambda k: len(sets[k]))
            assert poset.flats[top].dim == shared.dim
            assert all(sets[top] <= sets[k] for k in through)
    for i, j in combinations(range(len(sets)), 2):  # the intersection of two flats is one
        union = sets[i] | sets[j]
        chosen = [f[k] for k in union]
        shared = chosen[0].intersection(*chosen)
        assert (shared is not None) == any(union <= members for members in sets)
    assert_ordered(poset)
    for low, high in poset.covers:
        assert poset.flats[low].dim < poset.flats[high].dim


def assert_ordered(poset):
    """The transitive closure of the covers is inclusion."""
    sets = [set(flat.members) for flat in poset.flats]
    above = {i: {i} for i in range(len(sets))}
    for _ in sets:
        for low, high in poset.covers:
            above[low] |= above[high]
    for i, one in enumerate(sets):
        assert above[i] == {j for j, other in enumerate(sets) if other <= one}
    for low, high in poset.covers:
        assert poset.flats[low].dim <= poset.flats[high].dim


@pytest.mark.parametrize("m0", [1, 2, 3])
def test_perfect_networks_are_connected_exactly_if_there_is_a_neuron_to_spare(m0):
    assert len(connected_components(family(m0, m0))) == factorial(m0)
    assert len(connected_components(family(m0 + 1, m0))) == 1
    assert len(connected_components(family(m0, m0, activation="tanh"))) == factorial(m0) * 2**m0


def test_curved_closures_are_part_of_the_chain():
    f = family(2, 1, activation="tanh", bias=True)
    assert len(connected_components(f)) == 1
    f = family(3, 1, activation="tanh", bias=True)
    assert f.count() == 68
    assert any(not b.is_affine for b in f)
    assert len(connected_components(f)) == 1
    with pytest.raises(ProblemError, match="at most 400"):
        intersection_poset(family(6, 1))
    with pytest.raises(ProblemError, match="at most 100000"):
        connected_components(family(10, 1))


CURVED = [
    ("tanh", 2, 1, {"flat": 1}),
    ("sigmoid", 2, 1, {}),
    ("mixed", 3, 0, {}),
]
SLOW = [
    pytest.param(*case, marks=pytest.mark.slow)
    for case in (
        ("tanh", 3, 1, {}),
        ("mixed", 3, 0, {"flat": 1}),
        ("bumpy", 3, 0, {}),
        ("lowered", 3, 0, {}),
        ("lowered", 3, 1, {}),
        ("tanh", 3, 0, {"flat": 1}),
    )
]


@pytest.mark.parametrize(("formula", "m", "m0", "more"), [*CURVED, *SLOW])
def test_the_closures_through_any_perfect_network_are_those_of_a_flat(
    make_case, rng, formula, m, m0, more
):
    """Points come from Newton's method on the equations of some branches, not from the poset."""
    case = make_case(formula, m, m0, **more)
    everything = list(case.family)
    poset = intersection_poset(case.family)
    assert_ordered(poset)
    known = {flat.members: flat for flat in poset.flats}
    seen = set()
    for turn in range(60):
        picks = rng.integers(len(everything), size=1 + turn % 3)
        theta = common_zero([everything[int(i)] for i in picks], rng.normal(size=case.net.n_params))
        if theta is None:
            continue
        through = tuple(i for i, b in enumerate(everything) if b.distance(theta) < 1e-8)
        assert set(picks.tolist()) <= set(through)
        assert through in known
        seen.add(through)
    assert len(seen) >= min(5, len(known))
    for flat in poset.flats:
        for piece in flat.subspace.pieces:
            theta = piece.sample(rng)
            assert case.defect(theta) < 1e-9 * (1 + np.abs(theta).max())


def test_a_set_of_two_pieces_by_hand(make_case):
    """{2,3} and {1,2} constant leave a_1 g(b_1) = 0: the weight is 0, or the bias a zero."""
    family = make_case("mixed", 3, 0).family
    zero = family.setting.zeros
    one, two = (
        next(b for b in family if b.name == name)
        for name in ("{3}=free {1,2}=constant", "{2}=free {1,3}=constant")
    )
    shared = one.intersection(two)
    assert len(zero) == 1
    assert [piece.dim for piece in shared.pieces] == [shared.dim] * 2 == [3, 3]
    weight, bias = (piece.point for piece in shared.pieces)
    assert weight[0] == pytest.approx(0.0, abs=1e-12)
    assert bias[2] == pytest.approx(zero[0])


@pytest.mark.parametrize("wrong", [None, "exp", 3])
def test_wrong_types_are_named(wrong):
    f = family(2, 1)
    for call in (intersection_poset, connected_components):
        with pytest.raises(ProblemError, match=r"family=.*branches"):
            call(wrong)
    with pytest.raises(ProblemError, match=r"other=.*branch"):
        f[0].intersection(f[1], wrong)
    with pytest.raises(ProblemError, match=r"family=.*branches"):
        connect(wrong, np.zeros(4), np.zeros(4))
