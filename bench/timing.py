"""Interleaved timing: every block of a peer stands between two blocks of the engine.

What is charged: the CPU time of the whole process during the call, background threads and
helper threads included, for the engine and the peers alike. Before a block starts, the process
is left alone until its threads have come to rest, so that no candidate pays for work that
another one left behind. A ratio is the peer's block over the mean of the engine's blocks
before and after it; the reported one is the median over the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

BLOCK_SECONDS = 0.03
"""CPU time of a block of calls; longer calls are blocks of one."""

PEER_SECONDS = 20.0
"""CPU time that one peer may take in all its rounds; there are at least two."""


@dataclass
class Series:
    """Times of one candidate: CPU and wall seconds per call, one entry per block."""

    run: Callable[[], object]
    first: float = 0.0
    """Wall seconds of the very first call: compilation included."""
    calls: int = 1
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def cpu_median(self) -> float:
        return statistics.median(self.cpu)

    @property
    def wall_median(self) -> float:
        return statistics.median(self.wall)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def block(self) -> float:
        """Time one block and return its CPU seconds per call."""
        settle()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(self.calls):
            self.run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        self.cpu.append(cpu / self.calls)
        self.wall.append(wall / self.calls)
        return cpu / self.calls

    def calibrate(self) -> float:
        """Choose the number of calls per block; return the CPU seconds of one call."""
        settle()
        cost = _cpu_of(self.run)
        if cost < BLOCK_SECONDS:  # once more, warm
            cost = _cpu_of(self.run)
        self.calls = max(1, min(20_000, round(BLOCK_SECONDS / max(cost, 1e-7))))
        return cost


def settle(quiet: float = 0.004, limit: float = 0.3) -> None:
    """Wait until the process burns no more CPU time than its own looking costs."""
    for _ in range(round(limit / quiet)):
        before = time.process_time()
        time.sleep(quiet)
        if time.process_time() - before < 0.05 * quiet:
            return


def interleave(
    engine: Series,
    peers: Sequence[Series],
    rounds: int,
    tick: Callable[[Iterable[Series]], Iterable[Series]] = iter,
) -> None:
    """Run the blocks: engine, peer, engine, peer, engine ... in each round.

    A peer that fails keeps its message in `error` and is left out from then on.
    """
    engine.calibrate()
    plan = [peer for peer in peers if peer.error is None]
    share: dict[int, int] = {}
    for peer in plan:
        try:
            cost = peer.calibrate()
        except Exception as error:
            peer.error = f"failed: {error!r:.200}"
            continue
        share[id(peer)] = max(2, min(rounds, int(PEER_SECONDS / max(cost, 1e-9))))
    turns = [
        peer
        for number in range(rounds)
        for peer in plan
        if peer.error is None and number < share[id(peer)]
    ]
    before = engine.block()
    for peer in tick(turns):
        if peer.error is not None:
            continue
        try:
            cost = peer.block()
        except Exception as error:
            peer.error = f"failed: {error!r:.200}"
            continue
        after = engine.block()
        peer.ratios.append(2.0 * cost / (before + after))
        before = after


def _cpu_of(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin
