"""Errors of the command line.

The tree::

    StillwatchError
     └── CommandLineError
          ├── OptionError             a value that an option cannot take
          ├── ResultFileError         a folder that does not hold what `stillwatch detect` writes
          ├── AccountNotFoundError    an account that the detection never saw
          ├── OutputError             a folder that cannot be written to
          └── MissingExtraError       an extra of the package is not installed
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class CommandLineError(StillwatchError):
    """The command cannot be carried out as it was given."""


class OptionError(CommandLineError):
    """An option has a value that it cannot take."""


class ResultFileError(CommandLineError):
    """A result file is missing or is not one."""


class AccountNotFoundError(CommandLineError):
    """The detection never saw the account."""


class OutputError(CommandLineError):
    """Output cannot be written."""


class MissingExtraError(CommandLineError):
    """An extra of the package is not installed."""
