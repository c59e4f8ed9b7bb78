"""The race of W1 to W4: loss and gradient, loss and gradient and Hessian, one call each."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable

import numpy as np

import goals
from environment import available_mb
from peak import Peak
from peerlib import KERNEL_PEERS, Candidate, Results
from tables import Group, Row, fill, median_of, verdict
from timing import Series, interleave
from workloads import Workload

TOLERANCE = 1e-11
"""Largest accepted difference to the engine, per network, relative to its largest entry."""

NAMES = {1: "gradient", 2: "Hessian"}
Tick = Callable[[str, Iterable[Series]], Iterable[Series]]


def engine_run(work: Workload, order: int) -> Callable[[], Results]:
    """The public call that every ratio refers to."""
    problem, theta = work.problem, work.theta
    return lambda: problem.evaluate(theta, order, n_threads=1)


def peers_of(work: Workload, order: int) -> list[Candidate | Row]:
    """Return all candidates; a library that is missing is a row that says so."""
    found: list[Candidate | Row] = []
    for library, file in KERNEL_PEERS.items():
        try:
            module = importlib.import_module(f"peerlib.{file}")
        except ImportError as error:
            found.append(Row(file, library, f"not installed ({error.name})"))
            continue
        try:
            found += module.candidates(work, order)
        except Exception as error:
            found.append(Row(file, library, f"failed: {error!r:.200}"))
    return found


def difference(results: Results, reference: Results) -> float:
    """Return the largest difference, per network relative to the largest entry."""
    worst = 0.0
    names = ("loss", "gradient", "Hessian")[: len(reference)]
    for name, value, true in zip(names, results, reference, strict=True):
        if value.shape != true.shape:
            raise ValueError(f"{name} has shape {value.shape}, not {true.shape}")
        rows = (len(true), -1)
        error = np.abs(value - true).reshape(rows).max(axis=1)
        worst = max(worst, float(np.max(error / np.abs(true).reshape(rows).max(axis=1))))
    return worst if np.isfinite(worst) else np.inf


def race(work: Workload, order: int, rounds: int, peak: Peak, tick: Tick) -> Group:
    """Check and time the engine and every peer on one workload."""
    name = f"{work.name} {NAMES[order]}"
    engine = Series(engine_run(work, order))
    begin = time.perf_counter()
    reference = engine.run()
    engine.first = time.perf_counter() - begin
    rows: list[Row] = []
    series: list[Series] = []
    for peer in peers_of(work, order):
        if isinstance(peer, Row):
            rows.append(peer)
            series.append(Series(lambda: None, error=peer.status))
            continue
        row = Row(peer.key, peer.label, goal=goals.RATIOS[name].get(peer.key))
        series.append(_checked(peer, row, reference))
        rows.append(row)
    top = Series(peak.run)
    interleave(engine, [top, *series], rounds, lambda turns: tick(name, turns))
    for row, timed in zip(rows, series, strict=True):
        fill(row, timed)
    own = fill(Row("flowscape", f"Flowscape, evaluate(order={order})"), engine)
    own.note = f"kernel {work.problem.kernel}"
    group = Group(name, work.title, "per call", [own, *rows])
    _limit(group, work.flops[order], peak, top)
    return group


def _checked(peer: Candidate, row: Row, reference: Results) -> Series:
    """Run the peer once and compare; a series with an error is not timed."""
    free = available_mb()
    if peer.needs_mb > 0.8 * free:
        status = f"skipped: needs about {peer.needs_mb:.0f} MB, {free:.0f} MB are free"
        return Series(peer.run, error=status)
    begin = time.perf_counter()
    try:
        raw = peer.run()
        first = time.perf_counter() - begin
        error = difference(peer.results(raw), reference)
    except Exception as problem:
        return Series(peer.run, error=f"failed: {problem!r:.200}")
    row.agreement = f"{error:.0e}"
    if not error <= TOLERANCE:
        return Series(peer.run, error=f"disagrees: {error:.1e} > {TOLERANCE:.0e}")
    return Series(peer.run, first=first)


def _limit(group: Group, flops: float, peak: Peak, top: Series) -> None:
    """State the fraction of the core's peak, from the peak's blocks between the engine's."""
    seconds_per_call = group.rows[0].cpu
    if seconds_per_call is None or not top.ratios:
        return
    # top.ratios: time of the peak loop over the engine's, block by block
    fraction = median_of([flops * ratio / peak.flops for ratio in top.ratios])
    rate = peak.flops / top.cpu_median
    group.numbers |= {"fair_flops": flops, "peak": rate, "fraction_of_peak": fraction}
    goal = goals.LIMITS[group.name]
    reached = verdict(fraction >= goal) if peak.exact else "not judged"
    judged = f" (goal {goal:.0%}, {reached})"
    group.facts.append(
        f"{flops / seconds_per_call / 1e9:.1f} fair GFLOP/s, {fraction:.0%} of the core's "
        f"{rate / 1e9:.1f} ({peak.name}) in the same minutes{judged}."
    )


def compare_orders(name: str, groups: list[Group]) -> None:
    """State what a Hessian costs in gradients, if both were timed."""
    if len(groups) < 2 or None in (groups[0].rows[0].cpu, groups[1].rows[0].cpu):
        return
    cost = groups[1].rows[0].cpu / groups[0].rows[0].cpu
    groups[1].numbers["gradients_per_hessian"] = cost
    most = goals.HESSIAN_PER_GRADIENT.get(name)
    judged = "" if most is None else f" (goal {most}, {verdict(cost <= most)})"
    groups[1].facts.append(f"A Hessian costs {cost:.2f} gradients{judged}.")
