"""Findings: what an audit found, without what it is, and what became of it since the last audit.

Takes values that were found and where. Gives findings, one for each value, with counts. A value is kept as a keyed fingerprint (HMAC-SHA256),
so that whoever holds a report cannot try card numbers against it, and a rerun under the same key knows the same value again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

LONGEST_MASK = 24
MOST_PLACES = 5


class FindingState(StrEnum):
    """What became of a finding since the last audit."""

    NEW = "new"
    OPEN = "open"
    FIXED = "fixed"
    """It was found by the last audit and is not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingPlace:
    """Where something was found."""

    file: str
    offset: int
    """First byte of the log line, or row number."""
    column: str
    """`prompt`, `system_prompt`, `response`; empty for what is about the exchange itself."""
    start: int
    """First byte in the text."""
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFinding:
    """One thing that was found, however often."""

    fingerprint: str
    """16 hex digits."""
    check: str
    """Which check found it, such as `secret` or `model not sanctioned`."""
    kind: str
    """Rule or kind, such as `github-token`."""
    masked: str
    """What may be shown."""
    clause: str
    """Of the policy; `no clause named` where the policy names none."""
    owner: str
    """Team or account; several joined by commas."""
    count: int
    first_us: int
    last_us: int
    places: tuple[FindingPlace, ...]
    """The first few."""
    state: FindingState = FindingState.NEW


def mask(value: bytes) -> str:
    """Give what may be shown of a value: its first characters where it is long, the rest as dots, never more than a quarter."""
    text = value.decode("utf-8", "replace")
    shown = min(4, len(text) // 4)
    return text[:shown] + "·" * min(len(text) - shown, LONGEST_MASK - shown)


def fingerprint(key: bytes, check: str, kind: str, value: bytes) -> str:
    """Give the keyed fingerprint of a value (RFC 2104 with SHA-256, 64 bits of it)."""
    return hmac.new(key, b"\0".join((check.encode(), kind.encode(), value)), hashlib.sha256).hexdigest()[:16]


def compare(now: Iterable[UseFinding], before: Mapping[str, UseFinding] | None) -> tuple[UseFinding, ...]:
    """Say of each finding what became of it.

    Args:
        now: of this audit.
        before: of the last one, by fingerprint, fixed ones left out; null where there was none.

    Returns:
        Findings of both, by check, kind and fingerprint.
    """
    found = {one.fingerprint: one for one in now}
    known = before or {}
    states = [
        replace(one, state=FindingState.OPEN if one.fingerprint in known else FindingState.NEW)
        for one in found.values()
    ]
    states += [replace(one, state=FindingState.FIXED) for name, one in known.items() if name not in found]
    return tuple(sorted(states, key=lambda one: (one.check, one.kind, one.fingerprint)))


def counted(findings: Sequence[UseFinding]) -> dict[str, dict[str, int]]:
    """Count findings by check and state."""
    table: dict[str, dict[str, int]] = {}
    for one in findings:
        row = table.setdefault(one.check, {state.value: 0 for state in FindingState})
        row[one.state.value] += 1
    return table
