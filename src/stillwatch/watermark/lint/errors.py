"""Errors of the lint.

The tree::

    StillwatchError
     └── MarkSettingsError    a configuration that cannot be read, or holds no marking settings
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class MarkSettingsError(StillwatchError):
    """A configuration cannot be read; the message names file and line, and never holds a value."""
