"""Errors of the gateway.

The tree::

    StillwatchError
     └── GatewayError
          ├── GatewaySettingError    a setting that the gateway cannot work with
          ├── ShadowLogError         a file that is no guard's log, or holds no text
          ├── ShadowSpoolError       a spool of shadow samples that cannot be used, or is damaged
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


class ShadowLogError(GatewayError):
    """A file that is no log of a guard; the message names file and line, never what stands there."""


class ShadowSpoolError(GatewayError):
    """A spool of shadow samples that cannot be used, or is damaged."""
