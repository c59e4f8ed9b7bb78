"""The flow of infinitely small initialization against finite scales and multiprecision."""

import mpmath
import numpy as np
import pytest

import flowscape as fs
from flowscape.limits.imbalance import Origin

RTOL = 1e-12
SKEW = [{"name": "exp"}, {"name": "const", "c": -1.0}]  # sigma'' != 0 at 0


def make(activation="tanh", *, d=1, m=2, n=6, loss="half_sum", bias=True, **options):
    rng = np.random.default_rng(d + 10 * m)
    x = np.linspace(-2, 2, n)[:, None] if d == 1 else rng.normal(size=(n, d))
    y = np.tanh(x @ np.linspace(1.0, 0.5, d) + 1.0)
    weights = options.pop("weights", None)
    net = fs.TwoLayer(m, d, activation, bias=bias)
    return fs.Problem(net, fs.Samples(x, y, weights), loss, **options)


def deviations(prob, theta, alphas, times):
    """Largest distance to the limit at the aligned times, for every alpha."""
    start = fs.initial_imbalance(prob, theta)
    shift = np.log(start.amplitude) / start.rate
    exact = fs.limit_flow(
        prob, start.ratio, rtol=RTOL, save_at=times + shift, t_max=times[-1] + shift
    ).flow.thetas
    found = []
    for alpha in alphas:
        later = np.log(1 / alpha) / start.rate + times
        flow = fs.gradient_flow(
            prob, alpha * theta, rtol=RTOL, atol=1e-15 * alpha, save_at=later, t_max=later[-1]
        )
        found.append(np.abs(flow.thetas - exact).max())
    return np.array(found)


def exponents(values, alphas):
    return np.diff(np.log(values)) / np.diff(np.log(alphas))


ALPHAS = np.array([1e-4, 1e-6, 1e-8])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tanh", {}),
        ("tanh", {"loss": "mean", "d": 2, "m": 3, "n": 7}),
        ("sum", {"loss": "sum", "bias": False, "d": 3, "l2": 0.05}),
        ("weights", {"loss": "half_mean", "weights": [1, 2, 0.5, 1, 0, 3]}),
        ("falling", {"activation": [{"name": "tanh", "c": -0.7, "s": 1.5}]}),
        ("skew", {"activation": SKEW, "n": 4}),
    ],
)
def test_finite_scales_approach_the_limit_as_their_first_power(name, options):
    """A part in the kernel of the Hessian stays alpha, so the distance is of the order alpha."""
    prob = make(**options)
    rate = Origin.of(prob).rate
    theta = np.random.default_rng(3).normal(size=prob.net.n_params)
    found = deviations(prob, theta, ALPHAS, np.array([-1.0, 1.0, 3.0]) / rate)
    np.testing.assert_allclose(exponents(found, ALPHAS), 1.0, atol=0.15)
    assert found[-1] < 1e-6


def test_starts_in_the_eigenspace_approach_as_the_second_power_if_sigma_is_odd():
    """The manifold leaves the eigenspace with the third power then."""
    prob = make()
    theta = np.outer([0.6, -0.3], Origin.of(prob).direction).ravel()
    alphas = np.array([1e-2, 1e-3, 1e-4])
    found = deviations(prob, theta, alphas, np.array([-0.2, 0.3]))
    np.testing.assert_allclose(exponents(found, alphas), 2.0, atol=0.05)


def test_one_incoming_parameter_leaves_no_kernel():
    """D = 1: mu_2 = -mu_1, and what is not in the eigenspace decays.

    For odd sigma the product of the growing and the decaying part is resonant with the growing
    one: it shifts the time by alpha^2 log(1/alpha).
    """
    theta = np.array([0.7, 0.2, -0.3, 0.9])
    times = np.array([-0.1, 0.2])
    alphas = 10.0 ** np.array([-3.0, -3.5, -4.0, -4.5])
    odd = make(bias=False, n=3)
    assert Origin.of(odd).proven_exponent == pytest.approx(2 / 3)
    steps = np.diff(deviations(odd, theta, alphas, times) / alphas**2)
    assert np.all(steps > 0.1)
    np.testing.assert_allclose(steps / steps[0], 1.0, rtol=0.02)
    skew = deviations(make(SKEW, bias=False, n=3), theta, alphas, times)
    np.testing.assert_allclose(exponents(skew, alphas), 1.0, atol=0.02)


def test_a_solution_followed_in_multiprecision():
    """tanh, D = 1: from 1e-7 in the eigenspace the distance to the limit is of the order 1e-14."""
    prob = make(bias=False, n=2, m=2)
    x, y = prob.data.x[:, 0], prob.data.y
    ratio = np.array([0.8, -0.6])
    rate = Origin.of(prob).rate
    times = np.array([-0.5, 0.5, 2.0]) / rate
    flow = fs.limit_flow(prob, ratio, rtol=1e-13, save_at=times, t_max=times[-1]).flow
    with mpmath.workdps(17):
        alpha = mpmath.mpf(10) ** -7
        rows = [(mpmath.mpf(float(u)), mpmath.mpf(float(v))) for u, v in zip(x, y, strict=True)]

        def pull(_, theta):
            a1, w1, a2, w2 = theta
            force = [mpmath.mpf(0)] * 4
            for u, v in rows:
                t1, t2 = mpmath.tanh(w1 * u), mpmath.tanh(w2 * u)
                r = a1 * t1 + a2 * t2 - v
                force[0] -= r * t1
                force[1] -= r * a1 * (1 - t1**2) * u
                force[2] -= r * t2
                force[3] -= r * a2 * (1 - t2**2) * u
            return force

        gamma = sum(u * v for u, v in rows)
        unit = [1 / mpmath.sqrt(2), mpmath.sign(gamma) / mpmath.sqrt(2)]
        start = [alpha * mpmath.mpf(float(c)) * e for c in ratio for e in unit]
        solve = mpmath.odefun(pull, 0, start)
        wait = mpmath.log(1 / alpha) / abs(gamma)
        truth = [[float(value) for value in solve(wait + mpmath.mpf(t))] for t in times.tolist()]
    np.testing.assert_allclose(flow.thetas, truth, rtol=0, atol=3e-12)
