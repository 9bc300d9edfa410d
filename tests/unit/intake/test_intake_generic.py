"""Generic flat columns: the same values whether they come as Parquet columns, JSONL values or an array of objects."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.intake.columns import ARROW_TYPES
from stillwatch.intake.errors import UnknownFormatError
from stillwatch.intake.exchange_batch import FLAT_NAMES, SCHEMA
from stillwatch.records.exchange import EXCHANGE

TIME = 1_792_742_401_120_000
FULL = {
    "time": TIME,
    "account_id": "acct_1",
    "exchange_id": "e1",
    "organization_id": "org",
    "api_key_id": "k",
    "ip": "203.0.113.7",
    "user_agent": "curl/8",
    "tls_fingerprint": "t13d",
    "country": "SG",
    "payment_id": "p1",
    "email_domain": "example.org",
    "account_created_at": 1_700_000_000,
    "model": "m",
    "endpoint": "chat",
    "system_prompt": "be kind",
    "prompt": "hello",
    "content_complete": True,
    "response": "hi",
    "reasoning": "greeting",
    "turns": 2,
    "tools": "b, a,b",
    "session_id": "s",
    "input_tokens": 3,
    "output_tokens": 4,
    "reasoning_tokens": 1,
    "cache_read_tokens": 2,
    "temperature": 0.7,
    "top_p": 0.9,
    "max_tokens": 100,
    "n": 1,
    "stream": False,
    "status": 200,
    "finish_reason": "stop",
    "latency_ms": 12,
}
EXPECTED = {
    **{name: value for name, value in FULL.items() if name not in {"time", "account_created_at"}},
    "time_us": TIME,
    "account_created_us": 1_700_000_000_000_000,
    "tools": "a,b",
}


def without_place(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if not key.startswith("source_")} for row in rows]


def test_every_column_of_the_issue_is_read_from_both_kinds_of_file(tmp_path, read):
    assert set(FULL) | {"messages"} == set(FLAT_NAMES)
    (tmp_path / "log.jsonl").write_text(json.dumps(FULL))
    pq.write_table(pa.Table.from_pylist([FULL]), tmp_path / "log.parquet")
    for name in ("log.jsonl", "log.parquet"):
        result = read(tmp_path / name)
        assert without_place(result.rows) == [EXPECTED]
        assert result.notes == {}
        assert result.plan.files[0].left_out == ()


def test_batches_have_the_exchange_schema():
    assert tuple(SCHEMA.names) == EXCHANGE.names
    for column in EXCHANGE.columns:
        assert SCHEMA.field(column.name).type == ARROW_TYPES[column.type]
        assert SCHEMA.field(column.name).nullable is not column.required


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.timestamp("us", "UTC"), TIME),
        (pa.timestamp("ms", "UTC"), TIME // 1000),
        (pa.timestamp("ns", "UTC"), TIME * 1000),
        (pa.timestamp("us"), TIME),
        (pa.timestamp("us", "Europe/Berlin"), TIME),
        (pa.int64(), TIME),
        (pa.int64(), TIME // 1000),
        (pa.int64(), TIME * 1000),
        (pa.uint64(), TIME),
        (pa.float64(), TIME / 1e6),
        (pa.float64(), TIME / 1e3),
        (pa.string(), "2026-10-23T08:00:01.120Z"),
        (pa.large_string(), "2026-10-23T10:00:01.120+02:00"),
        (pa.decimal128(20, 6), TIME / 1e6),
    ],
)
def test_parquet_times_of_any_type_are_the_same_instant(kind, value, tmp_path, read):
    array = pa.array([Decimal("1792742401.120000")], kind) if pa.types.is_decimal(kind) else pa.array([value], kind)
    pq.write_table(pa.table({"time": array, "account_id": ["a"]}), tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet").row["time_us"] == TIME


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2, None], pa.int64(), ["1", "2", None]),
        ([1.0, 2.5, None], pa.float64(), ["1", "2.5", None]),
        (["x", "y", None], pa.dictionary(pa.int32(), pa.string()), ["x", "y", None]),
        (["x", "", None], pa.large_string(), ["x", None, None]),
        ([b"x", b"y", None], pa.binary(), ["x", "y", None]),
        ([True, False, None], pa.bool_(), ["true", "false", None]),
    ],
)
def test_parquet_text_columns_of_any_type(values, kind, expected, tmp_path, read):
    table = pa.table({"time": [TIME] * 3, "account_id": ["a"] * 3, "session_id": pa.array(values, kind)})
    pq.write_table(table, tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet").table["session_id"].to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "kind", "expected", "noted"),
    [
        ([1, -1, 2**31, None], pa.int64(), [1, None, 2**31 - 1, None], 2),
        ([1.9, -1.0, 1e12, None], pa.float64(), [1, None, 2**31 - 1, None], 2),
        ([float("nan"), float("inf"), 7.0, None], pa.float64(), [None, None, 7, None], 2),
        (["12", "many", "", None], pa.string(), [12, None, None, None], 1),
        ([1, 2**63 + 5, 0, None], pa.uint64(), [1, 2**31 - 1, 0, None], 1),
        ([1, 2, 3, None], pa.int8(), [1, 2, 3, None], 0),
    ],
)
def test_counts_are_clamped_or_null_and_noted(values, kind, expected, noted, tmp_path, read):
    table = pa.table({"time": [TIME] * 4, "account_id": ["a"] * 4, "max_tokens": pa.array(values, kind)})
    pq.write_table(table, tmp_path / "log.parquet")
    result = read(tmp_path / "log.parquet")
    assert result.table["max_tokens"].to_pylist() == expected
    assert result.notes.get("max_tokens: value clamped or set to null", 0) == noted
    lines = [json.dumps({"time": TIME, "account_id": "a", "max_tokens": value}) for value in values]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert read(tmp_path / "log.jsonl").table["max_tokens"].to_pylist() == expected


def test_messages_fill_prompt_system_prompt_and_turns(tmp_path, read):
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "image_url", "image_url": {}}]},
    ]
    rows = [
        {"time": TIME, "account_id": "structure", "messages": messages},
        {"time": TIME, "account_id": "text", "messages": json.dumps(messages)},
        {"time": TIME, "account_id": "own prompt wins", "messages": messages, "prompt": "own", "turns": 9},
        {"time": TIME, "account_id": "unreadable", "messages": "not json"},
        {"time": TIME, "account_id": "none", "messages": None},
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = read(tmp_path / "log.jsonl")
    asked = {"prompt": "second", "system_prompt": "be kind", "turns": 2}
    said = [{key: row.get(key) for key in asked} for row in result.rows]
    nothing = dict.fromkeys(asked)
    assert said == [asked, asked, {**asked, "prompt": "own", "turns": 9}, nothing, nothing]
    assert result.notes == {"messages: no JSON array of messages, left out": 1}


def test_messages_of_parquet_may_be_text_or_lists_of_structures(tmp_path, read):
    messages = [{"role": "user", "content": "hello"}]
    for name, values in (("text", [json.dumps(messages), None]), ("structure", [messages, None])):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"time": [TIME, TIME], "account_id": ["a", "b"], "messages": values}), path)
        assert [row.get("prompt") for row in read(path).rows] == ["hello", None]


def test_columns_that_are_not_known_are_named(tmp_path, read):
    row = {"time": TIME, "account_id": "a", "prompt": "p", "colour": "red", "request_cost": 1}
    (tmp_path / "log.jsonl").write_text(json.dumps(row))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "log.parquet")
    for name in ("log.jsonl", "log.parquet"):
        assert read(tmp_path / name).plan.files[0].left_out == ("colour", "request_cost")


def test_other_names_are_declared_by_path(tmp_path, read):
    row = {"ts": "2026-10-23T08:00:01.120Z", "caller": {"id": "acct_1"}, "prompt": "p"}
    (tmp_path / "log.jsonl").write_text(json.dumps(row))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "log.parquet")
    for name in ("log.jsonl", "log.parquet"):
        with pytest.raises(UnknownFormatError, match="`ts` may be `time`: declare it with the setting `time_field`"):
            read(tmp_path / name)
        result = read(tmp_path / name, time_field="ts", account_field="caller.id")
        assert without_place(result.rows) == [{"time_us": TIME, "account_id": "acct_1", "prompt": "p"}]


def test_default_account_and_time_fill_only_what_is_missing(tmp_path, read):
    rows = [{"time": TIME, "account_id": "a"}, {"time": None, "account_id": None}, {"time": "never", "account_id": "b"}]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = read(tmp_path / "log.jsonl", default_account="one", default_time="2026-01-01T00:00:00Z")
    assert [(row["account_id"], row["time_us"]) for row in result.rows] == [("a", TIME), ("one", 1_767_225_600_000_000)]
    assert result.reasons[0].startswith("time is unreadable"), "a time that is there and wrong is not replaced"


def test_datetime_columns_without_zone_are_utc_in_parquet_but_not_in_text(tmp_path, read):
    naive = dt.datetime(2026, 10, 23, 8, 0, 1, 120_000)  # noqa: DTZ001
    pq.write_table(pa.table({"time": [naive], "account_id": ["a"]}), tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet").row["time_us"] == TIME


def test_empty_parquet_file_has_no_exchanges(tmp_path, read):
    table = pa.table({"time": pa.array([], pa.timestamp("us")), "account_id": pa.array([], pa.string())})
    pq.write_table(table, tmp_path / "empty.parquet")
    pq.write_table(pa.table({"time": [TIME], "account_id": ["a"]}), tmp_path / "log.parquet")
    assert len(read(tmp_path).rows) == 1


def test_declared_columns_make_a_log_generic_though_it_looks_like_request_bodies(tmp_path, read):
    row = {
        "ts": TIME,
        "who": "a",
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "response": "hello",
        "output_tokens": 3,
    }
    (tmp_path / "log.jsonl").write_text(json.dumps(row))
    result = read(tmp_path / "log.jsonl", time_field="ts", account_field="who")
    assert result.formats == ["generic"]
    expected = {
        "time_us": TIME,
        "account_id": "a",
        "model": "m",
        "prompt": "hi",
        "turns": 1,
        "response": "hello",
        "output_tokens": 3,
    }
    assert without_place(result.rows) == [expected]
