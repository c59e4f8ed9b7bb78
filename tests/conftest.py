"""Settings of the whole suite."""

from hypothesis import settings

settings.register_profile("flowscape", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("flowscape")
