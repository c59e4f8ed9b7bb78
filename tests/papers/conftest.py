"""Statements are examined once, for all tests that look at them."""

from functools import cache

import pytest

from flowscape.papers import check


@pytest.fixture(scope="session")
def examined():
    """Return a function from paper and statement to its check."""

    @cache
    def examine(paper, statement):
        (found,) = (c for c in check(f"{paper}/{statement}") if c.statement == statement)
        return found

    return examine
