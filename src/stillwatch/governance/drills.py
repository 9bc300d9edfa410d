"""Drills: what an exercise of a control showed, in one of three states that are never mixed into a score.

Takes figures and claims of a drill. Gives its result as a record for the ledger. A result expires: after thirty days, or once the version or the
settings that it names are no longer those in use. Ids of requirements are those of OWASP AISVS 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillwatch.governance.errors import DrillError
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.claim import Claim, Inconclusive

DRILL_RESULT = "drill result"
FORMAT = "stillwatch-drill-result/v1"
VALID_US = 30 * 86_400 * 1_000_000
"""How long a result speaks for a control."""


class ControlState(StrEnum):
    """What is known of a control."""

    MEASURED_PASS = "measured-pass"  # noqa: S105  # a state of a control
    """It was exercised, and did what it should."""
    MEASURED_FAIL = "measured-fail"
    """It was exercised, and did not."""
    ATTESTED_ONLY = "attested-only"
    """Somebody says so; nothing was measured."""


CONTROLS: Mapping[str, tuple[str, ...]] = {
    "campaign": ("v1.0-C11.3.1", "v1.0-C11.3.4", "v1.0-C12.2.2", "v1.0-C12.2.3"),
    "marking": ("v1.0-C11.3.3",),
    "surface": ("v1.0-C11.3.2",),
    "log": ("v1.0-C12.1.1", "v1.0-C12.1.3"),
}
"""Drill to the requirements that it exercises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """What a drill showed."""

    drill: str
    """`campaign`, `marking`, `surface` or `log`."""
    state: ControlState
    why: str
    """The state in one sentence, with its numbers."""
    controls: tuple[str, ...]
    version: str
    """Of stillwatch."""
    began_us: int
    """Microseconds UTC, of the clock on the wall."""
    ended_us: int
    expires_us: int
    settings: Mapping[str, Any]
    """What was exercised, and how; seeds included."""
    figures: Mapping[str, Any]
    """Counts and intervals."""
    claims: tuple[Claim | Inconclusive, ...]


def drill_record(result: DrillResult) -> bytes:
    """Give the canonical bytes of a result, for the ledger."""
    claims = [{"kind": type(one).__name__.lower(), **_fields(one)} for one in result.claims]
    fields = {name: getattr(result, name) for name in DrillResult.__slots__ if name != "claims"}
    return canonical_bytes({"format": FORMAT, **fields, "claims": claims})


def read_drill_record(record: bytes) -> dict[str, Any]:
    """Read a record that `drill_record` gave.

    Raises:
        DrillError: where it is none of a version that is known here.
    """
    try:
        said: dict[str, Any] = json.loads(record)
        sound = said["format"] == FORMAT and ControlState(said["state"])
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise DrillError(f"got a record that is no {FORMAT}; was it written by a newer version?")
    return said


def _fields(one: Claim | Inconclusive) -> dict[str, Any]:
    return {name: getattr(one, name) for name in type(one).__slots__}
