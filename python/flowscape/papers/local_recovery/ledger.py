"""The statements of the paper; the modules that examine them add theirs on import."""

from flowscape.papers.statement import Statements

__all__ = ["STATEMENTS"]

STATEMENTS = Statements()
