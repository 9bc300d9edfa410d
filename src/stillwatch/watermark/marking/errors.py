"""Errors of marking.

The tree::

    WatermarkError
     └── MarkingError
          ├── WorkerKeysError     the worker's file of keys cannot be used
          └── UnknownHandleError  a handle that the worker's table does not hold
"""

from __future__ import annotations

from stillwatch.watermark.errors import WatermarkError


class MarkingError(WatermarkError):
    """Base of all that goes wrong with marking."""


class WorkerKeysError(MarkingError):
    """The worker's file of keys cannot be used; the message never holds a key."""


class UnknownHandleError(MarkingError, ValueError):
    """The worker's table holds no such handle. A `ValueError` too, which engines answer with HTTP 400."""
