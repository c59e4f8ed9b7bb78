"""Several batches of flows as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.flow.result import Flow
from flowscape.flow.tails import Tails

__all__ = ["joined"]


def joined(parts: list[tuple[NDArray[np.int64], Flow]], runs: int) -> Flow:
    """Return one Flow whose rows stand in the order of the runs; without saved points."""
    flows = [flow for _, flow in parts]
    if len(flows) == 1:
        return flows[0]
    found: dict[str, Any] = {}
    for field in fields(Flow):
        values = [getattr(flow, field.name) for flow in flows]
        if field.name in ("ts", "thetas", "choice"):
            found[field.name] = None
        elif isinstance(values[0], Tails):
            columns = zip(*(_arrays(tails) for tails in values), strict=True)
            found[field.name] = Tails(*(_scatter(parts, column, runs) for column in columns))
        elif isinstance(values[0], np.ndarray):
            found[field.name] = _scatter(parts, values, runs)
        else:
            found[field.name] = values[0]
    steps = np.array([flow.nstep.sum() + flow.nrejected.sum() for flow in flows], dtype=float)
    found["lane_use"] = float(np.average([f.lane_use for f in flows], weights=steps + 1.0))
    names = dict.fromkeys(name for flow in flows for name in flow.method.split("+"))
    found["method"] = "+".join(names)
    found["seconds"] = sum(flow.seconds for flow in flows)
    return Flow(**found)


def _arrays(tails: Tails) -> list[NDArray[Any]]:
    return [getattr(tails, field.name) for field in fields(tails)]


def _scatter(
    parts: list[tuple[NDArray[np.int64], Flow]], values: Sequence[NDArray[Any]], runs: int
) -> NDArray[Any]:
    whole = np.empty((runs, *values[0].shape[1:]), values[0].dtype)
    for (rows, _), value in zip(parts, values, strict=True):
        whole[rows] = value
    return whole
