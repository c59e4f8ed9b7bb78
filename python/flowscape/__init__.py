"""Flowscape: the loss landscapes of small neural networks.

Which parameters reproduce the target exactly (`branches`), where thousands of gradient flows end
(`gradient_flow`, `polish`), and what each limit is (`classify`); a whole study in one call or one
command (`recover`). Start with docs/tour.md.
"""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from flowscape.branches import Branch, Branches, branches, count_branches, matching
from flowscape.classify import Verdicts, classify
from flowscape.errors import (
    FlowscapeError,
    InternalError,
    OptionError,
    ProblemError,
    ShapeError,
    StoreError,
)
from flowscape.flow import Flow, gradient_flow
from flowscape.objective import Noise, Problem
from flowscape.polish import Polished, polish
from flowscape.problem import Activation, Samples, Teacher, Term, TwoLayer, activation
from flowscape.status import Kind, Status

if _TYPE_CHECKING:
    from flowscape.sweep import RecoverResult, Study, load, recover

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "Branch",
    "Branches",
    "Flow",
    "FlowscapeError",
    "InternalError",
    "Kind",
    "Noise",
    "OptionError",
    "Polished",
    "Problem",
    "ProblemError",
    "RecoverResult",
    "Samples",
    "ShapeError",
    "Status",
    "StoreError",
    "Study",
    "Teacher",
    "Term",
    "TwoLayer",
    "Verdicts",
    "activation",
    "branches",
    "classify",
    "count_branches",
    "gradient_flow",
    "load",
    "matching",
    "polish",
    "recover",
]

_SWEEP = ("RecoverResult", "Study", "load", "recover")


def __getattr__(name: str) -> _Any:
    """Import the sweep layer when it is first used."""
    if name in _SWEEP:
        return getattr(_importlib.import_module("flowscape.sweep"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
