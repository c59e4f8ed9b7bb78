import math
import pickle

import numpy as np
import pytest

from flowscape.errors import ProblemError, ShapeError
from flowscape.problem import toml
from flowscape.problem.data import Samples
from flowscape.problem.network import TwoLayer
from flowscape.problem.teacher import Teacher

NET = TwoLayer(1, 1)


def test_a_teacher_keeps_its_own_read_only_copy():
    theta = np.array([1.0, 2.0, 3.0])
    teacher = Teacher(NET, theta)
    theta[0] = 9.0
    assert teacher.theta[0] == 1.0
    for target in (teacher, pickle.loads(pickle.dumps(teacher))):
        with pytest.raises(ValueError, match="read-only"):
            target.theta[0] = 5.0
        assert target == teacher
    with pytest.raises(AttributeError):
        teacher.net = NET


def test_equality_and_hash_of_teachers():
    teacher = Teacher(NET, [1, 2, 3])
    assert teacher == Teacher(TwoLayer(1, 1, "tanh"), [1.0, 2.0, 3.0])
    assert len({teacher, Teacher(NET, [1, 2, 3.5]), Teacher(TwoLayer(1, 1, "erf"), [1, 2, 3])}) == 3
    assert teacher != 3


@pytest.mark.parametrize(
    "net", [NET, TwoLayer(2, 3, "erf", False, 2, True), TwoLayer(2, 1, bias=False)]
)
def test_teachers_round_trip_through_toml(net):
    teacher = Teacher(net, np.random.default_rng(2).normal(size=net.n_params))
    text = toml.dumps({"teacher": teacher.to_toml()})
    assert Teacher.from_toml(toml.loads(text)["teacher"]) == teacher


def test_bad_teachers():
    with pytest.raises(ShapeError, match="theta has shape"):
        Teacher(NET, [1.0])
    with pytest.raises(ShapeError, match="theta has shape"):
        Teacher(NET, [[1.0, 2.0, 3.0]])
    with pytest.raises(ProblemError, match=r"theta\[1\]=inf"):
        Teacher(NET, [1.0, math.inf, 3.0])
    with pytest.raises(ProblemError, match="net='tanh' must be a TwoLayer"):
        Teacher("tanh", [1.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": None}, "t.toml: b=None must be an array"),
        ({"a": [1.0, 2.0]}, "t.toml: a has shape"),
        ({"ww": [[1.0]]}, "t.toml: unknown key 'ww', did you mean 'w'"),
        ({"width": 0}, "t.toml: width=0"),
    ],
)
def test_bad_teacher_tables(change, message):
    table = {**Teacher(NET, [1, 2, 3]).to_toml(), **change}
    with pytest.raises(ProblemError, match=message):
        Teacher.from_toml(table, "t.toml")


def test_shapes_of_samples():
    samples = Samples([1, 2, 3], [[1], [2], [3]])
    assert samples.x.shape == (3, 1)
    assert samples.y.shape == (3,)
    assert (len(samples), samples.inputs, samples.outputs, samples.total_weight) == (3, 1, 1, 3.0)
    wide = Samples(np.ones((2, 3)), np.ones((2, 4)), [0.5, 0])
    assert (wide.inputs, wide.outputs, wide.total_weight) == (3, 4, 0.5)


def test_samples_keep_read_only_copies():
    x = np.array([[1.0], [2.0]])
    samples = Samples(x, [1, 2], [1, 2])
    x[0] = 7.0
    assert samples.x[0, 0] == 1.0
    for data in (samples, pickle.loads(pickle.dumps(samples))):
        assert data == samples
        for array in (data.x, data.y, data.weights):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0.0


def test_hash_tells_all_numbers_and_shapes_apart():
    data = [
        Samples([1, 2], [3, 4]),
        Samples([1, 2], [3, 5]),
        Samples([1, 3], [3, 4]),
        Samples([1, 2], [3, 4], [1, 1]),
        Samples([1, 2], [[3, 3], [4, 4]]),
        Samples([[1, 2]], [3]),
    ]
    assert len({item.hash for item in data}) == len(data)
    assert data[0] == Samples(np.array([[1.0], [2.0]]), np.array([3.0, 4.0]))


@pytest.mark.parametrize("weights", [None, [0.1, 0.7]])
def test_samples_round_trip_through_toml(weights):
    samples = Samples([[0.1, 1 / 3], [2, 1e-300]], [[1.0, 2.0], [0.3, -0.0]], weights)
    again = Samples.from_toml(toml.loads(toml.dumps(samples.to_toml())))
    assert again == samples


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], []), ProblemError, "x .* at least one sample"),
        ((np.zeros((2, 0)), [1, 2]), ProblemError, "at least"),
        (([1, 2], [1]), ShapeError, r"y has shape \(1,\).* 2 x"),
        (([1, 2], np.zeros((2, 0))), ProblemError, "at least one output"),
        (([1, math.nan], [1, 2]), ProblemError, r"x\[1\]=nan"),
        (([1, 2], [1, math.inf]), ProblemError, r"y\[1\]=inf"),
        ((np.zeros((1, 1, 1)), [1]), ShapeError, "x has shape"),
        (([1, 2], [1, 2], [1]), ShapeError, "weights has shape"),
        (([1, 2], [1, 2], [1, -1]), ProblemError, r"weights\[1\]=-1.0 must be >= 0"),
        (([1, 2], [1, 2], [0, 0]), ProblemError, "positive finite sum"),
        (([1, 2], [1, 2], [1e308, 1e308]), ProblemError, "positive finite sum"),
        (([1, 2], [1, 2], [math.nan, 1]), ProblemError, r"weights\[0\]=nan"),
        ((["a"], [1]), ProblemError, "x=.* must hold real numbers"),
    ],
)
def test_bad_samples(arguments, error, message):
    with pytest.raises(error, match=message):
        Samples(*arguments)


def test_bad_sample_tables():
    with pytest.raises(ProblemError, match="s: the key 'y' is missing"):
        Samples.from_toml({"x": [1.0]}, "s")
    with pytest.raises(ProblemError, match="s: y has shape"):
        Samples.from_toml({"x": [1.0], "y": [1.0, 2.0]}, "s")


def test_samples_of_something_else():
    with pytest.raises(ProblemError, match=r"must be a Teacher; .* Samples\(x, y\)"):
        Samples.of(math.sin, [1.0])
