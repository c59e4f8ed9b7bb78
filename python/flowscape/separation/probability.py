"""How likely Gaussian samples separate a branch."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from flowscape.branches.grouping import check_branch
from flowscape.branches.parts import BranchParts
from flowscape.errors import check_count
from flowscape.separation.result import SeparationVerdict
from flowscape.separation.verdict import separation
from flowscape.threads import thread_count

__all__ = ["SeparationProbability", "separation_probability"]

_CHUNK = 65_536


@dataclass(frozen=True)
class SeparationProbability:
    """Counts of verdicts over independent sample sets.

    Attributes
    ----------
    sets, separated, undecided : int
    """

    sets: int
    separated: int
    undecided: int

    @property
    def estimate(self) -> float:
        """Fraction of separated sets."""
        return self.separated / self.sets

    @property
    def half_width(self) -> float:
        """Half-width of the 95 % interval (normal approximation), undecided sets on top."""
        p = self.estimate
        return 1.96 * math.sqrt(p * (1.0 - p) / self.sets) + self.undecided / self.sets


def separation_probability(
    branch: BranchParts,
    n: int,
    *,
    sets: int = 4_000_000,
    seed: int = 0,
    n_threads: int | None = None,
) -> SeparationProbability:
    """Return how many of many sample sets x_i ~ N(0, I) separate a branch.

    Parameters
    ----------
    branch : Branch
    n : int
        Samples of a set.
    sets : int
        Number of independent sets.
    seed : int
        Root of the random streams. The sets do not depend on `n_threads`.
    n_threads : int, optional
        By default every processor that the process may use.
    """
    check_branch(branch)
    n = check_count("n", n, "give the number of samples")
    sets = check_count("sets", sets, "give the number of sample sets")
    seed = check_count("seed", seed, minimum=0, maximum=2**64 - 1)
    d = branch.setting.inputs

    def count(chunk: int) -> tuple[int, int]:
        stream = np.random.Generator(np.random.Philox(key=[seed, chunk]))
        size = min(_CHUNK, sets - chunk * _CHUNK)
        x = stream.standard_normal((size, n, d))
        found = separation(branch, x, None, rng=stream)
        verdict = np.asarray(found.verdict)
        return (
            int((verdict == SeparationVerdict.SEPARATED).sum()),
            int((verdict == SeparationVerdict.UNDECIDED).sum()),
        )

    with ThreadPoolExecutor(thread_count(n_threads)) as pool:
        counts = list(pool.map(count, range(-(-sets // _CHUNK))))
    return SeparationProbability(sets, sum(c[0] for c in counts), sum(c[1] for c in counts))
