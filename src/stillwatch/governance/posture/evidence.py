"""Evidence: what the checks of posture look at. All of it is entries of the ledger, read by whoever opened it.

Takes nothing. Gives plain records: this part of the tree knows no ledger and no store.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US


class EntryKind(StrEnum):
    """Kinds of entries that the checks and the audit report read, as those who write them call them."""

    APPEAL_DECIDED = "appeal decided"
    ASSETS_REGISTERED = "assets registered"
    AUDIT_REPORT = "audit report"
    BUNDLE_ISSUED = "bundle issued"
    CANARY_SLOTS = "canary slots committed"
    CASE_ERASED = "case erased"
    CASE_ITEM = "case item"
    DECISION_APPROVED = "decision approved"
    DECISION_PROPOSED = "decision proposed"
    DRILL_RESULT = "drill result"
    INDICATORS_SHARED = "indicators shared"
    KEYS_EXPORTED = "mark keys exported"
    KEYS_REFUSED = "mark keys refused"
    KEY_ISSUED = "mark key issued"
    KEY_RETIRED = "mark key retired"
    KEY_REVEALED = "mark key revealed"
    LAW_CHANGE = "law change"
    LAW_WORK_CLOSED = "law work closed"
    LOG_COVERAGE = "log coverage measured"
    POSTURE = "posture"
    RUN_SEALED = "run sealed"
    SHADOW_ERASED = "shadow sample erased"
    SHADOW_SEALED = "shadow sample sealed"
    SUSPECT_CONCLUDED = "suspect concluded"
    SUSPECT_PLANNED = "suspect planned"
    TERMS_ADDED = "terms added"
    TERMS_ACCEPTED = "terms accepted"
    TEXT_LOOKED_AT = "text looked at"
    TEXT_REFUSED = "text refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEntry:
    """An entry of the ledger, its record read."""

    index: int
    kind: str
    time_us: int
    """By the ledger's clock; microseconds UTC."""
    actor: str
    digest: str
    """`sha256:` and 64 hex digits of the record."""
    record: Mapping[str, Any]
    """Empty where the record is no JSON object. Whoever may append can write any record under any kind, so nothing of it is taken for granted."""

    def part(self, name: str) -> Mapping[str, Any]:
        """Give an inner object of the record; empty where there is none."""
        inner = self.record.get(name)
        return inner if isinstance(inner, dict) else {}

    def rows(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Give the objects of a list in the record; empty where there are none."""
        inner = self.record.get(name)
        return tuple(one for one in inner if isinstance(one, dict)) if isinstance(inner, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Somebody else's word on a checkpoint: a time stamp or a cosignature."""

    size: int
    """Entries that it covers."""
    by: str
    at_us: int
    """By their clock; microseconds UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known at one moment."""

    now_us: int
    """The moment that is asked about; nothing later is held."""
    version: str
    """Of stillwatch."""
    size: int = 0
    """Entries of the ledger at that moment."""
    oldest_unsigned_us: int | None = None
    """Time of the first entry that no checkpoint covers; null where all are covered."""
    signed: int = 0
    """Entries that the largest checkpoint covers."""
    seals: tuple[Seal, ...] = ()
    entries: Mapping[str, tuple[RecordedEntry, ...]] = field(default_factory=dict)
    """By kind, oldest first."""

    def of(self, kind: EntryKind) -> tuple[RecordedEntry, ...]:
        """Give the entries of a kind, oldest first."""
        return self.entries.get(kind.value, ())

    def newest(self, kind: EntryKind) -> RecordedEntry | None:
        """Give the last entry of a kind."""
        found = self.of(kind)
        return found[-1] if found else None

    def of_drill(self, drill: str) -> Iterator[RecordedEntry]:
        """Give the results of one drill, newest first."""
        return (one for one in reversed(self.of(EntryKind.DRILL_RESULT)) if one.record.get("drill") == drill)


def day_of(time_us: int) -> str:
    """Give the day of a moment, `YYYY-MM-DD` in UTC."""
    return dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC).date().isoformat()


def days_between(early_us: int, late_us: int) -> int:
    """Give whole days from one moment to another."""
    return (late_us - early_us) // DAY_US
