"""Peak memory of each candidate of W1 to W4, one fresh process each.

Called by ``peers.py --memory``. The figure is what the first call adds to the resident memory
that the process had after its imports and inputs: results and, with JAX and numba, compilation
included.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

BENCH = Path(__file__).resolve().parent
_TIMEOUT = 600


def resident_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process, in MB."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith(field))


def peak_increase(run: Callable[[], object]) -> float:
    """Run once; return by how many MB the peak exceeds what was resident before."""
    before = resident_mb("VmRSS")
    with open("/proc/self/clear_refs", "w", encoding="ascii") as switch:
        switch.write("5")  # the peak starts anew from what is resident
    result = run()
    peak = resident_mb("VmHWM")
    del result
    return max(0.0, peak - before)


def _candidates(name: str, order: int, file: str) -> Iterator[tuple[str, str, float, Callable]]:
    """Key, label, needed memory and run of the candidates of one file, or of the engine."""
    import importlib

    from kernels import engine_run
    from workloads import KERNELS

    work = KERNELS[name]()
    if file == "flowscape":
        yield "flowscape", f"Flowscape, evaluate(order={order})", 0.0, engine_run(work, order)
        return
    for peer in importlib.import_module(f"peerlib.{file}").candidates(work, order):
        yield peer.key, peer.label, peer.needs_mb, peer.run


def child(name: str, order: int, file: str, key: str) -> None:
    """Print the peak of one candidate as JSON."""
    for found, _, _, run in _candidates(name, order, file):
        if found == key:
            print(json.dumps(peak_increase(run)))


def report(names: list[str], path: Path | None) -> int:
    """Measure and print all candidates of the chosen workloads; return the exit code."""
    from tqdm import tqdm

    from environment import available_mb
    from kernels import NAMES
    from peerlib import KERNEL_PEERS
    from workloads import KERNELS

    chosen = [name for name in names if name in KERNELS]
    tasks = []
    for name in chosen:
        work = KERNELS[name]()
        for order in work.flops:
            for file in ("flowscape", *KERNEL_PEERS.values()):
                try:
                    found = [entry[:3] for entry in _candidates(name, order, file)]
                except ImportError as error:
                    print(f"{file}: not installed ({error.name})")
                    continue
                tasks += [(name, order, file, *entry) for entry in found]
    figures = []
    failed = 0
    for name, order, file, key, label, needs in tqdm(tasks, file=sys.stderr, disable=None):
        result: float | str
        if needs > 0.8 * available_mb():
            result = f"skipped: needs about {needs:.0f} MB"
        else:
            command = [sys.executable, __file__, name, str(order), file, key]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
            failed += done.returncode != 0
            result = (
                json.loads(done.stdout)
                if done.returncode == 0
                else f"failed: {done.stderr.strip().splitlines()[-1]:.120}"
            )
        figures.append({"workload": f"{name} {NAMES[order]}", "label": label, "mb": result})
        shown = result if isinstance(result, str) else f"{result:8.1f} MB"
        tqdm.write(f"{name} {NAMES[order]:8s}  {label:66s} {shown}")
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    from environment import single_thread

    single_thread()
    child(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
