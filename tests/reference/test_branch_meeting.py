"""Quantities that flows conserve where closures of branches meet (docs/branch-meeting.md).

Flows start at distance rho from the corner. A conserved quantity I = apart - small of second order
changes by a third order: relative to the change of `apart` by the order rho, and by the order 1
with a wrong factor.
"""

import numpy as np
import pytest

import flowscape as fs

RADII = np.array([0.06, 0.02])
V0 = np.array([1.0, 1.0])


def one_target(width, n=6):
    teacher = fs.Teacher(fs.TwoLayer(1, 1, "tanh"), [1.0, *V0])
    data = fs.Samples.of(teacher, np.linspace(-2, 2, n))
    return fs.Problem(fs.TwoLayer(width, 1, "tanh"), data, "half_sum", teacher=teacher)


def directions(count, dim):
    rows = np.random.default_rng(0).normal(size=(count, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ends(prob, starts, t_max=1e16):
    flow = fs.gradient_flow(prob, starts, rtol=1e-9, atol=1e-13, max_steps=20_000, t_max=t_max)
    assert not set(np.unique(flow.status)) & {fs.Status.ESCAPED, fs.Status.NONFINITE}
    return flow.theta


def conserved(prob, start, apart, small, time=np.inf):
    """Whether apart - small is conserved to leading order by the flows from start(rho).

    They are followed for `time` in units of rho^-4, the time of the motion near the corner.
    """
    found = []
    for rho in RADII:
        first = start(rho)
        last = ends(prob, first, min(time / rho**4, 1e16))
        one, two = (quantity(*parts(prob, last)) - quantity(*parts(prob, first))
                    for quantity in (apart, small))  # fmt: skip
        moved = np.abs(one) > 0.02 * rho**2
        assert np.count_nonzero(moved) >= 3
        found.append(np.abs((one - two) / one)[moved].max())
    return bool(found[1] < 0.5 * found[0] and found[1] < 0.1)


def parts(prob, theta):
    rows = theta.reshape(len(theta), prob.net.width, -1)
    return rows[:, :, 0], rows[:, :, 1:]


def squared_distance(k, j):
    return lambda a, v: ((v[:, k] - v[:, j]) ** 2).sum(axis=1)


def squared_weight(k, factor):
    return lambda a, v: factor * a[:, k] ** 2


def neurons(*blocks):
    return np.hstack([np.column_stack(block) for block in blocks])


def pair(a2, delta):
    """m = 2 on sum a = 1, sum a (v - v_0) = 0, with v_2 - v_1 = delta."""
    a1 = 1.0 - a2
    return neurons((a1, V0 - a2[:, None] * delta), (a2, V0 + a1[:, None] * delta))


def near_corner(unit):
    return lambda rho: pair(rho * unit[:, 0], rho * unit[:, 1:])


def ends_of(prob, family, start, k, held):
    """Orbits that the sign of I announces for clear cases, and whether a_k or v - v_held vanished.

    The limits are approached by power laws, so a part has vanished when it is a tenth of the other.
    """
    before = family.locate(start, 0.3)
    assert (before.candidates == 2).all()
    a, v = parts(prob, ends(prob, start))
    apart = np.linalg.norm(v[:, k] - held(v), axis=1)
    weight = np.abs(a[:, k])
    clear = (before.orbit >= 0) & ((apart < 0.1 * weight) | (weight < 0.1 * apart))
    assert np.count_nonzero(clear) > 0.6 * len(start)
    kinds = [orbit.representative.kind for orbit in family.orbits()]
    return np.array([kinds[o] for o in before.orbit[clear]]), (apart < weight)[clear]


def test_two_neurons_and_one_target():
    prob, start = one_target(2), near_corner(directions(12, 3))
    assert conserved(prob, start, squared_distance(1, 0), squared_weight(1, 4.0))
    assert not conserved(prob, start, squared_distance(1, 0), squared_weight(1, 2.0))
    assert not conserved(prob, start, squared_distance(1, 0), squared_weight(1, 8.0))


def test_the_sign_says_where_the_flow_goes():
    prob = one_target(2)
    family = fs.branches(prob.net, prob.teacher)
    start = near_corner(directions(40, 3))(0.1)
    kinds, shared = ends_of(prob, family, start, 1, lambda v: v[:, 0])
    assert 5 < np.count_nonzero(shared) < len(shared) - 5
    np.testing.assert_array_equal(kinds == "labelled 2", shared)
    np.testing.assert_array_equal(kinds == "labelled 1 | free 1", ~shared)


def test_along_the_first_branch_it_holds_for_every_outgoing_weight():
    """|Delta|^2 + a_0^2 (log |u| + (1 - u^2) / 2), u = (a_1 - a_2) / a_0."""
    prob = one_target(2)
    a2 = np.array([-0.7, -0.2, 0.1, 0.2, 0.3])
    angle = np.array([0.5, 2.5, 0.3, 1.0, 2.0])

    def start(rho):
        return pair(a2, rho * np.column_stack([np.cos(angle), np.sin(angle)]))

    def small(a, v):
        total = a.sum(axis=1)
        u = (a[:, 0] - a[:, 1]) / total
        return -(total**2) * (np.log(np.abs(u)) + (1 - u**2) / 2)

    assert conserved(prob, start, squared_distance(1, 0), small)
    assert not conserved(prob, start, squared_distance(1, 0), squared_weight(1, 4.0))


def test_two_neurons_that_merge_at_once():
    """Only the sum over the neurons is conserved, with the metric of sum a_k = a_0."""
    prob, unit = one_target(3), directions(6, 6)

    def start(rho):
        a, delta = rho * unit[:, :2], rho * unit[:, 2:].reshape(-1, 2, 2)
        shift = V0 - (a[:, :, None] * delta).sum(axis=1)
        merging = [(a[:, k], shift + delta[:, k]) for k in range(2)]
        return neurons((1.0 - a.sum(axis=1), shift), *merging)

    def apart(a, v):
        return ((v[:, 1:] - v[:, :1]) ** 2).sum(axis=(1, 2))

    def small(own, common):
        return lambda a, v: own * (a[:, 1:] ** 2).sum(axis=1) + common * a[:, 1:].sum(axis=1) ** 2

    assert conserved(prob, start, apart, small(2.0, 2.0), time=1e3)
    assert not conserved(prob, start, apart, small(4.0, 0.0), time=1e3)  # two corners on their own
    assert not conserved(prob, start, squared_distance(1, 0), small(2.0, 2.0), time=1e3)


def test_a_group_of_equal_neurons_and_a_small_one():
    """The weight is taken from both: factor 2 (1 + 1/2). Later the group falls apart by itself."""
    prob, unit = one_target(3), directions(10, 3)

    def start(rho):
        a, delta = rho * np.abs(unit[:, 0]), rho * unit[:, 1:]
        core = ((1 - a) / 2, V0 - a[:, None] * delta)
        return neurons(core, core, (a, V0 + (1 - a)[:, None] * delta))

    assert conserved(prob, start, squared_distance(2, 0), squared_weight(2, 3.0), time=10.0)
    assert not conserved(prob, start, squared_distance(2, 0), squared_weight(2, 4.0), time=10.0)


def test_other_neurons_of_the_target_and_free_ones_do_not_matter():
    """Two target neurons in the plane; neuron 3 merges with the second, neuron 4 is free."""
    target = fs.TwoLayer(2, 2, "tanh")
    teacher = fs.Teacher(target, target.pack(a=[1.0, -1.5], w=[[1, 0.5], [-0.5, 1]], b=[0.3, -0.4]))
    x = np.random.default_rng(1).normal(size=(40, 2)) * 1.5
    net = fs.TwoLayer(4, 2, "tanh")
    prob = fs.Problem(net, fs.Samples.of(teacher, x), "mean", teacher=teacher)
    one, two = teacher.theta.reshape(2, 4)
    unit = directions(16, 4)

    def start(rho):
        a, delta = rho * unit[:, 0], rho * unit[:, 1:]
        core = two[0] - a
        same = np.ones(len(unit))
        return neurons(
            (one[0] * same, np.outer(same, one[1:])),
            (core, two[1:] - (a / two[0])[:, None] * delta),
            (a, two[1:] + (core / two[0])[:, None] * delta),
            (0 * same, np.outer(same, [2.0, -1.0, 0.7])),
        )

    assert conserved(prob, start, squared_distance(2, 1), squared_weight(2, 4.0))
    assert not conserved(prob, start, squared_distance(2, 1), squared_weight(2, 2.0))
    family = fs.branches(net, teacher)
    kinds, shared = ends_of(prob, family, start(0.06), 2, lambda v: v[:, 1])
    assert 2 < np.count_nonzero(shared) < len(shared) - 2
    assert set(kinds[shared]) == {"labelled 1, 2 | free 1"}
    assert set(kinds[~shared]) == {"labelled 1, 1 | free 1, 1"}


@pytest.mark.parametrize("bias", [True, False])
def test_a_neuron_that_becomes_silent(bias):
    """|v|^2 - a^2 of a neuron near 0, odd sigma: negative towards v = 0, positive towards a = 0."""
    inputs = 1 if bias else 2
    net, target = (fs.TwoLayer(m, inputs, "tanh", bias=bias) for m in (2, 1))
    x = np.random.default_rng(2).normal(size=(8, inputs)) * 1.5
    teacher = fs.Teacher(target, [1.0, *V0])
    prob = fs.Problem(net, fs.Samples.of(teacher, x), "sum", teacher=teacher)
    unit = directions(20, 3)

    def start(rho):
        return np.hstack([np.tile([1.0, *V0], (len(unit), 1)), rho * unit])

    def length(a, v):
        return (v[:, 1] ** 2).sum(axis=1)

    assert conserved(prob, start, length, squared_weight(1, 1.0))
    assert not conserved(prob, start, length, squared_weight(1, 2.0))
    family = fs.branches(net, teacher)
    kinds, silent = ends_of(prob, family, start(0.06), 1, lambda v: 0.0)
    assert 3 < np.count_nonzero(silent) < len(silent) - 3
    assert set(kinds[~silent]) == {"labelled 1 | free 1"}
    assert set(kinds[silent]) == {
        "labelled 1 | constant (zeros) 1" if bias else "labelled 1 | silent 1"
    }
