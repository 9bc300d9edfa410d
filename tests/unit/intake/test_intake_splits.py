"""Splits: where files are cut, packed or compressed changes no exchange and no quarantine entry."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.intake.collector import BATCH_BYTES, BATCH_ROWS
from stillwatch.intake.errors import MostlyUnreadableError
from stillwatch.intake.plan import plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.intake.split import Piece, Split
from stillwatch.intake.tallies import FileTallies

START = 1_792_742_401_120_000


def mixed_log(seed: int, size: int = 400) -> bytes:
    """A log with good and bad lines, several time forms, other line ends and non-ASCII text."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(size):
        kind = rng.integers(0, 12)
        time: object = START + number
        if kind == 0:
            rows.append(b"garbage")
            continue
        if kind == 1:
            time = "2026-10-23T08:00:01Z"
        if kind == 2:
            time = "not a time"
        row = {"time": time, "account_id": f"a{number}", "prompt": "é" * int(rng.integers(0, 60)), "max_tokens": number}
        if kind == 3:
            row["account_id"] = None
        if kind == 4:
            row["max_tokens"] = "many"
        end = b"\r" if kind == 5 else b""
        rows.append(json.dumps(row, ensure_ascii=bool(kind % 2)).encode() + end)
    return b"\n".join(rows) + (b"\n" if seed % 2 else b"")


def content(result) -> tuple:
    entries = sorted((entry.file, entry.offset, entry.length, entry.reason) for entry in result.quarantined)
    return result.table.to_pylist(), entries, result.notes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("split_bytes", [1, 7, 100, 1000, 9999])
def test_cuts_of_a_plain_file_change_nothing(seed, split_bytes, tmp_path, read):
    path = tmp_path / "log.jsonl"
    path.write_bytes(mixed_log(seed))
    whole = read(path)
    assert len(whole.quarantined) > 20
    cut = read(path, split_bytes=split_bytes)
    assert content(cut) == content(whole)
    assert len([piece for split in cut.plan.splits for piece in split.pieces]) >= path.stat().st_size // (
        split_bytes + 400
    )


def test_compression_changes_nothing_but_the_path(tmp_path, read):
    log = mixed_log(1)
    variants = {"log.jsonl": log, "log.jsonl.gz": gzip.compress(log), "log.jsonl.zst": zstandard.compress(log)}
    results = []
    for name, packed in variants.items():
        (tmp_path / name).write_bytes(packed)
        rows, entries, notes = content(read(tmp_path / name))
        results.append((rows, [entry[1:] for entry in entries], notes))
    assert results[0] == results[1] == results[2]


def test_a_json_array_holds_the_same_exchanges_as_lines(tmp_path, read):
    rows = [
        {"time": START + number, "account_id": f"a{number}", "prompt": 'brackets ]} and "quotes\\"'}
        for number in range(300)
    ]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "array.json").write_text(json.dumps(rows))
    (tmp_path / "pretty.json").write_text(json.dumps(rows, indent=2))
    (tmp_path / "objects.json").write_text("\n".join(json.dumps(row, indent=1) for row in rows))
    expected = [(row["account_id"], row["prompt"]) for row in rows]
    for name in ("lines.jsonl", "array.json", "pretty.json", "objects.json"):
        result = read(tmp_path / name)
        assert result.quarantined == []
        assert [(row["account_id"], row["prompt"]) for row in result.rows] == expected
        text = (tmp_path / name).read_bytes()
        for row, source in zip(result.rows, rows, strict=True):
            assert json.loads(text[row["source_offset"] : row["source_offset"] + row["source_length"]]) == source


def test_row_groups_and_splits_of_parquet_change_nothing(tmp_path, read):
    rng = np.random.default_rng(5)
    size = 1000
    table = pa.table(
        {
            "time": pa.array(
                [None if number % 50 == 0 else START + number for number in range(size)], pa.timestamp("us", "UTC")
            ),
            "account_id": [None if number % 77 == 0 else f"a{number % 9}" for number in range(size)],
            "prompt": [rng.bytes(20).hex() for _ in range(size)],
            "input_tokens": pa.array(rng.integers(-3, 2**33, size)),
        }
    )
    results = []
    for group, split_bytes in ((1000, 64 << 20), (100, 1), (100, 5_000), (7, 64 << 20), (333, 5000)):
        path = tmp_path / f"{group}" / "log.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, path, row_group_size=group)
        rows, entries, notes = content(read(path, split_bytes=split_bytes))
        results.append((rows, [entry[1:] for entry in entries], notes))
    assert all(result == results[0] for result in results[1:])
    rows, entries, _ = results[0]
    assert len(rows) + len(entries) == size
    assert [row["source_offset"] for row in rows] == sorted(row["source_offset"] for row in rows)
    assert entries[0] == (0, 0, entries[0][2]), "row 0 has neither time nor account; its place is its row number"
    assert "time is missing" in entries[0][2]
    assert "account is missing" in entries[0][2]


def test_order_of_paths_changes_nothing(tmp_path, read):
    paths = []
    for number in range(5):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(mixed_log(number, 50))
        paths.append(path)
    assert content(read(*paths)) == content(read(*reversed(paths), tmp_path))


def test_split_survives_json_and_is_read_alone(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(mixed_log(3))
    planned = plan(expand_paths([str(path)]), split_bytes=2000)
    for split in planned.splits:
        assert Split.from_json(split.to_json()) == split
    backwards = [output.batch for split in reversed(planned.splits) for output in read_split(split, planned.settings)]
    forwards = [output.batch for split in planned.splits for output in read_split(split, planned.settings)]
    assert sum(batch.num_rows for batch in backwards) == sum(batch.num_rows for batch in forwards)
    assert pa.Table.from_batches(backwards).sort_by("source_offset") == pa.Table.from_batches(forwards)


def test_split_holds_plain_values_only(tmp_path):
    piece = Piece(path="a", number=3, kind="plain", layout="lines", start=5, stop=None, first_row=7, whole=False)
    split = Split(format_name="generic", pieces=(piece,))
    assert json.loads(split.to_json())["pieces"][0]["number"] == 3
    assert Split.from_json(split.to_json()) == split


def test_batches_keep_their_limits(tmp_path, read):
    rows = 70_000
    path = tmp_path / "short.jsonl"
    path.write_bytes(b"".join(b'{"time":%d,"account_id":"a"}\n' % (START + number) for number in range(rows)))
    result = read(path)
    assert sum(output.batch.num_rows for output in result.outputs) == rows
    assert max(output.batch.num_rows for output in result.outputs) <= BATCH_ROWS
    long = tmp_path / "long.parquet"
    text = "x" * (1 << 20)
    pq.write_table(pa.table({"time": [START] * 150, "account_id": ["a"] * 150, "prompt": [text] * 150}), long)
    result = read(long)
    assert sum(output.batch.num_rows for output in result.outputs) == 150
    assert max(output.batch.nbytes for output in result.outputs) <= BATCH_BYTES


def test_parquet_row_over_the_text_limit_is_quarantined(tmp_path, read):
    path = tmp_path / "long.parquet"
    prompts = ["short", "x" * (17 << 20), "short"]
    pq.write_table(pa.table({"time": [START] * 3, "account_id": ["a", "b", "c"], "prompt": prompts}), path)
    result = read(path)
    assert [row["account_id"] for row in result.rows] == ["a", "c"]
    assert [(entry.offset, entry.reason) for entry in result.quarantined] == [
        (1, "row of more than 16777216 bytes of text")
    ]
    assert sum(output.rows_read for output in result.outputs) == 3


def test_file_of_several_splits_is_judged_by_the_tallies(tmp_path):
    path = tmp_path / "log.jsonl"
    good = b"".join(b'{"time":%d,"account_id":"a"}\n' % (START + number) for number in range(3000))
    path.write_bytes(good + b"garbage \n" * 40_000 + good)
    sources = expand_paths([str(path)])
    planned = plan(sources, split_bytes=50_000)
    tallies = FileTallies({source.number: source.path for source in sources})
    for split in planned.splits:
        for output in read_split(split, planned.settings):
            tallies.add(output)
    with pytest.raises(MostlyUnreadableError, match="40000 of 46000 lines could not be read"):
        tallies.check()


def test_small_files_share_a_split_and_large_ones_do_not(tmp_path, read):
    for number in range(30):
        (tmp_path / f"{number:02}.jsonl").write_bytes(b'{"time":%d,"account_id":"a%d"}\n' % (START, number))
    assert len(read(tmp_path).plan.splits) == 1
    assert len(read(tmp_path, split_bytes=1).plan.splits) == 1, "files up to 16 MB are packed in any case"
    assert [row["account_id"] for row in read(tmp_path).rows] == [f"a{number}" for number in range(30)]


def test_settings_survive_their_dictionary():
    settings = IntakeSettings(assume_zone="Europe/Paris", default_account="a", year=2026, now_us=5)
    assert IntakeSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_files_of_different_formats_are_read_in_one_run(tmp_path, read):
    (tmp_path / "a.jsonl").write_bytes(b'{"time":%d,"account_id":"flat"}\n' % START)
    bedrock = {
        "schemaType": "ModelInvocationLog", "timestamp": "2026-10-23T08:00:01Z", "requestMetadata": {"user": "aws"},
        "modelId": "m", "requestId": "r", "operation": "Converse",
    }  # fmt: skip
    (tmp_path / "b.json").write_text(json.dumps(bedrock))
    result = read(tmp_path)
    assert result.formats == ["generic", "bedrock"]
    assert [(row["account_id"], row["source_no"]) for row in result.rows] == [("flat", 0), ("aws", 1)]


def test_tables_about_accounts_in_a_folder_of_logs_are_set_aside_not_read(tmp_path, read):
    pq.write_table(pa.table({"time": [START], "account_id": ["a"]}), tmp_path / "traffic.parquet")
    pq.write_table(pa.table({"account_id": ["a"], "payment_id": ["p"]}), tmp_path / "accounts.parquet")
    pq.write_table(pa.table({"account_id": ["a"], "label": ["honest"], "family": ["x"]}), tmp_path / "truth.parquet")
    result = read(tmp_path)
    assert [Path(file.source.path).name for file in result.plan.files] == ["traffic.parquet"]
    assert [Path(item.path).name for item in result.plan.set_aside] == ["accounts.parquet", "truth.parquet"]
    assert "account facts" in result.plan.set_aside[0].reason
    assert "planted truth" in result.plan.set_aside[1].reason
