"""Errors of evidence.

The tree::

    StillwatchError
     └── EvidenceError
          ├── CampaignsFileError      a campaigns file that is not one, or of another version
          ├── MissingLibraryError     a library of an extra that is not installed
          ├── indicators.errors.IndicatorError
          └── cases.errors.CaseError
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class EvidenceError(StillwatchError):
    """Evidence could not be written or read."""


class CampaignsFileError(EvidenceError):
    """A campaigns file does not hold what its layout promises."""


class MissingLibraryError(EvidenceError):
    """A library is needed that is not installed; the message names the extra."""
