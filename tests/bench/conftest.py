"""Tests marked slow import large libraries: they run only when a `-m` expression is given."""

import pytest


def pytest_collection_modifyitems(config, items):
    if config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="imports peers; run with -m slow"))
