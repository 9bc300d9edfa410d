"""Errors of governance.

The tree::

    StillwatchError
     └── GovernanceError
          ├── RegisterError     a register's file that cannot be used
          ├── SourceError       a source's document that cannot be read or fetched
          ├── WatchStateError   what was seen before cannot be read or kept
          ├── RuleFileError     rules for secrets that cannot be used
          ├── PolicyFileError   a policy of use that cannot be used
          ├── CatalogueError    a catalogue of controls that cannot be used
          ├── AttestationError  a file of attestations that cannot be used
          ├── AssetsFileError   a register of assets that cannot be used
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


class CatalogueError(GovernanceError):
    """A catalogue of controls cannot be used."""


class AttestationError(GovernanceError):
    """A file of attestations cannot be used."""


class AssetsFileError(GovernanceError):
    """A register of assets cannot be used."""


class DrillError(GovernanceError):
    """A drill cannot be run, or its result cannot be read."""
