"""Errors of Flowscape and the checks that raise them.

Every message has one form: ``name=value rule; remedy``. Misuse raises a `ValueError`
(`ShapeError`, `OptionError`, `ProblemError`); a run that fails is never an exception but a
row with a status.
"""

from flowscape.errors.arrays import finite_array, float_array
from flowscape.errors.exceptions import (
    FlowscapeError,
    InternalError,
    OptionError,
    ProblemError,
    ShapeError,
    StabilityWarning,
    StoreError,
)
from flowscape.errors.messages import describe, nearest
from flowscape.errors.options import (
    check_choice,
    check_count,
    check_flag,
    check_instance,
    check_keys,
    check_path,
    check_positive,
    check_real,
)

__all__ = [
    "FlowscapeError",
    "InternalError",
    "OptionError",
    "ProblemError",
    "ShapeError",
    "StabilityWarning",
    "StoreError",
    "check_choice",
    "check_count",
    "check_flag",
    "check_instance",
    "check_keys",
    "check_path",
    "check_positive",
    "check_real",
    "describe",
    "finite_array",
    "float_array",
    "nearest",
]
