"""Study files: what they hold, what they refuse."""

import dataclasses

import numpy as np
import pytest

from flowscape.errors import OptionError, ProblemError
from flowscape.sweep import Study


def test_a_study_file_reads_back(study, tmp_path):
    path = tmp_path / "again.toml"
    path.write_text(study.to_toml(), encoding="utf-8")
    again = Study.from_toml(path)
    assert again == study
    assert again.name == "study"  # the name is in the file, not taken from the new path
    assert again.runs == 2 * 3 * 2 * 4


def test_flow_options_read_back(content, write_study, tmp_path):
    content["flow"] = {"rtol": 1e-7, "atol": 1e-12, "method": "rosenbrock", "t_max": float("inf")}
    study = Study.from_toml(write_study(content))
    path = write_study({}, "again.toml")
    path.write_text(study.to_toml())
    assert Study.from_toml(path).flow == study.flow
    assert study.flow.keywords(np.array([1e-8])) == content["flow"]


def test_tiny_initializations_get_a_tiny_absolute_tolerance(study):
    keywords = study.flow.keywords(np.array([1e-8, 0.1, 1.0, 30.0]))
    np.testing.assert_allclose(keywords.pop("atol"), [1e-17, 1e-10, 1e-9, 1e-9], rtol=1e-15)
    assert keywords == {}


def test_the_packaged_study_is_example_1():
    study = Study.packaged("two-tanh-neurons")
    assert study.runs == 36000
    x = np.linspace(-2, 2, 5)
    samples = study.samples(5, study.sample_sets[0])
    np.testing.assert_array_equal(samples.x[:, 0], x)
    np.testing.assert_allclose(samples.y, np.tanh(x + 1), rtol=4e-16)
    assert study.problem(5, study.sample_sets[0]).data == samples


def test_initial_values_of_a_seed_do_not_depend_on_the_number_of_seeds(study):
    np.testing.assert_array_equal(study.with_seeds(9).initial_values()[:4], study.initial_values())


def test_an_unknown_study_gets_the_nearest_name():
    with pytest.raises(OptionError, match=r"two-tanh-neuron'.*did you mean 'two-tanh-neurons'"):
        Study.find("two-tanh-neuron")


def test_own_data_from_a_csv_beside_the_study(content, write_study, points):
    del content["teacher"], content["samples"]
    content["data"] = {"file": "points.csv", "inputs": ["x"], "targets": ["y"]}
    study = Study.from_toml(write_study(content))
    assert study.sizes == (5,)
    samples = study.samples(5, study.sample_sets[0])
    np.testing.assert_allclose(samples.y, samples.x[:, 0] ** 2, rtol=1e-15)


def test_smaller_sizes_take_the_first_rows(content, write_study, points):
    del content["teacher"]
    content["data"] = {"file": "points.csv", "inputs": "x", "targets": "y"}
    content["samples"] = {"sizes": [2, 5], "sets": [{"kind": "file"}]}
    study = Study.from_toml(write_study(content))
    np.testing.assert_array_equal(study.samples(2, study.sample_sets[0]).x[:, 0], [-1.0, -0.5])


def test_inputs_from_a_file_and_targets_from_the_teacher(content, write_study, points):
    content["data"] = {"file": "points.csv", "inputs": ["x"]}
    content["samples"] = {"sizes": [5], "sets": [{"kind": "file"}]}
    study = Study.from_toml(write_study(content))
    samples = study.samples(5, study.sample_sets[0])
    np.testing.assert_allclose(samples.y, np.tanh(samples.x[:, 0] + 1), rtol=4e-16)


def change(*path, to):
    def edit(content):
        place = content
        for key in path[:-1]:
            place = place[key]
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (change("network", "width", to=0), "[network]: width=0 must be an integer >= 1"),
        (change("network", "activation", to="tahn"), "'tanh'"),
        (change("network", "widht", to=2), "did you mean 'width'"),
        (change("network", to=None), "network is missing"),
        (change("network", to=5), "[network]"),
        (change("teacher", "w", to=[[1.0, 2.0]]), "[teacher]"),
        (change("teacher", "b", to=None), "b=None"),
        (change("teacher", "a", to=[float("nan")]), "a[0]=nan must be finite"),
        (change("teacher", "theta", to=[1.0, 1.0, 1.0]), "one way and not both"),
        (change("teacher", "theta", to="x"), "theta"),
        (change("teacher", to=None), "the targets are missing"),
        (change("samples", "sizes", to=[0]), "sizes[0]=0 must be an integer >= 1"),
        (change("samples", "sizes", to=None), "sizes is missing"),
        (change("samples", "sets", to=[]), "sets=[] must be an array of tables"),
        (change("samples", "sets", 0, "kind", to="grid"), "kind='grid' must be one of"),
        (change("samples", "sets", 0, "high", to=-2.0), "must be greater than low=-2.0"),
        (change("samples", "sets", 1, "count", to=0), "count=0 must be an integer >= 1"),
        (change("samples", "sets", 1, "scale", to=-1.0), "scale=-1.0 must be"),
        (change("samples", "sets", 1, "sclae", to=1.0), "did you mean 'scale'"),
        (change("samples", "sets", 1, to={"kind": "file"}), "needs a data file"),
        (change("network", "inputs", to=2), "[teacher]"),
        (change("init", "scales", to=[-0.1]), "scales[0]=-0.1 must be"),
        (change("init", "seeds", to=0), "seeds=0 must be an integer >= 1"),
        (change("init", "kind", to="xavier"), "must be one of normal, glorot"),
        (change("init", "sead", to=1), "did you mean 'seeds'"),
        (change("seed", to=-1), "seed=-1 must be an integer >= 0 and <= 9223372036854775807"),
        (change("loss", "kind", to="mse"), "kind='mse' must be one of"),
        (change("loss", "l2", to=-0.1), "l2=-0.1 must be"),
        (change("flow", to={"rtol": -1e-6}), "rtol=-1e-06 must be a finite number > 0"),
        (change("flow", to={"atol": 0.0}), "atol=0.0 must be a finite number > 0"),
        (change("flow", to={"method": "rk4"}), "did you mean 'rk45'"),
        (change("flow", to={"t_max": -1}), "t_max=-1 must be a number > 0"),
        (change("flow", to={"max_steps": 0}), "max_steps=0 must be an integer >= 1"),
        (change("flow", to={"rtoll": 1e-6}), "did you mean 'rtol'"),
        (change("titel", to="x"), "did you mean 'title'"),
        (change("name", to="a/b"), "it names the result folder"),
        (change("data", to={"file": "gone.csv"}), "gone.csv: cannot be read"),
        (change("data", to={"file": "points.csv", "targets": ["y"]}), "both give the targets"),
        (change("data", to={"file": "points.csv"}), "gives 2 input columns"),
        (change("data", to={"file": "points.csv", "inputs": ["z"]}), "no column 'z'"),
    ],
)
def test_a_wrong_study_names_file_key_and_rule(content, write_study, points, edit, words):
    edit(content)
    path = write_study(content)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are checked below
        Study.from_toml(path)
    assert words in str(caught.value)
    assert str(path.parent) in str(caught.value)


def test_a_grid_needs_one_input(content, write_study):
    content["network"]["inputs"] = 2
    content["teacher"]["w"] = [[1.0, 0.5]]
    with pytest.raises(OptionError, match=r"kind='linspace' needs inputs=1, the network has 2"):
        Study.from_toml(write_study(content))


def test_more_samples_than_rows_are_refused(content, write_study, points):
    del content["teacher"]
    content["data"] = {"file": "points.csv", "inputs": ["x"], "targets": ["y"]}
    content["samples"] = {"sizes": [6], "sets": [{"kind": "file"}]}
    with pytest.raises(OptionError, match=r"asks for 6 samples, .*points.csv has 5"):
        Study.from_toml(write_study(content))


def test_random_inputs_need_a_teacher(content, write_study, points):
    del content["teacher"]
    content["data"] = {"file": "points.csv", "inputs": ["x"], "targets": ["y"]}
    with pytest.raises(OptionError, match=r"sets=.*makes inputs without targets"):
        Study.from_toml(write_study(content))


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"width = ", "not valid TOML"), (b"\xff", "UTF-8")],
)
def test_an_unreadable_file_is_named(tmp_path, text, words):
    path = tmp_path / "broken.toml"
    path.write_bytes(text)
    with pytest.raises(ProblemError, match=words) as caught:
        Study.from_toml(path)
    assert str(path) in str(caught.value)


def test_a_study_made_by_hand_needs_targets_too(study):
    without = dataclasses.replace(study, teacher=None)
    with pytest.raises(ProblemError, match=r"sample set 'linspace' has no targets"):
        without.problem(3, without.sample_sets[0])


def test_weights_of_the_file_go_with_targets_of_the_teacher(content, write_study, tmp_path):
    np.savez(tmp_path / "in.npz", x=[0.0, 1.0, 2.0], weights=[1.0, 2.0, 3.0])
    content["data"] = {"file": "in.npz"}
    content["samples"] = {"sizes": [2], "sets": [{"kind": "file"}]}
    study = Study.from_toml(write_study(content))
    samples = study.samples(2, study.sample_sets[0])
    np.testing.assert_array_equal(samples.weights, [1.0, 2.0])
    np.testing.assert_allclose(samples.y, np.tanh([1.0, 2.0]), rtol=4e-16)


def test_samples_of_no_size_or_no_set_are_refused(study):
    (sample_set, *_) = study.sample_sets
    with pytest.raises(OptionError, match="size=-3 must be an integer >= 1"):
        study.problem(-3, sample_set)
    with pytest.raises(OptionError, match="sample_set='linspace' must be one of"):
        study.problem(3, "linspace")


def test_a_study_of_too_many_runs_is_refused(study):
    with pytest.raises(OptionError, match="runs and may have 1000000000; lower seeds"):
        study.with_seeds(10**12)
