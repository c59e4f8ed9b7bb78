"""The bits of a network depend on its own numbers: not on batch, place, threads or order asked."""

import warnings

import numpy as np
import pytest

from flowscape import StabilityWarning, TwoLayer, gradient_descent, gradient_flow, polish
from flowscape.testing import on_kernel, random_problem, random_theta

THREADS = (1, 2, 3, 7)
SHAPES = {
    "network lanes": ("network_lanes", {"width": 2, "inputs": 1}, 6),
    "network lanes, two outputs": (
        "network_lanes",
        {"width": 3, "inputs": 2, "outputs": 2, "output_bias": True},
        9,
    ),
    "network lanes, many features": (
        "network_lanes",
        {"width": 2, "inputs": 6, "output_bias": True},
        11,
    ),
    "sample lanes, few": ("sample_lanes", {"width": 2, "inputs": 1}, 6),
    "sample lanes": ("sample_lanes", {"width": 2, "inputs": 1}, 517),
    "sample lanes, wide": (
        "sample_lanes",
        {"width": 17, "inputs": 3, "outputs": 2, "output_bias": True},
        67,
    ),
    "neuron lanes, few": ("neuron_lanes", {"width": 2, "inputs": 1}, 6),
    "neuron lanes": ("neuron_lanes", {"width": 25, "inputs": 3}, 133),
    "neuron lanes, two outputs": (
        "neuron_lanes",
        {"width": 17, "inputs": 2, "outputs": 2, "output_bias": True},
        67,
    ),
}
LANES = {
    "network lanes": SHAPES["network lanes"],
    "sample lanes": ("sample_lanes", {"width": 2, "inputs": 1}, 513),
    "neuron lanes": ("neuron_lanes", {"width": 2, "inputs": 1}, 67),
}
FLOW_FIELDS = (
    "theta", "t", "loss", "gradient_norm", "floor", "status",
    "nstep", "nrejected", "nfev", "njev", "thetas",
)  # fmt: skip
DESCENT_FIELDS = (
    "theta", "step", "loss", "gradient_norm", "lambda_max", "stability_limit", "status",
    "thetas", "losses",
)  # fmt: skip
POLISH_FIELDS = (
    "theta", "loss", "zero_loss", "gradient_norm", "floor", "eigenvalues", "zero_bound",
    "inertia", "certified", "displacement", "iterations", "status",
)  # fmt: skip


def assert_same_bits(actual, expected, message=""):
    actual, expected = np.ascontiguousarray(actual), np.ascontiguousarray(expected)
    assert actual.dtype == expected.dtype, message
    assert actual.shape == expected.shape, message
    assert actual.tobytes() == expected.tobytes(), message


def make(kernel, shape, samples, batch, seed=1):
    rng = np.random.default_rng(seed)
    net = TwoLayer(**shape)
    prob = random_problem(rng, net, samples, weights=True, l2=0.01, exact=False)
    return on_kernel(prob, kernel), random_theta(rng, net, batch, exact=False)


def everything(prob, theta, n_threads):
    v = theta[..., ::-1].copy()
    noise = prob.noise(theta, n_threads=n_threads)
    return {
        "evaluate 0": prob.evaluate(theta, 0, n_threads=n_threads)[0],
        **dict(zip("lgh", prob.evaluate(theta, 2, n_threads=n_threads), strict=True)),
        "residual": prob.residual(theta, n_threads=n_threads),
        "jacobian": prob.jacobian(theta, n_threads=n_threads),
        "hvp": prob.hvp(theta, v, n_threads=n_threads),
        "network": prob.net(theta, prob.data.x, n_threads=n_threads),
        **{name: getattr(noise, name) for name in ("zero_loss", "loss", "gradient", "hessian")},
    }


@pytest.mark.parametrize(("kernel", "shape", "samples"), SHAPES.values(), ids=SHAPES.keys())
def test_a_network_does_not_depend_on_its_batch(kernel, shape, samples):
    prob, theta = make(kernel, shape, samples, 35)
    whole = everything(prob, theta, 1)
    shuffle = np.random.default_rng(2).permutation(len(theta))
    for name, rows in everything(prob, theta[shuffle], 1).items():
        assert_same_bits(rows, whole[name][shuffle], f"{name}, shuffled")
    for first, last in ((0, 1), (3, 4), (34, 35), (1, 8), (5, 14), (2, 34)):
        for name, rows in everything(prob, theta[first:last], 1).items():
            assert_same_bits(rows, whole[name][first:last], f"{name}, {first}:{last}")
    for name, row in everything(prob, theta[7], 1).items():
        assert_same_bits(row, whole[name][7], f"{name}, alone")


@pytest.mark.parametrize("n_threads", THREADS[1:])
@pytest.mark.parametrize(("kernel", "shape", "samples"), SHAPES.values(), ids=SHAPES.keys())
def test_a_network_does_not_depend_on_threads(kernel, shape, samples, n_threads):
    prob, theta = make(kernel, shape, samples, 150)
    whole = everything(prob, theta, 1)
    for name, rows in everything(prob, theta, n_threads).items():
        assert_same_bits(rows, whole[name], name)


@pytest.mark.parametrize(("kernel", "shape", "samples"), SHAPES.values(), ids=SHAPES.keys())
def test_one_pass_gives_what_separate_calls_give(kernel, shape, samples):
    prob, theta = make(kernel, shape, samples, 11)
    loss, gradient, hessian = prob.evaluate(theta, order=2)
    assert_same_bits(prob.loss(theta), loss)
    assert_same_bits(prob.gradient(theta), gradient)
    assert_same_bits(prob.hessian(theta), hessian)
    assert_same_bits(prob.evaluate(theta, order=1)[0], loss)
    assert_same_bits(hessian, np.swapaxes(hessian, 1, 2))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize(("kernel", "shape", "samples"), SHAPES.values(), ids=SHAPES.keys())
def test_a_bad_network_spoils_itself_only(kernel, shape, samples, bad):
    prob, theta = make(kernel, shape, samples, 19)
    clean = everything(prob, theta, 1)
    theta[4], theta[11, 0] = bad, bad
    others = np.delete(np.arange(19), [4, 11])
    for name, rows in everything(prob, theta, 2).items():
        assert_same_bits(rows[others], clean[name][others], name)
    loss = prob.loss(theta)
    assert not np.isfinite(loss[[4, 11]]).any()
    assert np.isfinite(loss[others]).all()


def flows(method, save_at=(0.0, 0.5, 20.0), **options):
    chosen = {"method": method, "t_max": 50.0, "max_steps": 150, "save_at": save_at, **options}
    return lambda prob, rows, n, part: gradient_flow(
        prob, rows, n_threads=n, **{k: v[part] if k == "atol" else v for k, v in chosen.items()}
    )


def descents(**options):
    chosen = {"learning_rate": 0.01, "steps": 150, "save_at": [0, 3, 150], "gtol": 0.02, **options}

    def compute(prob, rows, n, part):
        with pytest.warns(StabilityWarning) if len(rows) == 37 else warnings.catch_warnings():
            warnings.simplefilter("always" if len(rows) == 37 else "ignore", StabilityWarning)
            return gradient_descent(prob, rows, streams=np.arange(37)[part], n_threads=n, **chosen)

    return compute


def polishes(prob, rows, n, _):
    return polish(prob, rows, n_threads=n)


ATOL = 10.0 ** -(6 + np.arange(37) % 5)


def fine_polishes(prob, rows, n, _):
    return polish(prob, rows, precision="double-double", max_iterations=20, n_threads=n)


RUNS = {
    "rosenbrock": (flows("rosenbrock"), FLOW_FIELDS),
    "rosenbrock, own atol": (flows("rosenbrock", atol=ATOL), FLOW_FIELDS),
    "rosenbrock to the limit": (flows("rosenbrock", t_max=np.inf, save_at=[1.0]), FLOW_FIELDS),
    "rk45": (flows("rk45"), FLOW_FIELDS),
    "bdf": (flows("bdf"), FLOW_FIELDS),
    "bdf, own atol": (flows("bdf", atol=ATOL), FLOW_FIELDS),
    "bdf to the limit": (flows("bdf", t_max=np.inf, save_at=[1.0]), FLOW_FIELDS),
    "bdf to gtol": (flows("bdf", t_max=np.inf, gtol=1e-4), FLOW_FIELDS),
    "gradient descent": (descents(), DESCENT_FIELDS),
    "nesterov": (descents(algorithm="nesterov", steps=60, save_at=[60]), DESCENT_FIELDS),
    "adam": (descents(algorithm="adam", steps=60, save_at=[60]), DESCENT_FIELDS),
    "shuffled batches": (descents(batch_size=5, steps=60, save_at=[60]), DESCENT_FIELDS),
    "iid batches": (
        descents(batch_size=2, sampling="iid", steps=60, save_at=[60]),
        DESCENT_FIELDS,
    ),
    "polish": (polishes, POLISH_FIELDS),
    "polish to 31 digits": (fine_polishes, (*POLISH_FIELDS, "theta_low", "residual_norm")),
}


@pytest.fixture(params=LANES.values(), ids=LANES.keys())
def batch(request):
    """Starts of very different length, one that overflows, for a refilled queue of lanes."""
    kernel, shape, samples = request.param
    prob, theta = make(kernel, shape, samples, 37)
    theta *= 10.0 ** np.linspace(-3, 1, 37)[:, None]
    theta[9] *= 1e200
    return prob, theta


@pytest.mark.parametrize(("compute", "fields"), RUNS.values(), ids=RUNS.keys())
def test_a_run_does_not_depend_on_its_batch(compute, fields, batch):
    prob, theta = batch
    count = len(theta)
    whole = compute(prob, theta, 1, slice(None))
    assert len(np.unique(whole.status)) > 1

    def same(rows, part, message):
        for field in fields:
            assert_same_bits(getattr(rows, field), getattr(whole, field)[part], (field, message))

    shuffle = np.random.default_rng(3).permutation(count)
    same(compute(prob, theta[shuffle], 1, shuffle), shuffle, "shuffled")
    same(compute(prob, theta[::-1].copy(), 2, slice(None, None, -1)), slice(None, None, -1), "back")
    for n_threads in THREADS[1:]:
        same(compute(prob, theta, n_threads, slice(None)), slice(None), f"{n_threads} threads")
    for size in (1, 5, 8):
        for first in range(0, count, size):
            part = slice(first, first + size)
            same(compute(prob, theta[part], 1 + first % 2, part), part, f"chunk {part}")


def test_a_single_start_is_a_batch_of_one():
    prob, theta = make(*SHAPES["network lanes"], 3)
    whole = gradient_flow(prob, theta, save_at=[1.0])
    alone = gradient_flow(prob, theta[1], save_at=[1.0])
    for field in FLOW_FIELDS:
        assert_same_bits(getattr(alone, field), getattr(whole, field)[1], field)
    points, point = polish(prob, whole.theta), polish(prob, whole.theta[1])
    for field in POLISH_FIELDS:
        assert_same_bits(getattr(point, field), getattr(points, field)[1], field)


def test_a_repeated_call_gives_the_same_bits():
    prob, theta = make(*SHAPES["sample lanes, wide"], 4)
    first, again = everything(prob, theta, 2), everything(prob, theta, 2)
    for name, rows in first.items():
        assert_same_bits(again[name], rows, name)
