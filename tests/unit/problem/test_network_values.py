"""What networks compute through the compiled core: values, and random initialization."""

import math

import numpy as np
import pytest

from flowscape.errors import OptionError, ProblemError, ShapeError
from flowscape.problem.network import TwoLayer
from flowscape.problem.streams import Purpose, stream_key


def slow_values(net, theta, x):
    """Return the network's values by its formula and the slow scalar activation, (N, K)."""
    size = net.outputs + net.inputs + net.bias
    values = np.zeros((len(x), net.outputs))
    for i, point in enumerate(x):
        for k in range(net.width):
            neuron = theta[k * size : (k + 1) * size]
            z = float(np.dot(neuron[net.outputs : net.outputs + net.inputs], point))
            z += neuron[-1] if net.bias else 0.0
            values[i] += neuron[: net.outputs] * net.activation.jet(z)[0]
        if net.output_bias:
            values[i] += theta[net.width * size :]
    return values


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("output_bias", [False, True])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 1), (2, 3)])
def test_values_follow_the_formula(bias, output_bias, inputs, outputs):
    act = [{"name": "sigmoid", "s": 4.0}, "softplus"]
    net = TwoLayer(3, inputs, act, bias, outputs, output_bias)
    rng = np.random.default_rng(1)
    theta, x = rng.normal(size=(4, net.n_params)), rng.normal(size=(5, inputs))
    expected = np.stack([slow_values(net, row, x) for row in theta])
    shape = (4, 5) if outputs == 1 else (4, 5, outputs)
    values = net(theta, x)
    assert values.shape == shape
    np.testing.assert_allclose(values, expected.reshape(shape), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(net(theta[2], x), values[2])
    np.testing.assert_array_equal(net(theta, x, n_threads=2), values)


def test_one_input_may_be_a_plain_list():
    net = TwoLayer(1, 1)
    values = net([2.0, 3.0, 0.5], [0.0, 1.0])
    np.testing.assert_allclose(values, 2 * np.tanh([0.5, 3.5]), rtol=1e-15)


def test_a_failed_run_spoils_its_own_row_only():
    net = TwoLayer(1, 1)
    values = net([[1.0, 1.0, 0.0], [math.nan, 1.0, 0.0]], [0.5])
    assert values[0, 0] == pytest.approx(math.tanh(0.5), rel=1e-15)
    assert math.isnan(values[1, 0])


def test_bad_calls():
    net = TwoLayer(1, 2)
    theta = np.zeros(net.n_params)
    with pytest.raises(ShapeError, match="x has shape"):
        net(theta, [1.0, 2.0])
    with pytest.raises(ProblemError, match=r"x\[0, 1\]=nan"):
        net(theta, [[0.0, math.nan]])
    with pytest.raises(ProblemError, match="at least one sample"):
        net(theta, np.zeros((0, 2)))
    with pytest.raises(OptionError, match="n_threads=0"):
        net(theta, [[0.0, 0.0]], n_threads=0)


def test_normal_initialization_is_the_stream_of_its_key():
    net = TwoLayer(2, 1)
    from flowscape import _core

    normals = _core.philox_normals(*stream_key(7, Purpose.INITIALISATION), 0, 3, net.n_params)
    np.testing.assert_array_equal(net.init(3, rng=7, scale=0.5), 0.5 * normals)


@pytest.mark.parametrize("kind", ["normal", "glorot"])
def test_a_run_does_not_depend_on_its_batch(kind):
    net = TwoLayer(3, 2, outputs=2, output_bias=True)
    batch = net.init(9, rng=3, kind=kind)
    np.testing.assert_array_equal(net.init(4, rng=3, kind=kind), batch[:4])
    np.testing.assert_array_equal(net.init(2, rng=3, kind=kind, first_run=5), batch[5:7])


def test_normal_initialization_is_standard_normal():
    theta = TwoLayer(4, 2).init(2000, rng=0, scale=1e-3)
    n = theta.size
    assert abs(theta.mean()) < 5e-3 / math.sqrt(n)
    assert abs(theta.std() / 1e-3 - 1) < 5 / math.sqrt(2 * n)


def test_glorot_scales_by_layer_and_leaves_biases_at_zero():
    net = TwoLayer(6, 2, outputs=3, output_bias=True)
    parts = net.unpack(net.init(2000, rng=0, scale=2.0, kind="glorot"))
    for weights, fans in ((parts.w, 2 + 6), (parts.a, 6 + 3)):
        expected = 2.0 * math.sqrt(2 / fans)
        assert abs(weights.std() / expected - 1) < 5 / math.sqrt(2 * weights.size)
    assert not parts.b.any()
    assert not parts.c.any()


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (0, {"rng": 0}, "n=0"),
        (1, {"rng": 0, "scale": 0}, "scale=0"),
        (1, {"rng": 0, "scale": math.nan}, "scale=nan"),
        (1, {"rng": 0, "kind": "xavier"}, "kind='xavier' must be one of normal, glorot"),
        (1, {"rng": -1}, "rng=-1"),
        (1, {"rng": None}, "rng=None"),
        (1, {"rng": 0, "first_run": -1}, "first_run=-1"),
    ],
)
def test_bad_initializations(n, options, message):
    with pytest.raises(OptionError, match=message):
        TwoLayer(2, 1).init(n, **options)
