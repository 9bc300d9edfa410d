"""Errors of intake.

The tree::

    IntakeError
     ├── SettingError            a setting that cannot be used
     ├── SourceNotFoundError     a path, folder or glob without log files
     ├── UnreadableFileError     a file that cannot be opened or has no readable structure
     ├── UnknownFormatError      content that no format recognises
     ├── MostlyUnreadableError   a file in which more than half of the lines fail
     ├── TextNeededError         a file of sketches where a log with text is needed
     ├── CompanionFileError      an accounts or releases file that cannot be used
     └── RecordError             one record that cannot be read; becomes a quarantine entry, never reaches the user
          └── PassedOver         one record that is no exchange; is counted

Messages hold file names, byte offsets, field names, types and format names. They never hold a value of a text field.
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class IntakeError(StillwatchError):
    """The base of the errors of intake."""


class SettingError(IntakeError):
    """A setting of intake cannot be used."""


class SourceNotFoundError(IntakeError):
    """A path, folder or glob gives no log file."""


class UnreadableFileError(IntakeError):
    """A file cannot be opened, or its structure cannot be read at all."""


class UnknownFormatError(IntakeError):
    """No format recognises the content of a file."""


class MostlyUnreadableError(IntakeError):
    """More than half of the lines of a file cannot be read."""


class TextNeededError(IntakeError):
    """A file holds sketches, and what is to be done needs a log."""


class CompanionFileError(IntakeError):
    """An accounts or releases file cannot be used."""


class RecordError(IntakeError):
    """One record cannot be read. The reader turns it into a quarantine entry."""

    def __init__(self, reason: str) -> None:
        """Keep the reason, which says what was got and expected without any text of the record."""
        super().__init__(reason)
        self.reason = reason


class PassedOver(RecordError):  # noqa: N818 - it is no error: the record is whole, but no exchange
    """A record that is no exchange and need not be one. The reader counts it in the notes and quarantines nothing."""


SURPRISES = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a record raises when a value is of a kind that nobody thought of; the record is then quarantined."""
