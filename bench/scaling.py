"""How time and memory grow with networks B, samples N, parameters P and threads.

Run as a script: ``python bench/scaling.py [--figure out.png] [--json out.json] [B N P flows]``.
Each point runs in a fresh process: CPU time on one pinned thread; wall time on two threads and the
speed-up, in turn with one thread; the peak memory that the first call adds, results included. A
point that would not fit in memory is skipped, and says so. About three minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHAPES = {
    "B": (
        "networks: tanh, d = 1 with bias, m = 2 (P = 6), 6 samples",
        (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000),
    ),
    "N": (
        "samples: softplus, d = 2, m = 5 (P = 15), one network",
        (6, 30, 100, 1_000, 10_000, 100_000, 1_000_000),
    ),
    "P": (
        "parameters: tanh, d = 1 with bias, P = 3 m, 1,000 samples, one network",
        (6, 15, 48, 150, 501, 1_500, 4_998),
    ),
    "flows": (
        "flows: W5's tiny networks, until |gradient| < 1e-10 or t = 1e6",
        (100, 1_000, 10_000, 100_000),
    ),
}
ORDERS = {"gradient": 1, "Hessian": 2}


def shape(curve: str, value: int) -> tuple[int, int, int]:
    """Return networks, samples and parameters of a point."""
    return {
        "B": (value, 6, 6),
        "N": (1, value, 15),
        "P": (1, 1_000, value),
        "flows": (value, 6, 6),
    }[curve]


def needed_mb(curve: str, value: int, quantity: str) -> float:
    """Inputs and results of one call, in MB, with as much again to spare."""
    networks, samples, p = shape(curve, value)
    numbers = 3 * networks * p + 4 * samples + 20 * samples
    numbers += networks * p * p if quantity == "Hessian" else 0
    return 2 * 8e-6 * numbers


def quantities(curve: str) -> list[str]:
    return ["flow"] if curve == "flows" else list(ORDERS)


def calls(curve: str, value: int) -> dict[str, Callable[[int], Any]]:
    """Return the calls of a point: f(n_threads) by quantity."""
    import numpy as np

    import flowscape as fs

    rng = np.random.default_rng(0)
    networks, samples, p = shape(curve, value)
    if curve == "flows":
        from workloads import w5

        flow = w5(networks)
        return {
            "flow": lambda n_threads: fs.gradient_flow(
                flow.at.problem,
                flow.at.theta,
                gtol=flow.gtol,
                t_max=flow.t_max,
                n_threads=n_threads,
            )
        }
    if curve == "N":
        net = fs.TwoLayer(5, 2, "softplus", bias=False)
        x = rng.normal(size=(samples, 2))
    else:
        net = fs.TwoLayer(p // 3, 1, "tanh", bias=True)
        x = np.linspace(-2.0, 2.0, samples)[:, None]
    problem = fs.Problem(net, fs.Samples(x, np.tanh(x[:, 0] + 1.0)))
    theta = rng.normal(size=(networks, p)) / math.sqrt(net.width)
    return {
        name: lambda n_threads, order=order: problem.evaluate(theta, order, n_threads=n_threads)
        for name, order in ORDERS.items()
    }


def repeats(call: Callable[[], Any], seconds: float) -> int:
    """Return how many calls fill `seconds`, at least one."""
    begin = time.perf_counter()
    call()
    once = time.perf_counter() - begin
    if once < seconds:  # again, warm
        begin = time.perf_counter()
        call()
        once = time.perf_counter() - begin
    return max(1, int(seconds / max(once, 1e-6)))


def timed(call: Callable[[], Any], number: int, clock: Callable[[], float]) -> float:
    """Return the seconds per call of `number` calls."""
    begin = clock()
    for _ in range(number):
        call()
    return (clock() - begin) / number


def two_threads(call: Callable[[int], Any], number: int, pairs: int) -> tuple[float, float]:
    """Return wall seconds on two threads and the speed-up, one and two threads in turn."""
    clock = time.perf_counter
    blocks = [
        (timed(lambda: call(1), number, clock), timed(lambda: call(2), number, clock))
        for _ in range(pairs)
    ]
    return statistics.median(b for _, b in blocks), statistics.median(a / b for a, b in blocks)


def child(curve: str, value: int, quantity: str) -> None:
    """Measure one point and print it as JSON."""
    from environment import single_thread

    everything = os.sched_getaffinity(0)
    single_thread()
    from memory import peak_increase

    call = calls(curve, value)[quantity]
    if value <= 1_000:
        call(1)  # code and tables are loaded before memory is counted
    point: dict[str, Any] = {"curve": curve, "value": value, "quantity": quantity}
    point["peak_mb"] = peak_increase(lambda: call(1))
    number = repeats(lambda: call(1), 0.04)
    cpu = timed(lambda: call(1), number, time.process_time)
    pairs = 5 if cpu * number < 0.5 else 1
    rest = [timed(lambda: call(1), number, time.process_time) for _ in range(pairs - 1)]
    point["cpu"] = statistics.median([cpu, *rest])
    if len(everything) > 1:
        os.sched_setaffinity(0, everything)
        point["wall_two"], point["speed_up"] = two_threads(call, number, pairs)
    print(json.dumps(point))


def measure(curve: str, value: int, quantity: str) -> dict[str, Any]:
    """Run one point in a fresh process; a failure is a point with its message."""
    from environment import available_mb

    point = {"curve": curve, "value": value, "quantity": quantity}
    needs = needed_mb(curve, value, quantity)
    if needs > 0.8 * available_mb():
        return point | {"skipped": f"needs about {needs:.0f} MB"}
    command = [sys.executable, __file__, "--child", curve, str(value), quantity]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return point | {"failed": done.stderr.strip().splitlines()[-1][:200]}
    return json.loads(done.stdout)


def lines_of(points: list[dict[str, Any]]) -> list[str]:
    """Return the table of one curve and quantity; `growth` is the local exponent of the time."""
    from tables import seconds

    lines = [
        f"  {'size':>9s} {'CPU':>9s} {'growth':>7s} {'wall, 2':>9s} {'speed-up':>8s} "
        f"{'peak memory':>12s}"
    ]
    last: dict[str, Any] | None = None
    for point in points:
        start = f"  {point['value']:9,d} "
        problem = point.get("skipped") or point.get("failed")
        if problem is not None:
            lines.append(start + ("skipped: " if "skipped" in point else "failed: ") + problem)
            continue
        growth = ""
        if last is not None:
            slope = math.log(point["cpu"] / last["cpu"]) / math.log(point["value"] / last["value"])
            growth = f"{slope:.2f}"
        two = f"{point['speed_up']:.2f}" if "speed_up" in point else ""
        lines.append(
            f"{start}{seconds(point['cpu']):>9s} {growth:>7s} "
            f"{seconds(point.get('wall_two')):>9s} {two:>8s} {point['peak_mb']:9.1f} MB"
        )
        last = point
    return lines


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Draw time and memory against size, log-log, one column per curve."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curves = list(dict.fromkeys(point["curve"] for point in points))
    figure, axes = plt.subplots(
        2, len(curves), figsize=(3.6 * len(curves), 6.0), sharex="col", squeeze=False
    )
    names = {"B": "networks B", "N": "samples N", "P": "parameters P", "flows": "flows"}
    for column, curve in enumerate(curves):
        for index, quantity in enumerate(quantities(curve)):
            good = [
                p for p in points if (p["curve"], p["quantity"]) == (curve, quantity) and "cpu" in p
            ]
            size = [p["value"] for p in good]
            color = f"C{index}"
            upper, lower = axes[:, column]
            upper.plot(size, [p["cpu"] for p in good], "o-", c=color, label=quantity)
            if all("wall_two" in p for p in good):
                two = [p["wall_two"] for p in good]
                upper.plot(size, two, "x--", c=color, label=f"{quantity}, 2 threads, wall")
            lower.plot(size, [max(p["peak_mb"], 0.1) for p in good], "o-", c=color)
        upper.set(xscale="log", yscale="log", title=names[curve])
        lower.set(xscale="log", yscale="log", xlabel=names[curve], ylim=(0.08, None))
        for axis in (upper, lower):
            axis.grid(alpha=0.3)
        upper.legend(fontsize=8)
    axes[0, 0].set_ylabel("CPU time per call, 1 thread [s]")
    axes[1, 0].set_ylabel("peak memory of the call [MB]\n(0.1: less than that)")
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("curves", nargs="*", help=f"{' '.join(SHAPES)}; default: all")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the curves (PNG)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the points to FILE")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        curve, value, quantity = options.child
        child(curve, int(value), quantity)
        return 0
    for curve in options.curves:
        if curve not in SHAPES:
            parser.error(f"unknown curve {curve!r}; choose from {' '.join(SHAPES)}")
    from tqdm import tqdm

    plan = [
        (curve, value, quantity)
        for curve in options.curves or SHAPES
        for quantity in quantities(curve)
        for value in SHAPES[curve][1]
    ]
    points = [measure(*entry) for entry in tqdm(plan, file=sys.stderr, disable=None)]
    for curve in options.curves or SHAPES:
        for quantity in quantities(curve):
            print(f"{curve}, {quantity}: {SHAPES[curve][0]}")
            chosen = [p for p in points if (p["curve"], p["quantity"]) == (curve, quantity)]
            print("\n".join(lines_of(chosen)), end="\n\n")
    if options.json is not None:
        options.json.write_text(json.dumps(points, indent=1) + "\n", encoding="utf-8")
    if options.figure is not None:
        draw(points, options.figure)
    return 1 if any("failed" in point for point in points) else 0


if __name__ == "__main__":
    sys.exit(main())
