"""What `import flowscape` costs beside `import numpy`, in fresh processes, interleaved.

Run as a script: ``python bench/importtime.py [--rounds 21]``. The time is taken inside the
interpreter, around the statement; the difference to numpy is the median over the rounds of
imports next to each other. The package imports its parts when they are first used, so a third
candidate also names what a flow needs. An editable installation that rebuilds on import is
measured with the rebuild switched off, and is named in the output. Byte code is kept in a folder of
its own: an installed package has it, and compiling ours takes longer than importing it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

GOAL_MS = 20.0

STATEMENTS = {
    "numpy": "import numpy",
    "flowscape": "import flowscape",
    "ready for a flow": "from flowscape import Problem, Samples, TwoLayer, gradient_flow",
}
"""The first is what the others are compared with."""

_CHILD = """
import json, sys, time
for finder in sys.meta_path:
    if hasattr(finder, "rebuild_flag"):
        finder.rebuild_flag = False
wall, cpu = time.perf_counter(), time.process_time()
{statement}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps([wall, cpu, "matplotlib" in sys.modules, "tqdm" in sys.modules]))
"""


def measure(statement: str, byte_code: str) -> tuple[float, float]:
    """Return wall and CPU milliseconds of a statement in a fresh process.

    `byte_code` is the folder in which compiled modules are kept.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(statement=statement)],
        cwd=Path(__file__).resolve().parent,
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"PYTHONPYCACHEPREFIX": byte_code},
    )
    wall, cpu, *extra = json.loads(done.stdout)
    if any(extra):
        raise RuntimeError(f"{statement!r} loads matplotlib or tqdm, which only their use may")
    return 1e3 * wall, 1e3 * cpu


def is_editable() -> bool:
    """Whether imports go through the finder of an editable installation."""
    return any(path.name.startswith("_editable") for path in metadata.files("flowscape") or ())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=21, help="pairs of imports (default 21)")
    rounds = parser.parse_args().rounds
    if is_editable():
        print("editable installation: the rebuild is switched off, its finder still costs time")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in STATEMENTS}
    with tempfile.TemporaryDirectory() as byte_code:
        for statement in STATEMENTS.values():  # byte code and file cache
            measure(statement, byte_code)
        for _ in range(rounds):
            for name, statement in STATEMENTS.items():
                times[name].append(measure(statement, byte_code))
    base = times["numpy"]
    for name, values in times.items():
        print(f"{name:17s}", end="")
        for index, clock in enumerate(("wall", "CPU")):
            middle = statistics.median(value[index] for value in values)
            more = statistics.median(
                value[index] - other[index] for value, other in zip(values, base, strict=True)
            )
            print(f"  {clock} {middle:6.1f} ms ({more:+6.1f})", end="")
        print("" if name == "numpy" else f"  goal: at most {GOAL_MS:+g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
