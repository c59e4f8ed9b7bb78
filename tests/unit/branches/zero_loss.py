"""What every list of components, and every path of zero loss, must be."""

import numpy as np
import pytest

from flowscape import connect, connected_components


def homes(family):
    """Return for every branch the components it stands in."""
    found = {}
    for number, component in enumerate(connected_components(family)):
        for index in component:
            found.setdefault(index, []).append(number)
    return found


def walked(family, a, b, gap, rng):
    """Return a path, checked by `gap`: distances (N,) of networks (N, P) from the target."""
    path = connect(family, a, b)
    np.testing.assert_array_equal(path.vertices[0], a)
    np.testing.assert_array_equal(path.vertices[-1], b)
    assert len(path.notes) == len(path.vertices) - 1
    points = np.concatenate([path.points(301), path.vertices])
    scale = (1.0 + np.abs(points).max(axis=1)) ** 2
    assert (gap(points, rng) < 1e-12 * scale).all()
    assert path.length >= path.straight_length * (1 - 1e-12)
    steps = np.linalg.norm(np.diff(path.points(4001), axis=0), axis=1).sum()
    assert steps == pytest.approx(path.length, rel=2e-2)
    return path
