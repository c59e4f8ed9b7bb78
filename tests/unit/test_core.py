"""The compiled module as a module: levels, its own guards, the same truth on every level."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flowscape import Problem, Samples, TwoLayer, _core, gradient_flow, polish

TESTS = Path(__file__).parents[1]
NUMERICS = ["reference/test_objective.py", "reference/test_multiprecision.py",
            "reference/test_activation_errors.py", "reference/test_activation_sums.py",
            "reference/test_activation_values.py", "properties"]  # fmt: skip


def other_levels():
    usable = [*_core.supported_levels(), "native"]
    levels = [n for n in _core.built_levels() if n in usable and n != _core.isa()]
    reason = "this installation has one usable level, which the suite itself runs on"
    return levels or [pytest.param("none", marks=pytest.mark.skip(reason=reason))]


@pytest.fixture(scope="module")
def runs():
    """The numerical tests on all other levels, started together."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    started = {
        level: subprocess.Popen(
            [*command, "--override-ini=addopts=", *(str(TESTS / name) for name in NUMERICS)],
            cwd=TESTS.parent,
            env={**os.environ, "FLOWSCAPE_ISA": level},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for level in other_levels()
    }
    yield started
    for process in started.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("level", other_levels())
def test_the_numerical_tests_pass_on_every_level(level, runs):
    output, _ = runs[level].communicate(timeout=900)
    assert runs[level].returncode == 0, output[-6000:]


def test_levels():
    built, supported = _core.built_levels(), _core.supported_levels()
    assert set(built) <= {"native", "v4", "v3", "v2"}
    assert _core.isa() in built
    assert _core.isa() in [*supported, "native"]
    order = ["v2", "v3", "v4"]
    assert sorted(supported) == order[: len(supported)], "a level includes those below it"


def test_build_info():
    info = _core.build_info()
    assert info["level"] == _core.isa()
    lanes = {"v2": (2,), "v3": (4,), "v4": (8,), "native": (2, 4, 8)}[_core.isa()]
    assert info["lanes"] in lanes
    assert info["fused_multiply_add"] == (info["lanes"] > 2)
    assert info["openmp"] is True
    assert info["compiler"].startswith("g++ ")


NET = TwoLayer(2, 1)
PROB = Problem(NET, Samples([0.0, 1.0, 2.0], [1.0, -1.0, 0.5]))
THETA = NET.init(3, rng=1)


def test_no_level_shows_in_texts_or_pickles():
    """A result made on one machine is read on another."""
    for thing in (PROB, gradient_flow(PROB, THETA), polish(PROB, THETA)):
        assert "_core" not in repr(thing)
        assert b"_core_" not in pickle.dumps(thing)
    again = pickle.loads(pickle.dumps(PROB))
    assert again == PROB
    assert hash(again) == hash(PROB)
    np.testing.assert_array_equal(again.loss(THETA), PROB.loss(THETA))


@pytest.mark.parametrize("name", ["core", "activation"])
def test_compiled_objects_refuse_to_be_pickled(name):
    thing = PROB.core if name == "core" else _core.Activation([("tanh", 1.0, 1.0, 0.0, [])])
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(thing)


def make(x=(3, 1), y=(3, 1), weights=3, width=2, inputs=1, outputs=1):
    act = _core.Activation([("tanh", 1.0, 1.0, 0.0, [])])
    arrays = np.zeros(x), np.zeros(y), np.ones(weights)
    return _core.Objective(act, width, inputs, outputs, True, False, *arrays, scale=1.0, l2=0.0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 0}, "sizes"),
        ({"inputs": 0}, "sizes"),
        ({"outputs": -1}, "sizes"),
        ({"x": (0, 1)}, "x"),
        ({"x": 3}, "x"),
        ({"x": (3, 2)}, "x"),
        ({"y": (2, 1)}, "y"),
        ({"y": (3, 2)}, "y"),
        ({"weights": 2}, "weights"),
        ({"weights": (3, 1)}, "weights"),
    ],
)
def test_the_core_guards_its_memory(sizes, message):
    with pytest.raises(ValueError, match=message):
        make(**sizes)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1, 7), (1, 1, 6), ()])
def test_the_core_guards_its_rows(shape):
    core, rows, bad = make(), np.zeros((1, 6)), np.zeros(shape)
    calls = [
        lambda: core.evaluate(bad, 2, 1),
        lambda: core.residual(bad, True, 1),
        lambda: core.noise(bad, 1),
        lambda: core.hvp(bad, rows, 1),
        lambda: core.hvp(rows, bad, 1),
        lambda: core.hvp(rows, np.zeros((2, 6)), 1),
        lambda: _core.polish(core, bad, 0.0, 5, 1, None),
        lambda: _core.gradient_flow(
            core, bad, np.ones(1), 1e-3, 0.0, 1.0, 1e8, 5, 0, np.empty(0), 1, None
        ),
        lambda: _core.gradient_flow(
            core, rows, np.ones(2), 1e-3, 0.0, 1.0, 1e8, 5, 0, np.empty(0), 1, None
        ),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="shape"):
            call()


@pytest.mark.parametrize("order", [-1, 3])
def test_the_core_refuses_other_orders(order):
    with pytest.raises(ValueError, match="order"):
        make().evaluate(np.zeros((1, 6)), order, 1)


def test_an_unknown_function_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown activation 'tanhh'"):
        _core.Activation([("tanhh", 1.0, 1.0, 0.0, [])])


@pytest.mark.parametrize("call", [PROB.evaluate, PROB.residual, PROB.jacobian, PROB.noise])
def test_no_rows_give_no_rows(call):
    out = call(np.empty((0, 6)))
    parts = out if isinstance(out, tuple) else getattr(out, "__dict__", {"": out}).values()
    assert [len(part) for part in parts] == [0] * len(parts)


@pytest.mark.parametrize("run", [gradient_flow, polish])
def test_no_runs_give_no_runs(run):
    out = run(PROB, np.empty((0, 6)))
    assert out.theta.shape == (0, 6)
    assert out.status.shape == (0,)


def test_a_problem_outlives_its_arrays():
    """The core copies: nothing refers to memory of the caller."""
    x, y = np.array([[0.5], [1.5]]), np.array([1.0, 2.0])
    prob = Problem(NET, Samples(x, y))
    before = prob.loss(THETA)
    x[:], y[:] = 1e9, -1e9
    core = prob.core
    del prob, x, y
    np.testing.assert_array_equal(core.evaluate(THETA, 0, 1)[0], before)


def test_arrays_of_other_types_and_orders_are_read_right():
    expected = PROB.loss(THETA)
    single = THETA.astype(np.float32)
    np.testing.assert_array_equal(PROB.loss(np.asfortranarray(THETA)), expected)
    np.testing.assert_array_equal(PROB.loss(THETA.tolist()), expected)
    np.testing.assert_array_equal(PROB.loss(np.repeat(THETA, 2, axis=1)[:, ::2]), expected)
    np.testing.assert_array_equal(PROB.loss(THETA[::-1])[::-1], expected)
    np.testing.assert_array_equal(PROB.loss(single), PROB.loss(single.astype(float)))
    np.testing.assert_array_equal(PROB.loss(THETA.astype(">f8")), expected)
    integers = np.arange(6)
    np.testing.assert_array_equal(PROB.loss(integers), PROB.loss(integers.astype(float)))


def test_results_belong_to_the_caller():
    first = PROB.hessian(THETA)
    kept = first.copy()
    PROB.hessian(2 * THETA)
    np.testing.assert_array_equal(first, kept)
    assert first.flags.writeable
    assert first.flags.c_contiguous
