"""Run commands in this process, in a folder of their own."""

from dataclasses import dataclass

import pytest

from flowscape.cli import main
from flowscape.problem.toml import dumps


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Return a function that runs `flowscape` with these arguments."""

    def run(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def content():
    return {
        "title": "Two neurons learn one",
        "network": {"width": 2, "inputs": 1, "activation": "tanh", "bias": True},
        "teacher": {"width": 1, "a": [1.0], "w": [[1.0]], "b": [1.0]},
        "samples": {
            "sizes": [2, 6],
            "sets": [{"kind": "linspace", "low": -2.0, "high": 2.0}],
        },
        "init": {"scales": [0.1], "seeds": 8},
    }


@pytest.fixture
def write_study(folder):
    def write(content, name="study.toml"):
        (folder / name).write_text(dumps(content), encoding="utf-8")
        return name

    return write


@pytest.fixture
def study(write_study, content):
    return write_study(content)


@pytest.fixture
def own_data(folder, write_study, content):
    """Return a study whose samples are the user's points x, y of a parabola."""
    rows = [f"{x / 2},{x * x / 4}" for x in range(-2, 3)]
    (folder / "points.csv").write_text("\n".join(["x,y", *rows]))
    del content["teacher"], content["samples"]
    content["data"] = {"file": "points.csv", "inputs": ["x"], "targets": ["y"]}
    return write_study(content)
