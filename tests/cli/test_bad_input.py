"""Misuse: exit code 2, one line that names the value and the rule, nothing half-written."""

import os

import numpy as np
import pytest

from flowscape.sweep import recover as recover_study

GENERIC = ("branches", "--width", "2", "--teacher-width", "1", "--inputs", "1")


def refused(done, *words):
    """Check that a command was refused with one line that holds these words."""
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("flowscape: error: ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


def edit(content, path, value):
    *parents, last = path.split(".")
    for key in parents:
        content = content.setdefault(key, {})
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("network.width", 0, ["study.toml", "width=0 must be an integer >= 1"]),
        ("network.width", 10**12, ["width=1000000000000", "may make 100000000"]),
        ("network.width", -2, ["width=-2 must be an integer >= 1"]),
        ("network.width", 1.5, ["width=1.5 must be an integer"]),
        ("network.inputs", 0, ["inputs=0 must be an integer >= 1"]),
        ("network.activation", "tahn", ["'tahn'", "'tanh'"]),
        ("network.activation", [{"name": "tanh", "k": 2.0}], ["'k'"]),
        ("network.biass", True, ["'biass'", "did you mean 'bias'"]),
        ("samples.sizes", [0], ["sizes[0]=0 must be an integer >= 1"]),
        ("samples.sizes", [], ["sizes=[] is empty"]),
        ("samples.sizes", [2**31], ["sizes=2147483648", "may ask for 100000000 samples"]),
        ("samples.size", [3], ["'size'", "did you mean 'sizes'"]),
        ("init.scales", [0.0], ["scales[0]=0.0 must be a finite number > 0"]),
        ("init.seeds", 0, ["seeds=0 must be an integer >= 1"]),
        ("seed", -1, ["seed=-1 must be an integer >= 0"]),
        ("seed", 1.5, ["seed=1.5 must be an integer"]),
        ("flow.rtol", -1e-6, ["[flow] rtol=-1e-06 must be a finite number > 0"]),
        ("flow.atol", -1e-9, ["[flow] atol=-1e-09 must be a finite number > 0"]),
        ("flow.method", "euler", ["method='euler' must be one of"]),
        ("flow.speed", 1, ["'speed'", "rtol, atol, method, t_max, max_steps"]),
        ("loss.kind", "mse", ["kind='mse' must be one of sum, half_sum, mean, half_mean"]),
        ("loss.l2", -1.0, ["l2=-1.0 must be"]),
        ("teacher.w", [[1.0, 2.0]], ["[teacher] w has shape (1, 2)"]),
        ("teacher.a", [float("nan")], ["a[0]=nan must be finite"]),
        ("teacher.b", [float("inf")], ["b[0]=inf must be finite"]),
        ("sede", 3, ["'sede'", "did you mean 'seed'"]),
        ("samples.sets", [{"kind": "gaussian", "count": 10**12}], ["'study' asks for", "runs"]),
    ],
)
def test_a_wrong_study(run, folder, content, write_study, path, value, words):
    edit(content, path, value)
    done = run("recover", write_study(content))
    refused(done, *words)
    assert not (folder / "results").exists()


def test_a_seed_beyond_64_bits(run, study, folder):
    text = (folder / study).read_text()
    (folder / study).write_text(f"seed = {2**64}\n{text}")
    refused(run("recover", study), f"seed={2**64} must be an integer >= 0 and <= ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\n2,oops\n", ["points.csv", "line 3", "column 2 (y)", "'oops'"]),
        ("x,y\n1,nan\n", ["points.csv", "line 2", "column 2 (y)", "'nan' is not finite"]),
        ("x,y\n1,inf\n", ["points.csv", "line 2", "column 2 (y)", "'inf' is not finite"]),
        ("x,y\n1\n", ["points.csv", "line 2", "column 2", "1 cells"]),
        ("x,y\n", ["points.csv", "holds no row"]),
        (f"x,y\n1,{500 * 'z'}\n", ["points.csv", "zzz... is not a number"]),
        ("x,z\n1,2\n", ["points.csv", "no column 'y'"]),
    ],
)
def test_an_unreadable_csv(run, own_data, folder, text, words):
    (folder / "points.csv").write_text(text)
    refused(run("recover", own_data), *words)
    assert not (folder / "results").exists()


def test_a_missing_data_file(run, own_data, folder):
    (folder / "points.csv").unlink()
    refused(run("recover", own_data), "points.csv: cannot be read")


def test_npz_with_wrong_shapes_or_nan(run, content, write_study, folder):
    del content["teacher"], content["samples"]
    content["data"] = {"file": "points.npz"}
    study = write_study(content)
    np.savez(folder / "points.npz", x=[1.0, 2.0], y=[1.0, 2.0, 3.0])
    refused(run("recover", study), "points.npz", "y has shape (3,)")
    np.savez(folder / "points.npz", x=[1.0, np.nan], y=[1.0, 2.0])
    refused(run("recover", study), "points.npz", "x[1]=nan must be finite")
    np.savez(folder / "points.npz", x=[1.0, 2.0])
    refused(run("recover", study), "targets are missing")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["COMMAND"]),
        (("recove", "two-tanh-neurons"), ["'recove'", "recover"]),
        (("recover",), ["STUDY"]),
        (("recover", "two-tanh"), ["'two-tanh'", "did you mean 'two-tanh-neurons'"]),
        (("recover", "gone.toml"), ["gone.toml cannot be read"]),
        (("recover", "two-tanh-neurons", "--seeds", "0"), ["--seeds", "'0'", "integer >= 1"]),
        (("recover", "two-tanh-neurons", "--seeds", "-3"), ["--seeds", "integer >= 1"]),
        (("recover", "two-tanh-neurons", "--seeds", str(10**30)), ["asks for 9", "lower seeds"]),
        (("recover", "two-tanh-neurons", "--n-threads", "x"), ["--n-threads", "'x'"]),
        (("recover", "two-tanh-neurons", "--sed", "1"), ["--sed"]),
        (("report", "nowhere"), ["nowhere: not a result folder"]),
        (("classify", "gone.csv", "--study", "two-tanh-neurons"), ["gone.csv: cannot be read"]),
        (("classify", "gone.csv"), ["--study is missing"]),
        (("branches",), ["--width is missing"]),
        (("branches", "--width", "0"), ["--width", "'0' must be an integer >= 1"]),
        (("branches", "two-tanh-neurons", "--width", "3"), ["--width=3", "give one of them"]),
        (
            (*GENERIC, "--activation", "tahn"),
            ["'tahn'", "'tanh'"],
        ),
        (
            ("activation", '[{"name": "tanh", "c": 1e308}, {"name": "tanh", "c": 1e308}]'),
            ["c=inf must be a finite real number"],
        ),
        (
            (*GENERIC, "--activation", "[{"),
            ["--activation", "not valid JSON"],
        ),
    ],
)
def test_wrong_arguments(run, folder, arguments, words):
    refused(run(*arguments), *words)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3\n", ["nets.csv", "the network has 6 parameters"]),
        ("a1,w1,b1,a2,w2,b2\n", ["nets.csv", "holds no row"]),
        ("1,2,3,4,5,nan\n", ["nets.csv", "line 1, column 6", "not finite"]),
        ("1,2,3,4,5,6\n1,2,3,4,5,six\n", ["nets.csv", "line 2, column 6", "'six'"]),
    ],
)
def test_wrong_parameter_vectors(run, study, folder, text, words):
    (folder / "nets.csv").write_text(text)
    refused(run("classify", "nets.csv", "--study", study), *words)


def test_no_network_at_all(run, study, folder):
    np.savez(folder / "nets.npz", theta=np.empty((0, 6)))
    refused(run("classify", "nets.npz", "--study", study), "shape (0, 6) must be (B, 6)")


def test_wrong_choice_of_a_sample_set(run, study, folder):
    (folder / "nets.csv").write_text("1,2,3,4,5,6\n")
    arguments = ("classify", "nets.csv", "--study", study)
    refused(run(*arguments, "--size", 5), "--size=5", "2, 6")
    refused(run(*arguments, "--set", "linspac"), "--set='linspac'", "did you mean 'linspace'")


def test_branches_without_teacher(run, own_data):
    refused(run("branches", own_data), "has no [teacher]", "--teacher-width")
    refused(run("branches", own_data, "--teacher-width", 1, "--width", 3), "--width=3")


def test_an_existing_folder_is_kept(run, study, folder):
    (folder / "out").mkdir()
    (folder / "out" / "thesis.tex").write_text("years")
    refused(run("recover", study, "--output", "out"), "output='out' exists", "--force")
    refused(run("recover", study, "--output", "out", "--force"), "is not a result folder")
    assert (folder / "out" / "thesis.tex").read_text() == "years"


@pytest.mark.parametrize("output", ["file/out", "file/deep/out", 300 * "n"])
def test_a_place_that_cannot_be_written_is_found_before_the_work_is_done(
    run, study, folder, monkeypatch, output
):
    (folder / "file").write_text("")
    monkeypatch.setattr("flowscape.sweep.recover", lambda *a, **k: pytest.fail("it ran"))
    refused(run("recover", study, "--output", output), output, "cannot be written")
    assert sorted(path.name for path in folder.iterdir()) == ["file", "study.toml"]


def test_a_link_to_nowhere_is_not_replaced(run, study, folder):
    (folder / "out").symlink_to("nowhere")
    refused(run("recover", study, "--output", "out"), "output='out' exists")
    refused(run("recover", study, "--output", "out", "--force"), "is not a result folder")


@pytest.mark.parametrize("command", ["recover", "branches", "report"])
def test_a_name_that_no_file_can_have(run, command):
    refused(run(command, 300 * "n"), "nnn")


@pytest.fixture
def locked(folder):
    """Return a folder without any permission."""
    (folder / "locked").mkdir()
    (folder / "locked").chmod(0o000)
    if os.access("locked", os.R_OK):
        pytest.skip("this user may read everything")
    yield "locked"
    (folder / "locked").chmod(0o755)


@pytest.mark.parametrize(
    "arguments",
    [
        ("recover", "study.toml", "--output", "locked/x"),
        ("recover", "locked/study.toml"),
        ("classify", "locked/nets.csv", "--study", "study.toml"),
        ("classify", "nets.csv", "--study", "locked/x"),
        ("report", "locked"),
        ("paper", "run", "single-neuron-target/fig4", "--output", "locked"),
    ],
)
def test_a_folder_without_permission(run, study, locked, arguments):
    refused(run(*arguments), "locked")


def test_an_existing_result_is_found_before_the_work_is_done(run, study, monkeypatch):
    run("recover", study, "--no-figures")
    monkeypatch.setattr("flowscape.sweep.recover", lambda *a, **k: pytest.fail("it ran"))
    refused(run("recover", study), "exists")


def test_a_damaged_result_is_named(run, study, folder):
    run("recover", study, "--no-figures", "--output", "out")
    (folder / "out" / "runs.npz").write_bytes(b"PK")
    refused(run("report", "out"), "out: damaged result folder")


def test_not_enough_memory_is_one_line(run, study, monkeypatch):
    def greedy(*arguments, **options):
        raise MemoryError("Unable to allocate 65.5 TiB")

    monkeypatch.setattr("flowscape.sweep.recover", greedy)
    refused(run("recover", study), "not enough memory (Unable to allocate 65.5 TiB)", "lower")


def test_an_interrupt_leaves_nothing(run, study, folder, monkeypatch):
    def interrupted(*arguments, **options):
        recover_study(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr("flowscape.sweep.recover", interrupted)
    done = run("recover", study)
    assert done.code == 130
    assert done.out == ""
    assert done.err == "flowscape: error: interrupted; nothing was written\n"
    assert [path.name for path in folder.rglob("*")] == ["study.toml"]
