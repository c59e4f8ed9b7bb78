"""Directions at a limit and the laws of the approach: LR Theorem 5.3 and its worked example."""

import numpy as np
import pytest

import flowscape as fs

OPTIONS = {"rtol": 1e-11, "atol": 1e-14, "method": "rosenbrock"}


def worked_example(seed, n=10):
    """LR's example: exp, two neurons, one target neuron, inputs in the plane, no bias."""
    net, target = (fs.TwoLayer(m, 2, "exp", bias=False) for m in (2, 1))
    teacher = fs.Teacher(target, [1.0, 0.6, -0.4])
    x = np.random.default_rng(seed).normal(size=(n, 2))
    return fs.Problem(net, fs.Samples.of(teacher, x), "sum", teacher=teacher)


NEAR_Q1 = np.array([0.4, 0.6, -0.4, 0.6, 0.6, -0.4])
NEAR_Q2 = np.array([1.0, 0.6, -0.4, 0.0, -0.5, 0.8])


def followed(prob, point, spacing):
    start = point + 0.05 * np.random.default_rng(1).normal(size=6)
    end = float(fs.gradient_flow(prob, start, **OPTIONS).t)
    times = np.geomspace(1.0, end, 400) if spacing == "log" else np.linspace(0.1, end, 400)
    flow = fs.gradient_flow(prob, start, save_at=times, **OPTIONS)
    geometry = fs.limit_geometry(prob, flow.theta)
    error = max(1e-13, np.linalg.norm(geometry.theta - flow.theta))
    return geometry, fs.fit_approach(prob, geometry, flow.ts, flow.thetas, error=error)


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_near_q2_the_rate_is_the_smallest_eigenvalue_to_four_digits(seed):
    prob = worked_example(seed)
    geometry, found = followed(prob, NEAR_Q2, "even")
    assert geometry.is_morse_bott
    assert geometry.certified
    assert found.is_exponential
    assert found.rate == pytest.approx(geometry.rate, rel=1e-4)
    assert found.constant_exponent == pytest.approx(2.0, abs=0.05)
    assert found.loss_exponent == pytest.approx(2.0, abs=0.01)
    assert found.lojasiewicz == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("seed", [1, 5])
def test_near_q1_the_approach_is_a_power_law(seed):
    geometry, found = followed(worked_example(seed), NEAR_Q1, "log")
    assert [b.shape[1] for b in (geometry.stable, geometry.degenerate, geometry.constant)] == [
        3,
        2,
        1,
    ]
    assert geometry.certified
    assert not found.is_exponential
    assert found.stable_exponent == pytest.approx(2.0, abs=0.01)
    assert found.lojasiewicz == pytest.approx(0.75, abs=1e-3)
    assert found.power == pytest.approx(0.5, abs=0.01)
    assert found.loss_exponent > 3.9


def member(prob, kind, seed=3):
    family = fs.branches(prob.net, prob.teacher)
    orbit = next(o.representative for o in family.orbits() if o.representative.kind == kind)
    return orbit, orbit.sample(np.random.default_rng(seed))


def biased(m, n, d=1):
    net, target = (fs.TwoLayer(k, d, "tanh") for k in (m, 1))
    teacher = fs.Teacher(target, np.r_[1.3, np.linspace(1, 0.5, d), 0.4])
    x = np.random.default_rng(0).normal(size=(n, d)) * 1.5
    weights = np.linspace(0.5, 2.0, n)
    data = fs.Samples(x, teacher(x), weights)
    return fs.Problem(net, data, "mean", teacher=teacher)


@pytest.mark.parametrize(
    ("m", "n", "d", "kind"),
    [
        (2, 6, 1, "labelled 2"),
        (2, 6, 1, "labelled 1 | free 1"),
        (2, 6, 1, "labelled 1 | constant (zeros) 1"),
        (3, 9, 1, "labelled 2 | free 1"),
        (3, 9, 1, "labelled 1 | free 2"),
        (3, 12, 2, "labelled 3"),
    ],
)
def test_dimensions_are_those_of_rank_and_branch(m, n, d, kind):
    prob = biased(m, n, d)
    branch, point = member(prob, kind)
    found = fs.limit_geometry(prob, point)
    incoming = d + 1
    rank = branch.r + (branch.r - branch.l) * incoming
    if branch.shape.constant.size:
        rank += incoming  # a_k sigma'(b) x: the vector of a silent neuron counts
    assert found.stable.shape[1] == rank
    assert found.constant.shape[1] == branch.dim
    assert found.degenerate.shape[1] == prob.net.n_params - rank - branch.dim
    assert found.certified
    basis = np.hstack([found.stable, found.degenerate, found.constant])
    np.testing.assert_allclose(basis.T @ basis, np.eye(len(point)), atol=1e-10)
    full = np.linalg.eigvalsh(prob.hessian(found.theta))[-rank:]
    np.testing.assert_allclose(found.eigenvalues, full, rtol=1e-6, atol=1e-12)


def test_below_the_rank_zeros_are_a_manifold_of_codimension_n():
    prob = biased(2, 3)
    _, point = member(prob, "labelled 2")
    found = fs.limit_geometry(prob, point)
    assert (found.stable.shape[1], found.constant.shape[1]) == (3, 3)
    assert found.is_morse_bott
    assert found.certified


def test_the_loss_grows_as_the_fourth_power_along_degenerate_directions():
    prob = biased(2, 6)
    _, point = member(prob, "labelled 2")
    found = fs.limit_geometry(prob, point)
    steps = np.array([1e-2, 2e-2])
    for direction in found.degenerate.T:
        losses = []
        for step in steps:  # the stable components follow: Newton in them alone
            theta = found.theta + step * direction
            for _ in range(30):
                gradient, hessian = (prob.gradient(theta), prob.hessian(theta))
                reduced = found.stable.T @ hessian @ found.stable
                theta = theta - found.stable @ np.linalg.solve(reduced, found.stable.T @ gradient)
            losses.append(float(prob.loss(theta)))
        assert np.log2(losses[1] / losses[0]) == pytest.approx(4.0, abs=0.3)
    along = found.theta + np.outer(steps, found.constant[:, 0])
    assert prob.loss(along).max() < 1e-28


def test_parts_are_distances_along_the_three_spaces():
    prob = biased(2, 6)
    _, point = member(prob, "labelled 2")
    found = fs.limit_geometry(prob, point)
    shifted = (
        found.theta + 3 * found.stable[:, 0] + 4 * found.degenerate[:, 1] - found.constant[:, 0]
    )
    np.testing.assert_allclose(found.parts(shifted), [3, 4, 1])
    assert [len(part) for part in found.parts([shifted, shifted])] == [2, 2, 2]


def test_misuse():
    prob = biased(2, 6)
    with pytest.raises(fs.ProblemError, match="must be a zero of the loss"):
        fs.limit_geometry(prob, np.ones(6))
    with pytest.raises(fs.ShapeError, match="theta"):
        fs.limit_geometry(prob, np.ones(5))
    decayed = fs.Problem(prob.net, prob.data, l2=0.1)
    with pytest.raises(fs.ProblemError, match=r"l2=0\.1"):
        fs.limit_geometry(decayed, np.ones(6))
    _, point = member(prob, "labelled 2")
    with pytest.raises(fs.OptionError, match="must have 6"):
        fs.fit_approach(prob, fs.limit_geometry(prob, point), [1.0, 2.0], [point, point])
