"""Options of the flows of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.flow import METHODS
from flowscape.sweep.fields import Table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FlowOptions:
    """Options of `gradient_flow`; None leaves its default.

    Attributes
    ----------
    rtol, atol : float, optional
        Tolerances. Without `atol` a run gets 1e-9 times the smaller of 1 and its initialization
        scale, so that the linear phase of a tiny initialization is resolved.
    method : str, optional
    t_max : float, optional
    max_steps : int, optional
    """

    rtol: float | None = None
    atol: float | None = None
    method: str | None = None
    t_max: float | None = None
    max_steps: int | None = None

    def given(self) -> dict[str, Any]:
        """Return the options that were given."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def keywords(self, scale: Floats) -> dict[str, Any]:
        """Return the keyword arguments of `gradient_flow` for runs of these scales, (B,)."""
        return {"atol": 1e-9 * np.minimum(1.0, scale)} | self.given()

    @classmethod
    def from_table(cls, table: Table) -> FlowOptions:
        """Read the table [flow] of a study file."""
        options = cls(
            rtol=table.positive("rtol", None),
            atol=table.positive("atol", None),
            method=table.text("method", None, choices=METHODS),
            t_max=table.positive("t_max", None, infinite=True),
            max_steps=table.count("max_steps", None),
        )
        table.finish()
        return options
