"""Errors of cases.

The tree::

    EvidenceError
     └── CaseError
          ├── UnknownCaseError         a case that the store does not hold
          ├── CaseItemError            an item that a case cannot take
          ├── CaseKeyError             the key of a case is missing, not its own, or can be read by others
          ├── BundleError              a bundle that cannot be written or read
          └── BundleVerificationError  a bundle that is not what it says; the message begins with the step
"""

from __future__ import annotations

from stillwatch.evidence.errors import EvidenceError


class CaseError(EvidenceError):
    """A case cannot do what was asked."""


class UnknownCaseError(CaseError):
    """The store holds no such case."""


class CaseItemError(CaseError):
    """An item is of a form that a case cannot take."""


class CaseKeyError(CaseError):
    """The key of a case is missing, not its own, or readable by others."""


class BundleError(CaseError):
    """A bundle cannot be written or read."""


class BundleVerificationError(CaseError):
    """A bundle is not what it says."""
