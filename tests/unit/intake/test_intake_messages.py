"""Golden messages: the words that people meet are part of the interface."""

from __future__ import annotations

import json

import pytest

from stillwatch.intake import errors
from stillwatch.intake.errors import IntakeError
from stillwatch.records.errors import StillwatchError

ROW = {"time": "2026-10-23T08:00:01Z", "account_id": "a"}

CASES = {
    "no account field": (
        [{"timestamp": 1_792_742_401, "user_id": "u", "prompt": "SECRET"}] * 4,
        {},
        (
            "log.jsonl: no known format; read as generic flat columns it lacks `time` and `account_id`; `timestamp` may be `time`: declare it "
            "with the setting `time_field`; `user_id` may be `account_id`: declare it with the setting `account_field`. See `stillwatch formats` "
            "for what each format needs"
        ),
    ),
    "account facts": (
        [{"account_id": "a", "payment_id": "p"}],
        {},
        "log.jsonl: this is a table of account facts; give it with `--accounts`, not a log of exchanges; leave it out of the paths",
    ),
    "own output": (
        [{"file": "f", "offset": 1, "length": 2, "reason": "r"}],
        {},
        "log.jsonl: this is quarantine.jsonl, an output of stillwatch, not a log of exchanges; leave it out of the paths",
    ),
    "two formats": (
        [{"schemaType": "ModelInvocationLog"}, {"a": 1}, {"b": 2}],
        {},
        (
            "log.jsonl: only 33% of the sampled records look like AWS Bedrock invocation log; a file holds one format. Split the file, or force "
            "the format with `--format bedrock` (other records are then quarantined)"
        ),
    ),
    "text": (
        ["SECRET words"],
        {},
        (
            "log.jsonl: no line is a JSON object, nor a line of a known text log (first at byte 0: no JSON: unexpected character, expected a "
            "JSON value at character 0); expected JSONL, a JSON array or Parquet"
        ),
    ),
    "csv": (
        ["time,account_id,prompt", "2026,SECRET,x"],
        {},
        "log.jsonl: this looks like CSV; convert it to Parquet or JSONL (for example with DuckDB: COPY ... TO 'log.parquet')",
    ),
    "no zone": (
        [{**ROW, "time": "2026-10-23T08:00:01"}] * 5,
        {},
        (
            "log.jsonl: 5 of 5 records at its head and end cannot be read as Generic flat columns (most often: time has no zone: expected "
            "ISO-8601 with a zone (Z or +hh:mm); declare the zone with the setting `assume_zone`). Name the columns `time` and `account_id`, or "
            "declare time_field and account_field."
        ),
    ),
    "wrong format forced": (
        [ROW] * 4,
        {"format_name": "kong"},
        (
            "log.jsonl: 4 of 4 records at its head and end cannot be read as Kong ai-proxy log (most often: no `started_at`: expected a record of "
            "a Kong log plug-in). The likely format is `generic` (Generic flat columns): give --format generic or auto"
        ),
    ),
    "what the source does not say": (
        [{"schemaType": "ModelInvocationLog", "requestMetadata": {"user": "u"}}],
        {},
        (
            "log.jsonl: no record can be read as AWS Bedrock invocation log (time is missing: expected a request time; name its field with the "
            "setting `time_field`, or give `default_time`). If requestMetadata or the role does not name the customer, declare account_field."
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name, tmp_path, monkeypatch, read):
    records, settings, words = CASES[name]
    monkeypatch.chdir(tmp_path)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    with pytest.raises(IntakeError) as caught:
        read("log.jsonl", **settings)
    assert str(caught.value) == words
    assert "SECRET" not in str(caught.value)


def test_errors_have_one_base_and_the_tree_names_them_all():
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, StillwatchError)]
    assert all(issubclass(kind, IntakeError) for kind in kinds if kind is not StillwatchError)
    for kind in kinds:
        if kind is not StillwatchError:
            assert f" {kind.__name__} " in f"{errors.__doc__} ".replace("\n", " ")
