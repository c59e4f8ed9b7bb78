"""Calls of the compiled core for parts of a batch of flows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flowscape import _core
from flowscape.flow.origin import Departure
from flowscape.objective import Problem
from flowscape.threads import Progress

__all__ = ["CORE_METHODS", "Batch"]

CORE_METHODS = {"rosenbrock": 0, "rk45": 1, "bdf": 2}

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Batch(NamedTuple):
    """Runs that are followed with one set of options; every run may have its own method.

    Attributes
    ----------
    prob : Problem
    departure : Departure
        Starting points, after their linear phases.
    atol : (B,) ndarray
    rtol, gtol, t_max, escape, max_steps
        As in `gradient_flow`; `gtol` 0 is the round-off floor.
    threads : int
    progress : callable or None
        Told the number of finished runs.
    """

    prob: Problem
    departure: Departure
    atol: Floats
    rtol: float
    gtol: float
    t_max: float
    escape: float
    max_steps: int
    threads: int
    progress: Progress | None

    def follow(
        self,
        methods: NDArray[np.str_],
        limits: Ints,
        times: Floats | None,
    ) -> dict[str, Any]:
        """Follow all runs by their methods, with their limits of steps; rows as the starts."""
        out: dict[str, Any] = {}
        groups = sorted(set(zip(methods.tolist(), limits.tolist(), strict=True)))
        ended = 0
        for name, most in groups or [("rosenbrock", 1)]:
            rows = np.flatnonzero((methods == name) & (limits == most))
            _put(out, rows, self._part(name, rows, times, ended, most), len(methods))
            ended += len(rows)
        return out

    def restart(
        self, out: dict[str, Any], methods: NDArray[np.str_], rows: Ints, times: Floats | None
    ) -> None:
        """Follow `rows` again and put the results into `out`; evaluations and lane slots add up."""
        for name in sorted(set(methods[rows].tolist())):
            part = rows[methods[rows] == name]
            spent = {field: out[field][part] for field in ("nfev", "njev")}
            ended = len(methods) - len(part)
            one = self._part(name, part, times, ended, self.max_steps)
            _put(out, part, one, len(methods))
            for field, counts in spent.items():
                out[field][part] += counts

    def revisit(self, methods: NDArray[np.str_], rows: Ints, times: Floats) -> Floats:
        """Return where `rows` are at times after their linear phases: (R, T, P).

        The same flows, bit for bit, followed once more to the last of the times.
        """
        points = np.empty((len(rows), len(times), self.departure.points.shape[1]))
        for name in sorted(set(methods[rows].tolist())):
            part = np.flatnonzero(methods[rows] == name)
            out = self._call(
                name,
                self.departure.points[rows[part]],
                self.atol[rows[part]],
                times,
                np.inf,
                self.max_steps,
                None,
            )
            points[part] = out["thetas"]
        return points

    def _part(
        self, method: str, rows: Ints, times: Floats | None, ended: int, most: int
    ) -> dict[str, Any]:
        """Follow `rows`, of which `ended` others are done; the time counts from the start."""
        delay = self.departure.delay[rows]
        timed = times is not None or np.isfinite(self.t_max)
        together = np.flatnonzero(delay == 0.0) if timed else np.arange(len(rows))
        told = self.progress
        if told is not None and ended > 0:
            told = _shifted(told, ended)
        start, atol = self.departure.points, self.atol
        here = rows[together]
        out = self._call(method, start[here], atol[here], times, self.t_max, most, told)
        out["t"] = out["t"] + delay[together]
        if len(together) == len(rows):
            return out
        # Runs with a linear phase have their own clocks.
        whole: dict[str, Any] = {}
        _put(whole, together, out, len(rows))
        for k in np.flatnonzero(delay > 0.0):
            one = self._delayed(method, int(rows[k]), times, most)
            _put(whole, np.array([k]), one, len(rows))
        return whole

    def _delayed(self, method: str, row: int, times: Floats | None, most: int) -> dict[str, Any]:
        """Follow one run through its linear phase and beyond."""
        departure, delay = self.departure, float(self.departure.delay[row])
        early = times[times < delay] if times is not None else None
        late = times[times >= delay] - delay if times is not None else None
        start = departure.points[row][None]
        if self.t_max < delay:
            start = departure.at(row, np.array([self.t_max]))
        left = max(self.t_max - delay, 0.0)
        later = late if late is not None and late.size else None
        out = self._call(method, start, self.atol[row][None], later, left, most, None)
        out["t"] = out["t"] + min(delay, self.t_max)
        if early is not None and times is not None:
            parts = [departure.at(row, early)[None]]
            if later is not None:
                parts.append(out["thetas"])
            out["thetas"] = np.concatenate(parts, axis=1)
        return out

    def _call(
        self,
        method: str,
        starts: Floats,
        atol: Floats,
        times: Floats | None,
        t_max: float,
        most: int,
        progress: Progress | None,
    ) -> dict[str, Any]:
        return _core.gradient_flow(
            self.prob.core, starts, atol, self.rtol, self.gtol, t_max, self.escape, most,
            CORE_METHODS[method], np.empty(0) if times is None else times, self.threads, progress,
        )  # fmt: skip


def _put(whole: dict[str, Any], places: Ints, part: dict[str, Any], runs: int) -> None:
    """Put the results of some runs into those of all; counts of lane slots add up."""
    for field, values in part.items():
        if np.ndim(values) == 0:  # such a count, or None
            whole[field] = values if values is None else whole.get(field, 0) + values
        elif len(places) == runs:
            whole[field] = values
        else:
            shape = (runs, *values.shape[1:])
            whole.setdefault(field, np.empty(shape, values.dtype))[places] = values


def _shifted(progress: Progress, ended: int) -> Progress:
    return lambda finished: progress(ended + finished)
