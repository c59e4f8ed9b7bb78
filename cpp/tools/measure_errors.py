"""Measure the activations' errors on every level and write them to docs/activations.md.

    python cpp/tools/measure_errors.py

Rewrites the table of that page and the worst arguments behind it, in
tests/reference/worst_activation_arguments.json. Needs an installation with the levels v2, v3 and
v4, a machine that runs them, and mpmath; takes about ten minutes. The search starts from arguments
in every binade and those the file holds, and continues around the worst, on each level.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from flowscape.testing.activation_errors import LARGEST, NAMES, arguments, compute, errors

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/activations.md"
WORST = ROOT / "tests/reference/worst_activation_arguments.json"
LEVELS = ("v2", "v3", "v4")
ORDERS = 3
DENSITY, SEED = 100, 1000  # of the first search, next to the arguments of the test
ROUNDS, KEPT, NEIGHBOURS = 2, 4, 60  # then around the worst KEPT of each order and level


def compute_on(level: str, points: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Results of the core of one level, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/in.npz", **points)
        environment = {**os.environ, "FLOWSCAPE_ISA": level}
        command = [sys.executable, __file__, folder]
        subprocess.run(command, env=environment, check=True, cwd=tempfile.gettempdir())
        with np.load(f"{folder}/out.npz") as results:
            return dict(results)


def compute_folder(folder: str) -> None:
    with np.load(f"{folder}/in.npz") as points:
        np.savez(f"{folder}/out.npz", **{name: compute(name, points[name]) for name in points})


def previous(name: str) -> list[float]:
    """Worst arguments of the last search: what was found once is not lost."""
    if not WORST.exists():
        return []
    levels = json.loads(WORST.read_text(encoding="utf-8")).values()
    return sorted({float.fromhex(z) for level in levels for z in level.get(name, [])})


def neighbours(name: str, z: np.ndarray, found: list[np.ndarray], seed: int) -> np.ndarray:
    """Arguments around the worst ones: the envelope of the errors varies slowly."""
    rng = np.random.default_rng(seed)
    worst = {i for level in found for order in level for i in np.argsort(order)[-KEPT:]}
    centres = np.repeat(z[sorted(worst)], NEIGHBOURS)
    distances = rng.normal(size=centres.size) * 10.0 ** rng.uniform(-6, -1, centres.size)
    moved = centres * (1 + distances)
    return moved[np.abs(moved) <= LARGEST[name]]


def search(name: str) -> tuple[int, dict[str, list[list[float]]]]:
    """Number of arguments tried; for each level (error, argument) of each order."""
    of_test = arguments(name, 8, NAMES.index(name))
    z = np.concatenate([previous(name), of_test, arguments(name, DENSITY, SEED)])
    best = {level: [(0.0, 0.0)] * ORDERS for level in LEVELS}
    tried = 0
    for stage in range(ROUNDS + 1):
        values = [compute_on(level, {name: z})[name] for level in LEVELS]
        found = errors(name, z, *values)
        tried += z.size
        for level, parts in zip(LEVELS, found, strict=True):
            for order, part in enumerate(parts):
                i = int(np.argmax(part))
                best[level][order] = max(best[level][order], (float(part[i]), float(z[i])))
        z = neighbours(name, z, found, stage)
    return tried, {level: [list(pair) for pair in pairs] for level, pairs in best.items()}


def stated(error: float) -> str:
    """Rounded up to two decimals."""
    return f"{math.ceil(error * 100) / 100:.2f}"


def main() -> None:
    worst: dict[str, dict[str, list[str]]] = {level: {} for level in LEVELS}
    rows, total = [], 0
    for name in NAMES:
        tried, best = search(name)
        total += tried
        figures = (stated(best[level][order][0]) for order in range(ORDERS) for level in LEVELS)
        rows.append(f"| {name} | " + " | ".join(figures) + " |")
        for level in LEVELS:
            worst[level][name] = [argument.hex() for _, argument in best[level]]
        print(rows[-1], flush=True)
    table = "\n".join(
        [
            "| | f, v2 | v3 | v4 | f', v2 | v3 | v4 | f'', v2 | v3 | v4 |",
            "|---|" + "---|" * (ORDERS * len(LEVELS)),
            *rows,
            "",
            f"{total:,} arguments were tried on each level.",
        ]
    )
    text = PAGE.read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- errors -->\n).*?(<!-- /errors -->)", re.S)
    assert marked.search(text), f"{PAGE} has no place for the table"
    PAGE.write_text(marked.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text), encoding="utf-8")
    WORST.write_text(json.dumps(worst, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        compute_folder(sys.argv[1])
    else:
        main()
