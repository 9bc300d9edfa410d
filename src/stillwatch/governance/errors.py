"""Errors of governance.

The tree::

    StillwatchError
     └── GovernanceError
          └── DrillError    a drill that cannot be run or read
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class GovernanceError(StillwatchError):
    """Something about posture, audit or watch cannot be done."""


class DrillError(GovernanceError):
    """A drill cannot be run, or its result cannot be read."""
