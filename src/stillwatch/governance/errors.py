"""Errors of governance.

The tree::

    StillwatchError
     └── GovernanceError
          ├── RegisterError     a register's file that cannot be used
          ├── SourceError       a source's document that cannot be read or fetched
          ├── WatchStateError   what was seen before cannot be read or kept
          ├── RuleFileError     rules for secrets that cannot be used
          ├── PolicyFileError   a policy of use that cannot be used
          └── DrillError        a drill that cannot be run or read
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


class RuleFileError(GovernanceError):
    """Rules for secrets cannot be used."""


class PolicyFileError(GovernanceError):
    """A policy of use cannot be used."""


class DrillError(GovernanceError):
    """A drill cannot be run, or its result cannot be read."""
