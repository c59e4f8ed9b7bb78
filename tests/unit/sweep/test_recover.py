"""The sweep itself, with the flow replaced by a stand-in that shows its arguments."""

from types import SimpleNamespace

import numpy as np
import pytest

from flowscape.errors import OptionError
from flowscape.sweep import Study, recover


class Stages:
    """Stand-ins for flow, polish and classify: end point = -start, error = number of samples."""

    def __init__(self):
        self.calls = []

    def gradient_flow(self, prob, theta0, *, n_threads=None, progress=None, **options):
        self.calls.append((prob, theta0, options))
        for finished in (0, 1, 3, 3, len(theta0)):
            progress(finished)
        rows = np.arange(len(theta0))
        return SimpleNamespace(
            theta=-theta0,
            t=theta0[:, 0],
            theta_error=np.zeros(len(rows)),
            loss=np.abs(theta0[:, 1]),
            gradient_norm=rows * 1.0,
            floor=rows * 0.0,
            status=np.zeros(len(rows), np.int8),
            nstep=rows,
            nrejected=rows,
        )

    def polish(self, prob, theta, *, n_threads=None):
        return SimpleNamespace(theta=2 * theta, displacement=np.ones(len(theta)))

    def classify(self, prob, points, flow, *, n_threads=None):
        rows = len(points.theta)
        return SimpleNamespace(
            kind=np.ones(rows, np.int8),
            branch=np.full(rows, -1),
            index=np.zeros(rows, np.int64),
            certified=np.ones(rows, np.bool_),
            evidence={
                "generalization_error": np.full(rows, float(len(prob.data))),
                "branch_distance": np.zeros(rows),
            },
        )


@pytest.fixture
def module():
    import importlib

    return importlib.import_module("flowscape.sweep.recover")


@pytest.fixture
def stages(monkeypatch, module):
    stages = Stages()
    for name in ("gradient_flow", "polish", "classify"):
        monkeypatch.setattr(module, name, getattr(stages, name))
    return stages


class Recorder:
    def __init__(self):
        self.seen = []

    def total(self, runs):
        self.seen.append(("total", runs))

    def advance(self, runs):
        self.seen.append(("advance", runs))


def test_every_setting_is_run_once_in_order(study, stages):
    runs = recover(study).runs
    settings = list(zip(*(runs[k] for k in ("size", "sample_set", "scale", "seed")), strict=True))
    assert settings == [
        (n, q, scale, seed)
        for n in (3, 6)
        for q in range(3)
        for scale in (1e-3, 1.0)
        for seed in range(4)
    ]
    np.testing.assert_array_equal(runs["generalization_error"], runs["size"])
    np.testing.assert_array_equal(runs["theta"], -runs["theta0"])
    np.testing.assert_array_equal(runs["polished"], -2 * runs["theta0"])


def test_a_seed_starts_alike_in_every_setting(study, stages):
    runs = recover(study).runs
    unit = study.initial_values()
    for seed in range(study.seeds):
        rows = runs["seed"] == seed
        expected = runs["scale"][rows, None] * unit[seed]
        np.testing.assert_array_equal(runs["theta0"][rows], expected)


def test_results_do_not_depend_on_the_chunk(study, stages, monkeypatch, module):
    whole = recover(study).runs
    monkeypatch.setattr(module, "_CHUNK", 3)
    parts = recover(study).runs
    # the stand-in counts rows of a chunk in these columns
    for name in set(whole) - {"gradient_norm", "nstep", "nrejected"}:
        np.testing.assert_array_equal(parts[name], whole[name])


def test_options_reach_the_flow(content, write_study, stages):
    content["flow"] = {"rtol": 1e-7, "max_steps": 9}
    recover(Study.from_toml(write_study(content)))
    _, theta0, options = stages.calls[0]
    assert options["rtol"] == 1e-7
    assert options["max_steps"] == 9
    assert options["atol"].shape == (len(theta0),)
    np.testing.assert_allclose(options["atol"], np.repeat([1e-12, 1e-9], 4), rtol=1e-15)


def test_progress_adds_up(study, stages):
    progress = Recorder()
    recover(study, progress=progress)
    assert progress.seen[0] == ("total", study.runs)
    assert progress.seen[1:4] == [("advance", 1), ("advance", 2), ("advance", 5)]
    assert sum(runs for what, runs in progress.seen[1:]) == study.runs


def test_the_manifest_says_where_the_result_comes_from(study, stages):
    manifest = recover(study, n_threads=2).manifest
    assert manifest["threads"] == 2
    assert manifest["seed"] == 3
    assert manifest["problem_hashes"]["3/linspace"] == stages.calls[0][0].hash
    assert set(manifest["seconds"]) == {"flow", "polish", "classify", "total"}


def test_a_name_is_no_study():
    with pytest.raises(
        OptionError, match=r"study='two-tanh-neurons' must be a Study; .*Study\.find"
    ):
        recover("two-tanh-neurons")
