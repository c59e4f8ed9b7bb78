"""Odd plus constant, even plus linear: one equation couples the groups of a branch."""
