"""Tables of ratios, as text, Markdown and JSON."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from timing import Series


@dataclass
class Row:
    """One candidate of one workload. Times in seconds, per `unit` of the group."""

    key: str
    label: str
    status: str = "ok"
    """"ok", or why there are no figures."""
    first: float | None = None
    cpu: float | None = None
    cpu_range: tuple[float, float] | None = None
    wall: float | None = None
    rounds: int = 0
    ratio: float | None = None
    ratio_range: tuple[float, float] | None = None
    goal: float | None = None
    bound: bool = False
    """The run was cut short: time and ratio are lower bounds."""
    agreement: str = ""
    note: str = ""

    @property
    def failed(self) -> bool:
        return self.status.startswith(("failed", "disagrees"))


@dataclass
class Group:
    """One workload and quantity: the engine first, then the peers."""

    name: str
    title: str
    unit: str
    rows: list[Row]
    facts: list[str] = field(default_factory=list)
    """Sentences below the table."""
    numbers: dict[str, float] = field(default_factory=dict)
    """What the facts are made from, for the JSON file."""


def fill(row: Row, series: Series, scale: float = 1.0) -> Row:
    """Put the medians of a series into a row; `scale` turns seconds per call into the unit."""
    if series.error is not None:
        row.status = series.error
    if not series.cpu or row.status != "ok":
        return row
    row.first = series.first
    row.cpu = scale * series.cpu_median
    row.cpu_range = (scale * min(series.cpu), scale * max(series.cpu))
    row.wall = scale * series.wall_median
    row.rounds = len(series.cpu)
    if series.ratios:
        row.ratio = scale * series.ratio
        row.ratio_range = (scale * min(series.ratios), scale * max(series.ratios))
    return row


def median_of(values: list[float]) -> float:
    return statistics.median(values)


_HEAD = ("candidate", "CPU", "range", "first call", "ratio", "range", "goal", "agrees to", "")


def text(group: Group) -> str:
    lines = [_HEAD, *(_cells(row) for row in group.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    body = [
        "  ".join(
            cell.ljust(width) if i in (0, len(_HEAD) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    head = f"{group.name}: {group.title}  (CPU time {group.unit})"
    return "\n".join([head, *("  " + line for line in body), *("  " + f for f in group.facts)])


def markdown(group: Group) -> str:
    lines = [
        f"### {group.name}: {group.title}",
        "",
        f"CPU time {group.unit}.",
        "",
        "| " + " | ".join(_HEAD) + " |",
        "|---|" + "---:|" * (len(_HEAD) - 2) + "---|",
        *("| " + " | ".join(_cells(row)) + " |" for row in group.rows),
        "",
        *(f"- {fact}" for fact in group.facts),
    ]
    return "\n".join(lines).rstrip() + "\n"


def as_json(groups: list[Group], **header: Any) -> dict[str, Any]:
    return {**header, "groups": [asdict(group) for group in groups]}


def machine_lines(machine: dict[str, Any], command: str, peak: str) -> list[str]:
    packages = ", ".join(
        f"{name} {version or 'not installed'}" for name, version in machine["packages"].items()
    )
    load = " ".join(f"{value:.1f}" for value in machine["load_average"])
    return [
        f"Command: `{command}`, {machine['date']}.",
        f"Machine: {machine['processor']}, {machine['processors']} processors, "
        f"{machine['memory_gb']:g} GB, {machine['system']}; one thread pinned to processor "
        f"{machine['pinned_to']}; load average at the start {load}.",
        f"Module level {machine['level']}; Python {machine['python']}; {packages}.",
        peak,
    ]


def _cells(row: Row) -> tuple[str, ...]:
    if row.status != "ok":
        return row.label, "-", "", "", "-", "", _goal(row), row.agreement, row.status
    more = "> " if row.bound else ""
    return (
        row.label,
        more + seconds(row.cpu),
        span(row.cpu_range, seconds),
        seconds(row.first),
        "" if row.ratio is None else more + number(row.ratio),
        span(row.ratio_range, number),
        _goal(row),
        row.agreement,
        row.note,
    )


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    return f"{row.goal:g}" + ("" if row.ratio is None else f" {verdict(row.ratio >= row.goal)}")


def verdict(reached: bool) -> str:
    return "met" if reached else "missed"


def span(values: tuple[float, float] | None, show: Any) -> str:
    if values is None or values[0] == values[1]:
        return ""
    return f"{show(values[0])} .. {show(values[1])}"


def seconds(value: float | None) -> str:
    """Three digits with a unit."""
    if value is None:
        return ""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1.0 or unit == "us":
            return f"{number(value * factor)} {unit}"
    raise AssertionError


def number(value: float) -> str:
    """Three digits, without an exponent."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
