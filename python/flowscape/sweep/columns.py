"""The columns of a sweep's runs: names, types, and whether stored ones can be true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.status import Kind, Status
from flowscape.sweep.study import Study

_INTEGERS = {
    "size": np.int64,
    "sample_set": np.int64,
    "seed": np.int64,
    "status": np.int8,
    "kind": np.int8,
    "branch": np.int64,
    "index": np.int64,
    "certified": np.bool_,
    "nstep": np.int64,
    "nrejected": np.int64,
}
_FLOATS = (
    "scale",
    "loss",
    "gradient_norm",
    "floor",
    "t",
    "theta_error",
    "displacement",
    "generalization_error",
    "branch_distance",
)
_VECTORS = ("theta0", "theta", "polished")
COLUMNS = (*_INTEGERS, *_FLOATS, *_VECTORS)


def allocate(study: Study) -> dict[str, NDArray[Any]]:
    """Return empty columns for all runs of a study."""
    columns: dict[str, NDArray[Any]] = {
        name: np.empty(study.runs, dtype=dtype) for name, dtype in _INTEGERS.items()
    }
    columns |= {name: np.empty(study.runs) for name in _FLOATS}
    columns |= {name: np.empty((study.runs, study.net.n_params)) for name in _VECTORS}
    return columns


def fault(study: Study, runs: Mapping[str, NDArray[Any]]) -> str:
    """Return what is wrong with stored columns of the runs of a study; empty if nothing."""
    missing = [name for name in COLUMNS if name not in runs]
    if missing:
        return f"runs.npz lacks {', '.join(missing)}"
    for name in COLUMNS:
        rows = runs[name].shape[0] if runs[name].ndim else 0
        if rows != study.runs:
            return (
                f"runs.npz has {rows} rows of {name}, study.toml asks for {study.runs}; the files "
                "do not belong together"
            )
        shape = (study.runs, study.net.n_params) if name in _VECTORS else (study.runs,)
        kinds = "iub" if name in _INTEGERS else "f"
        if runs[name].shape != shape or runs[name].dtype.kind not in kinds:
            found = f"{runs[name].dtype} of shape {runs[name].shape}"
            return f"runs.npz holds {name} as {found} and must hold numbers of shape {shape}"
    limits = {
        "status": (0, len(Status)),
        "kind": (0, len(Kind)),
        "sample_set": (0, len(study.sample_sets)),
        "seed": (0, study.seeds),
    }
    for name, (low, high) in limits.items():
        outside = (runs[name] < low) | (runs[name] >= high)
        if outside.any():
            return f"runs.npz has {name}={runs[name][outside][0]}, which must be in [{low}, {high})"
    return ""
