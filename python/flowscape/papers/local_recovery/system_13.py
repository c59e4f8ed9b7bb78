"""Systems of the form (13), with and without centre directions, and their solutions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.local_recovery.setting import draw

__all__ = ["Field", "follow", "no_centre", "with_centre"]

Floats = NDArray[np.float64]
Field = Callable[[Floats], Floats]


def follow(field: Field, start: Floats, end: float, step: float) -> tuple[Floats, Floats]:
    """Return times and points (T, ...) by the Runge-Kutta method of order 4."""
    count = round(end / step)
    points = np.empty((count + 1, *start.shape))
    points[0] = u = start
    for i in range(count):
        k1 = field(u)
        k2 = field(u + 0.5 * step * k1)
        k3 = field(u + 0.5 * step * k2)
        u = u + step / 6.0 * (k1 + 2.0 * (k2 + k3) + field(u + step * k3))
        points[i + 1] = u
    return step * np.arange(count + 1.0), points


def no_centre(key: int) -> Field:
    """Return system (13) with c = 0, s = 2, p = 1: u = (y_1, y_2, z)."""
    rng = draw(80, key)
    g, m = rng.normal(size=(2, 2, 2)), rng.normal(size=(2, 2))
    m = m @ m.T  # definite: z approaches z* from one side
    turn = rng.normal()

    def field(u: Floats) -> Floats:
        y, z = u[:2], u[2]
        h = np.array([[-1.0, 0.3 * np.sin(z)], [0.3 * np.sin(z), -1.6 - 0.2 * z]])
        bent = np.einsum("ijk,j,k->i", g, y, y) * (1.0 + turn * z)
        return np.array([*(h @ y + 0.3 * bent), y @ m @ y])

    return field


def with_centre(x_rate: float = 1.0, y_into_x: float = 0.0) -> Field:
    """Return system (13) with c = s = p = 1 for a batch: u = (x, y, z), (B, 3).

    x' = -x_rate x^3 (1+z) + y_into_x y^2, y' = -(1+z/4) y + x^2 + x y/2, z' = x^4 + y^2/2.
    """

    def field(u: Floats) -> Floats:
        x, y, z = u.T
        return np.stack(
            [
                -x_rate * x**3 * (1.0 + z) + y_into_x * y**2,
                -(1.0 + 0.25 * z) * y + x**2 + 0.5 * x * y,
                x**4 + 0.5 * y**2,
            ],
            axis=1,
        )

    return field
