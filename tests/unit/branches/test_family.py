"""Counts, order, orbits, sizes and messages of the sequence of branches."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from flowscape.branches import branches, count_branches
from flowscape.errors import OptionError, ProblemError
from flowscape.problem import Teacher, TwoLayer


def test_two_biased_tanh_neurons_and_one_target_neuron():
    net, teacher = TwoLayer(2, 1), Teacher(TwoLayer(1, 1), [1.0, 1.0, 1.0])
    family = branches(net, teacher)
    assert (len(family), family.optimistic_size) == (12, 3)
    orbits = family.orbits()
    assert [orbit.sets for orbit in orbits] == [4, 4, 4]
    assert [orbit.representative.codim for orbit in orbits] == [5, 4, 5]
    assert [orbit.representative.separation_size for orbit in orbits] == [5, 4, 5]
    assert [orbit.representative.dim for orbit in orbits] == [1, 2, 1]
    assert [orbit.representative.l for orbit in orbits] == [0, 1, 0]
    assert all(branch.is_affine for branch in family)
    third = orbits[2].representative
    assert third.variant == (0.0,)
    assert third.contains([0.7, 0.0, 0.0, 1.0, 1.0, 1.0], 1e-15)
    assert not third.contains([0.7, 0.0, 0.1, 1.0, 1.0, 1.0], 1e-2)


def test_counts_agree_with_the_sequence(case):
    family = case.family
    listed = list(family)
    assert len(listed) == len(family) == family.count() == sum(o.sets for o in family.orbits())
    assert [branch.index for branch in listed] == list(range(len(listed)))
    for branch, again in zip(listed, family[:], strict=True):
        assert (branch.name, branch.variant) == (again.name, again.variant)
    assert family[-1].name == listed[-1].name
    for r, deficient in product(range(case.m + 1), repeat=2):
        among = [branch for branch in listed if (branch.r, branch.l) == (r, deficient)]
        assert family.count(r=r, l=deficient) == len(among)
    assert family.count(r=1) == sum(branch.r == 1 for branch in listed)


def test_sets_are_distinct(case, rng):
    seen = {(b.name, b.labels, b.signs, b.variant) for b in case.family}
    assert len(seen) == len(case.family)


def test_an_orbit_is_closed_under_permutations_and_signs(make_case, rng):
    case = make_case("wavy", 3, 1)
    family, s = case.family, case.family.setting
    for orbit in family.orbits():
        theta = orbit.representative.sample(rng)
        images = []
        for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
            flips = np.array(signs)[None, :, None]
            a, v, c = s.split(theta[None])
            images.append(s.join((flips * a)[:, order], (flips * v)[:, order], c)[0])
        located = family.locate(np.stack(images), 1e-7)
        assert (located.orbit == orbit.representative.orbit).all()
        assert len(np.unique(located.index)) == orbit.sets


def test_generic_counts_are_those_of_count_branches(make_case):
    for m, m0 in ((2, 1), (3, 1), (4, 1), (4, 2), (5, 1)):
        family = make_case("shifted", m, m0, bias=False).family
        assert len(family) == count_branches(m, m0)
        for branch in family:
            d = 1
            assert branch.dim == (m - branch.r) + (branch.r - m0) * d
            assert branch.codim == branch.r + (m + m0 - branch.r) * d
            assert max(0, 2 * branch.r - m - m0) <= branch.l <= branch.r - m0


@pytest.mark.parametrize("d", [1, 2, 3])
def test_constant_group_dimensions_are_those_of_the_theory(make_case, d):
    for branch in make_case("tanh", 4, 1, d=d).family:
        rest = branch.r + (4 - len(branch.blocks[0]) + 1 - branch.r) * (d + 1)
        size = len(branch.blocks[0])
        constant = 0 if size == 0 else d * size + 1
        assert branch.codim == rest + constant
        assert branch.is_affine == (size < 2)


def test_reaching_into_a_huge_family_lists_nothing(make_case):
    family = make_case("tanh", 14, 2).family
    total = family.count()
    assert total > 10**12
    for index in (0, total // 3, total - 1):
        branch = family[index]
        assert branch.index == index
        assert sorted(k for group in branch.groups for k in group) == list(range(14))
    with pytest.raises(IndexError, match="index="):
        family[total]


def test_a_target_wider_than_the_student_is_an_empty_family(make_case):
    teacher = make_case("tanh", 3, 3).teacher
    family = branches(TwoLayer(2, 1), teacher)
    assert len(family) == family.count(r=2) == 0
    assert list(family) == family.orbits() == []
    assert "nothing" not in family.message
    assert "no network of this width recovers it" in family.message
    assert family.optimistic_size == 9
    with pytest.raises(ProblemError, match="no branch to locate"):
        family.locate(np.zeros(6), 1e-3)


def test_a_constant_needs_a_neuron_of_its_own(make_case):
    case = make_case("tanh", 2, 2, flat=1)
    assert len(case.family) == 0
    assert "width=2 is less than the 3 neurons" in case.family.message
    no_bias = Teacher(TwoLayer(1, 1, bias=False, output_bias=True), [1.0, 1.0, 0.5])
    assert "constant part" in branches(TwoLayer(2, 1, bias=False), no_bias).message


def test_the_target_is_reduced_and_says_so():
    wide = TwoLayer(5, 1)
    theta = wide.pack(
        a=[0.25, -0.75, 0.0, 2.0, 1.0], w=[[1.0], [-1.0], [3.0], [0.0], [2.0]], b=[1, -1, 0, 0, 1]
    )
    family = branches(TwoLayer(3, 1), Teacher(wide, theta))
    assert family.target.m0 == 2
    np.testing.assert_allclose(family.target.outgoing[:, 0], [1.0, 1.0])
    np.testing.assert_array_equal(family.target.constant, [0.0])
    text = " ".join(family.target.notes)
    assert all(word in text for word in ("merged", "dropped", "absorbed"))
    plain = branches(TwoLayer(3, 1), Teacher(TwoLayer(1, 1), [1.0, 1.0, 1.0]))
    assert plain.target.notes == ()


@pytest.mark.parametrize("factor", [1e-14, 1e10, 1e13])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "gelu", "exp"])
def test_large_and_small_outgoing_weights_merge_and_drop_nothing(name, factor):
    """The function is linear in outgoing weights: they say nothing about incoming vectors."""
    net = TwoLayer(2, 1, activation=name, bias=False)
    plain, scaled = (branches(net, Teacher(net, [a, 1.0, 0.5 * a, 1.005])) for a in (1.0, factor))
    assert scaled.target.m0 == 2
    assert scaled.target.incoming.tolist() == plain.target.incoming.tolist()
    np.testing.assert_allclose(scaled.target.outgoing, factor * plain.target.outgoing, rtol=1e-15)
    assert [b.name for b in scaled] == [b.name for b in plain]


@pytest.mark.parametrize("bias", [-30.0, 30.0])
def test_biases_of_exp_do_not_blur_its_input_weights(bias, rng):
    net = TwoLayer(2, 1, activation="exp")
    family = branches(net, Teacher(net, [1.0, 1.0, bias, 1.0, 2.0, bias]))
    assert (family.target.m0, len(family)) == (2, 2)
    assert family.target.incoming[:, 0].tolist() == [1.0, 2.0]
    np.testing.assert_allclose(family.target.outgoing[:, 0], np.exp(bias), rtol=1e-14)
    x, size = np.linspace(-2.0, 2.0, 9), max(1.0, np.exp(bias))
    for branch in family:  # members are rounded like numbers of order 1
        a, w, b = branch.sample(rng).reshape(2, 3).T
        gap = np.exp(np.outer(x, w) + b) @ a - np.exp(x + bias) - np.exp(2.0 * x + bias)
        assert np.abs(gap).max() < 1e-12 * size


@pytest.mark.filterwarnings("error")
def test_a_weight_of_exp_that_overflows_is_named_with_its_bias():
    net = TwoLayer(2, 1, activation="exp")
    with pytest.raises(ProblemError, match=r"teacher has b\[1\]=800.0"):
        branches(net, Teacher(net, [1.0, 1.0, 0.0, 1.0, 2.0, 800.0]))


def test_cancelling_parts_of_large_incoming_vectors_are_round_off():
    """Linear parts are products, with the round-off of products."""
    net = TwoLayer(3, 1, activation="softplus")
    values = [0.1, 3e5, 1e5, 0.2, 7e5, 3e5, -0.1, 17e5, 7e5]
    target = branches(net, Teacher(net, values)).target
    assert (target.m0, target.linear.tolist()) == (3, [[0.0]])
    assert target.constant.tolist() == [0.0]


@pytest.mark.parametrize("name", ["inputs", "outputs", "activation"])
def test_student_and_teacher_must_fit(name):
    other = {"inputs": 2, "outputs": 2, "activation": "erf"}
    net = TwoLayer(1, **{"inputs": 1, **{name: other[name]}})
    with pytest.raises(ProblemError, match=f"teacher has {name}="):
        branches(TwoLayer(2, 1), Teacher(net, np.ones(net.n_params)))


def test_a_biased_teacher_needs_a_biased_student():
    with pytest.raises(ProblemError, match="give the student a bias"):
        branches(TwoLayer(2, 1, bias=False), Teacher(TwoLayer(1, 1), [1.0, 1.0, 1.0]))
    unbiased = Teacher(TwoLayer(1, 1, bias=False), [1.0, 1.0])
    assert branches(TwoLayer(2, 1), unbiased)[0].contains([0.4, 1, 0, 0.6, 1, 0], 1e-12)


def test_counting_refuses_what_is_no_count(make_case):
    family = make_case("tanh", 2, 1).family
    for arguments in ({"r": -1}, {"l": 0.5}):
        with pytest.raises(OptionError, match="must be an integer"):
            family.count(**arguments)


def test_optimistic_size_counts_what_the_target_determines(make_case, rng):
    for case in (
        make_case("tanh", 3, 2, d=2),
        make_case("shifted", 3, 2, bias=False),
        make_case("tanh", 2, 1, output_bias=True),
        make_case("tanh", 2, 1, d=2, flat=1),
    ):
        # the rank of the features of a network of the target's own width, many samples
        theta, x = case.teacher.theta, 2.0 * rng.normal(size=(60, case.d))
        width = case.teacher_width
        step = 1e-6 * np.eye(len(theta))
        difference = case.forward(theta + step, x, width) - case.forward(theta - step, x, width)
        rank = np.linalg.matrix_rank(difference[..., 0] / 2e-6, tol=1e-6)
        assert case.family.optimistic_size == rank
    with pytest.raises(ProblemError, match="outputs=2"):
        _ = make_case("tanh", 2, 1, outputs=2).family.optimistic_size


def test_student_and_teacher_are_told_apart():
    net = TwoLayer(2, 1)
    teacher = Teacher(TwoLayer(1, 1), [1.0, 1.0, 1.0])
    with pytest.raises(ProblemError, match=r"net=Teacher.* must be a TwoLayer"):
        branches(teacher, net)
    with pytest.raises(ProblemError, match="teacher=None must be a Teacher"):
        branches(net, None)


@pytest.mark.parametrize("index", ["a", 1.5, float("nan"), None])
def test_an_index_is_an_integer(index):
    family = branches(TwoLayer(2, 1), Teacher(TwoLayer(1, 1), [1.0, 1.0, 1.0]))
    assert family[np.int64(1)].index == 1
    with pytest.raises(TypeError):
        family[index]
