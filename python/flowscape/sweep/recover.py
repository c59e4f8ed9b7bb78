"""Sweep a study: start, flow, polish, classify, one chunk of runs after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from flowscape.classify import classify
from flowscape.errors import OptionError, describe
from flowscape.flow import gradient_flow
from flowscape.objective import Problem
from flowscape.polish import polish
from flowscape.sweep.columns import allocate
from flowscape.sweep.provenance import provenance
from flowscape.sweep.results import RecoverResult
from flowscape.sweep.study import Study

Floats = NDArray[np.float64]

# Runs that are in memory with all intermediate results; no result depends on it.
_CHUNK = 4096


@runtime_checkable
class Progress(Protocol):
    """What `recover` tells about its progress."""

    def total(self, runs: int) -> None:
        """Announce the number of runs, once."""

    def advance(self, runs: int) -> None:
        """Report that so many further runs are done."""


class _Finished:
    """Turn the number of finished runs of one chunk into advances."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._told = 0

    def __call__(self, runs: int) -> None:
        if self._progress is not None and runs > self._told:
            self._progress.advance(runs - self._told)
            self._told = runs


def recover(
    study: Study, *, n_threads: int | None = None, progress: Progress | None = None
) -> RecoverResult:
    """Follow every flow of a study to its limit and say what the limit is.

    Parameters
    ----------
    study : Study
    n_threads : int, optional
        Threads of the compiled core; the results do not depend on it.
    progress : Progress, optional
        Told the number of runs, then how many have finished, many times a second.

    Returns
    -------
    RecoverResult
        A run that fails is a row with its status.

    Raises
    ------
    OptionError, ProblemError
        For options or data that the network, the flow or the classifier refuses.
    """
    if not isinstance(study, Study):
        raise OptionError(
            f"study={describe(study)} must be a Study; read one by Study.find(name_or_path)"
        )
    if not (progress is None or isinstance(progress, Progress)):
        raise OptionError(
            f"progress={describe(progress)} must have the methods total(runs) and advance(runs); "
            "give None for silence"
        )
    started = time.perf_counter()
    columns = allocate(study)
    unit = study.initial_values()
    scale = np.repeat(np.array(study.scales), study.seeds)
    seed = np.tile(np.arange(study.seeds), len(study.scales))
    seconds = {"flow": 0.0, "polish": 0.0, "classify": 0.0}
    hashes: dict[str, str] = {}
    if progress is not None:
        progress.total(study.runs)
    row = 0
    for size, sample_set, prob in _problems(study):
        name = study.sample_sets[sample_set].name
        hashes[f"{size}/{name}"] = prob.hash
        for start in range(0, len(scale), _CHUNK):
            part = slice(start, start + _CHUNK)
            theta0 = scale[part, None] * unit[seed[part]]
            finished = _Finished(progress)
            chunk = _run(prob, study, theta0, scale[part], n_threads, seconds, finished)
            chunk |= {"size": size, "sample_set": sample_set, "seed": seed[part]}
            rows = slice(row, row + len(theta0))
            for column, values in chunk.items():
                columns[column][rows] = values
            row = rows.stop
            finished(len(theta0))
    seconds["total"] = time.perf_counter() - started
    manifest = provenance(n_threads) | {
        "seed": study.seed,
        "runs": study.runs,
        "loss": study.loss,
        "options": study.flow.given(),
        "problem_hashes": hashes,
        "seconds": seconds,
    }
    return RecoverResult(study=study, runs=columns, manifest=manifest)


def _problems(study: Study) -> Iterator[tuple[int, int, Problem]]:
    for size in study.sizes:
        for i, sample_set in enumerate(study.sample_sets):
            yield size, i, study.problem(size, sample_set)


def _run(
    prob: Problem,
    study: Study,
    theta0: Floats,
    scale: Floats,
    n_threads: int | None,
    seconds: dict[str, float],
    finished: _Finished,
) -> dict[str, Any]:
    clock = time.perf_counter
    begin = clock()
    options = study.flow.keywords(scale)
    flow = gradient_flow(prob, theta0, n_threads=n_threads, progress=finished, **options)
    flowed = clock()
    points = polish(prob, flow.theta, n_threads=n_threads)
    polished = clock()
    found = classify(prob, points, flow, n_threads=n_threads)
    end = clock()
    seconds["flow"] += flowed - begin
    seconds["polish"] += polished - flowed
    seconds["classify"] += end - polished
    missing = np.full(len(theta0), np.nan)
    return {
        "scale": scale,
        "status": flow.status,
        "kind": found.kind,
        "branch": found.branch,
        "index": found.index,
        "certified": found.certified,
        "loss": flow.loss,
        "gradient_norm": flow.gradient_norm,
        "floor": flow.floor,
        "t": flow.t,
        "theta_error": flow.theta_error,
        "nstep": flow.nstep,
        "nrejected": flow.nrejected,
        "displacement": points.displacement,
        "generalization_error": found.evidence.get("generalization_error", missing),
        "branch_distance": found.evidence.get("branch_distance", missing),
        "theta0": theta0,
        "theta": flow.theta,
        "polished": points.theta,
    }
