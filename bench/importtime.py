"""What `import flowscape` costs beside `import numpy`, in fresh processes, interleaved.

Run as a script: ``python bench/importtime.py [--rounds 21]``. The time is taken inside the
interpreter, around the import statement; the difference is the median over the rounds of the
two imports next to each other. An editable installation that rebuilds on import is measured with
the rebuild switched off, and is named in the output.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

GOAL_MS = 20.0

_CHILD = """
import json, sys, time
for finder in sys.meta_path:
    if hasattr(finder, "rebuild_flag"):
        finder.rebuild_flag = False
wall, cpu = time.perf_counter(), time.process_time()
import {module}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps([wall, cpu, "matplotlib" in sys.modules, "tqdm" in sys.modules]))
"""


def measure(module: str, environment: dict[str, str]) -> tuple[float, float]:
    """Return wall and CPU milliseconds of one import in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(module=module)],
        env=environment,
        cwd=Path(__file__).resolve().parent,
        capture_output=True,
        text=True,
        check=True,
    )
    wall, cpu, *extra = json.loads(done.stdout)
    if any(extra):
        raise RuntimeError(f"import {module} loads matplotlib or tqdm, which only their use may")
    return 1e3 * wall, 1e3 * cpu


def is_editable() -> bool:
    """Whether imports go through the finder of an editable installation."""
    return any(path.name.startswith("_editable") for path in metadata.files("flowscape") or ())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=21, help="pairs of imports (default 21)")
    rounds = parser.parse_args().rounds
    environment = dict(os.environ)
    if is_editable():
        print("editable installation: the rebuild is switched off, its finder still costs time")
    modules = ("numpy", "flowscape")
    for module in modules:  # byte code and file cache
        measure(module, environment)
    times: dict[str, list[tuple[float, float]]] = {module: [] for module in modules}
    for _ in range(rounds):
        for module in modules:
            times[module].append(measure(module, environment))
    for index, clock in enumerate(("wall", "CPU")):
        medians = [statistics.median(t[index] for t in times[module]) for module in modules]
        more = statistics.median(b[index] - a[index] for a, b in zip(*times.values(), strict=True))
        print(
            f"{clock:4s} numpy {medians[0]:6.1f} ms, flowscape {medians[1]:6.1f} ms, "
            f"difference {more:6.1f} ms (goal {GOAL_MS:g})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
