"""Every command on a small study and on a user's own files."""

import csv
import json

import numpy as np
import pytest

import flowscape as fs
from flowscape.status import Status
from flowscape.sweep import load


def strict_json(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_recover_shows_the_branches_next_to_the_outcome(run, study):
    done = run("recover", study, "--no-figures")
    assert done.code == 0
    assert done.err == ""
    for word in ("Two neurons learn one", "codim", "Q1c", "n=6", "unresolved runs", "16 flows in"):
        assert word in done.out
    assert "results/study" in done.out


def test_six_even_samples_recover_and_two_do_not(run, study):
    data = strict_json(run("recover", study, "--no-figures", "--json").out)
    perfect = {
        outcome["size"]: sum(v for k, v in outcome["fractions"].items() if k.startswith("perfect"))
        for outcome in data["outcomes"]
    }
    assert perfect == {2: 0.0, 6: 1.0}


def test_recover_writes_a_folder_that_load_and_report_read(run, study, folder):
    first = strict_json(run("recover", study, "--output", "out", "--json").out)
    assert len(first["files"]["figures"]) == 3
    assert load(folder / "out").study.seeds == 8
    for path in (folder / "out" / "figures").iterdir():
        path.unlink()
    (folder / "out" / "outcomes.csv").unlink()
    again = strict_json(run("report", "out", "--json").out)
    assert again["outcomes"] == first["outcomes"]
    assert len(list((folder / "out" / "figures").glob("*.png"))) == 3
    assert (folder / "out" / "outcomes.csv").is_file()


def test_runs_do_not_depend_on_threads_or_the_number_of_seeds(run, study, folder):
    run("recover", study, "--no-figures", "--output", "one", "--n-threads", 1)
    run("recover", study, "--no-figures", "--output", "two", "--n-threads", 2, "--seeds", 5)
    one, two = load(folder / "one").runs, load(folder / "two").runs
    kept = one["seed"] < 5
    for name in ("theta0", "theta", "polished", "status", "kind", "branch", "loss", "t"):
        np.testing.assert_array_equal(one[name][kept], two[name])


def test_a_study_in_the_result_folder_runs_again(run, study, folder):
    run("recover", study, "--no-figures", "--output", "one")
    run("recover", "one/study.toml", "--no-figures", "--output", "two")
    np.testing.assert_array_equal(load("one").runs["theta"], load("two").runs["theta"])


def test_force_replaces_a_result(run, study, folder):
    assert run("recover", study, "--no-figures").code == 0
    assert run("recover", study, "--no-figures", "--force", "--seeds", 3).code == 0
    assert load(folder / "results" / "study").study.seeds == 3


def test_own_data_need_no_teacher(run, own_data, folder):
    done = run("recover", own_data, "--json")
    assert done.code == 0
    data = strict_json(done.out)
    assert data["branches"] == []
    assert data["outcomes"][0]["median_error"] is None
    assert data["files"]["figures"] == ["figures/fractions.png", "figures/waterfall.png"]
    assert "teacher" in data["note"]


def test_a_target_wider_than_the_student_is_allowed_and_never_recovered(run, content, write_study):
    content["network"]["width"] = 1
    content["teacher"] = {"width": 2, "a": [1.0, 2.0], "w": [[1.0], [2.0]], "b": [0.5, -0.5]}
    study = write_study(content)
    done = run("recover", study, "--no-figures")
    assert done.code == 0
    assert "width=1 is less than the 2 neurons" in " ".join(done.out.split())
    data = strict_json(run("recover", study, "--no-figures", "--json", "--force").out)
    for outcome in data["outcomes"]:
        assert not any(v for k, v in outcome["fractions"].items() if k.startswith("perfect"))


def test_a_run_that_overflows_is_a_row_with_its_status(run, content, write_study, folder):
    content["network"] = {"width": 2, "inputs": 1, "activation": "exp", "bias": False}
    content["teacher"] = {"width": 1, "a": [1.0], "w": [[1.0]]}
    content["init"] = {"scales": [1e3], "seeds": 20}
    assert run("recover", write_study(content), "--no-figures", "--output", "out").code == 0
    status = load(folder / "out").runs["status"]
    assert len(status) == 40
    assert (status == Status.NONFINITE).any()


def test_classify_tells_the_branches_apart(run, study, folder):
    rows = ["a1,w1,b1,a2,w2,b2", "0.25,1,1,0.75,1,1", "-1,-1,-1,0,0.3,-2", "1,1,1,0.5,0,0"]
    (folder / "nets.csv").write_text("\n".join(rows))
    data = strict_json(run("classify", "nets.csv", "--study", study, "--json").out)
    assert [row["kind"] for row in data["rows"]] == ["PERFECT"] * 3
    assert [row["branch"] for row in data["rows"]] == ["Q1", "Q2", "Q1c"]
    assert data["size"] == 6
    text = run("classify", "nets.csv", "--study", study).out
    assert "perfect" in text
    assert "1 perfect Q1" in text


def test_classify_reads_npz_and_result_folders(run, study, folder):
    run("recover", study, "--no-figures", "--output", "out")
    theta = load(folder / "out").runs["theta"]
    np.savez(folder / "nets.npz", theta=theta[8:])
    from_file = run("classify", "nets.npz", "--study", "out", "--size", 6, "--json")
    from_folder = run("classify", "out", "--size", 6, "--json")
    assert from_file.out == from_folder.out
    assert {row["kind"] for row in strict_json(from_file.out)["rows"]} == {"PERFECT"}


def test_classify_with_own_data(run, own_data, folder):
    (folder / "nets.csv").write_text("1,1,0,1,-1,0\n0.5,2,1,0.5,-2,1\n")
    data = strict_json(run("classify", "nets.csv", "--study", own_data, "--json").out)
    assert len(data["rows"]) == 2
    assert data["rows"][0]["generalization_error"] is None


@pytest.mark.parametrize(
    ("arguments", "sets"),
    [
        (("two-tanh-neurons",), 12),
        (("--width", 4, "--teacher-width", 2, "--inputs", 2, "--activation", "exp"), 62),
        (("--width", 5, "--teacher-width", 1, "--inputs", 1, "--activation", "exp"), 151),
    ],
)
def test_branches_counts_sets(run, arguments, sets):
    data = strict_json(run("branches", *arguments, "--json").out)
    assert data["sets"] == sets
    assert sum(row["sets"] for row in data["branches"]) == sets
    assert f"{sets} sets" in run("branches", *arguments).out


def test_branches_of_own_data_take_a_generic_target(run, own_data):
    data = strict_json(run("branches", own_data, "--teacher-width", 1, "--json").out)
    assert data["sets"] == 12


def test_branches_of_a_wider_target_say_why_there_are_none(run):
    done = run("branches", "--width", 1, "--teacher-width", 2, "--inputs", 1)
    assert done.code == 0
    assert "no branches: width=1 is less than the 2 neurons" in done.out


def test_branches_take_a_sum_of_activations(run):
    terms = '[{"name": "sigmoid", "s": 4.0}, {"name": "softplus"}]'
    done = run("branches", "--width", 3, "--teacher-width", 1, "--inputs", 2, "--activation", terms)
    assert done.code == 0
    assert "a sum of 2 terms" in done.out


def test_info_names_version_level_threads_and_compiler(run):
    data = strict_json(run("info", "--json").out)
    assert {"flowscape", "commit", "isa", "threads", "compiled", "numpy"} <= set(data)
    text = run("info").out
    assert data["isa"] in text
    assert data["compiled"]["compiler"] in text


def test_outcomes_csv_and_json_agree(run, study, folder):
    data = strict_json(run("recover", study, "--no-figures", "--json", "--output", "out").out)
    with (folder / "out" / "outcomes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row, outcome in zip(rows, data["outcomes"], strict=True):
        for key, fraction in outcome["fractions"].items():
            assert float(row[key]) == fraction


@pytest.mark.parametrize("command", ["recover", "branches", "classify", "report", "info"])
def test_every_command_explains_itself(run, command):
    done = run(command, "--help")
    assert done.code == 0
    assert "--json" in done.out


def test_the_version(run):
    done = run("--version")
    assert (done.code, done.out) == (0, f"flowscape {fs.__version__}\n")


@pytest.mark.parametrize(
    ("width", "words"), [(250, "about 10^"), (301, "301 must be"), (5000, "5000")]
)
def test_branches_of_wide_networks_are_too_many(run, width, words):
    done = run("branches", "--width", width, "--teacher-width", 1, "--inputs", 1)
    assert done.code == 0
    assert words in done.out
    assert len(done.out) < 400


def test_a_study_file_with_a_mark_and_an_unusual_name(run, content, write_study, folder):
    text = (folder / write_study(content)).read_text()
    (folder / "my stüdy.toml").write_text(text, encoding="utf-8-sig")
    assert run("recover", "my stüdy.toml", "--seeds", 1, "--no-figures").code == 0
    assert (folder / "results" / "my-stüdy" / "manifest.json").is_file()
