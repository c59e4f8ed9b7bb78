"""Where a result comes from: version, commit, instruction set, threads."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from flowscape import _core
from flowscape.threads import thread_count


def provenance(n_threads: int | None) -> dict[str, Any]:
    """Return what a manifest says about the program that made the result."""
    return {
        "flowscape": version(),
        "commit": commit(),
        "isa": _core.isa(),
        "threads": thread_count(n_threads),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def version() -> str:
    """Return the version of the installed package."""
    return metadata.version("flowscape")


def commit() -> str | None:
    """Return the git commit of the source tree the package runs from; None when installed."""
    git = Path(__file__).resolve().parents[3] / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        reference = head.removeprefix("ref: ")
        loose = git / reference
        if loose.is_file():
            return loose.read_text().strip()
        for line in (git / "packed-refs").read_text().splitlines():
            if line.endswith(f" {reference}"):
                return line.split()[0]
    except OSError:
        pass
    return None
