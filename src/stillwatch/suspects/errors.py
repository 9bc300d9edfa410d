"""Errors of the suspects package.

The tree::

    StillwatchError
     └── SuspectError
          ├── PlanError            a plan cannot be read, or names what is not there
          ├── PlanChangedError     what was committed to is not what is there now
          ├── AccessSettingError   a party cannot be reached as the plan says
          ├── MaterialError        a material does not hold what a test reads
          └── JournalError         what was collected cannot be read, or does not belong to the plan
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class SuspectError(StillwatchError):
    """A suspect cannot be tested as asked."""


class PlanError(SuspectError):
    """A plan cannot be read, or names what is not there."""


class PlanChangedError(SuspectError):
    """The plan, its queries, its materials or the code are no longer what was committed to."""


class AccessSettingError(SuspectError):
    """A party cannot be reached as the plan says."""


class MaterialError(SuspectError):
    """A material does not hold what a test reads."""


class JournalError(SuspectError):
    """What was collected cannot be read, or does not belong to the plan."""
