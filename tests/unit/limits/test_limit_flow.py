"""Infinitely small initialization: the manifold, times, symmetries, misuse."""

import numpy as np
import pytest

import flowscape as fs
from flowscape.limits.imbalance import Origin
from flowscape.limits.manifold import ORDER, expand
from flowscape.problem import LOSSES

X = np.linspace(-2, 2, 6)


def make(loss="half_sum", activation="tanh", y=None, **options):
    y = np.tanh(X + 1) if y is None else y
    return fs.Problem(fs.TwoLayer(2, 1, activation), fs.Samples(X, y), loss, **options)


def defect(prob, u, ratio):
    """|mu_1 u theta' + grad L| over |theta| and mu_1, at radius u of the expansion."""
    manifold = expand(prob, Origin.of(prob), np.atleast_2d(ratio))
    u = np.array([u])
    theta = manifold(u)
    rest = prob.gradient(theta) + manifold.rate * manifold.derivative(u)
    return np.linalg.norm(rest) / (manifold.rate * np.linalg.norm(theta))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_series_solves_the_invariance_equation(loss):
    prob = make(loss, l2=0.01)
    far, near = (defect(prob, u, [0.6, 0.8]) for u in (0.8, 0.4))
    assert near < 1e-9
    # the first power that is left out has order 21: halving the radius gains 2^20 relative to it
    assert 2.0 ** (ORDER - 2) < far / near < 2.0 ** (ORDER + 4)


@pytest.mark.parametrize("size", [1e-40, 1e-8, 1e8, 1e40])
def test_units_of_the_targets_do_not_matter(size):
    """a is measured in units of y: with y = s^2 y', theta = (s a', s v') solves it to first order.

    Far from 1 the flow is that of the linear or of the saturated network; the start must
    be as exact as ever.
    """
    prob = make(y=size * np.tanh(X + 1))
    flow = fs.limit_flow(prob, [0.3, -1.0], rtol=1e-10, t_max=0.0)
    assert flow.start_error < 1e-12


@pytest.mark.parametrize(
    "activation",
    [
        [{"name": "tanh", "s": 50.0}],
        [{"name": "tanh", "s": 1e-3}],
        "sinh",
        "arctan",
        [{"name": "sin", "s": 10.0}, {"name": "polynomial", "coefficients": [0.0, -9.9]}],
    ],
)
def test_steep_flat_and_growing_odd_activations(activation):
    """From 1e-7 in the eigenspace the distance is of the order 1e-14, so that of the tolerance."""
    prob = make("mean", activation, y=3 * np.tanh(X + 1))
    found = fs.limit_flow(prob, [1.0, -0.5], rtol=1e-9, t_max=0.0)
    assert found.start_error < 1e-11
    start = 1e-7 * np.outer(found.imbalance, Origin.of(prob).direction).ravel()
    wait = float(found.t_start + np.log(1e7) / found.rate)
    end = fs.gradient_flow(prob, start, rtol=1e-10, atol=1e-21, t_max=wait).theta
    assert np.linalg.norm(end - found.start) < 1e-9 * np.linalg.norm(found.start)


def test_times_belong_to_the_loss():
    """Twice the loss is half the time: h(t) of `sum` is h(2 t) of `half_sum`."""
    times = np.array([-0.4, -0.1, 0.2, 0.6])
    half = fs.limit_flow(make("half_sum"), [0.6, 0.8], rtol=1e-11, save_at=times, t_max=1.0)
    full = fs.limit_flow(make("sum"), [0.6, 0.8], rtol=1e-11, save_at=times / 2, t_max=1.0)
    np.testing.assert_allclose(full.flow.thetas, half.flow.thetas, rtol=0, atol=1e-9)
    assert full.rate == pytest.approx(2 * half.rate)


def test_the_past_is_the_linear_flow():
    prob = make()
    flow = fs.limit_flow(prob, [3.0, -4.0], save_at=[-12.0, -6.0], t_max=0.0)
    direction = Origin.of(prob).direction
    for t, theta in zip(flow.flow.ts, flow.flow.thetas, strict=True):
        linear = np.exp(flow.rate * t) * np.outer([0.6, -0.8], direction).ravel()
        np.testing.assert_allclose(theta, linear, rtol=1e-10)


def test_saved_times_on_both_sides_of_the_start_are_one_solution():
    prob = make()
    begin = float(fs.limit_flow(prob, [0.6, 0.8], t_max=0.5).t_start)
    times = begin + np.array([-1e-4, 0.0, 1e-4])
    flow = fs.limit_flow(prob, [0.6, 0.8], rtol=1e-10, save_at=times, t_max=0.5).flow
    before, at, after = flow.thetas
    slope = -prob.gradient(at)
    np.testing.assert_allclose((after - before) / 2e-4, slope, rtol=1e-6, atol=1e-6)


def test_an_end_before_the_start_is_on_the_series():
    flow = fs.limit_flow(make(), [0.6, 0.8], t_max=-3.0)
    assert flow.t == pytest.approx(-3.0)
    assert flow.status == fs.Status.TIME_LIMIT
    saved = fs.limit_flow(make(), [0.6, 0.8], save_at=[-3.0], t_max=0.0).flow.thetas[0]
    np.testing.assert_allclose(flow.theta, saved, rtol=1e-13)


def test_symmetries_of_the_imbalance():
    """Exchange of the neurons, and for odd activations the sign."""
    flow = fs.limit_flow(make(), [[0.3, 1.0], [1.0, 0.3], [-0.3, -1.0]], rtol=1e-9)
    assert flow.success.all()
    np.testing.assert_allclose(flow.theta[1], np.roll(flow.theta[0], 3), atol=1e-6)
    np.testing.assert_allclose(flow.theta[2], -flow.theta[0], atol=1e-6)


def test_a_neuron_without_part_in_it_stays_at_the_origin():
    flow = fs.limit_flow(make(), [[0.0, -2.0], [1.0, 1.0]])
    assert flow.theta[0, :3].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(flow.theta[0, 3:], -1.0, atol=1e-10)
    np.testing.assert_allclose(flow.theta[1], [0.5, 1, 1, 0.5, 1, 1], atol=1e-10)


def test_rows_do_not_depend_on_the_batch():
    ratios = np.random.default_rng(0).normal(size=(7, 2))
    options = {"save_at": [-1.0, -0.4, 0.0, 2.0], "t_max": 3.0}
    batch = fs.limit_flow(make(), ratios, **options)
    for row in (0, 3, 6):
        alone = fs.limit_flow(make(), ratios[row], **options)
        assert alone.flow.thetas.tobytes() == batch.flow.thetas[row].tobytes()
        assert alone.theta.tobytes() == batch.theta[row].tobytes()
        assert (alone.t, alone.status) == (batch.t[row], batch.status[row])


def test_the_length_of_the_imbalance_does_not_matter():
    one, other = (fs.limit_flow(make(), [0.5 * s, s], t_max=1.0) for s in (1.0, 2.0**900))
    assert one.theta.tobytes() == other.theta.tobytes()


def test_the_imbalance_of_a_start():
    prob = make(activation=[{"name": "tanh", "s": -2.0}])
    theta = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    gamma = (np.column_stack([X, np.ones(6)]) * np.tanh(X + 1)[:, None]).sum(axis=0)
    c = [a * np.linalg.norm(gamma) - gamma @ v for a, v in ((1.0, [2.0, 3.0]), (4.0, [5.0, 6.0]))]
    found = fs.initial_imbalance(prob, np.stack([theta, 1e-300 * theta, 0.0 * theta]))
    np.testing.assert_allclose(found.ratio[:2], [c / np.linalg.norm(c)] * 2, rtol=1e-12)
    np.testing.assert_allclose(found.amplitude[1], 1e-300 * found.amplitude[0], rtol=1e-12)
    assert np.isnan(found.ratio[2]).all()
    assert found.amplitude[2] == 0.0
    assert found.rate == pytest.approx(2 * np.linalg.norm(gamma))


def test_the_repr_says_what_happened():
    assert repr(fs.limit_flow(make(), [1.0, 0.5], t_max=1.0)).startswith("LimitFlow(start error ")


SIZES = (fs.Samples(X, np.tanh(X + 1)), fs.Samples(X, 0 * X))


@pytest.mark.parametrize(
    ("net", "data", "match"),
    [
        (fs.TwoLayer(2, 1, "sigmoid"), SIZES[0], r"sigma\(0\)=0"),
        (fs.TwoLayer(2, 1, [{"name": "polynomial", "coefficients": [0, 0, 1]}]), SIZES[0],
         r"sigma'\(0\) != 0"),
        (fs.TwoLayer(2, 1, "relu"), SIZES[0], "kink"),
        (fs.TwoLayer(2, 1, "tanh"), SIZES[1], "gamma"),
        (fs.TwoLayer(2, 1, "tanh", output_bias=True), SIZES[0], "output"),
    ],
)  # fmt: skip
def test_hypotheses_that_fail_are_named(net, data, match):
    with pytest.raises(fs.ProblemError, match=match):
        fs.limit_flow(fs.Problem(net, data), [1.0, 1.0])


def test_cancelling_targets_count_as_zero_gamma():
    """Even targets and no bias: gamma is rounding noise, and no direction comes from it."""
    x = np.linspace(-1, 1, 7)
    prob = fs.Problem(fs.TwoLayer(2, 1, "tanh", bias=False), fs.Samples(x, np.cos(x)))
    with pytest.raises(fs.ProblemError, match="hypothesis ii"):
        fs.limit_flow(prob, [1.0, 1.0])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"imbalance": [0.0, 0.0]}, "imbalance=0"),
        ({"imbalance": [[1.0, 1.0], [0.0, 0.0]]}, "imbalance=0"),
        ({"imbalance": [1.0]}, "imbalance"),
        ({"rtol": 0.0}, "rtol"),
        ({"gtol": "x"}, "gtol='x'"),
        ({"atol": -1.0}, "atol"),
        ({"gtol": 1e3}, "gtol=1000.0 must be below"),
        ({"save_at": []}, "save_at"),
        ({"save_at": [2.0, 1.0]}, "ascending"),
        ({"save_at": [2.0], "t_max": 1.0}, "save_at has the time 2.0"),
        ({"t_max": -np.inf}, "t_max"),
    ],
)
def test_misuse(options, match):
    with pytest.raises(ValueError, match=match):
        fs.limit_flow(make(), **{"imbalance": [1.0, 0.5], **options})


def test_weight_decay_may_hold_the_origin():
    with pytest.raises(fs.ProblemError, match=r"l2=6\.0"):
        fs.limit_flow(make(l2=6.0), [1.0, 0.5])


def test_groups_that_leave_the_series_at_different_times_are_put_together():
    ratios = np.random.default_rng(4).normal(size=(30, 2))
    prob = make()
    joined = fs.limit_flow(prob, ratios, save_at=[0.0])
    plain = fs.limit_flow(prob, ratios)
    assert len(np.unique(joined.t_start)) > 1
    for name in ("theta", "theta_error", "end", "loss", "status", "nstep"):
        np.testing.assert_array_equal(getattr(joined.flow, name), getattr(plain.flow, name))
    for name in ("law", "exponent", "rate", "lojasiewicz"):
        np.testing.assert_array_equal(
            getattr(joined.flow.tails, name), getattr(plain.flow.tails, name)
        )


@pytest.mark.parametrize("save_at", [None, [-1.0, 2.0]])
def test_no_runs(save_at):
    found = fs.limit_flow(make(), np.empty((0, 2)), save_at=save_at)
    assert found.theta.shape == (0, 6)
    assert "0 runs" in repr(found)


def test_a_time_so_early_that_doubles_end_is_refused():
    early = fs.limit_flow(make(), [1.0, 0.3], t_max=-50.0)
    size = np.exp(early.rate * -50.0)
    assert 0.0 < size < 1e-100
    assert np.linalg.norm(early.theta) == pytest.approx(size, rel=1e-9)
    with pytest.raises(fs.OptionError, match="must be later"):
        fs.limit_flow(make(), [1.0, 0.3], t_max=-1000.0)
    with pytest.raises(fs.OptionError, match="t_max"):
        fs.limit_flow(make(), [1.0, 0.3], t_max=np.array([1.0, 2.0]))
