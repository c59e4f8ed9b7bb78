"""Borders of basins between two starts, and what stands on them."""

import numpy as np
import pytest

import flowscape as fs
from flowscape.basins.path import Path

X = np.linspace(-2, 2, 6)


def one_neuron():
    """tanh, a and w: the origin is the saddle between (1, 1) and (-1, -1)."""
    x = np.linspace(-2, 2, 5)
    return fs.Problem(fs.TwoLayer(1, 1, "tanh", bias=False), fs.Samples(x, np.tanh(x)), "half_sum")


def example(n=6):
    teacher = fs.Teacher(fs.TwoLayer(1, 1, "tanh"), [1.0, 1.0, 1.0])
    data = fs.Samples.of(teacher, np.linspace(-2, 2, n))
    return fs.Problem(fs.TwoLayer(2, 1, "tanh"), data, "half_sum", teacher=teacher)


def too_narrow():
    """Two neurons for a target of three: several minima, held by weight decay."""
    target = fs.TwoLayer(3, 1, "tanh")
    teacher = fs.Teacher(target, target.pack(a=[1, -1.5, 1], w=[[2], [2], [3]], b=[2, -0.5, -4]))
    data = fs.Samples.of(teacher, np.linspace(-3, 3, 20))
    return fs.Problem(fs.TwoLayer(2, 1, "tanh"), data, "mean", l2=1e-3)


def test_the_stable_set_of_the_origin():
    prob = one_neuron()
    found = fs.boundary(prob, [0.3, 0.1], [-0.5, -0.2])
    assert found.rule == "place"
    assert found.crossings == 1
    assert found.bracket[1] - found.bracket[0] < 1e-14
    assert (found.edge.kind, found.edge.index) == ("saddle", 1)
    np.testing.assert_allclose(found.edge.point.theta, 0.0, atol=1e-12)
    # a = -w to first order, bent by the third power
    assert abs(found.theta.sum()) < 1e-6
    for s, sign in ((found.s - 1e-9, 1), (found.s + 1e-9, -1)):
        start = (1 - s) * np.array([0.3, 0.1]) + s * np.array([-0.5, -0.2])
        end = fs.gradient_flow(prob, start, rtol=1e-12, atol=1e-16, method="rosenbrock").theta
        np.testing.assert_allclose(end, sign, atol=1e-8)


@pytest.fixture(scope="module")
def between_minima():
    prob = too_narrow()
    starts = prob.net.init(60, rng=3)
    loss = fs.gradient_flow(prob, starts).loss
    # the first starts on both sides: which of equal losses is least is rounding
    low, high = (int(np.argmax((loss > a) & (loss < b))) for a, b in ((0.035, 0.036), (0.25, 0.27)))
    return prob, starts[low], starts[high], fs.boundary(prob, starts[low], starts[high])


def test_the_edge_state_between_two_minima_is_a_saddle_of_index_one(between_minima):
    prob, _, _, found = between_minima
    assert found.rule == "loss"
    assert (found.edge.kind, found.edge.index) == ("saddle", 1)
    assert found.edge.point.certified
    # its two unstable directions lead to the two sides
    point = found.edge.point.theta
    direction = np.linalg.eigh(prob.hessian(point))[1][:, 0]
    ends = fs.gradient_flow(prob, [point - 1e-4 * direction, point + 1e-4 * direction])
    np.testing.assert_allclose(sorted(ends.loss), [0.035101, 0.260299], atol=1e-5)


def test_the_bracket_holds_for_another_integrator(between_minima):
    prob, one, two, found = between_minima
    assert found.error < 1e-8
    offset = 1e2 * found.error
    starts = [(1 - s) * one + s * two for s in (found.s - offset, found.s + offset)]
    losses = fs.gradient_flow(prob, starts, rtol=1e-11, atol=1e-14, method="rosenbrock").loss
    np.testing.assert_allclose(losses, [0.035101, 0.260299], atol=1e-5)


def test_imbalances_meet_where_branches_meet():
    prob = example()
    found = fs.boundary(prob, [1.0, 0.5], [1.0, 0.9], limit=True)
    kinds = [o.representative.kind for o in fs.branches(prob.net, prob.teacher).orbits()]
    assert [kinds[k] for k in found.labels] == ["labelled 1 | free 1", "labelled 2"]
    assert found.rule == "branch"
    assert (found.edge.kind, found.edge.index) == ("meeting", 0)
    assert found.edge.gap < 1e-6
    np.testing.assert_allclose(found.edge.point.theta, [1, 1, 1, 0, 1, 1], atol=2e-2)
    assert np.linalg.norm(found.theta) == pytest.approx(1.0)
    # the neurons may be exchanged, and the arc run through backwards
    back = fs.boundary(prob, [0.9, -1.0], [0.5, -1.0], limit=True)
    ratio, mirrored = found.theta[1] / found.theta[0], -back.theta[0] / back.theta[1]
    assert abs(ratio - mirrored) < found.error + back.error
    assert found.error < 1e-6


def test_a_rule_of_ones_own_and_a_wide_bracket():
    found = fs.boundary(
        one_neuron(),
        [0.3, 0.1],
        [-0.5, -0.2],
        side=lambda flow: (flow.theta[:, 0] > 0).astype(int),
        width=1e-3,
        sections=3,
    )
    assert found.rule == "side"
    assert found.labels == (1, 0)
    assert 2e-4 < found.bracket[1] - found.bracket[0] <= 1e-3
    assert found.bracket[0] < 4 / 11 < found.bracket[1]
    assert "saddle" in repr(found)


def test_unknown_labels_widen_the_bracket():
    def side(flow):
        a = flow.theta[:, 0]  # every other run near the border has no label
        start_known = np.arange(len(a)) % 2 == 0
        return np.where(start_known | (len(a) <= 2), (a > 0).astype(int), -1)

    found = fs.boundary(
        one_neuron(), [0.3, 0.1], [-0.5, -0.2], side=side, width=1e-4, sections=9, rtol=1e-6
    )
    assert found.bracket[0] < 0.363636 < found.bracket[1]


def test_several_borders_are_counted():
    def stripes(flow):
        return (flow.theta[:, 0] > 0).astype(int)

    prob = one_neuron()
    path = Path.of(prob, [0.5, 0.4], [0.4, -0.5], False, 1e-8, 1000, 1)
    assert stripes(path.follow([0.0, 1.0])).tolist() == [1, 0]
    found = fs.boundary(prob, [0.5, 0.4], [0.4, -0.5], side=stripes, width=1e-3)
    assert found.crossings == 1


def test_arcs_keep_unit_length():
    path = Path.of(example(), [3.0, 0.0], [0.0, 2.0], True, 1e-8, 100, 1)
    points = path([0.0, 1 / 3, 1.0])
    np.testing.assert_allclose(points, [[1, 0], [np.sqrt(3) / 2, 0.5], [0, 1]], atol=1e-15)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"theta_b": [0.4, 0.2]}, "ends where theta_a does"),
        ({"theta_b": [0.3, 0.1]}, "must differ"),
        ({"theta_b": [0.3]}, "theta_b"),
        ({"limit": True, "theta_a": [0.0], "theta_b": [1.0]}, "theta_a=0"),
        ({"limit": True, "theta_a": [1.0], "theta_b": [-1.0]}, "opposite"),
        ({"max_steps": 3}, "theta_a starts a flow that did not reach an end"),
        ({"rtol": 1e-13}, "rtol"),
        ({"sections": 1}, "sections"),
        ({"side": 3}, "side=3"),
        ({"side": lambda flow: flow.theta}, "side returned"),
    ],
)
def test_misuse(options, match):
    with pytest.raises(ValueError, match=match):
        fs.boundary(one_neuron(), **{"theta_a": [0.3, 0.1], "theta_b": [-0.5, -0.2], **options})


def test_a_wide_bracket_next_to_a_meeting_has_no_saddle():
    """Polishing ends in the flat valley there, where a negative eigenvalue is not certain."""
    found = fs.boundary(example(), [1, 0.3], [1, 0.99], limit=True, width=1.0)
    assert found.edge.kind != "saddle"
    assert abs(found.s - 0.6667841) <= found.error


@pytest.mark.parametrize("label", [-2, -5])
def test_labels_other_than_unknown_are_not_negative(label):
    with pytest.raises(fs.OptionError, match="-1 where it does not know"):
        fs.boundary(
            one_neuron(), [0.3, 0.1], [-0.5, -0.2],
            side=lambda flow: np.where(flow.theta[:, 0] > 0, label, 3),
        )  # fmt: skip
