"""Whatever a log does to intake, the rest of it is read, and what could not be read is named by its bytes and a reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.intake.errors import MostlyUnreadableError, UnknownFormatError, UnreadableFileError
from stillwatch.intake.lines import LINE_LIMIT

UNSEEN = "the-prompt-nobody-may-see"
NOW = 1_793_000_000_000_000


def record(number: int = 0, **other: object) -> dict:
    return {
        "time": "2026-10-23T08:00:01.120Z",
        "account_id": f"acct_{number}",
        "prompt": f"{UNSEEN} {number}",
        **other,
    }


def lines(*records: object) -> bytes:
    return b"".join((item if isinstance(item, bytes) else json.dumps(item).encode()) + b"\n" for item in records)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def checked(result) -> None:
    """No reason may hold text of the log, and every span must lie where it says."""
    assert not any(UNSEEN in reason for reason in result.reasons)
    assert sum(output.rows_read for output in result.outputs) == len(result.rows) + len(result.quarantined)


def test_unreadable_line_is_quarantined_with_file_span_and_reason(tmp_path, read):
    broken = b'{"time": "2026-10-23T08:00:01Z", "account_id": "a", "prompt": "' + UNSEEN.encode()
    path = write(tmp_path / "log.jsonl", lines(record(0), broken, record(1), record(2)))
    result = read(path)
    checked(result)
    assert [row["account_id"] for row in result.rows] == ["acct_0", "acct_1", "acct_2"]
    (entry,) = result.quarantined
    content = path.read_bytes()
    assert entry.file == str(path)
    assert content[entry.offset : entry.offset + entry.length] == broken
    assert entry.reason.startswith("no JSON: ")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1, 2]", "a JSON list, expected an object"),
        (b"42", "a JSON int, expected an object"),
        (b"{}", "neither `time` nor `account_id`: expected generic flat columns"),
        (b'{"time": "2026-10-23T08:00:01Z"}', "account is missing"),
        (b'{"time": "2026-10-23T08:00:01Z", "account_id": ""}', "account is missing"),
        (b'{"time": "2026-10-23T08:00:01Z", "account_id": " \\t"}', "account is missing"),
        (b'{"time": "2026-10-23T08:00:01Z", "account_id": {"a": 1}}', "account is missing"),
        (b'{"account_id": "a"}', "time is missing"),
        (b'{"account_id": "a", "time": null}', "time is missing"),
        (b'{"account_id": "a", "time": "yesterday"}', "time is unreadable"),
        (b'{"account_id": "a", "time": true}', "time is unreadable"),
        (b'{"account_id": "a", "time": "2026-10-23T08:00:01"}', "time has no zone"),
        (b'{"account_id": "a", "time": "2001-10-23T08:00:01Z"}', "time is before 2015"),
        (b'{"account_id": "a", "time": 0}', "time is before 2015"),
        (b'{"account_id": "a", "time": "2026-10-27T09:00:00Z"}', "time is more than a day in the future"),
        (b'{"account_id": "a", "time": 99999999999999999999999999}', "time is"),
        (b"\0\0\0\0\0\0\0\0", "8 NUL bytes, expected JSON"),
        (b'{"account_id": "a\0b"}', "NUL byte at character 17"),
        (b'{"account_id": "a\xe9b"}', "byte 17 is no UTF-8"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "JSON is nested too deeply"),
        (b'{"account_id": "a"} trailing', "no JSON"),
        (b"<html>", "no JSON"),
    ],
)
def test_bad_line_among_good_ones(line, reason, tmp_path, read):
    path = write(tmp_path / "log.jsonl", lines(record(0), record(1), line, record(2)))
    result = read(path, now_us=NOW)
    checked(result)
    assert len(result.rows) == 3
    (entry,) = result.quarantined
    assert entry.reason.startswith(reason)
    assert path.read_bytes()[entry.offset : entry.offset + entry.length] == line


def test_line_of_50_megabytes_is_passed_over_in_bounded_memory(tmp_path, read):
    path = tmp_path / "log.jsonl"
    with path.open("wb") as file:
        file.write(lines(record(0), record(1)))
        begin = file.tell()
        file.write(b'{"prompt": "')
        for _ in range(50):
            file.write(b"x" * (1 << 20))
        end = file.tell()
        file.write(b"\n" + lines(record(2), record(3)))
    pieces = read(path)
    checked(pieces)
    assert [row["account_id"] for row in pieces.rows] == ["acct_0", "acct_1", "acct_2", "acct_3"]
    (entry,) = pieces.quarantined
    assert (entry.offset, entry.length) == (begin, end - begin)
    assert entry.reason == f"line of {end - begin} bytes, expected at most {LINE_LIMIT}"


def test_line_of_50_megabytes_at_the_end_and_alone(tmp_path, read):
    path = write(tmp_path / "log.jsonl", lines(record(0), record(1), record(2)) + b"{" + b"y" * (50 << 20))
    result = read(path)
    assert len(result.rows) == 3
    assert [entry.length for entry in result.quarantined] == [(50 << 20) + 1]
    with pytest.raises(UnknownFormatError, match="no line is a JSON object"):
        read(write(tmp_path / "alone.jsonl", b"y" * (50 << 20)))


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.999])
def test_cut_compressed_file_gives_what_was_readable_and_one_entry(kind, kept, tmp_path, read):
    rng = np.random.default_rng(7)
    # Random text does not compress, so that a cut file keeps about its share of the lines.
    content = lines(*(record(number, prompt=rng.bytes(400).hex()) for number in range(2000)))
    whole = gzip.compress(content) if kind == "gz" else zstandard.ZstdCompressor().compress(content)
    path = write(tmp_path / f"log.jsonl.{kind}", whole[: int(len(whole) * kept)])
    result = read(path)
    cut = [entry for entry in result.quarantined if "file is cut" in entry.reason]
    assert len(cut) == 1
    assert len(result.quarantined) <= 2, "the last line may be cut as well"
    # zstd gives whole blocks of 128 kB only
    assert 2000 * kept - 320 <= len(result.rows) <= 2000
    assert [row["account_id"] for row in result.rows] == [f"acct_{number}" for number in range(len(result.rows))]


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_damaged_compressed_file_keeps_what_stands_before_the_damage(kind, tmp_path, read):
    rng = np.random.default_rng(7)
    content = lines(*(record(number, prompt=rng.bytes(400).hex()) for number in range(2000)))
    whole = bytearray(
        gzip.compress(content) if kind == "gz" else zstandard.ZstdCompressor(write_checksum=True).compress(content)
    )
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    result = read(write(tmp_path / f"log.jsonl.{kind}", bytes(whole)))
    assert any("data is damaged" in reason or "no JSON" in reason for reason in result.reasons)
    assert len(result.rows) >= 600
    assert result.rows[0]["account_id"] == "acct_0"


def test_gzip_of_several_members_and_padding_is_one_log(tmp_path, read):
    content = gzip.compress(lines(record(0), record(1))) + gzip.compress(lines(record(2))) + bytes(512)
    result = read(write(tmp_path / "log.jsonl.gz", content))
    assert len(result.rows) == 3
    assert result.quarantined == []


def test_gzip_followed_by_other_bytes_says_so(tmp_path, read):
    content = gzip.compress(lines(*(record(number) for number in range(5)))) + b"not gzip"
    result = read(write(tmp_path / "log.jsonl.gz", content))
    assert len(result.rows) == 5
    assert [entry.reason for entry in result.quarantined] == [
        "bytes after the end of the gzip data are no gzip data; the rest of the file is unread"
    ]


def test_zstd_of_several_frames_is_one_log(tmp_path, read):
    compress = zstandard.ZstdCompressor().compress
    result = read(write(tmp_path / "log.jsonl.zst", compress(lines(record(0))) + compress(lines(record(1)))))
    assert [row["account_id"] for row in result.rows] == ["acct_0", "acct_1"]


def test_compression_is_told_by_content_not_by_name(tmp_path, read):
    result = read(write(tmp_path / "log.jsonl", gzip.compress(lines(record(0)))))
    assert result.row["account_id"] == "acct_0"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_file_with_byte_order_mark_is_read(encoding, tmp_path, read):
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    text = lines(record(0, prompt="Grüße, 世界 \u010a"), record(1), record(2)).decode()
    # ensure_ascii off: the characters themselves, one of which (U+010A) has the byte of a line feed
    text = "\n".join(json.dumps(json.loads(line), ensure_ascii=False) for line in text.splitlines()) + "\n"
    path = write(tmp_path / "log.jsonl", marks.get(encoding, b"") + text.encode(encoding))
    result = read(path)
    assert result.quarantined == []
    assert result.rows[0]["prompt"] == "Grüße, 世界 \u010a"
    content = path.read_bytes()
    for row in result.rows:
        span = content[row["source_offset"] : row["source_offset"] + row["source_length"]]
        codec = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
        assert json.loads(span.decode(codec))["account_id"] == row["account_id"]


def test_utf_16_without_mark_is_named(tmp_path, read):
    path = write(tmp_path / "log.jsonl", lines(record(0), record(1)).decode().encode("utf-16-le"))
    with pytest.raises(UnknownFormatError, match=r"UTF-16 text without a byte-order mark.*`encoding` \(utf-16-le\)"):
        read(path)
    assert len(read(path, encoding="utf-16-le").rows) == 2


def test_latin_1_lines_are_quarantined_until_the_encoding_is_declared(tmp_path, read):
    accented = '{"time": "2026-10-23T08:00:01Z", "account_id": "a", "prompt": "café"}'.encode("latin-1")
    path = write(tmp_path / "log.jsonl", lines(record(0), record(1), accented))
    result = read(path)
    assert len(result.rows) == 2
    assert "is no UTF-8: declare the encoding" in result.reasons[0]
    declared = read(path, encoding="latin-1")
    assert declared.quarantined == []
    assert declared.rows[2]["prompt"] == "café"


def test_latin_1_file_stops_with_the_setting_to_declare(tmp_path, read):
    accented = '{"time": "2026-10-23T08:00:01Z", "account_id": "a", "prompt": "café"}'.encode("latin-1")
    with pytest.raises(
        (MostlyUnreadableError, UnknownFormatError), match="declare the encoding with the setting `encoding`"
    ):
        read(write(tmp_path / "log.jsonl", lines(record(0), *[accented] * 5)))


def test_crlf_blank_lines_and_missing_last_line_end(tmp_path, read):
    content = lines(record(0), record(1)).replace(b"\n", b"\r\n\r\n  \r\n") + json.dumps(record(2)).encode()
    path = write(tmp_path / "log.jsonl", content)
    result = read(path)
    assert result.quarantined == []
    assert [json.loads(content[r["source_offset"] : r["source_offset"] + r["source_length"]]) for r in result.rows] == [
        record(0), record(1), record(2),
    ]  # fmt: skip


def test_empty_files_are_set_aside_and_named(tmp_path, read):
    write(tmp_path / "a.jsonl", b"")
    write(tmp_path / "b.jsonl", b"\n \n")
    write(tmp_path / "c.jsonl", lines(record(0)))
    result = read(tmp_path)
    assert len(result.rows) == 1
    assert [(Path(item.path).name, item.reason) for item in result.plan.set_aside] == [
        ("a.jsonl", "the file is empty"),
        ("b.jsonl", "the file is empty"),
    ]
    with pytest.raises(UnknownFormatError, match="there is nothing to read"):
        read(tmp_path / "a.jsonl")


def test_mixed_zones_and_units_are_the_same_instant(tmp_path, read):
    same = [
        "2026-10-23T08:00:01.120Z",
        "2026-10-23T10:00:01.120+02:00",
        "2026-10-23 03:30:01.120-04:30",
        "2026-10-23 08:00:01.120 UTC",
        1792742401.12,
        1792742401120,
        1792742401120000,
        1792742401120000000,
        "1792742401120000000",
        "1792742401.12",
    ]
    result = read(write(tmp_path / "log.jsonl", lines(*(record(0, time=time) for time in same))))
    assert result.quarantined == []
    assert {row["time_us"] for row in result.rows} == {1_792_742_401_120_000}


def test_naive_times_need_a_declared_zone(tmp_path, read):
    path = write(tmp_path / "log.jsonl", lines(*(record(0, time="2026-07-23T08:00:01") for _ in range(5))))
    with pytest.raises(MostlyUnreadableError, match="declare the zone with the setting `assume_zone`"):
        read(path)
    assert read(path, assume_zone="UTC").rows[0]["time_us"] == 1_784_793_601_000_000
    assert read(path, assume_zone="Europe/Berlin").rows[0]["time_us"] == 1_784_793_601_000_000 - 7200 * 10**6
    assert read(path, assume_zone="-03:30").rows[0]["time_us"] == 1_784_793_601_000_000 + 12600 * 10**6


def test_future_is_unchecked_without_a_clock(tmp_path, read):
    path = write(tmp_path / "log.jsonl", lines(*(record(0, time="2100-01-01T00:00:00Z") for _ in range(5))))
    assert len(read(path).rows) == 5
    with pytest.raises(MostlyUnreadableError, match="more than a day in the future"):
        read(path, now_us=NOW)


def test_a_clock_one_day_ahead_is_still_accepted(tmp_path, read):
    day = 86_400_000_000
    content = lines(record(0), record(1), record(2, time=NOW + day), record(3, time=NOW + day + 1))
    result = read(write(tmp_path / "log.jsonl", content), now_us=NOW)
    assert [row["account_id"] for row in result.rows] == ["acct_0", "acct_1", "acct_2"]
    assert result.reasons == ["time is more than a day in the future: the clock is wrong"]


def test_last_of_duplicate_keys_holds(tmp_path, read):
    line = b'{"time": "2026-10-23T08:00:01Z", "account_id": "first", "account_id": "second"}'
    assert read(write(tmp_path / "log.jsonl", lines(line))).row["account_id"] == "second"


def test_repeated_deliveries_pass_through(tmp_path, read):
    result = read(write(tmp_path / "log.jsonl", lines(*[record(0, exchange_id="e1")] * 3)))
    assert [row["exchange_id"] for row in result.rows] == ["e1"] * 3


def test_no_exchange_is_lost_for_an_optional_field(tmp_path, read):
    """A client chooses max_tokens and temperature: it may not take itself out of the data by a silly value."""
    odd = record(
        0,
        max_tokens=10**12,
        n=10**30,
        input_tokens=-1,
        output_tokens="742",
        temperature="hot",
        top_p=b"NaN".decode(),
        stream="maybe",
        status=200.7,
        tools={"x": 1},
        ip={"a": [1]},
        turns=None,
    )
    nan = b'{"time": "2026-10-23T08:00:01Z", "account_id": 48213, "temperature": NaN, "max_tokens": Infinity}'
    result = read(write(tmp_path / "log.jsonl", lines(odd, nan, record(2))))
    assert result.quarantined == []
    first, second, _ = result.rows
    assert first["max_tokens"] == first["n"] == 2**31 - 1
    assert first["output_tokens"] == 742
    assert first["status"] == 200
    assert not {"input_tokens", "temperature", "top_p", "stream", "ip", "turns"} & set(first)
    assert second["account_id"] == "48213"
    assert not {"temperature", "max_tokens"} & set(second)
    assert result.notes["max_tokens: value clamped or set to null"] == 2
    assert result.notes["input_tokens: value clamped or set to null"] == 1


def test_account_as_number_is_its_text(tmp_path, read):
    values = [48213, 48213.0, "48213", True]
    result = read(write(tmp_path / "log.jsonl", lines(*(record(0, account_id=value) for value in values))))
    assert [row["account_id"] for row in result.rows] == ["48213", "48213", "48213", "true"]


def test_lone_surrogate_becomes_the_replacement_character(tmp_path, read):
    line = b'{"time": "2026-10-23T08:00:01Z", "account_id": "a", "prompt": "half \\ud83d of an emoji"}'
    result = read(write(tmp_path / "log.jsonl", lines(line)))
    assert result.row["prompt"] == "half \ufffd of an emoji"


def test_file_that_is_mostly_unreadable_stops_and_names_the_likely_format(tmp_path, read):
    spend_log = {
        "request_id": "r", "call_type": "acompletion", "spend": 0.1, "api_key": "k", "startTime": "2026-10-23 08:00:01",
        "end_user": "a",
    }  # fmt: skip
    path = write(tmp_path / "log.jsonl", lines(*[spend_log] * 10))
    with pytest.raises(MostlyUnreadableError) as caught:
        read(path, format_name="generic")
    assert "10 of 10 records" in str(caught.value)
    assert "The likely format is `litellm-spendlogs`" in str(caught.value)


def test_defect_at_the_head_alone_does_not_stop_a_good_file(tmp_path, read):
    content = lines(*[b"garbage"] * 300, *(record(number) for number in range(20_000)))
    result = read(write(tmp_path / "log.jsonl", content))
    assert len(result.rows) == 20_000
    assert len(result.quarantined) == 300


def test_file_whose_middle_is_mostly_unreadable_is_stopped_at_its_end(tmp_path, read):
    good = [record(number) for number in range(6000)]
    content = lines(*good, *[b"garbage " * 4] * 40_000, *good)
    with pytest.raises(MostlyUnreadableError, match="40000 of 52000 lines could not be read"):
        read(write(tmp_path / "log.jsonl", content))


def test_three_bad_lines_do_not_stop_a_run(tmp_path, read):
    write(tmp_path / "a.jsonl", lines(record(0), b"x", b"y"))
    result = read(tmp_path)
    assert len(result.rows) == 1
    assert len(result.quarantined) == 2


def test_cut_parquet_is_refused_with_the_reason(tmp_path, read):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"time": [NOW], "account_id": ["a"]}), path)
    write(path, path.read_bytes()[:-20])
    with pytest.raises(UnreadableFileError, match="footer at the end is missing or damaged"):
        read(path)


def test_damaged_row_group_is_one_entry_and_the_next_is_read(tmp_path, read):
    path = tmp_path / "log.parquet"
    rng = np.random.default_rng(3)
    table = pa.table(
        {
            "time": pa.array([NOW - 10**6] * 3000, pa.timestamp("us")),
            "account_id": [f"a{number}" for number in range(3000)],
            "prompt": [rng.bytes(30).hex() for _ in range(3000)],
        }
    )
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    facts = pq.ParquetFile(path).metadata.row_group(1).column(2)
    begin = facts.data_page_offset + 40
    content[begin : begin + 2000] = rng.bytes(2000)
    write(path, bytes(content))
    result = read(path)
    assert [row["account_id"] for row in result.rows] == [f"a{n}" for n in (*range(1000), *range(2000, 3000))]
    (entry,) = result.quarantined
    assert (entry.offset, entry.length) == (1000, 0)
    assert entry.reason == "row group 1 is damaged: rows 1000 to 1999 could not be read"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"time,account_id,prompt\n2026,a,b\n2026,a,b\n", "looks like CSV"),
        (b"<?xml version='1.0'?><a/>\n", "looks like HTML or XML"),
        (b"PK\x03\x04" + b"x" * 100, "a ZIP archive"),
        (b"SQLite format 3\0" + b"x" * 100, "an SQLite database"),
        (b"Obj\x01" + b"x" * 100, "an Avro file"),
        (b"BZh9" + b"x" * 100, "a bzip2 file"),
        (b"hello world\nhow are you\n", "no line is a JSON object, nor a line of a known text log"),
    ],
)
def test_file_of_another_kind_is_named(content, words, tmp_path, read):
    with pytest.raises(UnknownFormatError, match=words):
        read(write(tmp_path / "log.jsonl", content))
