"""Symmetries of the network are symmetries of the computed loss, up to rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscape import TwoLayer
from flowscape.testing import random_problem, random_theta, reference

ODD = ["tanh", "erf", "sin", "arctan", "sinh", "rational"]
EVEN = ["gauss", "cos"]
TOLERANCE = 1e-13


@st.composite
def cases(draw, activations):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    net = TwoLayer(
        width=draw(st.integers(1, 7)),
        inputs=draw(st.integers(1, 5)),
        activation=draw(st.sampled_from(activations)),
        bias=draw(st.booleans()),
        outputs=draw(st.integers(1, 3)),
        output_bias=draw(st.booleans()),
    )
    samples = draw(st.sampled_from([1, 2, 7, 9, 300]))
    prob = random_problem(
        rng, net, samples, weights=draw(st.booleans()), l2=draw(st.sampled_from([0.0, 0.5]))
    )
    return prob, random_theta(rng, net, 1)[0], rng


def assert_same_values(prob, theta, other, order, signs):
    """Compare `other` with the parameters `theta[order] * signs`, entry by entry."""
    _, terms = reference(prob, theta, exact_arguments=True)
    value, gradient, hessian = prob.evaluate(theta)
    value2, gradient2, hessian2 = prob.evaluate(other)
    assert abs(value2 - value) <= TOLERANCE * terms.loss
    gap = np.abs(gradient2 - signs * gradient[order])
    assert (gap <= TOLERANCE * terms.gradient[order]).all()
    square = np.ix_(order, order)
    gap = np.abs(hessian2 - np.outer(signs, signs) * hessian[square])
    assert (gap <= TOLERANCE * terms.hessian[square]).all()


def rearranged(net, neurons):
    """Places of the parameters when the neurons come in this order."""
    size = net.outputs + net.neuron_inputs
    places = [np.arange(k * size, (k + 1) * size) for k in neurons]
    return np.concatenate([*places, np.arange(net.width * size, net.n_params)])


@settings(max_examples=60)
@given(cases(["tanh", "softplus", "gelu", "gauss", "relu"]))
def test_neurons_may_be_permuted(case):
    prob, theta, rng = case
    order = rearranged(prob.net, rng.permutation(prob.net.width))
    assert_same_values(prob, theta, theta[order], order, np.ones(len(order)))


@settings(max_examples=60)
@given(cases(ODD))
def test_signs_of_odd_neurons_may_be_flipped(case):
    prob, theta, rng = case
    signs = np.ones(prob.net.n_params)
    neurons = signs[: prob.net.width * (prob.net.outputs + prob.net.neuron_inputs)]
    neurons.reshape(prob.net.width, -1)[...] = rng.choice([-1.0, 1.0], (prob.net.width, 1))
    assert_same_values(prob, theta, signs * theta, np.arange(len(theta)), signs)


@settings(max_examples=40)
@given(cases(EVEN))
def test_incoming_signs_of_even_neurons_may_be_flipped(case):
    prob, theta, rng = case
    net = prob.net
    signs = np.ones(net.n_params)
    parts = net.unpack(signs)
    flips = rng.choice([-1.0, 1.0], net.width)
    parts.w[...] *= flips[:, None]
    if parts.b is not None:
        parts.b[...] *= flips
    assert_same_values(prob, theta, signs * theta, np.arange(len(theta)), signs)


@settings(max_examples=30)
@given(cases(["tanh", "silu"]))
def test_samples_may_be_permuted(case):
    prob, theta, rng = case
    data = prob.data
    order = rng.permutation(len(data))
    weights = None if data.weights is None else data.weights[order]
    other = type(prob)(prob.net, type(data)(data.x[order], data.y[order], weights), l2=prob.l2)
    _, terms = reference(prob, theta, exact_arguments=True)
    assert abs(other.loss(theta) - prob.loss(theta)) <= TOLERANCE * terms.loss
    gap = np.abs(other.hessian(theta) - prob.hessian(theta))
    assert (gap <= TOLERANCE * terms.hessian).all()


@pytest.mark.parametrize("samples", [5, 600])
def test_weights_count_repeated_samples(samples):
    rng = np.random.default_rng(5)
    net = TwoLayer(3, 2)
    prob = random_problem(rng, net, samples)
    data = prob.data
    twice = type(data)(np.repeat(data.x, 2, axis=0), np.repeat(data.y, 2))
    weighted = type(data)(data.x, data.y, np.full(samples, 2.0))
    theta = random_theta(rng, net, 1)[0]
    for loss in ("sum", "half_mean"):
        a, b = (type(prob)(net, d, loss) for d in (twice, weighted))
        _, terms = reference(b, theta, exact_arguments=True)
        assert abs(a.loss(theta) - b.loss(theta)) <= TOLERANCE * terms.loss
        gap = np.abs(a.gradient(theta) - b.gradient(theta))
        assert (gap <= TOLERANCE * terms.gradient).all()
