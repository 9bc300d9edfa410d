"""Times: one by one and by column the same, over units, zones and forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.intake.errors import SettingError
from stillwatch.intake.settings import IntakeSettings, zone_of
from stillwatch.intake.times import (
    EARLIEST_US,
    IN_FUTURE,
    MISSING,
    NAIVE,
    TOO_EARLY,
    UNREADABLE,
    out_of_range,
    read_instant,
    read_instants,
)

moments = st.integers(EARLIEST_US, 4_000_000_000_000_000)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(microseconds=moments, zone=offsets)
def test_iso_text_in_any_zone_is_the_instant(microseconds, zone):
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
    assert read_instant(moment.astimezone(zone).isoformat(), None) == microseconds
    assert read_instant(moment.astimezone(zone), None) == microseconds


@given(seconds=st.integers(EARLIEST_US // 10**6, 4_000_000_000))
def test_units_are_told_apart_by_magnitude(seconds):
    for factor in (1, 10**3, 10**6, 10**9):
        assert read_instant(seconds * factor, None) == seconds * 10**6
        assert read_instant(str(seconds * factor), None) == seconds * 10**6
        assert read_instant(float(seconds * factor), None) == pytest.approx(seconds * 10**6, abs=1)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    moments.map(lambda us: (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)).isoformat()),
    st.just("2026-10-23T08:00:01"),
    st.just("2026-10-23T08:00:01.123456789Z"),
)


@given(values=st.lists(anything, max_size=6))
def test_a_column_is_read_as_its_values_one_by_one(values):
    read, reasons = read_instants(values, None)
    for row, value in enumerate(values):
        single = read_instant(value, None)
        if isinstance(single, str):
            assert read[row].as_py() is None
            assert reasons.get(row, MISSING) == single
        else:
            assert read[row].as_py() == single


@given(values=st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=1, max_size=6))
def test_integer_columns_of_parquet_are_read_as_numbers_of_json(values):
    read, _ = read_instants(pa.array(values, pa.int64()), None)
    assert read.to_pylist() == [None if isinstance(one := read_instant(value, None), str) else one for value in values]


@given(values=st.lists(st.none() | st.floats(), min_size=1, max_size=6))
def test_float_columns_of_parquet_are_read_as_numbers_of_json(values):
    read, _ = read_instants(pa.array(values, pa.float64()), None)
    assert read.to_pylist() == [None if isinstance(one := read_instant(value, None), str) else one for value in values]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, MISSING), ("", MISSING), ("soon", UNREADABLE), (True, UNREADABLE), ([], UNREADABLE), (float("nan"), UNREADABLE),
     ("2026-10-23T08:00:01", NAIVE), ("2026-13-01T00:00:00Z", UNREADABLE), ("1e400", UNREADABLE), (10**30, UNREADABLE)],
)  # fmt: skip
def test_reason_of_an_unread_time(value, reason):
    assert read_instant(value, None) == reason


def test_range_is_from_2015_to_a_day_from_now():
    assert datetime(2015, 1, 1, tzinfo=UTC).timestamp() * 1e6 == EARLIEST_US
    now = 1_793_000_000_000_000
    day = 86_400_000_000
    times = pa.array([EARLIEST_US - 1, EARLIEST_US, None, now + day, now + day + 1])
    assert out_of_range(times, now) == {0: TOO_EARLY, 4: IN_FUTURE}
    assert out_of_range(times, None) == {0: TOO_EARLY}


@pytest.mark.parametrize("name", ["UTC", "Z", "Europe/Berlin", "+02:00", "-0330"])
def test_zones_that_are_accepted(name):
    assert datetime(2026, 1, 1, tzinfo=zone_of(name)).utcoffset() is not None


@pytest.mark.parametrize("name", ["Berlin", "+99:00", "../etc/passwd", "", "CET-ish"])
def test_zones_that_are_refused(name):
    with pytest.raises(SettingError, match="expected UTC, an IANA name"):
        IntakeSettings(assume_zone=name)


def test_other_settings_that_are_refused():
    with pytest.raises(SettingError, match="expected a year from 2015 to 2200"):
        IntakeSettings(year=26)
    with pytest.raises(SettingError, match="expected a text encoding"):
        IntakeSettings(encoding="klingon")
    with pytest.raises(SettingError, match="unknown settings colour"):
        IntakeSettings.from_dict({"colour": "red"})
