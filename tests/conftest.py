"""What holds for every test: properties are tried on the same examples each time, without a limit of time per example."""

from __future__ import annotations

from hypothesis import settings

# The machine may be shared, and kernels compile in the first example; a deadline would test that instead of the code.
settings.register_profile("stillwatch", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("stillwatch")
