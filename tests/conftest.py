"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# Laws, not times: on a busy machine any example may take long.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")
