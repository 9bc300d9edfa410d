"""Errors of governance.

The tree::

    StillwatchError
     └── GovernanceError
          ├── RuleFileError   rules for secrets that cannot be used
          └── PolicyFileError a policy of use that cannot be used
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class GovernanceError(StillwatchError):
    """Something that governance reads cannot be used."""


class RuleFileError(GovernanceError):
    """Rules for secrets cannot be used."""


class PolicyFileError(GovernanceError):
    """A policy of use cannot be used."""
