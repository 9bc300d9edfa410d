"""Accounts file: facts that a provider knows of its accounts and its request logs do not say.

Takes a Parquet, CSV, JSON or JSONL file with `account_id` and any of `organization_id`, `payment_id`, `email_domain`,
`account_created_at`, `licence`, `closed_at`. Gives the `ACCOUNT_FACTS` table, sorted by account, one row each, and what was
left out. Rows that say the same twice are one; rows that contradict each other are refused, since a join would double exchanges.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import pyarrow as pa

from stillwatch.intake.columns import arrow_schema, text_of
from stillwatch.intake.companion_tables import Columns, read_columns
from stillwatch.intake.errors import CompanionFileError
from stillwatch.intake.settings import zone_of
from stillwatch.intake.times import read_instant
from stillwatch.records.exchange import ACCOUNT_FACTS

_OTHER_NAMES = {
    "account_created_at": "account_created_us",
    "created_at": "account_created_us",
    "closed_at": "closed_us",
    "license": "licence",
    "organisation_id": "organization_id",
}
_TIMES = ("account_created_us", "closed_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """What an accounts file says."""

    table: Any
    """Arrow table of `ACCOUNT_FACTS`, sorted by account_id, each account once."""
    unknown_columns: tuple[str, ...]
    """Columns of the file that were left out, sorted."""
    notes: tuple[tuple[str, int], ...]
    """(what, how often): rows without an account, times that could not be read."""


def read_account_facts(path: str, assume_zone: str | None = None) -> AccountFacts:
    """Read an accounts file.

    Args:
        path: Parquet, CSV, JSON or JSONL. Times are ISO-8601, numbers (s, ms, us or ns since the epoch) or Parquet timestamps; a
            date alone is its first instant.
        assume_zone: zone of times without one; null takes UTC for dates and refuses other such times.

    Raises:
        CompanionFileError: when the file cannot be read, has no `account_id`, contradicts itself, or most of its times fail.
        SettingError: when there is no such zone.
    """
    columns = read_columns(path)
    zone = None if assume_zone is None else zone_of(assume_zone)
    named, unknown = _named(path, columns)
    notes: Counter[str] = Counter()
    rows: dict[str, tuple[Any, ...]] = {}
    count = len(named["account_id"])
    values = [
        _column(name, named[name], path=path, zone=zone, notes=notes) if name in named else [None] * count
        for name in ACCOUNT_FACTS.names
    ]
    for number, row in enumerate(zip(*values, strict=True), start=1):
        account = row[0]
        if account is None:
            notes["row without account_id left out"] += 1
        elif rows.setdefault(account, row) != row:
            raise CompanionFileError(
                f"{path}: account {account!r} occurs twice with different facts (second time in row {number}); give each account once"
            )
    ordered = [rows[account] for account in sorted(rows)]
    schema = arrow_schema(ACCOUNT_FACTS)
    arrays = [pa.array([row[place] for row in ordered], field.type) for place, field in enumerate(schema)]
    return AccountFacts(
        table=pa.table(arrays, schema=schema),
        unknown_columns=unknown,
        notes=tuple(sorted(notes.items())),
    )


def _named(path: str, columns: Columns) -> tuple[Columns, tuple[str, ...]]:
    named: Columns = {}
    unknown = []
    for name, values in columns.items():
        known = _OTHER_NAMES.get(name, name)
        if known not in ACCOUNT_FACTS.names:
            unknown.append(name)
        elif known in named:
            raise CompanionFileError(f"{path}: column `{name}` says the same as another column; keep one of them")
        else:
            named[known] = values
    if "account_id" not in named:
        raise CompanionFileError(
            f"{path}: no column `account_id` (got {', '.join(sorted(columns)) or 'none'}); name the column of the account so"
        )
    return named, tuple(sorted(unknown))


def _column(name: str, values: list[Any], *, path: str, zone: tzinfo | None, notes: Counter[str]) -> list[Any]:
    if name not in _TIMES:
        texts = [text_of(value) for value in values]
        return [text.strip() or None if text is not None else None for text in texts]
    read = [moment(value, zone) for value in values]
    failed = sum(
        1
        for value, instant in zip(values, read, strict=True)
        if isinstance(instant, str) and value is not None and value != ""
    )
    given = sum(1 for value in values if value is not None and value != "")
    if failed * 2 > given:
        raise CompanionFileError(
            f"{path}: {failed} of {given} times of `{name.removesuffix('_us')}_at` cannot be read; expected ISO-8601 with a zone, "
            "numbers since the epoch, or declare the zone with the setting `assume_zone`"
        )
    if failed:
        notes[f"{name.removesuffix('_us')}_at: unreadable time set to null"] += failed
    return [None if isinstance(instant, str) else instant for instant in read]


def moment(value: Any, zone: tzinfo | None) -> int | str:
    """Read a time of a companion file: as in logs, but a date alone is its first instant, in UTC if no zone is declared.

    Returns:
        Microseconds UTC, or the reason why the time cannot be read.
    """
    if isinstance(value, str) and len(value.strip()) == len("2026-01-31"):
        return read_instant(value, zone or zone_of("UTC"))
    if value is not None and not isinstance(value, str | int | float) and not hasattr(value, "hour"):
        return read_instant(str(value), zone or zone_of("UTC"))  # a Parquet date
    return read_instant(value, zone)
