"""Where the three kernels change places; sets the borders of the dispatcher.

Run as a script: ``python bench/bench_dispatch.py [largest m N]``. It prints, for a grid of shapes,
the time of each kernel over that of the fastest, for the gradient and for the Hessian (one
thread, CPU time, kernels in turn, best of five), what the dispatcher picks, and at the end what
its picks cost over the best kernel of each shape. The borders are in
cpp/src/objective/problem_data.cpp.
"""

import sys
import time

import numpy as np

from flowscape import _core
from flowscape.testing import KERNELS

INPUTS = (1, 2, 3, 6)
WIDTHS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 50, 100, 300, 1000)
SAMPLES = (2, 6, 12, 24, 64, 128, 256, 512, 1024)


def seconds(objectives: list["_core.Objective"], theta: np.ndarray, order: int) -> np.ndarray:
    """CPU time of one call of each, best of five, in turn so that all see the same machine."""
    best = np.full(len(objectives), np.inf)
    repeats = np.ones(len(objectives), dtype=int)
    for round_ in range(6):
        for k, objective in enumerate(objectives):
            begin = time.process_time()
            for _ in range(repeats[k]):
                objective.evaluate(theta, order, 1)
            taken = (time.process_time() - begin) / repeats[k]
            if round_ == 0:  # at least a millisecond at a time
                repeats[k] = max(1, round(1e-3 / max(taken, 1e-6)))
            else:
                best[k] = min(best[k], taken)
    return best


def compare(d: int, m: int, n: int, order: int) -> np.ndarray:
    """Return the time of every kernel of `KERNELS`."""
    rng = np.random.default_rng(0)
    tanh = _core.Activation([("tanh", 1.0, 1.0, 0.0, [])])
    x, y, weights = rng.normal(size=(n, d)), rng.normal(size=(n, 1)), np.ones(n)
    cost = m * n if order == 1 else m * n * (1 + m * d * d / 16)
    batch = 8 * int(np.clip(2e4 / cost, 1, 16)) if cost < 1e6 else 1
    theta = rng.normal(size=(batch, m * (d + 2)))
    objectives = [
        _core.Objective(tanh, m, d, 1, True, False, x, y, weights, 0.5, 0.0, kernel=kernel)
        for kernel in KERNELS
    ]
    losses = [objective.evaluate(theta, 0, 1)[0] for objective in objectives]
    for loss in losses[1:]:
        np.testing.assert_allclose(loss, losses[0], rtol=1e-11)
    return seconds(objectives, theta, order)


def main(largest: int) -> None:
    """Print the table and the cost of the picks."""
    print(f"level {_core.isa()}; over the fastest: {', '.join(KERNELS)}")
    print("  d    m     N      gradient              hessian         picked")
    losses = []
    for d in INPUTS:
        for m in WIDTHS:
            for n in SAMPLES:
                if m * n > largest or m * (d + 2) > 5000:
                    continue
                picked = _core.choose_kernel(m, d, 1, True, False, n)
                cells = []
                for order in (1, 2):
                    if order == 2 and m * n * m * (d + 1) ** 2 > 3e8:
                        continue  # seconds a call
                    times = compare(d, m, n, order)
                    ratios = times / times.min()
                    losses.append(ratios[KERNELS.index(picked)])
                    cells.append(" ".join(f"{ratio:6.2f}" for ratio in ratios))
                print(f"{d:3d} {m:4d} {n:5d}  {'   '.join(cells):43s}  {picked}", flush=True)
    print(
        f"picked over best: mean {np.mean(losses):.3f}, 95 % {np.quantile(losses, 0.95):.2f}, "
        f"worst {np.max(losses):.2f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 65536)
