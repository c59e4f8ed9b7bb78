"""The race of W5 and W6: gradient flows followed to their ends."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable

import numpy as np

import flowscape as fs
import goals
from flowscape.flow import METHODS
from peak import Peak
from peerlib import FLOW_PEERS
from peerlib.flow_peer import Ends, FlowPeer
from tables import Group, Row, fill, number, seconds, verdict
from timing import Series, settle
from workloads import FlowWorkload

PEER_SECONDS = 12.0
"""CPU time of all rounds of a peer; unless it runs only once it has two of them or `rounds`."""

# Largest accepted distance of an end point from the engine's, relative to its largest entry.
# Both are right to the tolerance 1e-6 of their steps, and stop at the first step below gtol,
# wherever on the flow's last, slow stretch that step lands.
MEDIAN_TOLERANCE = 1e-5
WORST_TOLERANCE = {"W5": 1e-3, "W6": 2e-2}
# of a run that was cut short, from the engine's flow at the same time
MIDWAY_TOLERANCE = 1e-3
FLAGS_THAT_MAY_DIFFER = 0.01


def peers_of(work: FlowWorkload) -> list[FlowPeer | Row]:
    """Return the engine's other methods and all peers; missing libraries are rows."""
    found: list[FlowPeer | Row] = []
    for library, file in FLOW_PEERS.items():
        try:
            module = importlib.import_module(f"peerlib.{file}")
            found += module.candidates(work)
        except ImportError as error:
            found.append(Row(file, library, f"not installed ({error.name})"))
        except Exception as error:
            found.append(Row(file, library, f"failed: {error!r:.200}"))
    return found


def race(
    work: FlowWorkload,
    rounds: int,
    peak: Peak,
    tick: Callable[[str, Iterable], Iterable],
) -> Group:
    """Check and time the engine and every peer on one workload."""
    name = f"{work.name} flow"
    start = time.perf_counter()
    reference = work.follow()
    first = time.perf_counter() - start
    # a few calls a block: the slower the peer beside it, the more its own noise would weigh
    engine = Series(lambda: work.follow(), first=first, calls=max(1, min(4, round(0.4 / first))))
    top = Series(peak.run)
    top.calibrate()
    networks = len(work.at.theta)
    rows = []

    def engine_block() -> float:
        top.block()
        return engine.block()

    before = engine_block()
    peers = [*_other_methods(work, reference.method), *peers_of(work)]
    for peer in tick(name, peers):
        if isinstance(peer, Row):
            rows.append(peer)
            continue
        row = Row(peer.key, peer.label, goal=goals.RATIOS[name].get(peer.key))
        rows.append(row)
        try:
            ends, before = _time(peer, engine_block, before, rounds, row, networks)
            row.note = _note(ends, peer.networks, networks)
            row.agreement = check(work, ends, reference)
        except DisagreementError as error:
            row.status = f"disagrees: {error}"
        except Exception as error:
            row.status = f"failed: {error!r:.200}"
    own = fill(Row("flowscape", f'Flowscape, gradient_flow(method="{reference.method}")'), engine)
    own_ends = Ends(reference.theta, reference.t, reference.success, _engine_counts(reference))
    own.note = _note(own_ends, networks, networks)
    unit = "for the flow" if networks == 1 else f"per {networks:,} networks"
    group = Group(name, work.title, unit, [own, *rows])
    rate = peak.flops / top.cpu_median
    group.numbers |= {"peak": rate, "seconds": own.cpu}
    if networks > 1:
        _w5_facts(group, work, reference, rate, peak.exact)
    else:
        _w6_facts(group, work, reference, rate)
    return group


def _other_methods(work: FlowWorkload, used: str) -> list[FlowPeer]:
    """The engine's other implicit methods on the same flows; explicit ones do not arrive."""

    def run(method: str) -> Ends:
        flow = work.follow(method)
        return Ends(flow.theta, flow.t, flow.success, _engine_counts(flow))

    return [
        FlowPeer(
            f"flowscape-{method}",
            f'Flowscape, gradient_flow(method="{method}")',
            len(work.at.theta),
            lambda method=method: run(method),
        )
        for method in METHODS
        if method not in ("auto", "rk45", used)
    ]


def _time(
    peer: FlowPeer,
    engine_block: Callable[[], float],
    before: float,
    rounds: int,
    row: Row,
    networks: int,
) -> tuple[Ends, float]:
    """Run a peer between blocks of the engine, and fill its row.

    `before` is the engine's block just before. Returned are where the flows ended and the
    engine's block just after.
    """
    settle()
    begin, wall = time.process_time(), time.perf_counter()
    ends = peer.run()
    cost, wall = time.process_time() - begin, time.perf_counter() - wall
    series = Series(peer.run, first=wall)
    if peer.once:
        series.cpu.append(cost)
        series.wall.append(wall)
        after = engine_block()
        series.ratios.append(2.0 * cost / (before + after))
        before = after
    else:
        before = engine_block()
        share = rounds
        while len(series.cpu) < share:
            cost = series.block()
            after = engine_block()
            series.ratios.append(2.0 * cost / (before + after))
            before = after
            share = max(min(2, rounds), min(rounds, int(PEER_SECONDS / max(cost, 1e-9))))
    fill(row, series, ends.factor * networks / peer.networks)
    row.bound = ends.capped
    return ends, before


class DisagreementError(Exception):
    """A peer's flows do not end, or pass, where the engine's do."""


def check(work: FlowWorkload, ends: Ends, reference: fs.Flow) -> str:
    """Compare a peer's ends with the engine's; return the largest distance."""
    if ends.capped or ends.factor != 1.0:
        return _check_midway(work, ends)
    n = len(ends.theta)
    differ = np.count_nonzero(ends.converged != reference.success[:n])
    if differ > FLAGS_THAT_MAY_DIFFER * n:
        raise DisagreementError(f"{differ} of {n} runs converged for one and not for the other")
    gradient = np.abs(work.at.problem.gradient(ends.theta, n_threads=1)).max(axis=1)
    worst_gradient = float(gradient[ends.converged].max(initial=0.0))
    if worst_gradient > 1.01 * work.gtol:
        raise DisagreementError(f"|gradient| = {worst_gradient:.2e} at a converged end")
    distance = _distances(ends.theta, reference.theta[:n])
    if not np.median(distance) <= MEDIAN_TOLERANCE and n > 1:
        raise DisagreementError(f"median distance of the ends {np.median(distance):.1e}")
    if not distance.max() <= WORST_TOLERANCE[work.name]:
        raise DisagreementError(f"largest distance of the ends {distance.max():.1e}")
    return f"{distance.max():.0e}"


def _check_midway(work: FlowWorkload, ends: Ends) -> str:
    """Compare runs that were cut short with the engine's flow at the same times."""
    worst = 0.0
    for row in range(min(len(ends.theta), 20)):
        flow = fs.gradient_flow(
            work.at.problem,
            work.at.theta[row],
            rtol=1e-8,
            atol=1e-11,
            method="rosenbrock",
            t_max=float(ends.t[row]),
            save_at=[float(ends.t[row])],
            n_threads=1,
        )
        worst = max(worst, float(_distances(ends.theta[row : row + 1], flow.thetas).max()))
    if not worst <= MIDWAY_TOLERANCE:
        raise DisagreementError(f"distance from the engine's flow at the same time {worst:.1e}")
    return f"{worst:.0e} midway"


def _distances(theta: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(theta - other).max(axis=1) / np.abs(other).max(axis=1)


def _note(ends: Ends, run: int, networks: int) -> str:
    parts = [ends.counts]
    if networks > 1:
        parts.append(f"{ends.converged.mean():.3f} converged")
    if run < networks:
        parts.append(f"first {run} networks")
    return ", ".join(part for part in parts if part)


def _engine_counts(flow: fs.Flow) -> str:
    return f"{flow.nstep.mean():.0f} steps, {flow.nfev.mean():.0f} f, {flow.njev.mean():.0f} J"


def _w5_facts(group: Group, work: FlowWorkload, flow: fs.Flow, rate: float, exact: bool) -> None:
    cost = group.rows[0].cpu * 1000.0 / len(work.at.theta)
    goal = goals.W5_SECONDS * goals.REFERENCE_PEAK / rate
    group.numbers |= {"lane_use": flow.lane_use, "goal_seconds": goal}
    group.facts += [
        f"{seconds(cost)} per 1,000 flows; the goal, {seconds(goals.W5_SECONDS)} on a core of "
        f"{goals.REFERENCE_PEAK / 1e9:.0f} GFLOP/s, is {seconds(goal)} on this one of "
        f"{rate / 1e9:.1f}: {verdict(cost <= goal) if exact else 'not judged'}.",
        f"Lane use {flow.lane_use:.3f} (goal {goals.LANE_USE}, "
        f"{verdict(flow.lane_use >= goals.LANE_USE)}).",
    ]


def _w6_facts(group: Group, work: FlowWorkload, flow: fs.Flow, rate: float) -> None:
    problem, theta = work.at.problem, flow.theta
    unit = []
    for order in (1, 2):
        series = Series(lambda order=order: problem.evaluate(theta, order, n_threads=1))
        series.calibrate()
        for _ in range(7):
            series.block()
        unit.append(series.cpu_median)
    # a call for the Hessian returns a gradient too, which nfev does not count
    gradients, hessians = int(flow.nfev[0]), int(flow.njev[0])
    evaluations = gradients * unit[0] + hessians * unit[1]
    overhead = group.rows[0].cpu / evaluations
    group.numbers |= {"unit_f": unit[0], "unit_j": unit[1], "overhead": overhead}
    group.facts += [
        f"The flow costs {number(overhead)} times its evaluations at their unit cost, "
        f"{gradients} gradients of {seconds(unit[0])} and {hessians} with a Hessian of "
        f"{seconds(unit[1])} (goal {goals.W6_OVERHEAD}, {verdict(overhead <= goals.W6_OVERHEAD)}).",
        f"The core's peak was {rate / 1e9:.1f} GFLOP/s.",
    ]
