"""Errors of mark keys.

The tree::

    StillwatchError
     └── MarkKeyError
          ├── MasterSecretError       the master secret cannot be used, or is too weak
          ├── KeyFileFormatError      a file of keys that is none, or that others may read
          ├── OpeningError            an opening that does not fit its commitment
          └── MissingHsmLibraryError  the extra `pkcs11` is not installed
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class MarkKeyError(StillwatchError):
    """Base of all that goes wrong with mark keys."""


class MasterSecretError(MarkKeyError):
    """The master secret cannot be used; the message never holds it."""


class KeyFileFormatError(MarkKeyError):
    """A file of keys cannot be used; the message never holds a key."""


class OpeningError(MarkKeyError):
    """An opening does not fit its commitment."""


class MissingHsmLibraryError(MarkKeyError):
    """The library for PKCS#11 is not installed."""
