"""The branch that is nearest to each of many points."""
