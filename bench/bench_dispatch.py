"""Where lane = network and lane = sample change places; sets the borders of the dispatcher.

Run as a script: ``python bench/bench_dispatch.py [largest N]``. It prints, for a grid of shapes,
the time of lane = sample over that of lane = network (one thread, CPU time, best of seven), and
the kernel that the dispatcher picks. The borders are in cpp/src/objective/problem_data.cpp.
"""

import sys
import time

import numpy as np

from flowscape import _core

_KERNELS = ("network_lanes", "sample_lanes")


def seconds(objective: "_core.Objective", theta: np.ndarray, order: int) -> float:
    """CPU time of one call, best of seven."""
    repeats = max(1, 2000 // len(theta))
    best = np.inf
    for _ in range(7):
        begin = time.process_time()
        for _ in range(repeats):
            objective.evaluate(theta, order, 1)
        best = min(best, (time.process_time() - begin) / repeats)
    return best


def main(largest: int) -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    tanh = _core.Activation([("tanh", 1.0, 1.0, 0.0, [])])
    print(f"level {_core.isa()}\n  d    m     N    m N     P  gradient  hessian  picked")
    for d in (1, 2, 3, 6):
        for m in (1, 2, 4, 8, 16, 32):
            for n in (2, 6, 12, 24, 64, 128, 256, 512, 1024):
                if n > largest or m * n > 16384 or m * (d + 2) > 160:
                    continue
                x, y, weights = rng.normal(size=(n, d)), rng.normal(size=(n, 1)), np.ones(n)
                theta = rng.normal(size=(64 if m * n < 2000 else 16, m * (d + 2)))
                shape = (m, d, 1, True, False)
                both = [
                    _core.Objective(tanh, *shape, x, y, weights, 0.5, 0.0, kernel=kernel)
                    for kernel in _KERNELS
                ]
                loss, other = (objective.evaluate(theta, 0, 1)[0] for objective in both)
                np.testing.assert_allclose(loss, other, rtol=1e-12)
                ratios = []
                for order in (1, 2):
                    network, sample = (seconds(objective, theta, order) for objective in both)
                    ratios.append(sample / network)
                picked = _core.choose_kernel(*shape, n)
                print(
                    f"{d:3d} {m:4d} {n:5d} {m * n:6d} {m * (d + 2):5d}  "
                    f"{ratios[0]:8.2f} {ratios[1]:8.2f}  {picked}",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
