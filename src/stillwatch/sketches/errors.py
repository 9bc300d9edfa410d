"""Errors of the sketches.

The tree::

    StillwatchError
     └── SketchError
          ├── ExchangeColumnError   a column is missing, or is not of a type that a kernel reads
          ├── PhraseTableError      a phrase of the intent table breaks a rule of the table
          └── SketchPartError       a file of sketches that this version cannot use
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class SketchError(StillwatchError):
    """Base of all that goes wrong while an exchange is sketched."""


class ExchangeColumnError(SketchError):
    """The batch of exchanges does not have what a sketch needs; the message names the column."""


class PhraseTableError(SketchError):
    """A phrase cannot be matched as it is written; the message names its entry in the table."""


class SketchPartError(SketchError):
    """A file of sketches cannot be used; the message names the file and says what to do."""
