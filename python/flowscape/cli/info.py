"""Show version, instruction set, threads and compiler."""

from __future__ import annotations

import argparse
import platform

from flowscape.cli.answer import Answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""


def run(args: argparse.Namespace) -> Answer:
    """Return what is known about this installation."""
    from flowscape import _core
    from flowscape.sweep.provenance import provenance

    data = provenance(None) | {
        "compiled": _core.build_info(),
        "machine": platform.machine(),
    }
    width = max(map(len, data))
    lines = [f"{name:<{width}}  {_text(value)}" for name, value in data.items()]
    return Answer("\n".join(lines), data)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return "unknown" if value is None else str(value)
