"""What the verdicts on separation are asked about: sample sets and points of a branch."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.parts import BranchParts
from flowscape.errors import ProblemError, finite_array

__all__ = ["member_of", "sample_sets"]

Floats = NDArray[np.float64]

_ON = 1e-8


def sample_sets(x: ArrayLike, inputs: int) -> tuple[Floats, bool]:
    """Return a stack of sample sets (S, n, d), and whether one set (n, d) was given."""
    array = finite_array("x", x, ("n", inputs), ("S", "n", inputs))
    if array.shape[-2] == 0:
        raise ProblemError(
            f"x has shape {array.shape} and must hold at least one sample; give n >= 1 samples"
        )
    return (array[None], True) if array.ndim == 2 else (array, False)


def member_of(branch: BranchParts, theta: ArrayLike) -> Floats:
    """Return one network (P,), which must lie on the branch."""
    row = finite_array("theta", theta, (branch.setting.n_params,))
    distance = float(branch.distance(row))
    if distance > _ON * (1.0 + float(np.abs(row).max())):
        raise ProblemError(
            f"theta is {distance:.1e} away from the branch {branch.name} and must lie on it; "
            "take project(theta)"
        )
    return row
