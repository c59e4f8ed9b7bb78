"""What a second thread brings, and what it costs when its core is busy.

Run as a script: ``python bench/bench_threads.py [idle|loaded] [rounds]``. For gradients of more and
more networks, and for flows, it prints wall times on one and on two threads, taken in turns: the
median ratio, the largest ratio of a round, and the speed-up. `loaded` keeps a busy loop on the
last processor meanwhile. Nothing else should be running: with more busy processes than
processors the figures are those of the scheduler.
"""

import multiprocessing
import os
import sys
import time

import numpy as np

import flowscape as fs


def spin(core: int) -> None:
    """Keep one processor busy."""
    os.sched_setaffinity(0, {core})
    while True:
        pass


def wall(call, *args, **kwargs) -> float:
    """Return the time of a call in ms, after a rest: who has just worked loses the core sooner."""
    time.sleep(1e-3)
    begin = time.perf_counter()
    call(*args, **kwargs)
    return 1e3 * (time.perf_counter() - begin)


def measure(label: str, rounds: int, call, *args, **kwargs) -> None:
    """Print one line: times on one and two threads, in turns."""
    pairs = np.array(
        [[wall(call, *args, n_threads=n, **kwargs) for n in (1, 2)] for _ in range(rounds)]
    )
    one, two = np.median(pairs, axis=0)
    mean = pairs[:, 1].mean() / pairs[:, 0].mean()
    ratio = pairs[:, 1] / pairs[:, 0]
    print(
        f"{label:28s} {one:10.3f} {two:10.3f}   {np.median(ratio):6.2f} {mean:6.2f} "
        f"{one / two:9.2f}x",
        flush=True,
    )


def main(loaded: bool, rounds: int) -> None:
    """Print the table."""
    cores = sorted(os.sched_getaffinity(0))
    hog = multiprocessing.Process(target=spin, args=(cores[-1],), daemon=True)
    if loaded:
        hog.start()
    net = fs.TwoLayer(2, 1, "tanh", bias=True)
    x = np.linspace(-2.0, 2.0, 6)
    prob = fs.Problem(net, fs.Samples(x, np.tanh(x + 1.0)), loss="half_sum")
    print(f"{len(cores)} processors, {'the last one busy' if loaded else 'idle'}; times in ms")
    print(f"{'':28s} {'1 thread':>10s} {'2 threads':>10s}   median   mean   speed-up")
    for batch in (4096, 16_384, 65_536, 262_144, 1_048_576):
        theta = net.init(batch, rng=1, scale=0.5)
        prob.gradient(theta, n_threads=2)
        measure(
            f"gradient, {batch:,} networks",
            min(rounds, 1 + 20_000_000 // batch),
            prob.gradient,
            theta,
        )
    for batch in (100, 1000, 10_000, 100_000):
        theta = net.init(batch, rng=1, scale=0.1)
        measure(
            f"W5, {batch:,} flows",
            min(rounds, 1 + 200_000 // batch),
            fs.gradient_flow,
            prob,
            theta,
            gtol=1e-10,
            t_max=1e6,
        )
    if loaded:
        hog.kill()


if __name__ == "__main__":
    main("loaded" in sys.argv, int(([a for a in sys.argv[1:] if a.isdigit()] or ["51"])[0]))
