"""Parts of whole logs: made once, private, without text, said to be of their version, and read as the logs are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.holdings import read_holdings
from stillwatch.intake.errors import MostlyUnreadableError, TextNeededError
from stillwatch.intake.plan import plan
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.records.sketch import SKETCH
from stillwatch.sketches.batch import SKETCH_ARROW, SKETCH_VERSION
from stillwatch.sketches.errors import SketchPartError
from stillwatch.sketches.part_file import METADATA, drop_unfinished, part_facts, write_part_file
from stillwatch.sketching.logs import SketchedLogs, sketch_logs
from stillwatch.sketching.splits import sketches_of

WORD = "heliotrope"


def line(number: int, day: int = 1) -> str:
    row = {
        "time": f"2026-11-{day:02d}T10:{number % 60:02d}:00Z", "account_id": f"account-{number % 7}", "exchange_id": f"x-{day}-{number}",
        "prompt": f"Explain step by step how the {WORD} number {number} grows, and grade the answer of a friend from one to ten.",
        "response": f"First, the {WORD} opens.", "ip": "192.0.2.7",
    }  # fmt: skip
    return json.dumps(row)


def write_day(folder: Path, day: int, lines: int = 50, *more: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"day-{day}.jsonl"
    path.write_text("".join(f"{one}\n" for one in [*(line(number, day) for number in range(lines)), *more]))
    return path


def sketched(out: Path, *paths: Path, **settings: object) -> SketchedLogs:
    out.mkdir(exist_ok=True)
    return sketch_logs(tuple(map(str, paths)), out, "auto", IntakeSettings(**settings), 2, Silent())  # type: ignore[arg-type]


def rows_of(*paths: Path) -> pa.Table:
    planned = plan(expand_paths([str(path) for path in paths]), "auto", IntakeSettings(), takes_sketches=True)
    outputs = [output for split in planned.splits for output in sketches_of(split, planned.settings)]
    return pa.Table.from_batches([output.batch for output in outputs if output.batch.num_rows], schema=SKETCH_ARROW)


def test_a_part_is_made_once_and_a_new_day_costs_a_day(tmp_path: Path) -> None:
    logs, out = tmp_path / "logs", tmp_path / "parts"
    first = write_day(logs, 1)
    made = sketched(out, logs)
    assert (made.made, made.rows, made.read, len(made.parts)) == (1, 50, 50, 1)
    before = made.parts[0].stat().st_ino
    write_day(logs, 2, 30)
    again = sketched(out, logs)
    assert (again.made, again.rows, len(again.parts)) == (1, 30, 2)
    assert made.parts[0].stat().st_ino == before
    first.rename(logs / "moved.jsonl")  # the same bytes are the same part, wherever they lie
    assert sketched(out, logs).made == 0
    # Another reading of the same bytes is another part.
    assert sketched(out, logs, assume_zone="UTC").made == 2


def test_a_part_says_what_it_is_made_of_and_holds_no_text(tmp_path: Path) -> None:
    log = write_day(tmp_path / "logs", 1, 50, "{broken", '{"account_id": "account-1"}')
    made = sketched(tmp_path / "parts", log)
    (part,) = made.parts
    assert part.stat().st_mode & 0o777 == 0o600
    table = pq.read_table(part)
    assert table.schema.names == list(SKETCH.names)
    facts = part_facts(str(part))
    assert facts is not None
    assert (facts.form, facts.version, facts.format, facts.read, facts.quarantined) == (
        1,
        SKETCH_VERSION,
        "generic",
        52,
        2,
    )
    (source,) = facts.sources
    assert source.path == str(log)
    assert source.digest is not None
    assert source.digest.startswith("blake2b:")
    text = " ".join(str(value) for name in SKETCH.names for value in table[name].to_pylist())
    assert WORD not in text
    assert WORD.encode() not in part.read_bytes()
    # The rows of a part say where in the log their line lies.
    place = table.slice(3, 1).to_pylist()[0]
    with log.open("rb") as file:
        file.seek(place["source_offset"])
        assert json.loads(file.read(place["source_length"]))["exchange_id"] == place["exchange_id"]
    quarantine = part.with_name(f"{part.stem}.quarantine.jsonl")
    assert quarantine.stat().st_mode & 0o777 == 0o600
    entries = [json.loads(one) for one in quarantine.read_text().splitlines()]
    assert {entry["file"] for entry in entries} == {str(log)}
    assert len(entries) == 2
    assert WORD not in quarantine.read_text()


def test_the_sketches_of_a_part_are_those_of_the_log(tmp_path: Path) -> None:
    days = [write_day(tmp_path / "logs", day) for day in (1, 2, 3)]
    for day in days:
        sketched(tmp_path / "parts", day)
    live = [name for name in SKETCH.names if not name.startswith("source_")]
    whole, parts = rows_of(tmp_path / "logs"), rows_of(tmp_path / "parts")
    assert parts.select(live).sort_by("exchange_id").equals(whole.select(live).sort_by("exchange_id"))
    assert set(parts["source_length"].to_pylist()) == {0}
    for number in range(3):
        mine = parts.filter(pa.compute.equal(parts["source_no"], number))
        assert mine["source_offset"].to_pylist() == list(range(50))


def test_a_folder_of_parts_is_read_whatever_the_names_and_its_quarantine_is_no_log(tmp_path: Path) -> None:
    log = write_day(tmp_path / "logs", 1, 50, "{broken")
    (part,) = sketched(tmp_path / "parts", log).parts
    part.rename(part.with_name("renamed.parquet"))
    summary = detect(DetectSettings(paths=(str(tmp_path / "parts"),), out=tmp_path / "case", threads=1), Silent())
    assert (summary.counts["exchanges"], summary.formats) == (50, ["sketches"])
    assert summary.notes == {"sketched before: records that could not be read": 1}
    assert "quarantine.jsonl, an output of stillwatch" in summary.files_set_aside[0]["reason"]


def test_what_cannot_be_read_stops_with_no_part(tmp_path: Path) -> None:
    bad = write_day(tmp_path / "logs", 1, 20, *[f"{{broken {number}" for number in range(40)])
    with pytest.raises(MostlyUnreadableError, match=r"day-1\.jsonl: 40 of 60 records"):
        sketched(tmp_path / "parts", bad)
    # Too well mixed for the sample of its ends, and judged when it was read.
    lines = [line(number) for number in range(600)]
    lines[220:380] = ["{broken"] * 160
    lines[380:380] = ["{broken"] * 700
    bad.write_text("\n".join(lines))
    with pytest.raises(MostlyUnreadableError, match=r"day-1\.jsonl: 860 of 1300 lines"):
        sketched(tmp_path / "parts", bad)
    assert list((tmp_path / "parts").iterdir()) == []


def test_a_part_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    whole = rows_of(write_day(tmp_path / "logs", 1)).to_batches()

    def broken() -> Iterator[pa.RecordBatch]:
        yield from whole
        raise KeyError(WORD)

    with pytest.raises(KeyError):
        write_part_file(tmp_path, "sketches-x.parquet", broken(), lambda: pytest.fail("asked before the end"))
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_killed_while_it_writes_it_begins_again_where_it_was(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        write_day(tmp_path / "logs", day, 4_000)
    command = [sys.executable, "-m", "stillwatch.cli.main", "sketch", "logs", "--out", "parts"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not list((tmp_path / "parts").glob(".sketches-*.unfinished")) and time.monotonic() < end:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    there = {path.name for path in (tmp_path / "parts").glob("sketches-*.parquet")}
    assert len(there) < 3
    made = sketched(tmp_path / "parts", tmp_path / "logs")
    assert made.made == 3 - len(there)
    assert rows_of(*made.parts).num_rows == 12_000


def other(part: Path, **changes: object) -> Path:
    """Write a part anew, with another account of itself."""
    table = pq.read_table(part)
    said = {**orjson.loads(pq.read_metadata(part).metadata[METADATA]), **changes}
    path = part.with_name("other.parquet")
    pq.write_table(table.replace_schema_metadata({METADATA: orjson.dumps(said)}), path)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "sketch/v0"}, r"holds sketches of version 'sketch/v0' in form 1, made by stillwatch '0\.1\.0'; this one compares 'sketch/v1' in form 1"),
        ({"form": 2}, r"in form 2, made by"),
        ({"sources": 3}, r"what it says of itself cannot be read; sketch the log again"),
        ({"version": SKETCH_VERSION}, None),
    ],
)  # fmt: skip
def test_parts_of_another_version_are_refused_with_what_to_do(
    tmp_path: Path, changes: dict[str, object], words: str | None
) -> None:
    (part,) = sketched(tmp_path / "parts", write_day(tmp_path / "logs", 1)).parts
    path = other(part, **changes)
    if words is None:
        assert rows_of(path).num_rows == 50
        return
    with pytest.raises(SketchPartError, match=words) as raised:
        rows_of(path)
    assert "ketch the log again" in str(raised.value)


def test_a_part_without_all_its_columns_is_refused(tmp_path: Path) -> None:
    (part,) = sketched(tmp_path / "parts", write_day(tmp_path / "logs", 1)).parts
    said = {METADATA: pq.read_metadata(part).metadata[METADATA]}
    less = pq.read_table(part).drop_columns(["bands"]).replace_schema_metadata(said)
    pq.write_table(less, tmp_path / "less.parquet")
    with pytest.raises(SketchPartError, match="holds sketches of version"):
        rows_of(tmp_path / "less.parquet")


def test_a_damaged_row_group_is_one_entry_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.engines.parts.ROW_GROUP_ROWS", 100)
    monkeypatch.setattr("stillwatch.sketches.part_file.ROW_GROUP_ROWS", 100)
    (part,) = sketched(tmp_path / "parts", write_day(tmp_path / "logs", 1, 250)).parts
    place = pq.read_metadata(part).row_group(1).column(2).data_page_offset
    with part.open("r+b") as file:
        file.seek(place + 40)
        file.write(os.urandom(64))
    summary = detect(DetectSettings(paths=(str(part),), out=tmp_path / "case", threads=1), Silent())
    assert (summary.counts["exchanges"], summary.counts["quarantined"]) == (150, 1)
    (entry,) = [json.loads(one) for one in (tmp_path / "case" / "quarantine.jsonl").read_text().splitlines()]
    assert entry == {
        "file": str(part), "offset": 100, "length": 0, "reason": "row group 1 is damaged: rows 100 to 199 could not be read",
    }  # fmt: skip


def test_a_part_is_cut_between_row_groups_and_a_row_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.engines.parts.ROW_GROUP_ROWS", 100)
    monkeypatch.setattr("stillwatch.sketches.part_file.ROW_GROUP_ROWS", 100)
    (part,) = sketched(tmp_path / "parts", write_day(tmp_path / "logs", 1, 250)).parts
    monkeypatch.setattr("stillwatch.intake.plan._PACKED_BYTES", 0)
    planned = plan(expand_paths([str(part)]), "auto", IntakeSettings(), split_bytes=1, takes_sketches=True)
    assert len(planned.splits) == 3
    assert {split.format_name for split in planned.splits} == {"sketches"}
    batches = [one.batch for split in planned.splits for one in sketches_of(split, planned.settings)]
    rows = pa.Table.from_batches(batches)
    assert rows["source_offset"].to_pylist() == list(range(250))
    assert rows.equals(rows_of(part))


def test_what_a_killed_writer_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    old, new, part = (
        tmp_path / ".sketches-a.parquet.0.unfinished",
        tmp_path / ".sketches-b.parquet.0.unfinished",
        tmp_path / "sketches-c.parquet",
    )
    for path in (old, new, part):
        path.touch()
    os.utime(old, (1_000.0, 1_000.0))
    os.utime(part, (1_000.0, 1_000.0))
    drop_unfinished(tmp_path, 2_000.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((new.name, part.name))


def test_what_needs_text_says_so(tmp_path: Path) -> None:
    (part,) = sketched(tmp_path / "parts", write_day(tmp_path / "logs", 1)).parts
    with pytest.raises(TextNeededError, match="holds sketches, which have no text"):
        read_holdings([str(part)], None, IntakeSettings(), lambda *_: None)


def test_of_repeats_the_one_with_text_is_kept(tmp_path: Path) -> None:
    """A guard's log without text and its live sketches are the same exchanges."""
    log = write_day(tmp_path / "logs", 1)
    sketched(tmp_path / "parts", log)
    bare = [{**json.loads(one), "prompt": None, "response": None} for one in log.read_text().splitlines()]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in bare))
    both = (str(tmp_path / "a.jsonl"), str(tmp_path / "parts"))
    alone = detect(DetectSettings(paths=(str(log),), out=tmp_path / "alone", threads=1), Silent())
    mixed = detect(DetectSettings(paths=both, out=tmp_path / "mixed", threads=1), Silent())
    assert (mixed.counts["duplicates"], mixed.metadata_only) == (50, False)
    assert mixed.output_digest == alone.output_digest
