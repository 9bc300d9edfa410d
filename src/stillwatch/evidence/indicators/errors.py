"""Errors of indicators.

The tree::

    EvidenceError
     └── IndicatorError
          ├── IndicatorKeyError         a key file that is not one, or that others can read
          ├── IndicatorFileError        a file that holds no indicators that can be read
          ├── NotShareableError         a campaign that must not be shared
          └── PrivateIntersectionError  a message of the private intersection that cannot be used
"""

from __future__ import annotations

from stillwatch.evidence.errors import EvidenceError


class IndicatorError(EvidenceError):
    """Indicators could not be made, read or matched."""


class IndicatorKeyError(IndicatorError):
    """A key file cannot be used, or another key was used than ours."""


class IndicatorFileError(IndicatorError):
    """A file does not hold indicators that can be read."""


class NotShareableError(IndicatorError):
    """A campaign must not be shared."""


class PrivateIntersectionError(IndicatorError):
    """A message of the private intersection cannot be used."""
