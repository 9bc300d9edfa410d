"""Errors of mark keys.

The tree::

    WatermarkError
     └── KeyDerivationError
          ├── MasterSecretError       the master secret cannot be used, or is too weak
          ├── OpeningError            an opening that does not fit its commitment
          └── MissingHsmLibraryError  the extra `hsm` is not installed
"""

from __future__ import annotations

from stillwatch.watermark.errors import WatermarkError


class KeyDerivationError(WatermarkError):
    """Base of all that goes wrong with mark keys."""


class MasterSecretError(KeyDerivationError):
    """The master secret cannot be used; the message never holds it."""


class OpeningError(KeyDerivationError):
    """An opening does not fit its commitment."""


class MissingHsmLibraryError(KeyDerivationError):
    """The library for PKCS#11 is not installed."""
