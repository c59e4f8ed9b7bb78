"""Flowscape: the loss landscapes of small neural networks.

Which parameters reproduce the target exactly (`branches`), where thousands of gradient flows end
(`gradient_flow`, `polish`), and what each limit is (`classify`); a whole study in one call or one
command (`recover`). Start with docs/tour.md.
"""

import importlib as _importlib
import importlib.util as _util
import sys as _sys
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from flowscape.basins import Boundary, Edge, boundary
    from flowscape.branches import (
        Branch,
        Branches,
        branches,
        connected_components,
        count_branches,
        intersection_poset,
        matching,
    )
    from flowscape.classify import Verdicts, classify
    from flowscape.critical import connect, recovery_stability, straight_barrier
    from flowscape.descent import Descent, gradient_descent, linear_phase_steps
    from flowscape.errors import (
        FlowscapeError,
        InternalError,
        OptionError,
        ProblemError,
        ShapeError,
        StabilityWarning,
        StoreError,
    )
    from flowscape.extended import jacobian_dd, residual_dd
    from flowscape.flow import Flow, gradient_flow
    from flowscape.limits import (
        Approach,
        FlowInto,
        Imbalance,
        LimitFlow,
        LimitGeometry,
        fit_approach,
        flow_into,
        initial_imbalance,
        limit_flow,
        limit_geometry,
    )
    from flowscape.objective import Noise, Problem
    from flowscape.papers import Check, check
    from flowscape.polish import Polished, polish
    from flowscape.problem import Activation, Samples, Teacher, Term, TwoLayer, activation
    from flowscape.separation import (
        SeparationVerdict,
        imperfect_zero,
        jacobian_rank,
        separating_inputs,
        separation_probability,
    )
    from flowscape.status import Kind, Status
    from flowscape.sweep import RecoverResult, Study, load, recover
    from flowscape.zero_evidence import ZeroEvidence, decide_zeros

__version__ = "0.1.0"


def _is_command() -> bool:
    """Whether this process is the command: ``flowscape`` or ``python -m flowscape``."""
    program = getattr(_sys, "argv", [""])[0]
    return program.rpartition("/")[2] == "flowscape" or (
        program == "-m" and "flowscape" in _sys.orig_argv
    )


# Here, not later, it is found out that this machine cannot run the compiled core. The command
# cannot catch what its own import raises.
try:
    _core = _importlib.import_module(f"{__name__}._core")
except ImportError as _error:
    if not _is_command():
        raise
    print(f"flowscape: error: {_error}", file=_sys.stderr)
    raise SystemExit(2) from None

__all__ = [
    "Activation",
    "Approach",
    "Boundary",
    "Branch",
    "Branches",
    "Check",
    "Descent",
    "Edge",
    "Flow",
    "FlowInto",
    "FlowscapeError",
    "Imbalance",
    "InternalError",
    "Kind",
    "LimitFlow",
    "LimitGeometry",
    "Noise",
    "OptionError",
    "Polished",
    "Problem",
    "ProblemError",
    "RecoverResult",
    "Samples",
    "SeparationVerdict",
    "ShapeError",
    "StabilityWarning",
    "Status",
    "StoreError",
    "Study",
    "Teacher",
    "Term",
    "TwoLayer",
    "Verdicts",
    "ZeroEvidence",
    "activation",
    "boundary",
    "branches",
    "check",
    "classify",
    "connect",
    "connected_components",
    "count_branches",
    "decide_zeros",
    "fit_approach",
    "flow_into",
    "gradient_descent",
    "gradient_flow",
    "imperfect_zero",
    "initial_imbalance",
    "intersection_poset",
    "jacobian_dd",
    "jacobian_rank",
    "limit_flow",
    "limit_geometry",
    "linear_phase_steps",
    "load",
    "matching",
    "polish",
    "recover",
    "recovery_stability",
    "residual_dd",
    "separating_inputs",
    "separation_probability",
    "straight_barrier",
]

_HOMES = {
    "branches": (
        "Branch",
        "Branches",
        "branches",
        "connected_components",
        "count_branches",
        "intersection_poset",
        "matching",
    ),
    "basins": ("Boundary", "Edge", "boundary"),
    "classify": ("Verdicts", "classify"),
    "descent": ("Descent", "gradient_descent", "linear_phase_steps"),
    "critical": ("connect", "recovery_stability", "straight_barrier"),
    "errors": (
        "FlowscapeError",
        "InternalError",
        "OptionError",
        "ProblemError",
        "ShapeError",
        "StabilityWarning",
        "StoreError",
    ),
    "extended": ("jacobian_dd", "residual_dd"),
    "flow": ("Flow", "gradient_flow"),
    "limits": (
        "Approach",
        "FlowInto",
        "Imbalance",
        "LimitFlow",
        "LimitGeometry",
        "fit_approach",
        "flow_into",
        "initial_imbalance",
        "limit_flow",
        "limit_geometry",
    ),
    "objective": ("Noise", "Problem"),
    "papers": ("Check", "check"),
    "polish": ("Polished", "polish"),
    "problem": ("Activation", "Samples", "Teacher", "Term", "TwoLayer", "activation"),
    "separation": (
        "SeparationVerdict",
        "imperfect_zero",
        "jacobian_rank",
        "separating_inputs",
        "separation_probability",
    ),
    "status": ("Kind", "Status"),
    "sweep": ("RecoverResult", "Study", "load", "recover"),
    "zero_evidence": ("ZeroEvidence", "decide_zeros"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


class _Package(_ModuleType):
    """Keeps `branches`, `classify` and `polish` functions.

    Whoever imports a submodule makes it an attribute of its package; three of ours share their
    name with the function that they export.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _HOME_OF or not isinstance(value, _ModuleType):
            super().__setattr__(name, value)


_sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> _Any:
    """Import a public name, or a submodule, when it is first used."""
    if name in _HOME_OF:
        value = getattr(_importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    elif (
        name.isidentifier() and not name.startswith("__") and _util.find_spec(f"{__name__}.{name}")
    ):
        value = _importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
