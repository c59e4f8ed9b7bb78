"""Shape, parameter order, hash and TOML of networks; values are in test_network_values.py."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscape.errors import OptionError, ProblemError, ShapeError
from flowscape.problem import toml
from flowscape.problem.network import TwoLayer

networks = st.builds(
    TwoLayer,
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["tanh", "exp", ["softplus", {"name": "const", "c": -0.5}]]),
    st.booleans(),
    st.integers(1, 3),
    st.booleans(),
)


def test_the_order_of_parameters_is_neuron_major():
    net = TwoLayer(2, 2, bias=True, outputs=2, output_bias=True)
    theta = net.pack(a=[[1, 2], [6, 7]], w=[[3, 4], [8, 9]], b=[5, 10], c=[11, 12])
    np.testing.assert_array_equal(theta, np.arange(1.0, 13.0))


def test_one_output_has_no_axis():
    net = TwoLayer(width=2, inputs=1)
    np.testing.assert_array_equal(net.pack(a=[1, 4], w=[[2], [5]], b=[3, 6]), np.arange(1.0, 7.0))
    parts = net.unpack(np.arange(12.0).reshape(2, 6))
    assert parts.a.shape == (2, 2)
    assert parts.w.shape == (2, 2, 1)
    assert parts.c is None


@given(networks, st.sampled_from([(), (1,), (5,)]))
@settings(derandomize=True, deadline=None)
def test_unpack_and_pack_are_inverse_and_unpack_gives_views(net, lead):
    theta = np.random.default_rng(0).normal(size=(*lead, net.n_params))
    parts = net.unpack(theta)
    given_parts = {name: part for name, part in parts._asdict().items() if part is not None}
    assert sum(part.size for part in given_parts.values()) == theta.size
    assert all(np.shares_memory(part, theta) for part in given_parts.values())
    np.testing.assert_array_equal(net.pack(**given_parts), theta)


@given(networks)
@settings(derandomize=True, deadline=None)
def test_description_round_trips_through_toml(net):
    again = TwoLayer.from_toml(toml.loads(toml.dumps(net.to_toml())))
    assert again == net
    assert again.hash == net.hash


def test_defaults_of_a_toml_table_are_those_of_the_class():
    assert TwoLayer.from_toml({"width": 3, "inputs": 2}) == TwoLayer(3, 2)


def test_hash_tells_all_fields_apart():
    nets = [
        TwoLayer(2, 1),
        TwoLayer(1, 2),
        TwoLayer(2, 1, "erf"),
        TwoLayer(2, 1, bias=False),
        TwoLayer(2, 1, outputs=2),
        TwoLayer(2, 1, output_bias=True),
    ]
    assert len({net.hash for net in nets}) == len(nets)
    assert all(len(net.hash) == 64 for net in nets)


def test_hash_does_not_change_between_versions():
    # written into result folders: a change of this value orphans them
    expected = "81feff6d6d5ddf591926fa58401ebaeaff953b5a95606ff7546a03eb1f93143f"
    assert TwoLayer(2, 1).hash == expected


def test_networks_are_frozen_hashable_and_pickle():
    net = TwoLayer(2, 1)
    with pytest.raises(AttributeError):
        net.width = 3
    assert pickle.loads(pickle.dumps(net)) == net
    assert {net: 1}[TwoLayer(2, 1, [{"name": "tanh"}])] == 1


def test_unpack_lets_failed_runs_pass():
    theta = np.full(6, math.nan)
    assert np.isnan(TwoLayer(2, 1).unpack(theta).a).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0 must be an integer >= 1; give the number of hidden neurons"),
        ({"width": 2.0}, "width=2.0"),
        ({"width": True}, "width=True"),
        ({"inputs": 0}, "inputs=0"),
        ({"outputs": -1}, "outputs=-1"),
        ({"bias": 1}, "bias=1 must be true or false"),
        ({"output_bias": None}, "output_bias=None"),
        ({"activation": "tan"}, "did you mean 'tanh'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OptionError, match=message):
        TwoLayer(**{"width": 2, "inputs": 1, **options})
    with pytest.raises(ProblemError, match=f"student.toml: .*{message}"):
        TwoLayer.from_toml({"width": 2, "inputs": 1, **options}, "student.toml")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"width": 2}, "here: the key 'inputs' is missing"),
        ({"width": 2, "inputs": 1, "activations": "tanh"}, "did you mean 'activation'"),
        ("tanh", "must be a table"),
    ],
)
def test_bad_tables(table, message):
    with pytest.raises(ProblemError, match=message):
        TwoLayer.from_toml(table, "here")


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"a": [1], "w": [[1], [1]], "b": [1, 1]}, ShapeError, r"a has shape \(1,\)"),
        ({"a": [1, 1], "w": [1, 1], "b": [1, 1]}, ShapeError, r"w has shape \(2,\)"),
        ({"a": [1, 1], "w": [[1], [1]]}, ProblemError, "b=None must be an array of shape"),
        ({"a": [1, 1], "w": [[1], [1]], "b": [1, 1], "c": [1]}, ProblemError, "output_bias=False"),
        ({"a": [1, math.nan], "w": [[1], [1]], "b": [1, 1]}, ProblemError, r"a\[1\]=nan"),
        ({"a": [[1, 1]], "w": [[1], [1]], "b": [1, 1]}, ShapeError, "one batch axis, or none"),
    ],
)
def test_bad_parts(parts, error, message):
    with pytest.raises(error, match=message):
        TwoLayer(2, 1).pack(**parts)


@pytest.mark.parametrize("theta", [np.zeros(5), np.zeros((6, 1)), np.zeros((1, 1, 6)), 0.0])
def test_bad_parameter_vectors(theta):
    with pytest.raises(ShapeError, match=r"theta has shape .* P=6 parameters"):
        TwoLayer(2, 1).unpack(theta)
