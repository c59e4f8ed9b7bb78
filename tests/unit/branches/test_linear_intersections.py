"""Where closures of even plus linear activations meet: against Newton's method and by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from common_zero import common_zero

from flowscape.branches import branches, intersection_poset
from flowscape.branches.intersections.sums import Sums
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer

CASES = [
    ("softplus", 3, 1, {"bias": False}),
    ("softplus", 3, 1, {}),
]
MORE = [
    ("silu", 3, 1, {}),
    ("softplus", 4, 0, {"bias": False, "d": 2}),
    ("silu", 3, 1, {"bias": False}),
    ("softplus", 3, 1, {"bias": False, "d": 2}),
    ("softplus", 3, 2, {"bias": False, "weights": (1.0, -1.0)}),
    ("softplus", 3, 1, {"bias": False, "flat": 1}),
    ("softplus", 3, 1, {"output_bias": True}),
    ("silu", 3, 1, {"flat": 1}),
    ("leaning", 3, 1, {}),
    ("softplus", 3, 0, {}),
    ("softplus", 4, 1, {"bias": False, "d": 2}),
    ("softplus", 4, 1, {"output_bias": True}),
    ("silu", 4, 1, {}),
    ("softplus", 4, 1, {}),
]
SLOW = [pytest.param(*case, marks=pytest.mark.slow) for case in MORE]


@pytest.mark.parametrize(("formula", "m", "m0", "more"), [*CASES, *SLOW])
def test_against_newton_on_all_equations(make_case, rng, formula, m, m0, more):
    """No search finds a common point of closures that do not meet, nor one outside the pieces."""
    case = make_case(formula, m, m0, **more)
    everything, p = list(case.family), case.net.n_params
    curved = [branch for branch in everything if not branch.is_affine]
    seen: Counter = Counter()
    for turn in range(30):
        chosen = [everything[int(i)] for i in rng.integers(len(everything), size=2 + turn % 2)]
        if turn % 3 == 0 and curved:
            chosen[0] = curved[int(rng.integers(len(curved)))]
        if turn == 0 and curved:
            chosen = chosen[:1] * 2
        found = chosen[0].intersection(*chosen[1:])
        if found is None:
            seen["empty"] += 1
            starts = 2.0 * rng.normal(size=(2, p))
            assert all(common_zero(chosen, start) is None for start in starts)
            continue
        seen["meet"] += 1
        assert found.dim == max(piece.dim for piece in found.pieces) == p - found.codim
        for piece in found.pieces:
            theta = piece.sample(rng)
            size = 1.0 + np.abs(theta).max()
            assert case.defect(theta) < 1e-9 * size
            assert max(branch.distance(theta) for branch in chosen) < 1e-8 * size
            assert found.distance(theta) < 1e-8 * size
            assert piece.distance(theta) < 1e-8 * size
        for start in (rng.normal(size=p), found.sample(rng) + 0.2 * rng.normal(size=p)):
            zero = common_zero(chosen, start)
            if zero is not None:
                seen["zeros"] += 1
                assert found.contains(zero, 1e-6 * (1.0 + np.abs(zero).max()))
    assert seen["meet"] >= 1
    assert seen["zeros"] >= 1


@pytest.mark.parametrize(("formula", "m", "m0", "more"), [*CASES, *SLOW])
def test_a_closure_meets_itself_in_itself(make_case, rng, formula, m, m0, more):
    family = make_case(formula, m, m0, **more).family
    for orbit in family.orbits():
        branch = orbit.representative
        found = branch.intersection(branch)
        assert [piece.dim for piece in found.pieces] == [branch.dim]
        theta = branch.sample(rng)
        assert found.contains(theta, 1e-7 * (1.0 + np.abs(theta).max()))


@pytest.mark.parametrize(("formula", "m", "m0", "more"), CASES)
def test_dimensions_are_ranks_where_equations_are_independent(make_case, rng, formula, m, m0, more):
    """At a random member the derivative of all equations together has the codimension as rank.

    Where it has less, the intersection is not transverse: it is never larger than that.
    """
    family = make_case(formula, m, m0, **more).family
    poset, equal = intersection_poset(family), 0
    for flat in poset.flats:
        theta = flat.subspace.sample(rng)
        stacked = [family[i].equations_jacobian(theta) for i in flat.members]
        rank = np.linalg.matrix_rank(np.concatenate(stacked), tol=1e-7)
        assert rank <= flat.subspace.codim
        equal += rank == flat.subspace.codim
    assert equal >= 0.9 * len(poset.flats)


@pytest.mark.parametrize(("formula", "m", "m0", "more"), [*CASES, *SLOW[:9]])
def test_the_closures_through_any_perfect_network_are_those_of_a_flat(
    make_case, rng, formula, m, m0, more
):
    case = make_case(formula, m, m0, **more)
    everything = list(case.family)
    known = {flat.members for flat in intersection_poset(case.family).flats}
    seen = set()
    for turn in range(40):
        picks = rng.integers(len(everything), size=1 + turn % 3)
        theta = common_zero([everything[int(i)] for i in picks], rng.normal(size=case.net.n_params))
        if theta is not None:
            through = tuple(i for i, b in enumerate(everything) if b.distance(theta) < 1e-8)
            assert through in known
            seen.add(through)
    assert len(seen) >= 5


def test_a_bundle_and_the_plane_beside_it():
    """Target 0, softplus, d = 2: two pairs {1,-2}, {3,-4} with q_1 u_1 + q_2 u_2 = 0.

    With the closure of four free neurons: all a = 0, and u_1, u_2 dependent (7 = 8 - 1 less 2 + 2).
    """
    net = TwoLayer(4, 2, "softplus", False)
    small = TwoLayer(1, 2, "softplus", False)
    family = branches(net, Teacher(small, np.array([0.0, 1.0, 0.5])))
    pairs = next(b for b in family if b.name == "{1,-2}=free {3,-4}=free")
    free = next(b for b in family if b.name == "{1}=free {2}=free {3}=free {4}=free")
    cut = pairs.intersection(free)
    # u_1 and u_2 on one line of the plane, all a = 0
    assert pairs.dim == 2 + 4 - 2 + 0
    assert cut.dim == 3
    theta = cut.sample(np.random.default_rng(1)).reshape(4, 3)
    assert np.abs(theta[:, 0]).max() < 1e-12
    assert abs(np.linalg.det(theta[[0, 2], 1:])) < 1e-12
    assert np.abs(theta[0, 1:] + theta[1, 1:]).max() < 1e-12


def test_several_outputs_are_refused_by_name(make_case):
    family = make_case("softplus", 3, 1, bias=False, outputs=2, d=2).family
    with pytest.raises(ProblemError, match="outputs=2"):
        family[0].intersection(family[1])


def test_vectors_that_are_dependent_in_two_ways_are_refused():
    """u_1, u_2 and u_2, u_3 dependent in R^3: u_2 = 0, or all three on one line."""
    small = TwoLayer(1, 3, "softplus", False)
    teacher = Teacher(small, np.array([0.0, 1.0, 0.5, 0.2]))
    family = branches(TwoLayer(6, 3, "softplus", False), teacher)
    names = (
        "{1,-2}=free {3,-4}=free {5}=free {6}=free",
        "{3,-4}=free {5,-6}=free {1}=free {2}=free",
    )
    one, two = (next(b for b in family if b.name == name) for name in names)
    with pytest.raises(ProblemError, match="dependent in two ways"):
        one.intersection(two)


def test_sums_are_combinations_of_right_sides():
    sums = Sums([{0: 1, 1: 1}, {1: 1, 2: -1}, {0: 1, 2: 1}], [0, None, 0])
    assert sums.consistent
    assert sums.rank == 2
    assert sums.value({0: 2, 1: 1, 2: 1}) == {0: 2}
    assert sums.value({0: 1}) is None
    assert not Sums([{0: 1}, {0: 2}], [0, 1]).consistent
    assert Sums([{0: 1}, {0: 2}], [None, None]).rank == 1
