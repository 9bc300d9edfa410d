"""Flat columns become a batch of the `EXCHANGE` table; rows without a usable time or account become quarantine entries.

Takes flat columns by their public names (`time`, `account_id`, `prompt` or `messages`, ...) as lists or Arrow arrays, and where
each row lies in its file. Gives a record batch, the quarantined rows and counted notes. This is the one place where
values are typed, so every format has the same rules for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.intake.columns import arrow_schema, typed
from stillwatch.intake.conversation import read_messages, structure, tool_names
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.times import MISSING, out_of_range, read_instant, read_instants
from stillwatch.records.campaign import Quarantined
from stillwatch.records.exchange import EXCHANGE

SCHEMA = arrow_schema(EXCHANGE)

POSITION = ("source_no", "source_offset", "source_length")
FLAT_NAMES = (
    "time",
    "account_created_at",
    "messages",
    *(name for name in EXCHANGE.names if name not in {"time_us", "account_created_us", *POSITION}),
)
"""The flat columns by their public names: what a generic file holds and what every format gives."""

NO_ACCOUNT = (
    "account is missing: expected the provider's account; name its field with the setting `account_field`, "
    "or give `default_account` for a log of one account"
)
_BLANK_ACCOUNT = r"^\s*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Where n rows lie."""

    source_no: Any
    """Integers [n]: number of the source file."""
    offset: Any
    """Integers [n]: first byte of the line, or row number in Parquet."""
    length: Any
    """Integers [n]: bytes of the line; 0 where the offset is a row number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What holds for a whole split while it is read."""

    paths: Mapping[int, str]
    """Path of each source file by its number."""
    settings: IntakeSettings
    zone: tzinfo | None
    """Zone of times written without one: the format's own, or the declared one."""


def exchange_batch(
    column: Callable[[str], Any | None], *, rows: int, positions: Positions, reading: Reading, notes: Counter[str]
) -> tuple[Any, list[Quarantined]]:
    """Type the columns and set the unusable rows aside.

    Args:
        column: gives a flat column by name as a list or an Arrow array of `rows` values, null where there is none.
        rows: number of rows, at least 1.
        positions: where the rows lie.
        reading: paths, settings and zone.
        notes: counts of values that were clamped or set to null; added to.

    Returns:
        (record batch of `EXCHANGE` with at most `rows` rows in the same order, the quarantined rows).
    """
    columns = _values(column, notes)
    _add_messages(column, columns, rows, notes)
    accounts = _accounts(columns.get("account_id"), rows, reading.settings)
    times, reasons = _times(column("time"), rows, reading)
    created = column("account_created_at")
    if created is not None:
        instants, unread = read_instants(created, reading.zone)
        columns["account_created_us"] = instants
        notes["account_created_at: unreadable time set to null"] += len(unread)
    columns["time_us"], columns["account_id"] = times, accounts
    columns["source_no"] = pa.array(positions.source_no, pa.int32())
    columns["source_offset"] = pa.array(positions.offset, pa.int64())
    columns["source_length"] = pa.array(positions.length, pa.int64())
    arrays = [_flat(columns[field.name]) if field.name in columns else pa.nulls(rows, field.type) for field in SCHEMA]
    for name in [name for name, count in notes.items() if count == 0]:
        del notes[name]
    keep = pc.and_(pc.is_valid(arrays[0]), pc.is_valid(arrays[1]))
    if pc.all(keep).as_py() is not False:
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA), []
    rejected = _rejected(arrays, pc.invert(keep), reasons, reading)
    kept = [array.filter(keep) for array in arrays]
    return pa.RecordBatch.from_arrays(kept, schema=SCHEMA), rejected


def _flat(array: Any) -> Any:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _values(column: Callable[[str], Any | None], notes: Counter[str]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for field in EXCHANGE.columns:
        if field.name in {"time_us", "account_created_us", *POSITION}:
            continue
        values = column(field.name)
        if values is None:
            continue
        if field.name == "tools":
            columns["tools"] = _tools(values)
            continue
        columns[field.name], lost = typed(values, field.type)
        if lost:
            notes[f"{field.name}: value clamped or set to null"] += lost
    return columns


def _tools(values: Any) -> Any:
    """Sort the tool names; each distinct text once, since most rows of an account name the same tools."""
    if isinstance(values, list):
        if not set(map(type, values)) <= {str, type(None)}:
            return pa.array([None if value is None else tool_names(value) for value in values], pa.string())
        values = pa.array(values, pa.string())
    if not pa.types.is_string(values.type):
        return _tools(values.to_pylist())
    encoded = values.dictionary_encode()
    names = pa.array([tool_names(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)


def _add_messages(column: Callable[[str], Any | None], columns: dict[str, Any], rows: int, notes: Counter[str]) -> None:
    """Fill prompt, system prompt and turns from `messages` where the row has no column of its own for them."""
    messages = column("messages")
    if messages is None:
        return
    listed = messages if isinstance(messages, list) else messages.to_pylist()
    read: dict[str, list[Any]] = {"prompt": [None] * rows, "system_prompt": [None] * rows, "turns": [None] * rows}
    for row, value in enumerate(listed):
        if value is None or value == "":
            continue
        said = structure(value)
        if isinstance(said, str | bytes):
            notes["messages: no JSON array of messages, left out"] += 1
            continue
        conversation = read_messages(said)
        read["prompt"][row] = conversation.prompt
        read["system_prompt"][row] = conversation.system_prompt
        read["turns"][row] = conversation.turns
    for name, values in read.items():
        filled, _ = typed(values, "int32" if name == "turns" else "string")
        own = columns.get(name)
        columns[name] = filled if own is None else pc.coalesce(own, filled)


def _accounts(accounts: Any | None, rows: int, settings: IntakeSettings) -> Any:
    if accounts is None:
        return pa.array([settings.default_account] * rows, pa.string())
    blank = pc.match_substring_regex(accounts, _BLANK_ACCOUNT)
    if pc.any(blank).as_py():
        accounts = pc.if_else(blank, pa.scalar(None, pa.string()), accounts)
    return accounts if settings.default_account is None else accounts.fill_null(settings.default_account)


def _times(values: Any | None, rows: int, reading: Reading) -> tuple[Any, dict[int, str]]:
    reasons: dict[int, str] = {}
    times = pa.nulls(rows, pa.int64())
    if values is not None:
        times, reasons = read_instants(values, reading.zone)
    times = _flat(times)
    if reading.settings.default_time is not None and times.null_count:
        default = read_instant(reading.settings.default_time, reading.zone)
        if isinstance(default, int):
            unread = np.zeros(rows, bool)
            unread[list(reasons)] = True
            filled = pc.if_else(pa.array(unread), pa.scalar(None, pa.int64()), pa.scalar(default, pa.int64()))
            times = pc.coalesce(times, filled)
    outside = out_of_range(times, reading.settings.now_us)
    if outside:
        unusable = np.zeros(rows, bool)
        unusable[list(outside)] = True
        times = pc.if_else(pa.array(unusable), pa.scalar(None, pa.int64()), times)
    return times, {**reasons, **outside}


def _rejected(arrays: Sequence[Any], rejected: Any, reasons: dict[int, str], reading: Reading) -> list[Quarantined]:
    times, accounts = arrays[0], arrays[1]
    source, offset, length = arrays[-3:]
    entries = []
    for row in pc.indices_nonzero(rejected).to_pylist():
        said = []
        if not times[row].is_valid:
            said.append(reasons.get(row, MISSING))
        if not accounts[row].is_valid:
            said.append(NO_ACCOUNT)
        entries.append(
            Quarantined(
                file=reading.paths[source[row].as_py()],
                offset=offset[row].as_py(),
                length=length[row].as_py(),
                reason="; ".join(said),
            )
        )
    return entries
