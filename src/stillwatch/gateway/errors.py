"""Errors of the gateway.

The tree::

    StillwatchError
     └── GatewayError
          ├── GatewaySettingError    a setting that the gateway cannot work with
          └── UnreadableBodyError    a request body that is no JSON text, so that nothing could be found in it
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class GatewayError(StillwatchError):
    """Something at the gateway cannot be done."""


class GatewaySettingError(GatewayError):
    """A setting that the gateway cannot work with."""


class UnreadableBodyError(GatewayError):
    """A request body that is no JSON text; the message never repeats any of it."""
