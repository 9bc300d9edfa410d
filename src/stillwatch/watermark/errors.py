"""Errors of the marks. No message holds a key or a text.

The tree::

    WatermarkError
     ├── SchemeError       a scheme is not known, or a parameter lies outside its range
     ├── MarkKeyError      a key file or a key cannot be used
     ├── TokenFileError    a file holds no tokens or texts that can be read
     └── TokenizerError    a tokenizer cannot be read, or is another one than the key names
          └── TokenizerMissingError   the library that reads it is not installed
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class WatermarkError(StillwatchError):
    """Base of all that goes wrong with schemes, keys and scoring."""


class SchemeError(WatermarkError):
    """A scheme is not known, or one of its parameters lies outside its range; the message names both."""


class MarkKeyError(WatermarkError):
    """A key cannot be used; the message names file, line and handle, never the key."""


class TokenFileError(WatermarkError):
    """A file holds no tokens or texts in a form that can be read; the message names file and place."""


class TokenizerError(WatermarkError):
    """A tokenizer cannot be read, or is not the one under which the key was used."""


class TokenizerMissingError(TokenizerError):
    """The library that reads a tokenizer is not installed; the message names the extra."""
