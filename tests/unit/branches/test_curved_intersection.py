"""Where closures meet of which some are curved by a constant group."""

from __future__ import annotations

import numpy as np
import pytest
from common_zero import common_zero

from flowscape.branches.intersections.curved_subspace import CurvedSubspace
from flowscape.errors import ProblemError

CASES = [
    ("tanh", 3, 1, {}),
    ("tanh", 3, 1, {"flat": 1}),
    ("wavy", 3, 1, {"flat": 1}),
    ("gauss", 3, 1, {"output_bias": True}),
    ("bumpy", 3, 1, {}),
    ("mixed", 4, 1, {"flat": 1, "outputs": 2}),
    ("gauss", 3, 0, {"flat": 1}),
    ("sigmoid", 3, 1, {}),
    ("lowered", 3, 1, {"flat": 1}),
    ("sigmoid", 3, 1, {"output_bias": True, "outputs": 2}),
]


def chosen_pair(everything, curved, rng, meet):
    """Return a curved branch and another one, which meet if that is asked for."""
    first = curved[int(rng.integers(len(curved)))]
    for i in rng.permutation(len(everything)):
        other = everything[int(i)]
        if other is not first and (not meet or first.intersection(other) is not None):
            return first, other
    return first, first


SLOW = [pytest.param(*case, marks=pytest.mark.slow) for case in (CASES[0], *CASES[2:7], *CASES[8:])]


@pytest.mark.parametrize(("formula", "m", "m0", "more"), [*CASES[1:2], *CASES[7:8], *SLOW])
def test_dimension_and_emptiness_against_newton_and_ranks(make_case, rng, formula, m, m0, more):
    case = make_case(formula, m, m0, **more)
    everything = list(case.family)
    curved = [branch for branch in everything if not branch.is_affine]
    seen = {"empty": 0, "meet": 0}
    for turn in range(9):
        pair = chosen_pair(everything, curved, rng, meet=turn % 3 > 0)
        found = pair[0].intersection(pair[1])
        p = case.net.n_params
        if found is None:
            starts = 2.0 * rng.normal(size=(3, p))
            assert all(common_zero(pair, start) is None for start in starts)
            seen["empty"] += 1
            continue
        seen["meet"] += 1
        theta = found.sample(rng)
        size = 1.0 + np.abs(theta).max()
        assert case.defect(theta) < 1e-10 * size
        assert max(branch.distance(theta) for branch in pair) < 1e-9 * size
        assert found.distance(theta) < 1e-9 * size
        stacked = np.concatenate([branch.equations_jacobian(theta) for branch in pair])
        values = np.linalg.svd(stacked, compute_uv=False)
        assert (values > 1e-7 * values[0]).sum() == found.codim == p - found.dim
        near = theta + 1e-3 * rng.normal(size=p)
        projected = found.project(near)
        assert max(branch.distance(projected) for branch in pair) < 1e-8 * size
        assert found.distance(near) >= max(branch.distance(near) for branch in pair) * (1 - 1e-6)
        zero = common_zero(pair, theta + 0.2 * rng.normal(size=p))
        if zero is not None:
            assert found.contains(zero, 1e-6)
    assert min(seen.values()) > 0


def test_a_branch_meets_itself_in_itself(make_case, rng):
    for formula, m, m0, more in CASES:
        family = make_case(formula, m, m0, **more).family
        branch = next(b for b in family if not b.is_affine)
        found = branch.intersection(branch)
        assert isinstance(found, CurvedSubspace)
        assert found.dim == branch.dim
        assert found.n_weights is None
        theta = found.sample(rng)
        assert np.abs(found.equations(theta)).max() < 1e-10 * (1 + np.abs(theta).max())
        assert branch.contains(theta, 1e-8 * (1 + np.abs(theta).max()))
        assert found.distance(theta + 10.0).shape == ()
        assert found.project(np.stack([theta, theta])).shape == (2, len(theta))


def test_two_constant_groups_by_hand(make_case):
    """One tanh target neuron with a constant, three neurons, d = 1; b in three intervals or two."""
    family = make_case("tanh", 3, 1, flat=1).family

    def branch(name):
        return next(b for b in family if b.name == name)

    both, one, two = (
        branch("{1}=t1 {2,3}=constant"),
        branch("{1}=t1 {3}=free {2}=constant"),
        branch("{1}=t1 {2}=free {3}=constant"),
    )
    # a_3 = 0, w_2 = w_3 = 0, one equation for (a_2, b_2): b_2 and b_3 are free
    assert both.intersection(one).dim == 2
    # a_2 = a_3 = 0 makes no constant
    assert one.intersection(two) is None
    # the target neuron cannot be in two places
    assert both.intersection(branch("{2}=t1 {1,3}=constant")) is None


def test_sheets_on_two_sides_of_a_zero_do_not_meet(make_case):
    family = make_case("tanh", 2, 1, flat=1).family
    sheets = [b for b in family if b.blocks == family[0].blocks and b.signs == family[0].signs]
    assert len(sheets) == 2
    assert sheets[0].intersection(sheets[1]) is None
    assert sheets[0].intersection(sheets[0]).dim == 1


def test_conditions_on_ranks_are_refused_by_name(make_case):
    family = make_case("tanh", 3, 1, outputs=2).family
    curved = next(b for b in family if not b.is_affine)
    with pytest.raises(ProblemError, match="ranks"):
        curved.intersection(curved)
