"""Loss and derivatives against differences of the plain loss at 60 digits.

The multiprecision side knows the definition of the loss and nothing of the closed forms: its
derivatives are central differences, whose error at this precision is far below the tolerance.
"""

import mpmath as mp
import numpy as np
import pytest

from flowscape import Problem, Samples, TwoLayer
from flowscape.testing import dyadic, on_kernel, random_problem, random_theta, reference

TOLERANCE = 1e-13
DIGITS, STEP = 60, "1e-16"
DIFFERENCES = 1e-25  # bounds the error of the central differences, entries of order 1

FUNCTIONS = {
    "tanh": mp.tanh,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log1p(mp.exp(z)),
    "erf": mp.erf,
    "Phi": mp.ncdf,
    "exp": mp.exp,
    "gauss": lambda z: mp.exp(-z * z),
    "rational": lambda z: z / (1 + z * z),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "gelu": lambda z: z * mp.ncdf(z),
    "sin": mp.sin,
    "cos": mp.cos,
    "arctan": mp.atan,
    "sinh": mp.sinh,
    "relu": lambda z: max(z, mp.mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else mp.mpf(0.01) * z,
}
SUMS = {
    "sigmoid 4z + softplus": [{"name": "sigmoid", "s": 4.0}, {"name": "softplus"}],
    "softplus - log 2": [{"name": "softplus"}, {"name": "const", "c": -np.log(2)}],
    "mixed": [
        {"name": "polynomial", "c": 0.3, "s": 0.7, "h": 0.1, "coefficients": [1.0, -0.4, 0.2, 0.3]},
        {"name": "erf", "c": -1.1, "s": 2**-0.5},
    ],
}
SHAPES = {
    "plain": {"width": 2, "inputs": 1},
    "no bias, three inputs": {"width": 2, "inputs": 3, "bias": False},
    "two outputs": {"width": 2, "inputs": 1, "outputs": 2, "output_bias": True},
    "many features": {"width": 1, "inputs": 5, "output_bias": True},
}


@pytest.fixture(autouse=True)
def precision():
    with mp.workdps(DIGITS):
        yield


def sigma(term, z):
    c, u = mp.mpf(term.c), mp.mpf(term.s) * z + mp.mpf(term.h)
    if term.name == "const":
        return c
    if term.name == "polynomial":
        return c * mp.fsum(mp.mpf(p) * u**k for k, p in enumerate(term.coefficients))
    return c * FUNCTIONS[term.name](u)


def network(net, theta, x):
    """Values (outputs) at one input, from theta in neuron-major order."""
    k, d = net.outputs, net.inputs
    values = theta[-k:] if net.output_bias else [mp.mpf(0)] * k
    for neuron in range(net.width):
        own = theta[neuron * (k + net.neuron_inputs) :]
        z = mp.fdot(own[k : k + d], x) + (own[k + d] if net.bias else 0)
        h = mp.fsum(sigma(term, z) for term in net.activation.terms)
        values = [value + a * h for value, a in zip(values, own[:k], strict=True)]
    return values


def residuals(prob, theta):
    targets = prob.data.y.reshape(len(prob.data), -1).tolist()
    rows = zip(prob.data.x.tolist(), targets, strict=True)
    return [
        f - mp.mpf(y)
        for x, row in rows
        for f, y in zip(network(prob.net, theta, [mp.mpf(v) for v in x]), row, strict=True)
    ]


def loss(prob, theta):
    n, data = len(prob.data), prob.data
    weights = (
        [mp.mpf(1)] * n if data.weights is None else [mp.mpf(w) for w in data.weights.tolist()]
    )
    factor = {"sum": 1, "half_sum": mp.mpf(0.5)}.get(prob.loss_name)
    if factor is None:
        factor = (2 if prob.loss_name == "mean" else 1) / (2 * mp.fsum(weights))
    repeated = [w for w in weights for _ in range(prob.net.outputs)]
    squares = mp.fdot(repeated, [r * r for r in residuals(prob, theta)])
    return factor * squares + mp.mpf(prob.l2) / 2 * mp.fdot(theta, theta)


def shifted(theta, *indices_and_steps):
    moved = list(theta)
    for index, step in indices_and_steps:
        moved[index] += step
    return moved


def exact(prob, theta):
    """Loss, gradient, Hessian, residual and Jacobian by the definition and differences."""
    theta = [mp.mpf(v) for v in theta.tolist()]
    p, step = len(theta), mp.mpf(STEP)
    value = loss(prob, theta)
    ahead = [loss(prob, shifted(theta, (i, step))) for i in range(p)]
    behind = [loss(prob, shifted(theta, (i, -step))) for i in range(p)]
    gradient = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    hessian = [[mp.mpf(0)] * p for _ in range(p)]
    for i in range(p):
        for j in range(i):
            corners = [
                si * sj * loss(prob, shifted(theta, (i, si * step), (j, sj * step)))
                for si in (1, -1)
                for sj in (1, -1)
            ]
            hessian[i][j] = hessian[j][i] = mp.fsum(corners) / (4 * step**2)
        hessian[i][i] = (ahead[i] - 2 * value + behind[i]) / step**2
    columns = []
    for i in range(p):
        up, down = (residuals(prob, shifted(theta, (i, s))) for s in (step, -step))
        columns.append([(u - d) / (2 * step) for u, d in zip(up, down, strict=True)])
    jacobian = [list(row) for row in zip(*columns, strict=True)]
    return value, gradient, hessian, residuals(prob, theta), jacobian


def check(name, computed, expected, terms):
    """Compare entry by entry at full precision."""
    flat = np.ravel(np.array(expected, dtype=object))
    pairs = zip(np.ravel(computed).tolist(), flat, np.ravel(terms).tolist(), strict=True)
    for i, (value, truth, size) in enumerate(pairs):
        error = abs(mp.mpf(value) - truth)
        assert error <= TOLERANCE * size + DIFFERENCES, f"{name}, entry {i}: {value!r}, {truth}"


def compare(prob, theta, rng):
    truth = exact(prob, theta)
    _, terms = reference(prob, theta)
    order = (terms.loss, terms.gradient, terms.hessian)
    for name, part, expected, size in zip(
        ("loss", "gradient", "hessian"), prob.evaluate(theta), truth, order, strict=False
    ):
        check(name, part, expected, size)
    check("residual", prob.residual(theta), truth[3], terms.residual)
    check("jacobian", prob.jacobian(theta), truth[4], terms.jacobian)
    v = dyadic(rng, theta.shape)
    expected = [mp.fdot(row, [mp.mpf(u) for u in v.tolist()]) for row in truth[2]]
    check("hvp", prob.hvp(theta, v), expected, terms.hessian @ np.abs(v))
    return truth


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("spec", ["tanh", "gelu", SUMS["mixed"]], ids=["tanh", "gelu", "mixed"])
def test_shapes(spec, shape):
    rng = np.random.default_rng(1)
    net = TwoLayer(activation=spec, **shape)
    prob = random_problem(rng, net, 4, loss="half_mean", weights=True, l2=0.1, exact=False)
    compare(prob, random_theta(rng, net, 1, exact=False)[0], rng)


@pytest.mark.parametrize("spec", [*FUNCTIONS, *SUMS.values()], ids=[*FUNCTIONS, *SUMS])
def test_every_activation(spec):
    rng = np.random.default_rng(2)
    net = TwoLayer(2, 1, spec)
    prob = random_problem(rng, net, 5, loss="mean", exact=False)
    compare(prob, random_theta(rng, net, 1, exact=False)[0], rng)


def test_samples_in_lanes():
    rng = np.random.default_rng(3)
    net = TwoLayer(17, 3, "sigmoid")
    prob = random_problem(rng, net, 9, weights=True, exact=False)
    prob = on_kernel(prob, "sample_lanes")
    theta = random_theta(rng, net, 1, exact=False)[0]
    point = [mp.mpf(v) for v in theta.tolist()]
    _, terms = reference(prob, theta)
    check("residual", prob.residual(theta), residuals(prob, point), terms.residual)
    check("loss", prob.loss(theta), loss(prob, point), terms.loss)
    step = mp.mpf(STEP)
    for i in (0, 1, 4, 42, 84):
        ahead, behind = (loss(prob, shifted(point, (i, s))) for s in (step, -step))
        computed = prob.gradient(theta)[i]
        check("gradient", computed, (ahead - behind) / (2 * step), terms.gradient[i])


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("size", [1e-6, 1.0, 30.0])
@pytest.mark.parametrize("spec", ["tanh", "softplus", "gelu", SUMS["mixed"]])
def test_the_stated_noise_bounds_the_errors(spec, size, l2):
    """At a perfect fit, where the residual is rounding error alone, and elsewhere."""
    rng = np.random.default_rng(4)
    net = TwoLayer(2, 1, spec)
    theta = size * random_theta(rng, net, 1, exact=False)[0]
    data = random_problem(rng, net, 6, exact=False).data
    fit = Samples(data.x, net(theta, data.x))
    for prob in (Problem(net, data, l2=l2), Problem(net, fit, l2=l2)):
        noise = prob.noise(theta)
        value, gradient, hessian, *_ = exact(prob, theta)
        computed = prob.evaluate(theta)
        errors = [abs(mp.mpf(v) - e) for v, e in zip(computed[1].tolist(), gradient, strict=True)]
        assert max(errors) <= noise.gradient
        flat = [entry for row in hessian for entry in row]
        pairs = zip(computed[2].ravel().tolist(), flat, strict=True)
        wrong = np.array([float(mp.mpf(v) - e) for v, e in pairs]).reshape(computed[2].shape)
        assert np.linalg.norm(wrong, 2) <= noise.hessian
        assert abs(mp.mpf(float(computed[0])) - value) <= noise.loss
    plain = Problem(net, fit)
    assert plain.loss(theta) <= plain.noise(theta).zero_loss
