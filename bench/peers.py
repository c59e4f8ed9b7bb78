"""Flowscape against its peers, in one process, interleaved, every result checked.

Run as a script: ``python bench/peers.py [W1 ... W6] [--rounds 7] [--json FILE] [--markdown]
[--memory]``. One thread on one processor; CPU time; ratios are peer / Flowscape, so that larger
is better. bench/README.md says what each row computes and what is charged.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from environment import machine, single_thread


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.RawTextHelpFormatter
    )
    names = [f"W{number}" for number in range(1, 7)]
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="W1 to W6; default: all")
    parser.add_argument("--rounds", type=int, default=7, help="rounds per workload (default 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument(
        "--memory",
        action="store_true",
        help="measure the peak memory of each candidate of W1 to W4 instead, one process each",
    )
    parser.add_argument("--cpu", type=int, help="processor to use (default: the idlest)")
    parsed = parser.parse_args()
    for name in parsed.workloads:
        if name not in names:
            parser.error(f"unknown workload {name!r}; choose from {' '.join(names)}")
    parsed.workloads = parsed.workloads or names
    if parsed.memory and not set(parsed.workloads) & set(names[:4]):
        parser.error("--memory measures W1 to W4; name one of them, or none for all")
    if parsed.rounds < 1:
        parser.error("--rounds must be at least 1; 3 or more give medians and ranges")
    return parsed


def main() -> int:
    options = arguments()
    cpu = single_thread(options.cpu)
    # NumPy reads the thread settings when it is first imported, hence only now
    from tqdm import tqdm

    import tables

    if options.memory:
        import memory

        return memory.report(options.workloads, options.json)

    import flows
    import kernels
    import workloads
    from peak import fma_peak

    peak = fma_peak()
    show = tables.markdown if options.markdown else tables.text
    here = machine(cpu)
    # files by their names: the tables are for others' machines
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    command = shlex.join(["python", "bench/peers.py", *words])
    method = (
        "Core's peak: numba's compilation of independent fused multiply-adds in registers."
        if peak.name == "FMA loop"
        else "Core's peak: single-threaded dgemm, a lower bound; fractions are upper bounds."
    )
    header = tables.machine_lines(here, command, method)
    bullet = "- " if options.markdown else ""
    print("\n".join(bullet + line for line in header), end="\n\n", flush=True)

    def tick(name: str, turns: Iterable) -> Iterable:
        return tqdm(turns, desc=name, file=sys.stderr, disable=None, leave=False)

    groups = []
    for name in options.workloads:
        if name in workloads.KERNELS:
            work = workloads.KERNELS[name]()
            found = [kernels.race(work, order, options.rounds, peak, tick) for order in work.flops]
            kernels.compare_orders(name, found)
        else:
            found = [flows.race(workloads.FLOWS[name](), options.rounds, peak, tick)]
        for group in found:
            print(show(group), end="\n\n" if not options.markdown else "\n", flush=True)
        groups += found
    if options.json is not None:
        text = json.dumps(tables.as_json(groups, machine=here, command=command), indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    failures = [row for group in groups for row in group.rows if row.failed]
    for row in failures:
        print(f"error: {row.label}: {row.status}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
