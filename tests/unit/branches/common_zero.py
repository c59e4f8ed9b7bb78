"""Points of several sets at once, by Newton's method."""

from __future__ import annotations

import numpy as np


def common_zero(branches, theta):
    """Return a point where all equations of all branches hold, by Newton's method, or None."""

    def stacked(name, at):
        return np.concatenate([getattr(branch, name)(at) for branch in branches])

    values = stacked("equations", theta)
    for _ in range(60):
        step = np.linalg.lstsq(stacked("equations_jacobian", theta), -values, rcond=1e-8)[0]
        length = 1.0
        while length > 1e-4:
            new = stacked("equations", theta + length * step)
            if np.linalg.norm(new) < np.linalg.norm(values):
                break
            length *= 0.5
        else:
            break
        theta, values = theta + length * step, new
    found = np.abs(values).max() < 1e-11 and np.abs(theta).max() < 1e3
    return theta if found and max(b.distance(theta) for b in branches) < 1e-6 else None
