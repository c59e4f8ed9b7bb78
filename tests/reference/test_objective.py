"""Loss, gradient, Hessian, Jacobian, residual and hvp against a slow NumPy network.

Entry by entry to 1e-13 of the sum of the absolute terms. Inputs and incoming weights are dyadic:
the arguments of the neurons carry no rounding error, so the terms are those of the sums over
samples, outputs and neurons alone.
"""

import numpy as np
import pytest

from flowscape import Problem, Samples, TwoLayer, _core
from flowscape.problem import LOSSES
from flowscape.problem.functions import FUNCTIONS
from flowscape.testing import (
    KERNELS,
    hessian_vector,
    on_kernel,
    random_problem,
    random_theta,
    reference,
)

TOLERANCE = 1e-13
NAMES = ("loss", "gradient", "hessian", "residual", "jacobian")

SUMS = {
    "polynomial": [{"name": "polynomial", "coefficients": [0.5, -1.0, 0.25, 0.125]}],
    "sigmoid 4z + softplus": [{"name": "sigmoid", "s": 4.0}, {"name": "softplus"}],
    "softplus 2": [{"name": "softplus", "c": 0.5, "s": 2.0}],
    "softplus - log 2": [{"name": "softplus"}, {"name": "const", "c": -np.log(2)}],
    "shifted tanh": [{"name": "tanh", "h": 0.125}],
    "sine, arctan, cubic": [
        {"name": "sin", "c": -0.7, "s": 0.5},
        {"name": "arctan", "c": 1.3, "h": -0.5},
        {"name": "polynomial", "c": 0.1, "s": -0.25, "coefficients": [0.0, 1.0, 0.0, 1.0]},
    ],
}
ACTIVATIONS = {**{name: name for name in FUNCTIONS}, **SUMS}


def check(name, computed, expected, terms):
    error = np.abs(np.asarray(computed) - expected)
    np.testing.assert_array_less(error, TOLERANCE * np.asarray(terms) + 1e-300, err_msg=name)


def compare(prob, theta, rng):
    """Compare everything every kernel computes for the batch `theta` with the reference."""
    v = rng.normal(size=theta.shape)
    truths = [reference(prob, row, exact_arguments=True) for row in theta]
    for kernel in KERNELS:
        forced = on_kernel(prob, kernel)
        assert forced.kernel == kernel
        computed = forced.evaluate(theta, n_threads=1)
        computed += forced.residual(theta, n_threads=1), forced.jacobian(theta, n_threads=1)
        product = forced.hvp(theta, v, n_threads=1)
        for b, (values, terms) in enumerate(truths):
            for name, rows in zip(NAMES, computed, strict=True):
                message = f"{name}, network {b}, {kernel}"
                check(message, rows[b], getattr(values, name), getattr(terms, name))
            expected = hessian_vector(values, terms, v[b])
            check(f"hvp, network {b}, {kernel}", product[b], *expected)


def run(seed, samples, batch, *, weights=False, loss="sum", l2=0.0, **shape):
    rng = np.random.default_rng(seed)
    net = TwoLayer(**shape)
    prob = random_problem(rng, net, samples, weights=weights, loss=loss, l2=l2)
    compare(prob, random_theta(rng, net, batch), rng)
    return prob


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("spec", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())
def test_every_activation(spec, outputs):
    shape = {"inputs": 2, "activation": spec, "outputs": outputs, "output_bias": outputs == 2}
    run(1, 7, 3, width=3, weights=True, l2=0.01, **shape)
    run(2, 67, 2, width=17, weights=True, **shape)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("inputs", range(1, 7))
@pytest.mark.parametrize("width", range(1, 8))
def test_every_width_and_input_dimension(width, inputs, bias):
    outputs = 1 + (width + inputs) % 3
    shape = {"width": width, "inputs": inputs, "bias": bias, "outputs": outputs}
    shape |= {"output_bias": (width + inputs // 2) % 2 == 1, "activation": "sigmoid"}
    run(width, 9, 2, l2=0.3 * (inputs % 2), weights=width % 2 == 0, **shape)


@pytest.mark.parametrize("width", range(1, 6))
@pytest.mark.parametrize("inputs", range(1, 5))
@pytest.mark.parametrize("weight", [None, 0.375])
def test_small_networks(width, inputs, weight):
    """One output, no output bias, equal weights: the kernels that stay in registers, and past."""
    rng = np.random.default_rng(width)
    net = TwoLayer(width, inputs, activation="tanh", bias=inputs == 2)
    prob = random_problem(rng, net, 6, loss="half_sum", l2=0.25 if width == 2 else 0.0)
    if weight is not None:
        data = Samples(prob.data.x, prob.data.y, weights=np.full(6, weight))
        prob = Problem(net, data, loss="half_sum", l2=prob.l2)
    compare(prob, random_theta(rng, net, 9), rng)


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("inputs", range(1, 7))
@pytest.mark.parametrize("bias", [False, True])
def test_every_input_dimension_of_wide_networks(inputs, bias, outputs):
    shape = {"width": 33, "inputs": inputs, "bias": bias, "outputs": outputs}
    run(3, 19, 1, weights=True, l2=1.0, output_bias=inputs % 2 == 0, **shape)


@pytest.mark.parametrize("samples", range(1, 10))
@pytest.mark.parametrize("name", ["rational", "relu", "leaky_relu"])
def test_light_activations_on_few_samples(name, samples):
    """Up to 8 samples and 2 inputs, one output: lane = neuron recomputes instead of storing."""
    for inputs in (1, 2, 3):
        shape = {"width": 15 + samples, "inputs": inputs, "bias": samples % 2 == inputs % 2}
        shape |= {"activation": name, "output_bias": inputs == samples % 3}
        prob = run(samples, samples, 1, weights=inputs == 2, l2=0.5 * (samples % 2), **shape)
        forced = on_kernel(prob, "neuron_lanes")
        theta = random_theta(np.random.default_rng(samples), prob.net, 3)
        loss, gradient, _ = forced.evaluate(theta, order=2)
        assert np.array_equal(loss, forced.loss(theta))
        assert np.array_equal(gradient, forced.gradient(theta))


def test_light_activations_of_far_arguments():
    """z / (1 + z^2) where 1 + z^2 overflows, beside arguments where it does not."""
    net = TwoLayer(17, 1, activation="rational", bias=True)
    prob = random_problem(np.random.default_rng(0), net, 6)
    theta = random_theta(np.random.default_rng(1), net, 2)
    theta[1].reshape(17, 3)[3, 1:] = 2.0**600, 2.0**601
    wide, narrow = (on_kernel(prob, kernel) for kernel in ("neuron_lanes", "network_lanes"))
    assert np.isfinite(wide.gradient(theta)).all()
    np.testing.assert_allclose(wide.gradient(theta), narrow.gradient(theta), rtol=1e-13)


PANELS = [8, 9, 15, 16, 24, 25, 31, 32, 40, 41, 48, 56, 57, 64, 65, 72, 73]


@pytest.mark.parametrize("width", PANELS)
def test_widths_around_panels(width):
    """Lane = neuron works on panels of 8 neurons, up to 3 of them at once, in groups of 8."""
    run(width, 5, 1, width=width, inputs=1, weights=width % 2 == 0)


@pytest.mark.parametrize(("width", "outputs"), [(9, 2), (26, 3), (41, 2)])
def test_panels_with_several_outputs(width, outputs):
    run(width, 11, 1, width=width, inputs=2, outputs=outputs, output_bias=True, l2=0.5)


COUNTS = [1, 2, 3, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 55, 56, 57, 63, 64, 65, 103, 104, 105]


@pytest.mark.parametrize(
    "samples", [*COUNTS, 127, 128, 129, 207, 208, 209, 255, 256, 257, 511, 1003]
)
@pytest.mark.parametrize("width", [4, 7, 30])
def test_sample_counts_around_lanes_and_blocks(width, samples):
    """With lane = sample, blocks hold 128, 128 and 64 samples for these widths; with lane = neuron
    64, 64 and 32, and 256 in the products of panels."""
    run(samples, samples, 1, width=width, inputs=1, weights=samples % 2 == 0)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(("width", "inputs"), [(5, 4), (5, 5), (6, 6), (11, 3)])
def test_blocks_with_and_without_tables_of_products(width, inputs, weights):
    """Up to 4 features the pair products take x_j x_l from a table; blocks hold 128 samples."""
    run(width, 267, 1, width=width, inputs=inputs, weights=weights)


@pytest.mark.parametrize("batch", [*range(1, 10), 15, 16, 17, 33])
@pytest.mark.parametrize("width", [2, 23])
def test_batches_around_lane_counts(width, batch):
    run(batch, 6, batch, width=width, inputs=1, output_bias=True)


@pytest.mark.parametrize("width", [3, 30])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.125, 1e3])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss, l2, weights, width):
    run(5, 11, 2, width=width, inputs=2, loss=loss, l2=l2, weights=weights, outputs=2)


def test_one_large_network():
    prob = run(6, 70, 1, width=48, inputs=5, outputs=3, output_bias=True, weights=True)
    assert prob.net.n_params > 400


def test_the_reference_notices_a_wrong_entry():
    rng = np.random.default_rng(7)
    net = TwoLayer(2, 1)
    prob, theta = random_problem(rng, net, 5), random_theta(rng, net, 1)[0]
    values, terms = reference(prob, theta, exact_arguments=True)
    wrong = values.hessian.copy()
    wrong[2, 1] += 1e-12 * terms.hessian[2, 1]
    with pytest.raises(AssertionError):
        check("hessian", prob.hessian(theta), wrong, terms.hessian)


def test_large_parameters_keep_their_relative_accuracy():
    """Terms of very different size: weights 1e-6 to 1e6, targets near the values."""
    rng = np.random.default_rng(8)
    net = TwoLayer(3, 1)
    prob = random_problem(rng, net, 9)
    theta = random_theta(rng, net, 6)
    net.unpack(theta).a[...] *= 10.0 ** np.arange(-6, 7, 2.4)[:, None]
    compare(prob, theta, rng)


def test_the_tested_level_is_the_forced_one():
    import os

    assert _core.isa() == os.environ.get("FLOWSCAPE_ISA", _core.isa())
