"""Settings of the whole suite; slow tests run only when a `-m` expression is given."""

import pytest
from hypothesis import settings

settings.register_profile("flowscape", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("flowscape")


def pytest_collection_modifyitems(config, items):
    """Skip what is marked slow: minutes of work, or imports of large peers."""
    if config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow; run with -m slow"))
