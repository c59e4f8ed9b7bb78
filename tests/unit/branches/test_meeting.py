"""Which pairs of sets meet at a corner with a known conserved quantity."""

import numpy as np
import pytest

from flowscape.branches.meeting import corner, member


def sets(family, kind):
    """The members of all orbits of this kind."""
    signed = family.setting.signed
    shapes = [shape for shape in family.shapes if shape.describe() == kind]
    assert shapes, [shape.describe() for shape in family.shapes]
    return [member(shape, signed, rank) for shape in shapes for rank in range(shape.n_sets(signed))]


def corners(family, held, free):
    return [
        (one, two, found)
        for one in sets(family, held)
        for two in sets(family, free)
        if (found := corner(family.setting, one, two)) is not None
    ]


def test_members_are_those_of_the_sequence(make_case):
    family = make_case("tanh", 3, 1).family
    for branch in family:
        start = family.ends[branch.orbit - 1] if branch.orbit else 0
        found = member(branch.shape, True, branch.index - start)
        assert found == (branch.shape, branch.blocks, branch.signs, branch.variant)


def test_every_shared_pair_meets_the_set_that_frees_one_of_its_neurons(make_case):
    family = make_case("tanh", 2, 1).family
    found = corners(family, "labelled 2", "labelled 1 | free 1")
    # either neuron may become free, and the other one keeps its sign
    assert len(found) == 2 * len(sets(family, "labelled 2"))
    for one, two, at in found:
        assert {at.neuron, at.partner} == {0, 1}
        assert at.factor == 4.0
        assert at.sign == one.signs[0] * one.signs[1]
        assert two.signs[at.partner] == one.signs[at.partner]


def test_silent_neurons_meet_free_ones(make_case):
    family = make_case("tanh", 2, 1).family
    found = corners(family, "labelled 1 | constant (zeros) 1", "labelled 1 | free 1")
    assert len(found) == len(sets(family, "labelled 1 | constant (zeros) 1"))
    for _, _, at in found:
        assert (at.partner, at.factor) == (-1, 1.0)
        assert at.held.tolist() == [0.0, 0.0]


def test_a_zero_elsewhere_is_where_the_vector_is_held(make_case):
    """sigma(z) = tanh(3 z) - 1.5 tanh(z) has three zeros, and a slope of either sign there."""
    family = make_case("wavy", 2, 1).family
    held = {at.held[-1] for _, _, at in
            corners(family, "labelled 1 | constant (zeros) 1", "labelled 1 | free 1")}  # fmt: skip
    np.testing.assert_allclose(sorted(held), family.setting.zeros)


@pytest.mark.parametrize(
    ("held", "free"),
    [
        ("labelled 3", "labelled 2 | free 1"),  # the other two keep sharing their vector
        ("labelled 1 | free 2", "labelled 1 | free 1, 1"),
        ("labelled 2 | free 1", "labelled 1 | free 2"),
        ("labelled 1 | free 1 | constant (zeros) 1", "labelled 2 | free 1"),
        ("labelled 2 | constant (zeros) 1", "labelled 1 | free 1 | constant (zeros) 1"),
    ],
)
def test_other_pairs_are_unknown(make_case, held, free):
    assert corners(make_case("tanh", 3, 1).family, held, free) == []


def test_several_outputs_are_unknown(make_case):
    family = make_case("tanh", 2, 1, outputs=2).family
    assert corners(family, "labelled 2", "labelled 1 | free 1") == []
