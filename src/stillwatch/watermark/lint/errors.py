"""Errors of the lint.

The tree::

    WatermarkError
     └── MarkSettingsError    a configuration that cannot be read, or holds no marking settings
"""

from __future__ import annotations

from stillwatch.watermark.errors import WatermarkError


class MarkSettingsError(WatermarkError):
    """A configuration cannot be read; the message names file and line, and never holds a value."""
