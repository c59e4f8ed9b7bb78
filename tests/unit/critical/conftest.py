"""One random stream."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A fixed random stream."""
    return np.random.default_rng(8)
