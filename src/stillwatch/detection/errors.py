"""Errors of detection.

StillwatchError
 └── DetectionError
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class DetectionError(StillwatchError):
    """Detection cannot go on with what it was given."""
