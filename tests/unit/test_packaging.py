"""The installation: versions, licences, entry points, instruction-set levels."""

import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import flowscape
from flowscape import _core

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNNABLE = [
    level for level in _core.built_levels() if level in (*_core.supported_levels(), "native")
]


def info(level):
    return subprocess.run(
        [sys.executable, "-m", "flowscape", "info", "--json"],
        env=os.environ | {"FLOWSCAPE_ISA": level},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_version_is_the_same_everywhere():
    assert flowscape.__version__ == PROJECT["version"] == metadata.version("flowscape")
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation


def test_every_licence_is_shipped():
    files = {path.name for path in metadata.files("flowscape") if "licenses" in path.parts}
    assert {"LICENSE", "Eigen-MPL-2.0.txt", "pybind11-BSD-3-Clause.txt"} <= files


def test_run_time_needs_two_packages():
    required = [line for line in metadata.requires("flowscape") if "extra ==" not in line]
    assert sorted(line.split(">")[0] for line in required) == ["numpy", "tqdm"]


def test_the_command_is_declared():
    (command,) = metadata.entry_points(group="console_scripts", name="flowscape")
    assert callable(command.load())


def test_there_is_a_level_for_this_machine():
    assert RUNNABLE
    assert _core.isa() in RUNNABLE


@pytest.mark.parametrize("level", RUNNABLE)
def test_a_level_can_be_forced_and_is_shown(level):
    done = info(level)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["isa"] == shown["compiled"]["level"] == level


def test_an_unknown_level_is_refused_by_name():
    done = info("v9")
    assert done.returncode != 0
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert "FLOWSCAPE_ISA='v9'" in last
    for level in _core.built_levels():
        assert repr(level) in last
