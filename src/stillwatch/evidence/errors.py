"""Errors of evidence.

The tree::

    StillwatchError
     └── EvidenceError
          ├── CampaignsFileError         a campaigns file that is not one, or of another version
          ├── LedgerError                the ledger cannot do what is asked
          │    ├── EntryError            an entry that the ledger does not take
          │    └── LedgerDamagedError    what is kept is not what was signed, or does not agree with itself
          ├── SealError                  a sealed run that is not one, or files that are not those that were sealed
          ├── CanaryError                a set of canaries, or an opening of one, that cannot be used
          ├── AccessError                an actor may not do this
          ├── MissingLibraryError        a library of an extra that is not installed
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


class LedgerError(EvidenceError):
    """The ledger cannot do what is asked; the message says what it needs."""


class EntryError(LedgerError):
    """An entry that the ledger does not take; nothing of the batch was kept. The message never holds the record."""


class LedgerDamagedError(LedgerError):
    """What is kept is not what was signed, or does not agree with itself."""


class SealError(EvidenceError):
    """A sealed run that is not one, or files that are not those that were sealed."""


class CanaryError(EvidenceError):
    """A set of canaries, or an opening of one, cannot be used; the message never holds a question or an answer."""


class AccessError(EvidenceError):
    """The actor has no role that allows this; nothing was done and nothing shown."""
