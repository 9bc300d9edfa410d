"""Errors of governance.

The tree::

    StillwatchError
     └── GovernanceError
          ├── RegisterError     a register's file that cannot be used
          ├── SourceError       a source's document that cannot be read or fetched
          └── WatchStateError   what was seen before cannot be read or kept
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class GovernanceError(StillwatchError):
    """Something that governance reads cannot be used."""


class RegisterError(GovernanceError):
    """A register's file cannot be used."""


class SourceError(GovernanceError):
    """A source's document cannot be read or fetched."""


class WatchStateError(GovernanceError):
    """What was seen before cannot be read or kept."""
