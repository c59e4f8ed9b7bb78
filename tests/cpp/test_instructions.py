"""Every level uses the registers of its level and no wider ones."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flowscape import _core

FOLDERS = [Path(folder) for folder in _core.__path__]
WIDER = {"v2": r"%[yz]mm\d", "v3": r"%zmm\d|%xmm(?:1[6-9]|2\d|3[01])\b"}
OWN = {"v2": r"%xmm\d", "v3": r"%ymm\d", "v4": r"%zmm\d"}


def disassembly(name):
    tool = shutil.which("objdump")
    if tool is None:
        pytest.skip("objdump is not installed")
    files = [path for folder in FOLDERS for path in folder.glob(f"{name}*.so")]
    if not files:
        pytest.skip(f"{name} was not built: this installation has {_core.built_levels()}")
    command = [tool, "--disassemble", "--no-show-raw-insn", str(files[0])]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("level", WIDER)
def test_no_level_uses_wider_registers(level):
    code = disassembly(f"_core_{level}")
    assert re.search(OWN[level], code)
    match = re.search(f".*(?:{WIDER[level]}).*", code)
    assert match is None, match.group()


@pytest.mark.parametrize("level", ["v3", "v4"])
def test_every_level_uses_its_own_registers(level):
    assert len(re.findall(OWN[level], disassembly(f"_core_{level}"))) > 1000


def test_the_module_that_chooses_runs_everywhere():
    """It decides before anything is known about the machine: baseline instructions only."""
    match = re.search(r".*%[yz]mm\d.*", disassembly("_baseline"))
    assert match is None, match.group()
