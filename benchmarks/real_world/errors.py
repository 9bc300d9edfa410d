"""Errors of the real-data worlds.

The tree::

    StillwatchError
     └── RealWorldError
          ├── SourceAbsentError    a file of the third-party data is not there
          └── WorldSettingsError   a world that cannot be composed as asked
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class RealWorldError(StillwatchError):
    """The base of the errors of this package."""


class SourceAbsentError(RealWorldError):
    """A file of the third-party data is not there."""


class WorldSettingsError(RealWorldError):
    """The world cannot be composed as asked."""
