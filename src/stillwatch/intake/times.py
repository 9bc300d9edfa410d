"""Times: whatever a log writes becomes integer microseconds UTC, or a reason why not.

Takes ISO-8601 text with a zone, numbers (seconds, milli-, micro- or nanoseconds since the epoch, told apart by their
magnitude), numeric text, datetimes and Arrow timestamps. A time without a zone is refused unless a zone is declared; an Arrow
timestamp without a zone is taken as UTC, as Parquet writers store it. Times before 2015 are refused: no such API existed,
and a clock that is reset says 1970 or 2000.

Magnitude: seconds are below 1e11, milliseconds below 1e14, microseconds below 1e17. For times from 2015 to 5138 no two units
overlap. In a local zone's repeated hour the earlier instant is taken.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = (
    "time is missing: expected a request time; name its field with the setting `time_field`, or give `default_time`"
)
NAIVE = "time has no zone: expected ISO-8601 with a zone (Z or +hh:mm); declare the zone with the setting `assume_zone`"
UNREADABLE = "time is unreadable: expected ISO-8601 with a zone, or a number of s, ms, us or ns since the epoch"
TOO_EARLY = "time is before 2015: the clock was not set, or the number is in another unit"
IN_FUTURE = "time is more than a day in the future: the clock is wrong"

EARLIEST_US = 1_420_070_400_000_000
"""2015-01-01T00:00:00Z."""
LATEST_US = 95_617_584_000_000_000
"""5000-01-01T00:00:00Z: above it a number is no time of any unit that a log has."""
DAY_US = 86_400_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]\+?\d+)?")
_SECONDS, _MILLISECONDS, _MICROSECONDS = 1e11, 1e14, 1e17
_LARGEST = 9e18


def read_instant(value: object, zone: tzinfo | None) -> int | str:
    """Read one time.

    Args:
        value: text, number or datetime.
        zone: zone of text without one; null refuses it.

    Returns:
        Microseconds UTC, or the reason why the time cannot be read.
    """
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return UNREADABLE
    if isinstance(value, int):
        return _from_integer(value)
    if isinstance(value, float | Decimal):
        return _from_float(float(value))
    if isinstance(value, datetime):
        # A datetime without zone comes from a Parquet timestamp, which is UTC by the rule of this module.
        return _from_datetime(value if value.tzinfo is not None else value.replace(tzinfo=UTC))
    return _from_text(value.strip(), zone) if isinstance(value, str) else UNREADABLE


def _from_integer(value: int) -> int | str:
    size = abs(value)
    if size < _SECONDS:
        return value * 1_000_000
    if size < _MILLISECONDS:
        return value * 1000
    if size < _MICROSECONDS:
        return value
    return value // 1000 if size < _LARGEST else UNREADABLE


def _from_float(value: float) -> int | str:
    size = abs(value)
    if not size < _LARGEST:  # also refuses NaN
        return UNREADABLE
    if size < _SECONDS:
        return round(value * 1e6)
    if size < _MILLISECONDS:
        return round(value * 1e3)
    return round(value) if size < _MICROSECONDS else round(value * 1e-3)


def _from_datetime(value: datetime) -> int:
    return (value - _EPOCH) // _MICROSECOND


def _from_text(text: str, zone: tzinfo | None) -> int | str:
    if _NUMBER.fullmatch(text):
        return _from_float(float(text)) if not text.lstrip("-").isdigit() else _from_integer(int(text[:40]))
    if text[-4:].upper() in {" UTC", " GMT"}:
        text = f"{text[:-4]}+00:00"
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return UNREADABLE
    if value.tzinfo is None:
        if zone is None:
            return NAIVE
        value = value.replace(tzinfo=zone)
    try:
        return _from_datetime(value)
    except OverflowError:
        return UNREADABLE


def read_instants(values: Any, zone: tzinfo | None) -> tuple[Any, dict[int, str]]:
    """Read a column of times.

    Args:
        values: a list of Python values, or an Arrow array of n times in any form.
        zone: zone of text without one; null refuses it.

    Returns:
        (Arrow int64 [n], microseconds UTC, null where unread; the reason of each unread row that is not merely missing).
    """
    if isinstance(values, list):
        kinds = set(map(type, values))
        if kinds <= {str, type(None)}:
            return _from_strings(pa.array(values, pa.string()), zone)
        if kinds <= {int, type(None)}:
            try:
                return _from_numbers(pa.array(values, pa.int64())), {}
            except (OverflowError, pa.ArrowInvalid):
                return _one_by_one(values, zone)
        return _one_by_one(values, zone)
    kind = values.type
    if pa.types.is_timestamp(kind):
        unit = values.cast(pa.timestamp("us", kind.tz), safe=False)
        return unit.cast(pa.int64()), {}
    if pa.types.is_signed_integer(kind) or pa.types.is_unsigned_integer(kind):
        return _from_numbers(values.cast(pa.int64(), safe=False)), {}
    if pa.types.is_floating(kind):
        return _one_by_one(values.to_pylist(), zone) if kind.bit_width < 64 else (_from_floats(values), {})
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _from_strings(values, zone)
    return _one_by_one(values.to_pylist(), zone)


def _from_strings(values: Any, zone: tzinfo | None) -> tuple[Any, dict[int, str]]:
    # Arrow reads ISO-8601 with a zone a hundred times faster than one by one; it refuses the whole column for one other value.
    try:
        return values.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), {}
    except pa.ArrowInvalid:
        return _one_by_one(values.to_pylist(), zone)


def _from_numbers(values: Any) -> Any:
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    size = np.abs(numbers)
    scaled = np.select(
        [size < int(_SECONDS), size < int(_MILLISECONDS), size < int(_MICROSECONDS)],
        [numbers * 1_000_000, numbers * 1000, numbers],
        numbers // 1000,
    )
    return pa.array(scaled, pa.int64(), mask=values.is_null().to_numpy(zero_copy_only=False))


def _from_floats(values: Any) -> Any:
    numbers = values.fill_null(float("nan")).to_numpy(zero_copy_only=False)
    size = np.abs(numbers)
    known = size < _LARGEST
    numbers = np.where(known, numbers, 0.0)
    scale = np.select([size < _SECONDS, size < _MILLISECONDS, size < _MICROSECONDS], [1e6, 1e3, 1.0], 1e-3)
    return pa.array(np.rint(numbers * scale).astype(np.int64), pa.int64(), mask=~known)


def _one_by_one(values: list[object], zone: tzinfo | None) -> tuple[Any, dict[int, str]]:
    instants: list[int | None] = []
    reasons: dict[int, str] = {}
    for row, value in enumerate(values):
        read = read_instant(value, zone)
        if isinstance(read, str):
            instants.append(None)
            if read is not MISSING:
                reasons[row] = read
        else:
            instants.append(read)
    return pa.array(instants, pa.int64()), reasons


def out_of_range(instants: Any, now_us: int | None) -> dict[int, str]:
    """Find times that no request can have.

    Args:
        instants: Arrow int64 [n], microseconds UTC.
        now_us: present time; null leaves the future unchecked.

    Returns:
        The reason of each such row.
    """
    early = pc.less(instants, EARLIEST_US)
    late = pc.greater(instants, LATEST_US if now_us is None else now_us + DAY_US)
    reasons: dict[int, str] = {}
    for mask, reason in ((early, TOO_EARLY), (late, IN_FUTURE)):
        if pc.any(mask).as_py():
            rows = pc.indices_nonzero(mask.fill_null(False)).to_pylist()
            reasons.update(dict.fromkeys(rows, reason))
    return reasons
