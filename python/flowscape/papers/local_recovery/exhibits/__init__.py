"""Figures 1 to 8, Tables 1 and 2 and the worked examples."""

__all__ = ["EXHIBITS"]

EXHIBITS = ()
