"""Errors of evidence.

The tree::

    StillwatchError
     └── EvidenceError
          └── CampaignsFileError    a campaigns file that is not one, or of another version
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class EvidenceError(StillwatchError):
    """Evidence could not be written or read."""


class CampaignsFileError(EvidenceError):
    """A campaigns file does not hold what its layout promises."""
