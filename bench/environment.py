"""One thread on one processor, for every library; call before NumPy is imported."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
_PACKAGES = (
    "flowscape",
    "numpy",
    "scipy",
    "numba",
    "jax",
    "torch",
    "diffrax",
    "scikit-sundae",
)


def single_thread(cpu: int | None = None) -> int:
    """Pin this process to one processor and all libraries to one thread; return the processor.

    Without `cpu` it is the one that was idle most during the last moments.
    """
    for name in _THREADS:
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_XLA}".strip()
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    chosen = _idlest() if cpu is None else cpu
    os.sched_setaffinity(0, {chosen})
    return chosen


def machine(cpu: int) -> dict[str, object]:
    """Return what the figures were measured on."""
    from flowscape import _core

    return {
        "processor": _cpuinfo("model name") or platform.machine(),
        "processors": os.cpu_count(),
        "pinned_to": cpu,
        "memory_gb": round(_meminfo("MemTotal") / 1e6, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "level": _core.isa(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "load_average": os.getloadavg(),
        "date": time.strftime("%Y-%m-%d"),
    }


def available_mb() -> float:
    """Memory that can be had without swapping, in MB."""
    return _meminfo("MemAvailable") / 1e3


def _idlest() -> int:
    allowed = sorted(os.sched_getaffinity(0))
    before = _idle_ticks()
    time.sleep(0.5)
    after = _idle_ticks()
    return max(allowed, key=lambda cpu: after.get(cpu, 0) - before.get(cpu, 0))


def _idle_ticks() -> dict[int, int]:
    with open("/proc/stat", encoding="ascii") as lines:
        rows = [line.split() for line in lines if line.startswith("cpu")]
    return {int(row[0][3:]): int(row[4]) for row in rows if row[0] != "cpu"}


def _meminfo(field: str) -> float:
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def processor_flags() -> set[str]:
    """Return the instruction sets that the operating system reports."""
    return set(_cpuinfo("flags").split())


def _cpuinfo(field: str) -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        values = (line.split(":", 1)[1].strip() for line in lines if line.startswith(field))
        return next(values, "")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
