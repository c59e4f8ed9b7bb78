"""The same work on every instruction-set level: run as ``python bench/bench_levels.py [rounds]``.

Needs an installation with several levels (``pip install .``). One process per level stays alive
and they take turns, so that all of them meet the same machine. Prints the CPU time per call, the
median over the rounds, and the ratio of each level to the next wider one. Losses must agree.
"""

import itertools
import os
import subprocess
import sys
import time

import numpy as np

from flowscape import _core

WORKLOADS = ("W1", "W2", "W3", "W4")


def worker() -> None:
    """Answer each line "workload order" with the CPU time of a call in ms and a loss."""
    from workloads import KERNELS

    cases = {}
    for line in sys.stdin:
        name, order = line.split()
        if name not in cases:
            work = KERNELS[name]()
            prob, theta = work.problem, work.theta
            prob.evaluate(theta, 2 if name != "W4" else 1, n_threads=1)
            cases[name] = prob, theta
        prob, theta = cases[name]
        repeats = {"W1": 20, "W4": 20, "W3": 2}.get(name, 1)
        begin = time.process_time()
        for _ in range(repeats):
            out = prob.evaluate(theta, int(order), n_threads=1)
        spent = 1e3 * (time.process_time() - begin) / repeats
        print(spent, repr(float(out[0][0])), flush=True)


def main(rounds: int) -> None:
    """Print the table."""
    levels = [level for level in _core.built_levels() if level != "native"]
    workers = {
        level: subprocess.Popen(
            [sys.executable, __file__, "worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FLOWSCAPE_ISA": level},
        )
        for level in levels
    }

    def ask(level: str, question: str) -> tuple[float, float]:
        process = workers[level]
        print(question, file=process.stdin, flush=True)
        spent, loss = process.stdout.readline().split()
        return float(spent), float(loss)

    columns = [*levels, *(f"{b}/{a}" for a, b in itertools.pairwise(levels))]
    print(f"{'CPU ms per call':18s}" + "".join(f"{name:>10s}" for name in columns))
    for name in WORKLOADS:
        for order in (1, 2) if name != "W4" else (1,):
            question = f"{name} {order}"
            answers = np.array([[ask(level, question) for level in levels] for _ in range(rounds)])
            times, losses = np.median(answers[:, :, 0], axis=0), answers[0, :, 1]
            np.testing.assert_allclose(losses, losses[0], rtol=1e-11)
            ratios = np.median(answers[:, 1:, 0] / answers[:, :-1, 0], axis=0)
            label = f"{name} {'gradient' if order == 1 else 'Hessian'}"
            print(
                f"{label:18s}"
                + "".join(f"{t:10.3f}" for t in times)
                + "".join(f"{r:10.2f}" for r in ratios),
                flush=True,
            )
    for process in workers.values():
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    if "worker" in sys.argv:
        worker()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
