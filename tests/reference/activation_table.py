"""What docs/activations.md states about errors, for the level in use."""

import json
import math
import re
from pathlib import Path

import pytest

from flowscape import _core

ROOT = Path(__file__).parents[2]
LEVELS = ("v2", "v3", "v4")


def level():
    """The level in use; native code is that of the highest level the machine has."""
    if _core.isa() != "native":
        return _core.isa()
    supported = _core.supported_levels()
    return max(supported) if supported else pytest.skip("no level of the table")


def stated_errors():
    """{name: [f, f', f'']} in ulp."""
    page = (ROOT / "docs/activations.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- errors -->\n(.*?)\n<!-- /errors -->", page, re.S)[1]
    column = LEVELS.index(level())
    rows = re.findall(r"^\| (\w+) \| (.*) \|$", table, re.M)
    return {
        name: [float(cell) for cell in cells.split(" | ")][column :: len(LEVELS)]
        for name, cells in rows
    }


def worst_arguments():
    """{name: [argument of the largest error in f, in f', in f'']}."""
    text = (ROOT / "tests/reference/worst_activation_arguments.json").read_text(encoding="utf-8")
    worst = json.loads(text)[level()]
    return {name: [float.fromhex(z) for z in found] for name, found in worst.items()}


def rounded_up(error):
    return math.ceil(error * 100) / 100
