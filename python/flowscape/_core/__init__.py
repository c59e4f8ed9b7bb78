"""The compiled core: one extension module, chosen for this machine at import.

The whole core exists once per instruction-set level; exactly one is loaded. ``FLOWSCAPE_ISA``
forces a level (``v2``, ``v3``, ``v4``, or ``native`` for a developer build); a level that was not
built or that this machine cannot run is an error, never a silent fallback.
"""

import importlib
import importlib.util
import os
from types import ModuleType

from . import _baseline

_LEVELS = ("native", "v4", "v3", "v2")  # in order of preference


def built_levels() -> list[str]:
    """Levels this installation was built with, most preferred first."""
    return [level for level in _LEVELS if importlib.util.find_spec(f"{__name__}._core_{level}")]


def supported_levels() -> list[str]:
    """Levels this machine can run: the processor has them and the system enables them."""
    return _baseline.supported_levels()


def _choose() -> str:
    built, supported = built_levels(), [*supported_levels(), "native"]
    forced = os.environ.get("FLOWSCAPE_ISA")
    if not forced:
        usable = [level for level in built if level in supported]
        if not usable:
            raise ImportError(
                f"flowscape was built for {built}, but this machine runs {supported_levels()}; "
                "reinstall from source on this machine"
            )
        return usable[0]
    if forced not in built:
        raise ImportError(
            f"FLOWSCAPE_ISA={forced!r} was not built; this installation has {sorted(built)}"
        )
    if forced not in supported:
        raise ImportError(
            f"FLOWSCAPE_ISA={forced!r} cannot run on this machine, which has {supported_levels()}"
        )
    return forced


def _load(level: str) -> ModuleType:
    """Import the module of a level, its OpenMP set to sleep where it has to wait.

    The run-time library spins at its barriers by default, for up to 20 ms: with another process
    on one of two cores a call of 0.5 ms then took 11 (docs/decisions/0009). It reads its policy
    from the environment, once, while it is loaded; the environment is left as it was.
    """
    asleep = "OMP_WAIT_POLICY" not in os.environ
    if asleep:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        return importlib.import_module(f"{__name__}._core_{level}")
    finally:
        if asleep:
            del os.environ["OMP_WAIT_POLICY"]


_module = _load(_choose())

Activation = _module.Activation
Objective = _module.Objective
activation_values = _module.activation_values
choose_kernel = _module.choose_kernel
extended_activation = _module.extended_activation
extended_polish = _module.extended_polish
extended_residual = _module.extended_residual
gradient_descent = _module.gradient_descent
gradient_flow = _module.gradient_flow
march_bdf = _module.march_bdf
operation_counts = _module.operation_counts
philox_normals = _module.philox_normals
philox_raw = _module.philox_raw
polish = _module.polish
spectral_bounds = _module.spectral_bounds


def isa() -> str:
    """Level of the loaded module."""
    return _module.level


def build_info() -> dict[str, object]:
    """How the loaded module was built: level, lanes, fused multiply-add, OpenMP, compiler."""
    names = ("level", "lanes", "fused_multiply_add", "openmp", "compiler")
    return {name: getattr(_module, name) for name in names}
