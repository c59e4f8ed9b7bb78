"""Branches and sample sets."""

from __future__ import annotations

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.problem import Teacher, TwoLayer


@pytest.fixture
def rng():
    """A fixed random stream."""
    return np.random.default_rng(11)


def make(m, m0, d, activation="exp", bias=False, output_bias=False):
    small = TwoLayer(m0, d, activation, bias, 1, output_bias)
    theta = np.random.default_rng([m, m0, d]).normal(size=small.n_params)
    parts = small.unpack(theta)
    parts.a[...] = np.sign(parts.a) * (0.5 + np.abs(parts.a))
    return branches(TwoLayer(m, d, activation, bias, 1, output_bias), Teacher(small, theta))


@pytest.fixture
def family():
    """Build the branches of a random target."""
    return make
