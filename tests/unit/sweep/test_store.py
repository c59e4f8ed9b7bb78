"""Result folders: whole or not at all, and read back as they were."""

import csv
import json

import numpy as np
import pytest

from flowscape.errors import StoreError
from flowscape.sweep import Study, load
from flowscape.sweep.store import MANIFEST, branches_csv, new_folder, outcomes_csv, write_result


@pytest.fixture
def folder(result, tmp_path):
    with new_folder(tmp_path / "out") as draft:
        write_result(result, draft)
    return tmp_path / "out"


def write_half(path, error, *, force=False):
    with new_folder(path, force=force) as draft:
        (draft / MANIFEST).write_text("half")
        raise error


def test_a_result_reads_back(result, folder):
    again = load(folder)
    assert again.study == result.study
    assert set(again.runs) == set(result.runs)
    for name, column in result.runs.items():
        np.testing.assert_array_equal(again.runs[name], column)
    assert again.outcomes() == result.outcomes()


def test_own_data_are_kept_with_the_result(content, write_study, points, make_result, tmp_path):
    del content["teacher"], content["samples"]
    content["data"] = {"file": "points.csv", "inputs": ["x"], "targets": ["y"]}
    study = Study.from_toml(write_study(content))
    with new_folder(tmp_path / "out") as draft:
        write_result(make_result(study, kinds=(2,), branches=(-1,)), draft)
    points.unlink()
    again = load(tmp_path / "out").study
    assert again.samples(5, again.sample_sets[0]) == study.samples(5, study.sample_sets[0])


def test_a_failure_leaves_nothing_behind(tmp_path):
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error):
            write_half(tmp_path / "out", error)
        assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_result_untouched(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RuntimeError):
        write_half(folder, RuntimeError, force=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.glob(".*")] == []


def test_an_existing_folder_is_never_overwritten_silently(folder):
    with (
        pytest.raises(StoreError, match=r"exists; choose another --output, or .* --force"),
        new_folder(folder),
    ):
        pytest.fail("the block must not start")


def test_force_replaces_a_result_and_leaves_no_debris(result, folder):
    (folder / "old").write_text("old")
    with new_folder(folder, force=True) as draft:
        write_result(result, draft)
    assert not (folder / "old").exists()
    assert (folder / MANIFEST).exists()
    assert [path.name for path in folder.parent.glob(".*")] == []


def test_force_does_not_delete_what_is_not_a_result(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "precious").write_text("data")
    with (
        pytest.raises(StoreError, match=r"is not a result folder"),
        new_folder(tmp_path / "home", force=True),
    ):
        pytest.fail("the block must not start")
    assert (tmp_path / "home" / "precious").read_text() == "data"


def test_a_parent_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"cannot be written"),
        new_folder(tmp_path / "file" / "out"),
    ):
        pytest.fail("the block must not start")


def change(folder, **changes):
    with np.load(folder / "runs.npz") as archive:
        runs = dict(archive)
    np.savez(folder / "runs.npz", **(runs | {k: new(runs[k]) for k, new in changes.items()}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / MANIFEST).unlink(), "not a result folder"),
        (lambda d: (d / MANIFEST).write_text("{"), "damaged"),
        (lambda d: (d / MANIFEST).write_text('{"schema": 99}'), "schema 99"),
        (lambda d: (d / MANIFEST).write_text("[]"), "schema None"),
        (lambda d: (d / "runs.npz").write_bytes(b"PK\x03\x04"), "damaged result folder"),
        (lambda d: (d / "runs.npz").unlink(), "damaged result folder"),
        (lambda d: np.savez(d / "runs.npz", size=[1]), "lacks"),
        (lambda d: (d / "study.toml").write_text("seed = -1"), "damaged result folder"),
        (lambda d: change(d, kind=lambda kind: kind + 100), "kind=1"),
        (lambda d: change(d, status=lambda status: status - 100), "status=-"),
        (lambda d: change(d, branch=lambda branch: branch + 9), "do not include"),
        (lambda d: change(d, theta=lambda theta: theta[:, :3]), "holds theta as float64 of shape"),
        (lambda d: change(d, loss=lambda loss: loss.astype(str)), "holds loss as <U"),
        (lambda d: change(d, t=lambda t: np.float64(1.0)), "0 rows of t"),
    ],
)
def test_a_damaged_folder_is_refused(folder, damage, words):
    damage(folder)
    with pytest.raises(StoreError) as caught:
        load(folder)
    assert words in str(caught.value)
    assert str(folder) in str(caught.value)


def test_runs_of_another_study_are_refused(folder):
    study = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(study.replace("seeds = 4", "seeds = 5"))
    with pytest.raises(StoreError, match="do not belong together"):
        load(folder)


def test_the_manifest_is_strict_json(folder):
    def refuse(constant):
        raise AssertionError(constant)

    manifest = json.loads((folder / MANIFEST).read_text(), parse_constant=refuse)
    assert manifest["schema"] == 1


def test_tables_hold_every_row(result):
    outcomes = list(csv.DictReader(outcomes_csv(result).splitlines()))
    assert len(outcomes) == 2 * 3 * 2
    first = result.outcomes()[0]
    assert float(outcomes[0]["worst_error"]) == first.worst_error
    assert int(outcomes[0]["unresolved_runs"]) == first.unresolved
    assert [row["name"] for row in csv.DictReader(branches_csv(result.branches).splitlines())] == [
        "Q1",
        "Q2",
        "Q1c",
    ]
