"""Verdicts on students with a kink: zeros on a named branch, and zeros that turned away."""

import numpy as np
import pytest
from verdict_cases import follow, judge

from flowscape import Kind, Problem, Samples, Teacher, TwoLayer, branches, decide_zeros, polish
from flowscape.errors import ProblemError
from flowscape.separation.result import SeparationVerdict

TARGET = Teacher(TwoLayer(1, 2, "relu", False), np.array([1.0, 0.7, -0.3]))


def problem(n, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 2))
    net = TwoLayer(2, 2, "relu", False)
    return Problem(net, Samples.of(TARGET, x), loss="half_sum", teacher=TARGET)


def test_members_are_perfect_on_their_own_branch():
    prob, rng = problem(30), np.random.default_rng(1)
    sets = [b for b in branches(prob.net, TARGET) for _ in range(5)]
    verdicts = judge(prob, np.stack([b.sample(rng) for b in sets]))
    assert (verdicts.kind == Kind.PERFECT).all()
    np.testing.assert_array_equal(verdicts.branch, [b.orbit for b in sets])
    # a pair on one line can turn apart unseen, so nothing explains its zero eigenvalues
    apart = np.array([b.r == 2 for b in sets])
    np.testing.assert_array_equal(verdicts.evidence["expected_zero"] >= 0, apart)


def plain(theta, x, slopes):
    """Values (N,) of a network with these slopes on the two sides of 0."""
    rows = theta.reshape(-1, x.shape[1] + 1)
    z = rows[:, 1:] @ x.T
    return rows[:, 0] @ np.where(z > 0.0, slopes[1] * z, slopes[0] * z)


def beside_kinks(rows, rng):
    """Unit inputs between the kinks of every two neurons, where turned ones show."""
    units = rows / np.linalg.norm(rows, axis=1)[:, None]
    found = []
    for j, one in enumerate(units):
        for other in units[:j]:
            sign = np.sign(one @ other) or 1.0
            middle, across = one + sign * other, one - sign * other
            middle /= np.linalg.norm(middle)
            for step in (across, -across, *rng.normal(size=(4, len(one)))):
                x = step / max(np.linalg.norm(step), 1e-300) + 0.1 * rng.normal(size=len(one))
                x -= middle * (middle @ x)
                found.append(x / max(np.linalg.norm(x), 1e-9))
    return np.array(found)


ABS = ["relu", {"name": "relu", "s": -1.0}]
SLOPES = {"relu": (0.0, 1.0), "leaky_relu": (0.01, 1.0), "abs": (-1.0, 1.0)}


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize(("d", "m0", "extra"), [(1, 1, 2), (2, 1, 1), (2, 2, 1), (3, 1, 2)])
def test_flows_of_kinked_students_get_the_verdict_of_their_function(name, d, m0, extra):
    """Every zero is compared with the target far away and between kinks, by a plain network."""
    rng = np.random.default_rng(17 + d + 10 * m0)
    activation = ABS if name == "abs" else name
    teacher = TwoLayer(m0, d, activation, False)
    target = Teacher(teacher, rng.normal(size=teacher.n_params))
    net, x = TwoLayer(m0 + extra, d, activation, False), rng.normal(size=(25, d))
    prob = Problem(net, Samples.of(target, x), loss="mean", teacher=target)
    family = branches(net, target)
    starts = np.stack([family[int(i)].sample(rng) for i in rng.integers(family.count(), size=16)])
    starts += 10.0 ** rng.uniform(-4, -1, size=(16, 1)) * rng.normal(size=starts.shape)
    flow, verdicts = follow(prob, starts)
    zero = np.flatnonzero((verdicts.evidence["loss_over_zero"] <= 1.0) & flow.success)
    assert len(zero) >= 8
    given = np.asarray(target.theta)
    far = 1e3 * rng.normal(size=(2000, d))
    for i in zero:
        point, size = polish(prob, flow.theta[i]).theta, 1.0 + np.abs(flow.theta[i]).max() ** 2
        gap = np.abs(plain(point, far, SLOPES[name]) - plain(given, far, SLOPES[name])).max()
        if verdicts.kind[i] == Kind.PERFECT:
            assert gap < 1e-8 * size
            place = family.locate(point, 1e-9, near_only=True)
            assert place.orbit == verdicts.branch[i]
            if verdicts.evidence["expected_zero"][i] >= 0:
                branch = family[int(place.index)]
                found = branch.separation(x, branch.project(point)).verdict
                assert found == SeparationVerdict.SEPARATED
        elif verdicts.kind[i] == Kind.IMPERFECT:
            assert d > 1
            rows = np.concatenate([point, given]).reshape(-1, d + 1)[:, 1:]
            near = beside_kinks(rows, rng)
            narrow = plain(point, near, SLOPES[name]) - plain(given, near, SLOPES[name])
            assert max(gap / 1e3, np.abs(narrow).max()) > 1e-11 * size
    kinds = verdicts.kind[zero]
    assert np.mean(kinds != Kind.UNRESOLVED) >= 0.8
    assert (kinds == Kind.PERFECT).any() or (d, m0) == (2, 2)


def test_a_zero_is_imperfect_only_if_the_target_is_a_solution_in_its_cell():
    """Moved labels: the residual vanishes nowhere near, or no claim is made."""
    prob = problem(30)
    line, across = np.array([0.7, -0.3]), np.array([0.3, 0.7])
    gap = np.abs(prob.data.x @ line / (prob.data.x @ across)).min()
    point = np.concatenate([[0.5], line + 0.3 * gap * across, [0.5], line - 0.3 * gap * across])
    assert judge(prob, point).kind == Kind.IMPERFECT
    labels = prob.data.y * (1.0 + 1e-9)
    other = Problem(prob.net, Samples(prob.data.x, labels), loss="half_sum", teacher=TARGET)
    moved = judge(other, point * np.tile([1.0 + 1e-9, 1.0, 1.0], 2))
    assert moved.kind == Kind.UNRESOLVED


def test_a_zero_that_turned_between_the_samples_is_not_perfect():
    """Two neurons leave the target's line by opposite angles, inside a gap of the samples."""
    prob = problem(30)
    line = np.array([0.7, -0.3])
    across = np.array([0.3, 0.7])
    gap = np.abs(prob.data.x @ line / (prob.data.x @ across)).min()
    point = np.concatenate([[0.5], line + 0.3 * gap * across, [0.5], line - 0.3 * gap * across])
    assert prob.loss(point) < 1e-30
    verdict = judge(prob, point)
    assert verdict.kind == Kind.IMPERFECT
    x = np.linalg.solve(np.stack([line, across]), [1e-3 * gap, -0.5])  # between the kinks
    f = 0.5 * np.maximum(point.reshape(2, 3)[:, 1:] @ x, 0.0).sum()
    assert abs(f - max(line @ x, 0.0)) > 0.01 * gap
    family = branches(prob.net, TARGET)
    assert family.locate(point, 1e-9).index == -1
    assert family[0].distance(point) > 0.1 * gap


def test_flows_to_zero_loss_are_not_called_perfect_on_few_samples():
    _, verdicts = follow(problem(2), np.random.default_rng(2).normal(size=(20, 6)))
    zeros = verdicts.evidence["loss_over_zero"] <= 1.0
    wrong = verdicts.evidence["generalization_error"] > 1e-3
    assert (zeros & wrong).sum() >= 5
    assert (verdicts.kind[zeros & wrong] != Kind.PERFECT).all()


def test_kinks_are_refused_where_second_derivatives_are_needed():
    prob = problem(30)
    points = polish(prob, np.array([[0.5, 0.7, -0.3, 0.5, 0.7, -0.3]]), precision="double-double")
    with pytest.raises(ProblemError, match="kink"):
        decide_zeros(prob, points)


@pytest.mark.parametrize("bias", [False, True])
def test_members_with_two_outputs_are_perfect_and_moved_ones_are_not(bias):
    rng = np.random.default_rng(3)
    net, one = TwoLayer(2, 2, "relu", bias, 2), TwoLayer(1, 2, "relu", bias, 2)
    target = Teacher(one, rng.normal(size=one.n_params))
    prob = Problem(net, Samples.of(target, rng.normal(size=(30, 2))), "half_sum", teacher=target)
    sets = [b for b in branches(net, target) for _ in range(3)]
    points = np.stack([b.sample(rng) for b in sets])
    verdicts = judge(prob, points)
    assert (verdicts.kind == Kind.PERFECT).all()
    np.testing.assert_array_equal(verdicts.branch, [b.orbit for b in sets])
    flow, verdicts = follow(prob, points + 0.05 * rng.normal(size=points.shape))
    assert np.isin(verdicts.kind, [Kind.PERFECT, Kind.UNRESOLVED]).all()
    for row, kind in zip(flow.theta, verdicts.kind, strict=True):
        near = min(float(b.distance(row)) for b in branches(net, target))
        assert (near < 1e-6) or kind == Kind.UNRESOLVED
