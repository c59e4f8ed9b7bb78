"""Stochastic descent against NumPy's own Philox and sums over the drawn samples."""

import numpy as np
import pytest

from flowscape import OptionError, Status, TwoLayer, _core, gradient_descent
from flowscape.descent import batch_indices
from flowscape.problem.streams import Purpose, stream_key
from flowscape.testing import random_problem, random_theta

CASES = {
    "lanes of their own samples": (TwoLayer(2, 1), 6, 2),
    "last batch shorter": (TwoLayer(2, 1), 7, 3),
    "two outputs": (TwoLayer(3, 2, outputs=2, output_bias=True), 11, 4),
    "many features": (TwoLayer(2, 6, bias=False), 9, 9),
    "lane = sample": (TwoLayer(3, 2), 300, 150),
    "lane = neuron": (TwoLayer(40, 3), 40, 12),
}


def estimate(prob, theta, indices):
    """N over the number of drawn samples times their part of the gradient, and weight decay."""
    n = len(prob.data)
    weights = 2.0 * prob.scale * (np.ones(n) if prob.data.weights is None else prob.data.weights)
    weights = weights * n / len(indices) * np.bincount(indices, minlength=n)
    residual = prob.residual(theta).reshape(n, -1)
    jacobian = prob.jacobian(theta).reshape(n, residual.shape[1], -1)
    return np.einsum("n,no,nop->p", weights, residual, jacobian) + prob.l2 * theta


@pytest.mark.parametrize("sampling", ["shuffled", "iid"])
@pytest.mark.parametrize(("net", "samples", "size"), CASES.values(), ids=CASES.keys())
def test_steps_are_those_of_the_drawn_samples(net, samples, size, sampling):
    rng = np.random.default_rng(1)
    prob = random_problem(rng, net, samples, loss="mean", weights=True, l2=0.01)
    theta = random_theta(rng, net, 5)
    options = {"learning_rate": 0.01, "steps": 12, "batch_size": size, "sampling": sampling}
    streams = [0, 3, 1, 2**40, 3]
    run = gradient_descent(prob, theta, seed=9, streams=streams, **options)
    for b, stream in enumerate(streams):
        point = theta[b]
        for drawn in batch_indices(samples, size, 12, sampling=sampling, seed=9, stream=stream):
            point = point - 0.01 * estimate(prob, point, drawn)
        np.testing.assert_allclose(run.theta[b], point, rtol=1e-13, atol=1e-13)
    assert np.abs(run.theta - theta).max() > 1e-3
    np.testing.assert_array_equal(run.loss, prob.loss(run.theta))
    assert run.options.stream_key == stream_key(9, Purpose.BATCHES)


@pytest.mark.parametrize("streams", [[1, 2**63], [2**64 - 1, 0], [2**63, 2**63 + 1]])
def test_streams_may_be_a_list_of_large_integers(streams):
    """NumPy makes floating-point numbers of a list with integers on both sides of 2^63."""
    prob = random_problem(np.random.default_rng(2), TwoLayer(2, 1), 8)
    theta = prob.net.init(2, rng=1)
    options = {"learning_rate": 0.01, "steps": 5, "batch_size": 2}
    listed = gradient_descent(prob, theta, streams=streams, **options)
    array = gradient_descent(prob, theta, streams=np.array(streams, dtype=np.uint64), **options)
    np.testing.assert_array_equal(listed.theta, array.theta)
    for bad in ([1, 2**64], [-1, 2**63], [1, 2.0**63]):
        with pytest.raises(OptionError, match="streams="):
            gradient_descent(prob, theta, streams=bad, **options)


def test_batches_of_all_samples_are_gradient_descent():
    prob = random_problem(np.random.default_rng(2), TwoLayer(2, 1), 8)
    theta = prob.net.init(9, rng=1)
    whole = gradient_descent(prob, theta, learning_rate=0.01, steps=100)
    dealt = gradient_descent(prob, theta, learning_rate=0.01, steps=100, batch_size=8)
    np.testing.assert_allclose(dealt.theta, whole.theta, rtol=0.0, atol=1e-12)


def test_the_indices_are_a_plain_reading_of_numpys_philox():
    key = stream_key(5, Purpose.BATCHES)
    raw = _core.philox_raw(*key, 7, 100)  # tests/unit/test_random.py: NumPy's
    drawn = batch_indices(10, 4, 25, sampling="iid", seed=5, stream=7)
    expected = [int(u) * 10 // 2**64 for u in raw]
    assert np.concatenate(drawn).tolist() == expected

    deck = list(range(10))
    for i, u in zip(range(9, 0, -1), raw, strict=False):
        j = int(u) * (i + 1) // 2**64
        deck[i], deck[j] = deck[j], deck[i]
    first = batch_indices(10, 4, 3, seed=5, stream=7)
    assert [part.tolist() for part in first] == [deck[:4], deck[4:8], deck[8:]]


def test_every_epoch_deals_out_every_sample_once_in_a_new_order():
    batches = batch_indices(7, 3, 30, seed=1)
    assert [len(part) for part in batches] == [3, 3, 1] * 10
    epochs = [np.concatenate(batches[i : i + 3]) for i in range(0, 30, 3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 10


def test_independent_indices_are_even():
    counts = np.bincount(np.concatenate(batch_indices(5, 5, 2000, sampling="iid")), minlength=5)
    # five cells of 10,000 draws: chi-squared with 4 degrees of freedom is below 23.5 but for 1e-4
    assert ((counts - 2000) ** 2 / 2000).sum() < 23.5


def test_stop_rules_look_at_all_samples_at_the_end_of_epochs():
    prob = random_problem(np.random.default_rng(3), TwoLayer(2, 1), 6, loss="half_mean")
    theta = prob.net.init(10, rng=4)
    options = {"learning_rate": 0.02, "batch_size": 4, "seed": 2}
    free = gradient_descent(prob, theta, steps=400, save_at=np.arange(0, 401, 2), **options)
    level = float(np.median(free.losses[:, -1]))
    run = gradient_descent(prob, theta, steps=400, stop_loss=level, **options)
    met = (free.losses <= level).any(axis=1)
    assert 0 < met.sum() < 10
    np.testing.assert_array_equal(run.success, met)
    first = np.where(met, 2 * (free.losses <= level).argmax(axis=1), 400)
    np.testing.assert_array_equal(run.step, first)
    assert (run.loss[met] <= level).all()
    assert (run.status[~met] == Status.STEP_LIMIT).all()


def test_a_mean_over_many_runs_is_the_gradient():
    """One step from one point on 20,000 streams: unbiased, with the variance of the samples."""
    prob = random_problem(np.random.default_rng(5), TwoLayer(2, 1), 6, weights=True)
    theta = np.broadcast_to(prob.net.init(1, rng=2), (20_000, 6))
    for sampling in ("shuffled", "iid"):
        run = gradient_descent(
            prob, theta, learning_rate=1e-3, steps=1, batch_size=2, sampling=sampling
        )
        moves = (theta - run.theta) / 1e-3
        error = moves.std(axis=0) / np.sqrt(20_000)
        assert (np.abs(moves.mean(axis=0) - prob.gradient(theta[0])) < 5.0 * error).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"samples": 0, "batch_size": 1, "steps": 1},
        {"samples": 4, "batch_size": 5, "steps": 1},
        {"samples": 4, "batch_size": 1, "steps": 0},
        {"samples": 4, "batch_size": 1, "steps": 1, "sampling": "x"},
        {"samples": 4, "batch_size": 1, "steps": 1, "stream": -1},
        {"samples": 4, "batch_size": 1, "steps": 1, "seed": None},
    ],
)
def test_misuse_of_the_indices(arguments):
    with pytest.raises(OptionError):
        batch_indices(**arguments)


@pytest.mark.parametrize("name", ["streams", "save_at"])
def test_ragged_numbers_are_refused(name):
    prob = random_problem(np.random.default_rng(7), TwoLayer(1, 1), 2)
    options = {"learning_rate": 0.1, "steps": 5, "batch_size": 1, name: [[1], [1, 2]]}
    with pytest.raises(OptionError, match=name):
        gradient_descent(prob, np.ones(3), **options)
