"""Errors of the integrity package.

The tree::

    StillwatchError
     └── IntegrityError
          ├── CanonicalFormError   a value has no canonical form
          └── DigestError          a table has a column whose type has no digest
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class IntegrityError(StillwatchError):
    """Base of all that goes wrong with canonical bytes and digests."""


class CanonicalFormError(IntegrityError):
    """A value has no canonical form; the message names its place and type, never the value."""


class DigestError(IntegrityError):
    """A table cannot be digested; the message names the column and its type."""
