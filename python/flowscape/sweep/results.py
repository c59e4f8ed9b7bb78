"""What a recovery study found: one row per run, and the outcomes counted from the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.brief import Brief
from flowscape.status import Kind
from flowscape.sweep.branch_rows import BranchRow, branch_rows
from flowscape.sweep.study import Study

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """A column of the outcome tables: a kind, for perfect runs split by branch.

    Attributes
    ----------
    key, label : str
        Name in CSV files, name for readers.
    kind : Kind
    branch : int
        Index of the branch; -1 for kinds without one.
    """

    key: str
    label: str
    kind: Kind
    branch: int = -1


@dataclass(frozen=True)
class Outcome:
    """Counted verdicts of the runs of one setting.

    Attributes
    ----------
    size : int
        Sample size n.
    sample_set : str
        Name of the sample set; empty where sets are pooled.
    scale : float
        Initialization scale.
    runs : int
    fractions : tuple of float
        One per verdict of the result, in that order.
    unresolved : int
        Number of runs whose verdict is open.
    median_error, worst_error : float
        Of the generalization error, the root mean square of f - f* on a dense grid; NaN without
        a teacher. Runs without a finite end point are left out.
    """

    size: int
    sample_set: str
    scale: float
    runs: int
    fractions: tuple[float, ...]
    unresolved: int
    median_error: float
    worst_error: float


@dataclass(frozen=True, eq=False, repr=False)
class RecoverResult(Brief):
    """Outcome of `recover`, complete enough for every table and figure.

    Attributes
    ----------
    study : Study
    runs : Mapping of str to ndarray
        Columns over the runs, in the order size, sample set, scale, seed (the last one fastest):
        size, sample_set (index), scale, seed, status, kind, branch, index, certified, loss,
        gradient_norm, floor, t, theta_error, nstep, nrejected, displacement,
        generalization_error, branch_distance, and the (runs, P) arrays theta0, theta (limit of
        the flow), polished.
    manifest : Mapping
        Version, commit, instruction set, threads, seed, problem hashes, options, seconds.
    """

    study: Study
    runs: Mapping[str, NDArray[Any]]
    manifest: Mapping[str, Any]

    @property
    def branches(self) -> tuple[BranchRow, ...]:
        """The branches, in the order of the column `branch`; `note` says why there are none."""
        return self._branch_rows[0]

    @property
    def note(self) -> str:
        """Why there is no branch, e.g. a target wider than the student; else empty."""
        return self._branch_rows[1]

    @cached_property
    def _branch_rows(self) -> tuple[tuple[BranchRow, ...], str]:
        return branch_rows(self.study.net, self.study.teacher)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every verdict that a run of this study can get, perfect branches first."""
        perfect = [
            Verdict(f"perfect_{row.name}", row.name, Kind.PERFECT, i)
            for i, row in enumerate(self.branches)
        ]
        other = [
            Verdict(kind.name.lower(), _label(kind), kind) for kind in Kind if self._possible(kind)
        ]
        return (*perfect, *other)

    @cached_property
    def verdict(self) -> NDArray[np.intp]:
        """Index into `verdicts` of every run."""
        kind, branch = self.runs["kind"], self.runs["branch"]
        chosen = np.full(len(kind), -1, dtype=np.intp)
        for i, verdict in enumerate(self.verdicts):
            chosen[(kind == verdict.kind) & (branch == verdict.branch) & (chosen < 0)] = i
            if verdict.branch < 0:
                chosen[(kind == verdict.kind) & (chosen < 0)] = i
        return chosen

    def outcomes(self, *, pooled: bool = False) -> list[Outcome]:
        """Count the verdicts per size, sample set and scale; `pooled` takes the sets together."""
        sets = self.study.sample_sets
        groups: Sequence[tuple[str, tuple[int, ...]]] = (
            [("", tuple(range(len(sets))))]
            if pooled
            else [(sample_set.name, (i,)) for i, sample_set in enumerate(sets)]
        )
        return [
            self._outcome(i, name, members, k)
            for i in range(len(self.study.sizes))
            for name, members in groups
            for k in range(len(self.study.scales))
        ]

    def select(
        self,
        *,
        size: int | None = None,
        sample_sets: Sequence[int] | None = None,
        scale: float | None = None,
    ) -> NDArray[np.bool_]:
        """Return the mask of the runs with this size, these sample sets and this scale."""
        chosen = np.ones(len(self.runs["size"]), dtype=np.bool_)
        if size is not None:
            chosen &= self.runs["size"] == size
        if sample_sets is not None:
            chosen &= np.isin(self.runs["sample_set"], sample_sets)
        if scale is not None:
            chosen &= self.runs["scale"] == scale
        return chosen

    def _grid(self, column: NDArray[Any]) -> NDArray[Any]:
        study = self.study
        return column.reshape(
            len(study.sizes), len(study.sample_sets), len(study.scales), study.seeds
        )

    def _outcome(self, i: int, name: str, members: tuple[int, ...], k: int) -> Outcome:
        verdict = self._grid(self.verdict)[i, list(members), k].ravel()
        kind = self._grid(self.runs["kind"])[i, list(members), k]
        error = self._grid(self.runs["generalization_error"])[i, list(members), k]
        error = error[np.isfinite(error)]
        counts = np.bincount(verdict, minlength=len(self.verdicts))
        return Outcome(
            size=self.study.sizes[i],
            sample_set=name,
            scale=self.study.scales[k],
            runs=verdict.size,
            fractions=tuple((counts / verdict.size).tolist()),
            unresolved=int((kind == Kind.UNRESOLVED).sum()),
            median_error=float(np.median(error)) if error.size else float("nan"),
            worst_error=float(error.max()) if error.size else float("nan"),
        )

    def _possible(self, kind: Kind) -> bool:
        if kind == Kind.PERFECT:
            # without a branch: where branches meet, or their enumeration was refused
            return bool(((self.runs["kind"] == kind) & (self.runs["branch"] < 0)).any())
        if self.study.teacher is None:
            return kind != Kind.IMPERFECT
        return kind != Kind.ZERO_LOSS


def _label(kind: Kind) -> str:
    if kind == Kind.PERFECT:
        return "perfect, branch open"
    return kind.name.lower().replace("_", " ")
