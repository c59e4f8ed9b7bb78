"""A small study, and a way to write variants of it."""

import copy

import numpy as np
import pytest

from flowscape.problem.toml import dumps
from flowscape.sweep import RecoverResult, Study

BASE = {
    "title": "Two neurons",
    "seed": 3,
    "network": {"width": 2, "inputs": 1, "activation": "tanh", "bias": True},
    "teacher": {"width": 1, "a": [1.0], "w": [[1.0]], "b": [1.0]},
    "loss": {"kind": "half_sum"},
    "samples": {
        "sizes": [3, 6],
        "sets": [
            {"kind": "linspace", "low": -2.0, "high": 2.0},
            {"kind": "gaussian", "count": 2, "scale": 1.0},
        ],
    },
    "init": {"scales": [1e-3, 1.0], "seeds": 4},
}


@pytest.fixture
def content():
    return copy.deepcopy(BASE)


@pytest.fixture
def write_study(tmp_path):
    def write(content, name="study.toml"):
        path = tmp_path / name
        path.write_text(dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def study(content, write_study):
    return Study.from_toml(write_study(content))


@pytest.fixture
def points(tmp_path):
    x = np.linspace(-1, 1, 5)
    lines = ["x,y", *(f"{a!r},{b!r}" for a, b in zip(x.tolist(), (x**2).tolist(), strict=True))]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def make_result():
    """Return a function that makes a result of a study with invented, repeatable outcomes."""

    def make(study, kinds=(0, 0, 1, 3, 7), branches=(0, 1, -1, -1, -1)):
        rng = np.random.default_rng(5)
        runs, p = study.runs, study.net.n_params
        sizes, sets, scales = len(study.sizes), len(study.sample_sets), len(study.scales)
        shape = (sizes, sets, scales, study.seeds)
        place = np.indices(shape).reshape(4, -1)
        chosen = rng.integers(len(kinds), size=runs)
        columns = {
            "size": np.array(study.sizes)[place[0]],
            "sample_set": place[1],
            "scale": np.array(study.scales)[place[2]],
            "seed": place[3],
            "status": np.zeros(runs, np.int8),
            "kind": np.array(kinds, np.int8)[chosen],
            "branch": np.array(branches)[chosen],
            "index": np.zeros(runs, np.int64),
            "certified": np.ones(runs, np.bool_),
            "nstep": np.ones(runs, np.int64),
            "nrejected": np.zeros(runs, np.int64),
        }
        names = ("loss", "gradient_norm", "floor", "t", "theta_error", "displacement")
        for name in (*names, "branch_distance"):
            columns[name] = 10.0 ** rng.uniform(-30, 0, runs)
        columns["generalization_error"] = 10.0 ** rng.uniform(-16, 0, runs)
        for name in ("theta0", "theta", "polished"):
            columns[name] = rng.normal(size=(runs, p))
        manifest = {
            "flowscape": "0",
            "isa": "v2",
            "threads": 1,
            "seconds": {"flow": 1.0, "polish": 0.5, "classify": 0.25, "total": 2.0},
        }
        return RecoverResult(study=study, runs=columns, manifest=manifest)

    return make


@pytest.fixture
def result(study, make_result):
    return make_result(study)
