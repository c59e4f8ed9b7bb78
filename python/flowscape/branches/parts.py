"""What the modules below `branch` need to know of a branch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.constant_group import ConstantGroup
from flowscape.branches.partitions import Blocks
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import OrbitShape, Variant

Floats = NDArray[np.float64]


class BranchParts(Protocol):
    """The attributes of `Branch` that geometry is computed from; see there."""

    @property
    def setting(self) -> Setting:  # noqa: D102
        ...

    @property
    def target(self) -> Reduced:  # noqa: D102
        ...

    @property
    def shape(self) -> OrbitShape:  # noqa: D102
        ...

    @property
    def blocks(self) -> Blocks:  # noqa: D102
        ...

    @property
    def signs(self) -> tuple[int, ...]:  # noqa: D102
        ...

    @property
    def variant(self) -> Variant:  # noqa: D102
        ...

    @property
    def name(self) -> str:  # noqa: D102
        ...

    @property
    def shares_incoming(self) -> bool:  # noqa: D102
        ...

    @property
    def dim(self) -> int:  # noqa: D102
        ...

    @property
    def codim(self) -> int:  # noqa: D102
        ...

    @property
    def is_affine(self) -> bool:  # noqa: D102
        ...

    @property
    def constant_group(self) -> ConstantGroup:  # noqa: D102
        ...

    def linear_equations(self) -> tuple[Floats, Floats]:  # noqa: D102
        ...

    def distance(self, theta: ArrayLike) -> Floats:  # noqa: D102
        ...

    def tangent(self, theta: ArrayLike) -> Floats:  # noqa: D102
        ...

    def sample(self, rng: np.random.Generator) -> Floats:  # noqa: D102
        ...
