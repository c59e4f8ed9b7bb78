"""No runs, no points: every function on batches returns the arrays of a batch, empty."""

import dataclasses

import numpy as np
import pytest

import flowscape as fs

BIASED = fs.TwoLayer(3, 1, "tanh", True)
WIDE = fs.TwoLayer(3, 2, {"name": "tanh", "h": 0.3}, False, 2, True)


def target(net):
    one = fs.TwoLayer(1, net.inputs, net.activation, net.bias, net.outputs, net.output_bias)
    return fs.Teacher(one, np.linspace(0.5, 1.5, one.n_params))


def problem(net):
    x = np.random.default_rng(0).normal(size=(6, net.inputs))
    return fs.Problem(net, fs.Samples.of(target(net), x), teacher=target(net))


def family(net):
    return fs.branches(net, target(net))


def sets(net):
    """One set of every orbit, so that every kind of constant group is met."""
    return [orbit.representative for orbit in family(net).orbits()]


def flow(net, rows, **options):
    return fs.gradient_flow(problem(net), rows, t_max=1.0, **options)


CALLS = {
    "net": lambda net, rows: net(rows, np.zeros((4, net.inputs))),
    "unpack": lambda net, rows: net.unpack(rows),
    **{
        name: lambda net, rows, name=name: getattr(problem(net), name)(rows)
        for name in ("loss", "gradient", "hessian", "residual", "jacobian", "noise")
    },
    "hvp": lambda net, rows: problem(net).hvp(rows, rows),
    "evaluate": lambda net, rows: problem(net).evaluate(rows, 2),
    **{
        method: lambda net, rows, method=method: flow(net, rows, method=method, save_at=[0.5])
        for method in ("auto", "rosenbrock", "bdf", "rk45")
    },
    "gradient_descent": lambda net, rows: fs.gradient_descent(
        problem(net), rows, learning_rate=0.1, steps=5
    ),
    "polish": lambda net, rows: fs.polish(problem(net), rows),
    "polish, double-double": lambda net, rows: fs.polish(
        problem(net), rows, precision="double-double"
    ),
    "decide_zeros": lambda net, rows: fs.decide_zeros(
        problem(net), fs.polish(problem(net), rows, precision="double-double")
    ),
    "residual_dd": lambda net, rows: fs.residual_dd(problem(net), rows),
    "jacobian_dd": lambda net, rows: fs.jacobian_dd(problem(net), rows),
    "classify": lambda net, rows: fs.classify(problem(net), fs.polish(problem(net), rows)),
    "classify, flow": lambda net, rows: fs.classify(
        problem(net), fs.polish(problem(net), rows), flow(net, rows)
    ),
    "locate": lambda net, rows: family(net).locate(rows),
    **{
        name: lambda net, rows, name=name: [getattr(one, name)(rows) for one in sets(net)]
        for name in ("project", "distance", "equations")
    },
    "contains": lambda net, rows: [one.contains(rows, 1e-3) for one in sets(net)],
}


def arrays(result):
    """All arrays of a result, however it is packed."""
    if isinstance(result, np.ndarray):
        yield result
    elif isinstance(result, dict):
        for value in result.values():
            yield from arrays(value)
    elif isinstance(result, tuple | list):
        for value in result:
            yield from arrays(value)
    elif dataclasses.is_dataclass(result):
        for field in dataclasses.fields(result):
            if field.name not in ("options", "choice", "ts"):  # not one entry per run
                yield from arrays(getattr(result, field.name))


@pytest.mark.parametrize("net", [BIASED, WIDE], ids=["biased", "wide"])
@pytest.mark.parametrize("call", CALLS)
def test_an_empty_batch_has_the_shapes_of_a_batch_without_its_rows(net, call):
    rows = 0.1 * np.random.default_rng(1).normal(size=(2, net.n_params))
    some = list(arrays(CALLS[call](net, rows)))
    none = list(arrays(CALLS[call](net, rows[:0])))
    assert some
    assert {a.shape[0] for a in none} == {0}
    assert [a.shape[1:] for a in none] == [a.shape[1:] for a in some]
    assert [a.dtype for a in none] == [a.dtype for a in some]


@pytest.mark.parametrize("name", ["project", "distance"])
def test_only_rows_that_are_not_finite(name):
    for one in sets(BIASED):
        found = getattr(one, name)(np.full((2, BIASED.n_params), np.nan))
        assert len(found) == 2
        assert not np.isfinite(found).any()


def test_no_sample_sets():
    verdict = family(fs.TwoLayer(2, 2, "exp", False))[0].separation(np.zeros((0, 4, 2)))
    assert verdict.verdict.shape == verdict.reason.shape == verdict.margin.shape == (0,)
    assert verdict.local_dimension.shape == (0,)
    assert verdict.morse_bott == []


def test_a_limit_flow_for_no_imbalance():
    net = fs.TwoLayer(2, 1, "tanh", True)
    found = fs.limit_flow(problem(net), np.empty((0, 2)))
    assert found.theta.shape == (0, 6)
    assert fs.initial_imbalance(problem(net), np.empty((0, 6))).ratio.shape == (0, 2)
